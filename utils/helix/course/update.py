"""``python3 kit.py update``: a new version of the course, by git or from a downloaded folder; every note stays.

Learners write in copies (`helix.course.copies`), so a new version meets nothing of theirs. Where somebody wrote into the course's
own notebooks all the same, as an editor such as VS Code lets them, that version is first moved to their folder.

Standard library only, and nothing newer than Python 3.8: `kit.py` calls this even where the environment is broken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from helix import paths
from helix.course import copies

# What a set-up is made from. kit.py decides from the same locks whether anything is left to do.
SET_UP = ("requirements.lock", "requirements.hashes", "pyproject.toml", "utils/helix/assets/assets.lock")
WHOLE = ("kit.py", "requirements.lock", "source/course.toml", "utils/helix/paths.py", "notebooks/00_start_here.ipynb")
_OURS = (".git", ".venv", ".assets", "work")  # what the set-up and the learner made, never the new version's


class Refused(Exception):
    """The course stays as it is; the message says why and what to do."""


def main(words: list[str]) -> int:
    """``python3 kit.py update [--from FOLDER]``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py update", description="Bring a new version of the course; all that you wrote stays."
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FOLDER",
        help="a downloaded folder or .zip of the course, or a clone",
    )
    source = parser.parse_args(words).source
    root = paths.root()
    before = _set_up()
    try:
        if not os.access(root, os.W_OK):
            raise Refused("This installation cannot be written to. Whoever keeps it can update it; your copies follow.")
        if source is not None and not source.exists():
            raise Refused(f"There is no {source}.")
        if (root / ".git").exists():
            _by_git(root, source)
        elif source is None:
            raise Refused("This copy is no clone. Download the new version, then: python3 kit.py update --from FOLDER")
        else:
            with _unpacked(source) as folder:
                _by_folder(root, folder)
    except Refused as why:
        print(f"Not updated: {why}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"Not updated: {error.strerror or error}{f': {error.filename}' if error.filename else ''}. The course is as it was.",
            file=sys.stderr,
        )
        return 1
    # The new version places its copies itself: it may do so in another way than this one.
    program = f"import sys; sys.path.insert(0, {str(root / 'utils')!r}); from helix.course import copies; sys.exit(copies.main())"
    status = subprocess.run([sys.executable, "-c", program], check=False).returncode
    if _set_up() != before:
        print("What the course needs has changed. Next: python3 kit.py setup (it needs a network)")
    return status


def _set_up() -> list[bytes]:
    files = [paths.root() / name for name in SET_UP]
    return [file.read_bytes() if file.exists() else b"" for file in files]


# ---------------------------------------------------------------------- by git


