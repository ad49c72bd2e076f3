"""Check sums and hashes are of bytes: they hold in a clone whose git changes line ends, and what broke them is named."""

import hashlib
import shutil
import subprocess

import pytest

from helix import cards, paths


def test_a_clone_that_would_change_line_ends_has_the_bytes_that_were_committed(tmp_path):
    root = paths.root()
    if not ((root / ".git").exists() and shutil.which("git")):
        pytest.skip("This copy of the course is no clone.")

    def git(*words):
        command = ["git", "-c", f"safe.directory={root}", "-c", "core.autocrlf=true", *words]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("clone", "-q", "--depth=1", "-c", "core.autocrlf=true", root.as_uri(), "clone")
    listed = git("-C", "clone", "ls-files", "-s", "-z").split("\0")
    changed = []
    for line in filter(None, listed):
        (_, blob, _), name = line.partition("\t")[0].split(), line.partition("\t")[2]
        content = (tmp_path / "clone" / name).read_bytes()
        if hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest() != blob:
            changed.append(name)
    assert len(listed) > 100
    assert changed == []


def test_a_file_whose_line_ends_were_changed_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    digest = hashlib.sha256(b"a\nb\n").hexdigest()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "CARD.md").write_text(f'```toml\n[files."x.txt"]\nsha256 = "{digest}"\n```\n')
    (tmp_path / "data" / "x.txt").write_bytes(b"a\r\nb\r\n")
    with pytest.raises(ValueError, match=r"Only its line ends differ.*Remove it first.*update --from FOLDER"):
        cards.read("data", "x.txt")
    (tmp_path / ".git").mkdir()
    with pytest.raises(ValueError, match=r"Remove it first\. Bring it back with: git checkout -- data$"):
        cards.read("data", "x.txt")
    (tmp_path / "data" / "x.txt").write_bytes(b"a\nc\n")
    with pytest.raises(ValueError, match=r"card describes\. Bring it back with: git checkout -- data$"):
        cards.read("data", "x.txt")
    (tmp_path / "data" / "x.txt").write_bytes(b"a\nb\n")
    assert cards.read("data", "x.txt") == b"a\nb\n"
