"""A script written out from a cell, which `launch`, ``import`` and ``torchrun`` can use alike."""

from __future__ import annotations

import importlib
import importlib.util
import keyword
import sys
from pathlib import Path
from types import ModuleType

from helix import paths


def written(name: str, text: str) -> ModuleType:
    """Write a module into the learner's folder, ``scripts/`` within ``work/``, and import it afresh.

    Parameters
    ----------
    name : str
        A plain module name, such as ``ring``; an installed module's is refused.
    text : str
        The whole source.

    Returns
    -------
    module
        Its functions may be given to `launch`; its ``__file__`` to ``torchrun``.

    Raises
    ------
    ValueError
        If the name is no module name, or belongs to another module.
    SyntaxError
        If the source does not compile; the file is not written then.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is no module name: take letters, digits and underscores, such as 'my_ring'.")
    folder = paths.work() / "scripts"
    file = folder / f"{name}.py"
    compile(text, file.name, "exec")
    if not file.exists() or name in sys.modules:
        found = sys.modules[name].__spec__ if name in sys.modules else importlib.util.find_spec(name)
        if found is not None and Path(found.origin or "").resolve() != file.resolve():
            raise ValueError(f"A module called {name} exists already. Take another name, such as 'my_{name}'.")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Not from __pycache__: two versions written within a second and of one length look the same to it.
    exec(compile(text, str(file), "exec"), module.__dict__)
    sys.modules[name] = module
    return module
