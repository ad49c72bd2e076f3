"""The learner's copies of chapters, labs and worked labs: laid out as in the course, so that links lead the same way.

JupyterLab opens the copies, never the course's own files: nothing that a learner does changes those, and no update meets what a
learner wrote. Each built notebook carries the hash of its cells' texts (`texts`). So a copy tells by itself which version it was
made from, and whether anything was written since. What a mere run leaves does not count: outputs can be had again.

Standard library only, and nothing newer than Python 3.8: `helix.course.update` needs it where the environment is broken.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from helix import paths

FOLDERS = ("notebooks", "labs", "solutions")
OFFERED = ".offered.json"  # in the learner's folder: the version of each page that was last put beside a changed copy
_EARLIER = re.compile(r"(\d\d_\w+?)(-kept(?:-\d+)?)?\.ipynb")  # the names of labs when they lay in the folder itself


def texts(cells: Any) -> str:
    """Return the hash of the kinds and the texts of a notebook's cells, in their order."""
    digest = hashlib.sha256()
    for cell in cells:
        text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        digest.update(f"{cell['cell_type']} {len(text)}\n{text}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def version(file: Path) -> str:
    """Return which version of its page a notebook is or was made from, "" if it does not say: the `texts` when it was built."""
    return _read(file)[0]


def written_in(file: Path) -> bool:
    """Whether a notebook holds other texts than when it was built; one that cannot be read does."""
    built, now = _read(file)
    return not built or built != now


def _read(file: Path) -> tuple[str, str]:
    """Return the `texts` of a notebook as it was built, and as they are."""
    try:
        notebook = json.loads(file.read_text("utf-8"))
        return str(notebook["metadata"].get("helix", {}).get("texts", "")), texts(notebook["cells"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "", ""


def pages() -> list[str]:
    """Return the course's notebooks, each as its place in the course and in the learner's folder."""
    root = paths.root()
    return sorted(
        file.relative_to(root).as_posix()
        for folder in FOLDERS
        for file in (root / folder).glob("*.ipynb")
        if version(file)  # an own notebook that somebody laid beside them is no page
    )


def place() -> list[str]:
    """Make what is missing, renew what the learner did not change, put what is new beside what they did; return what to tell.

    Nothing that a learner wrote is overwritten or removed. A copy in which they wrote stays as it is. Where the course has a new
    version of it, that one is put beside it, once.

    Raises
    ------
    SystemExit
        If the learner's folder is the course's own, or cannot be written to; the message says what to do.
    """
    root, work = paths.root(), paths.work()
    if work == root or root / "utils" in (work, *work.parents):
        raise SystemExit("HELIX_WORK names the course's own folder. Name another one, for your copies and your record.")
    told: list[str] = []
    try:
        told += _from_earlier_place(work)
        offered = _load(work / OFFERED)
        for page in pages():
            told += _place(root / page, work / page, page, offered)
    except OSError as error:
        where = paths.told(Path(str(error.filename or work)))
        raise SystemExit(
            f"{where}: {error.strerror}. {_MEND.get(error.errno or 0, _ELSEWHERE)} Nothing was lost."
        ) from None
    return told


def _place(shipped: Path, copy: Path, page: str, offered: dict[str, str]) -> Iterator[str]:
    new = version(shipped)
    if not copy.exists():
        write(shipped, copy)
    elif not written_in(copy):
        if not _same(shipped, copy):
            write(shipped, copy)
            yield f"{paths.told(copy)} is a newer version now; you had not changed it."
    elif new not in (version(copy), offered.get(page)):
        beside = paths.free(copy.with_name(f"{copy.stem}.new-{date.today().isoformat()}.ipynb"))
        write(shipped, beside)
        offered[page] = new
        _save(copy.parents[len(Path(page).parts) - 1] / OFFERED, offered)
        yield f"{paths.told(copy)}, in which you wrote, has a newer version: {beside.name}, beside it."


def _same(shipped: Path, copy: Path) -> bool:
    """Whether a copy in which nothing was written is of this very build: text for text, and made from the same inputs."""
    kept: list[Mapping[str, Any]] = [
        json.loads(file.read_text("utf-8"))["metadata"]["helix"] for file in (shipped, copy)
    ]
    return kept[0] == kept[1]


def _from_earlier_place(work: Path) -> Iterator[str]:
    """Move labs from where earlier versions put them, the learner's folder itself, to ``labs/``."""
    for file in sorted(work.glob("[0-9][0-9]_*.ipynb")):
        match = _EARLIER.fullmatch(file.name)
        if match and (paths.root() / "labs" / f"{match[1]}_lab.ipynb").exists():
            goal = work / "labs" / f"{match[1]}_lab{match[2] or ''}.ipynb"
            if goal.exists():
                goal = paths.free(goal.with_name(f"{match[1]}_lab-kept.ipynb"))
            goal.parent.mkdir(parents=True, exist_ok=True)
            file.rename(goal)
            yield f"Your lab {file.name} is now {paths.told(goal)}."


def write(source: Path, goal: Path) -> None:
    """Copy a file in one stroke; the copy is the learner's to write, whatever the source is."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    draft = goal.with_name(f".{goal.name}.part")
    try:
        shutil.copyfile(source, draft)
        os.replace(draft, goal)
    except OSError:
        if draft.exists():
            draft.unlink()
        raise


def _load(file: Path) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}  # lost or damaged: at worst something is put beside a second time


def _save(file: Path, content: dict[str, str]) -> None:
    draft = file.with_name(f"{file.name}.part")
    draft.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    os.replace(draft, file)


_ELSEWHERE = "Set HELIX_WORK to a folder that you can write to."
_MEND = {28: "Make room and call again."}  # ENOSPC


def main() -> int:
    """Place the copies and tell of them; a new version does so after an update."""
    for sentence in place():
        print(sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