def _git(*words: str) -> str:
    """Return what git prints; its error becomes ours."""
    try:
        done = subprocess.run(["git", *words], cwd=str(paths.root()), capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        raise Refused("This copy is a clone, and git is not installed here. Install git and call again.") from None
    if done.returncode:
        raise Refused(f"git {words[0]} says: {(done.stderr or done.stdout).strip() or 'nothing'}")
    return done.stdout


def _by_git(root: Path, source: Path | None) -> None:
    listed = _git("status", "--porcelain", "-z", "--no-renames", "-uno").split("\0")
    changed = {line[3:]: line[:2] for line in listed if line}
    ours = [name for name, how in changed.items() if "A" in how or Path(name).parts[0] not in copies.FOLDERS]
    if ours:
        raise Refused(
            f"{len(ours)} files of the course were changed here: {', '.join(ours[:5])}{' …' if len(ours) > 5 else ''}. "
            "Commit them on a branch of your own, or undo the changes (git checkout -- FILE), and call again."
        )
    if source is None:
        try:
            upstream = _git("rev-parse", "--abbrev-ref", "@{upstream}").strip()
        except Refused:
            raise Refused(
                "The branch here follows none of a remote. Name the new version: python3 kit.py update --from FOLDER"
            ) from None
        if _git("rev-list", f"{upstream}..HEAD"):
            raise Refused(
                f"There are commits here that {upstream} does not have, so this is a version of your own. "
                "Bring the new one in yourself: git pull --rebase"
            )
    _rescue(root, list(changed))
    if changed:
        _git("checkout", "HEAD", "--", *changed)
    if source is None:
        _git("fetch", "--quiet")
        new = "@{upstream}"
    elif (source / ".git").exists() or (source / "HEAD").exists():
        _git("fetch", "--quiet", str(source.resolve()), "HEAD")
        new = "FETCH_HEAD"
    else:
        raise Refused(f"This copy is a clone, and {source} is none. Without --from, the clone asks its remote.")
    old, goal = _git("rev-parse", "HEAD").strip(), _git("rev-parse", new).strip()
    if not _git("rev-list", f"{old}..{goal}"):
        print("This is the newest version.")
        return
    if _git("rev-list", f"{goal}..{old}"):
        raise Refused("The history of the course was rewritten, or this clone went its own way. Clone the course anew.")
    try:
        _git("merge", "--quiet", "--ff-only", goal)
    except (Refused, KeyboardInterrupt):
        if _git("status", "--porcelain", "-uno"):  # cut short, say by a full disk; before, nothing differed
            _git("reset", "--quiet", "--hard", old)
        raise
    print(f"Updated from {old[:7]} to {goal[:7]}.")


def _rescue(root: Path, names: list[str]) -> None:
    """Copy the notebooks of the course in which somebody wrote to the learner's folder, where they take no other's place."""
    for name in names:
        if not (root / name).is_file() or not copies.written_in(root / name):
            continue
        goal = paths.work() / name
        if goal.exists():
            goal = paths.free(goal.with_name(f"{goal.stem}.saved-{date.today().isoformat()}.ipynb"))
        copies.write(root / name, goal)
        print(f"You had written in {name}: your version is now {paths.told(goal)}.")


# ---------------------------------------------------------------------- from a folder


@contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """Give the folder of the new version: `source`, or what the archive `source` holds."""
    if source.is_dir():
        yield source.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="helix-update-") as folder:
        try:
            with zipfile.ZipFile(str(source)) as archive:
                archive.extractall(folder)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
            raise Refused(f"{source} is neither a folder nor a whole .zip file. Download it again.") from None
        inside = list(Path(folder).iterdir())
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else Path(folder)


def _by_folder(root: Path, source: Path) -> None:
    """Put a new version in the place of this one, folder by folder; whatever fails, the old one comes back.

    What stood there is kept beside it, for somebody may have laid something of their own among the course's files.
    """
    if source == root:
        raise Refused("That is the course's own folder. Name the one with the new version.")
    if lacking := [name for name in WHOLE if not (source / name).is_file()]:
        raise Refused(f"{source} is not the course, or not whole: it has no {lacking[0]}.")
    names = sorted(path.name for path in source.iterdir() if not path.name.startswith(_OURS))
    _rescue(root, copies.pages())
    staged, kept = root / ".update-new", paths.free(root / f".before-update-{date.today().isoformat()}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    done: list[str] = []
    try:
        for name in names:  # all that takes time, and room, comes before anything of the old is touched
            if (source / name).is_dir():
                shutil.copytree(source / name, staged / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source / name, staged / name)
        kept.mkdir()
        for name in names:
            done.append(name)
            if (root / name).exists():
                (root / name).rename(kept / name)
            (staged / name).rename(root / name)
    except BaseException:
        for name in reversed(done):
            if not (staged / name).exists():
                (root / name).rename(staged / name)
            if (kept / name).exists():
                (kept / name).rename(root / name)
        if kept.exists() and not any(kept.iterdir()):
            kept.rmdir()
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    print(f"Updated. The old version is kept in {kept.name}/; when all is well, remove it.")
