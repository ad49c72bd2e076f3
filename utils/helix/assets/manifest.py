"""What ``assets.lock`` says: which models and data the course takes out of which packages."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from helix import paths


class AssetError(RuntimeError):
    """An asset cannot be had or used; the message is the sentence that says what to do."""


class BrokenLock(AssetError, ValueError):
    """``assets.lock`` does not hold together."""


@dataclass(frozen=True)
class Package:
    """A wheel on the package index: it is never installed, only read."""

    name: str
    version: str
    wheel: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Piece:
    """A file inside a wheel: its bytes and SHA-256, and its address at its origin if it has one."""

    package: Package
    member: str
    name: str
    bytes: int
    sha256: str
    mirror: str = ""


@dataclass(frozen=True)
class Asset:
    """A model or a data set: its pieces, where it comes from, and what it needs.

    `recipe` counts the changes of how the pieces are prepared (`helix.assets.prepare`); 0 takes them as they are.
    `requires` names the modules which that takes, `group` the dependency group that holds them, and `prepared` is how
    many bytes come of it.
    """

    name: str
    title: str
    licence: str
    origin: str
    pieces: tuple[Piece, ...]
    group: str = "core"
    requires: tuple[str, ...] = ()
    recipe: int = 0
    prepared: int = 0
    note: str = ""

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages that its pieces lie in."""
        return tuple(dict.fromkeys(piece.package for piece in self.pieces))

    @property
    def download(self) -> int:
        """Bytes to download."""
        return sum(package.bytes for package in self.packages)

    @property
    def unpacked(self) -> int:
        """Bytes of the pieces on the disk."""
        return sum(piece.bytes for piece in self.pieces)

    @property
    def room(self) -> int:
        """Bytes that installing it takes at its peak: what comes, what it unpacks to, and what is made of that.

        Before anything is unpacked pip holds a wheel twice, when it has come.
        """
        return self.download + max(self.unpacked + self.prepared, *(package.bytes for package in self.packages))

    @property
    def digest(self) -> str:
        """A hash of what decides the content: the pieces and the recipe."""
        facts = [self.recipe, *((piece.name, piece.bytes, piece.sha256) for piece in self.pieces)]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def load() -> dict[str, Asset]:
    """Return all assets of ``assets.lock`` by name.

    Raises
    ------
    BrokenLock
        If the lock cannot be read, or does not hold together.
    """
    lock = paths.root() / "utils" / "helix" / "assets" / "assets.lock"
    if not lock.exists():  # another course than ours, which has none of its own
        lock = Path(__file__).parent / "assets.lock"
    try:
        return _assets(tomllib.loads(lock.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrokenLock(
            f"{paths.display(lock)} is damaged ({error}). {paths.bring_back(paths.display(lock))}"
        ) from None
    except KeyError as key:
        raise BrokenLock(f"assets.lock is incomplete: somewhere it lacks {key}.") from None


def _assets(data: dict[str, Any]) -> dict[str, Asset]:
    packages = {name: _build(Package, table | {"name": name}) for name, table in data["package"].items()}
    assets = {}
    for name, table in data["asset"].items():
        pieces = []
        for file in table.pop("file"):
            owner = packages.get(file["package"])
            if owner is None:
                raise BrokenLock(
                    f"assets.lock: {name} takes a file from {file['package']}, which has no [package] entry."
                )
            file.setdefault("name", PurePosixPath(file["member"]).name)
            if PurePosixPath(file["name"]).is_absolute() or ".." in PurePosixPath(file["name"]).parts:
                raise BrokenLock(f"assets.lock: {name} would write outside its folder: {file['name']}.")
            pieces.append(_build(Piece, file | {"package": owner}))
        names = [piece.name for piece in pieces]
        if twice := {one for one in names if names.count(one) > 1}:
            raise BrokenLock(f"assets.lock: {name} has two files of the name {', '.join(sorted(twice))}.")
        table["requires"] = tuple(table.get("requires", ()))
        assets[name] = _build(Asset, table | {"name": name, "pieces": tuple(pieces)})
    return assets


def _build(kind: type, table: dict[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    if unknown := set(table) - known:
        raise BrokenLock(f"assets.lock: unknown key {', '.join(sorted(unknown))}.")
    try:
        return kind(**table)
    except TypeError as error:
        raise BrokenLock(f"assets.lock is incomplete: {error}.") from None


def get(name: str) -> Asset:
    """Return one asset.

    Raises
    ------
    AssetError
        If there is none of that name.
    """
    assets = load()
    if name not in assets:
        raise AssetError(f"There is no asset {name!r}. There are: {', '.join(assets)}.")
    return assets[name]
