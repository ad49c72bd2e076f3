"""The Adult table is the one its card describes, and the card states nothing that the table does not show."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from helix import datasets
from helix.datasets import adult

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "adult"
SPLITS = ("train", "validation", "test")
SOMEBODY = [
    "age",
    "education",
    "occupation",
    "marital_status",
    "relationship",
    "race",
    "sex",
    "native_country",
]


@pytest.fixture(scope="module")
def facts() -> dict:
    return datasets.card("adult")


@pytest.fixture(scope="module")
def splits() -> dict[str, pd.DataFrame]:
    return {name: adult.load(name) for name in SPLITS}


@pytest.fixture(scope="module")
def everyone(splits) -> pd.DataFrame:
    return pd.concat(splits.values(), ignore_index=True)


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_adult", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_tuples(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


def test_file_is_the_one_in_the_card(facts, make):
    content = (FOLDER / "adult.csv.gz").read_bytes()
    stated = facts["files"]["adult.csv.gz"]
    assert stated == {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_sha256": hashlib.sha256(gzip.decompress(content)).hexdigest(),
    }
    assert len(content) < 1_000_000
    assert facts["originals"] == make.SHA256


def test_counts(facts, splits, everyone):
    assert facts["columns"] == everyone.shape[1]
    assert facts["rows"] == {name: len(frame) for name, frame in splits.items()}
    assert facts["rows"]["train"] + facts["rows"]["validation"] == 32_561  # the official training file
    assert facts["positive"] == {name: frame[adult.LABEL].sum() for name, frame in splits.items()}
    gaps = everyone.isna().sum()
    assert facts["missing"] == {**gaps[gaps > 0], "any_of_them": everyone.isna().any(axis=1).sum()}


def test_repeated_rows(facts, splits, everyone):
    seen = pd.concat([splits["train"], splits["validation"]])
    train, train_or_validation = set(as_tuples(splits["train"])), set(as_tuples(seen))
    same_features = everyone.drop(columns=adult.LABEL).duplicated(keep=False)
    assert facts["repeated"] == {
        "within_train_and_validation": seen.duplicated().sum(),
        "within_test": splits["test"].duplicated().sum(),
        "test_also_in_train_or_validation": sum(r in train_or_validation for r in as_tuples(splits["test"])),
        "validation_also_in_train": sum(r in train for r in as_tuples(splits["validation"])),
        "equal_but_for_the_label": (same_features & ~everyone.duplicated(keep=False)).sum(),
    }


def test_people(facts, everyone):
    counts, shares = {}, {}
    for column in ("sex", "race"):
        group = everyone.groupby(column, observed=True)[adult.LABEL]
        counts |= group.size()
        shares |= group.mean()
    counts["United-States"] = (everyone["native_country"] == "United-States").sum()
    assert facts["people"] == counts
    assert facts["positive_share"] == pytest.approx(shares, abs=5e-5)


def test_known_problems(facts, everyone):
    person = [*SOMEBODY, "fnlwgt"]
    assert facts["unique"]["with_fnlwgt"] == pytest.approx((~everyone.duplicated(person, keep=False)).mean(), abs=5e-5)
    assert facts["unique"]["without_fnlwgt"] == pytest.approx(
        (~everyone.duplicated(SOMEBODY, keep=False)).mean(), abs=5e-5
    )
    gain, age = everyone["capital_gain"], everyone["age"]
    assert facts["capped"] == {"capital_gain_99999": (gain == 99_999).sum(), "age_90": (age == 90).sum()}
    assert gain.max() == 99_999
    assert gain[gain < 99_999].max() == 41_310
    assert age.max() == 90
    # Sentences of the card that carry a number or an "all".
    pairs = everyone.groupby(["relationship", "sex"], observed=True).size()
    assert pairs["Husband", "Female"] == 1
    assert pairs["Wife", "Male"] == 3
    no_work, no_job = everyone["workclass"].isna(), everyone["occupation"].isna()
    assert no_job[no_work].all()
    assert list(everyone.loc[no_job & ~no_work, "workclass"]) == ["Never-worked"] * 10
    assert len(everyone[["education", "education_num"]].drop_duplicates()) == 16
    assert sorted(everyone["race"].value_counts())[1] < 500
    text = (FOLDER / "CARD.md").read_text()
    assert f"{facts['unique']['with_fnlwgt']:.1%}".replace("%", " %") in text
    assert f"{facts['unique']['without_fnlwgt']:.1%}".replace("%", " %") in text


def test_types_are_fixed(splits):
    for frame in splits.values():
        assert set(frame.columns) == {*adult.NUMERIC, *adult.CATEGORICAL, adult.LABEL}
        assert (frame[[*adult.NUMERIC, adult.LABEL]].dtypes == "int64").all()
        assert set(frame[adult.LABEL]) == {0, 1}
        assert frame[list(adult.NUMERIC)].notna().all().all()
        for column in adult.CATEGORICAL:  # one coding for all splits, or a trained model would read another table
            assert frame[column].dtype == splits["train"][column].dtype
            assert "?" not in frame[column].cat.categories
        assert list(frame["education"].cat.categories[[0, 8, 15]]) == ["Preschool", "HS-grad", "Doctorate"]
    assert set(adult.SENSITIVE) < set(splits["train"].columns)


def test_validation_is_stratified(splits):
    groups = ["sex", "race", adult.LABEL]
    share = {n: f.groupby(groups, observed=True).size() for n, f in splits.items()}
    expected = (share["train"] + share["validation"]) / 5
    assert (share["validation"] - expected).abs().max() <= 1


def test_unknown_split():
    with pytest.raises(ValueError, match="'train', 'validation' and 'test'; got 'dev'"):
        adult.load("dev")


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    shutil.copytree(FOLDER, tmp_path / "data" / "adult")
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    return tmp_path / "data" / "adult"


def test_damaged_file_is_refused_and_says_how_to_mend_it(copy):
    assert len(adult.load("test")) == 16_281
    packed = copy / "adult.csv.gz"
    packed.write_bytes(packed.read_bytes()[:-1] + b"!")
    mend = r"data/adult/adult.csv.gz is damaged: .*Bring it back"
    with pytest.raises(ValueError, match=mend):
        adult.load("test")
    packed.unlink()
    with pytest.raises(FileNotFoundError, match=r"adult.csv.gz is missing. .*Bring it back"):
        adult.load("test")
    (copy / "CARD.md").write_text("# A card without facts\n")
    with pytest.raises(ValueError, match=r"CARD.md cannot be read .*Bring it back"):
        adult.load("test")
    (copy / "CARD.md").unlink()
    with pytest.raises(FileNotFoundError, match=r"CARD.md is missing. .*Bring it back"):
        adult.load("test")


PEOPLE = [
    "39, Private, 77516, Bachelors, 13, Never-married, Sales, Own-child, White, Male, 0, 0, 40, Cuba, <=50K",
    "50, ?, 83311, HS-grad, 9, Divorced, ?, Unmarried, Black, Female, 2174, 0, 13, ?, >50K",
] * 10


@pytest.fixture
def originals(tmp_path) -> Path:
    (tmp_path / "adult.data").write_text("\n".join(PEOPLE) + "\n\n")
    (tmp_path / "adult.test").write_text("|1x3 Cross validator\n" + ".\n".join(PEOPLE) + ".\n\n")
    return tmp_path


def test_make_is_deterministic_and_clean(make, originals, tmp_path):
    names = ("adult.data", "adult.test")
    expected = {name: hashlib.sha256((originals / name).read_bytes()).hexdigest() for name in names}
    for name in ("first.csv.gz", "second.csv.gz"):
        make.make(originals, tmp_path / name, expected)
    assert (tmp_path / "first.csv.gz").read_bytes() == (tmp_path / "second.csv.gz").read_bytes()

    made = pd.read_csv(tmp_path / "first.csv.gz", keep_default_na=False)
    assert list(made.columns) == [*make.COLUMNS, "split"]
    assert dict(made["split"].value_counts()) == {"test": 20, "train": 16, "validation": 4}
    assert dict(made.loc[made["split"] == "validation", "sex"].value_counts()) == {"Male": 2, "Female": 2}
    assert list(made[adult.LABEL]) == [0, 1] * 20
    assert list(made.loc[1, ["workclass", "occupation", "native_country"]]) == ["", "", ""]


def test_make_refuses_other_originals(make, originals, tmp_path):
    with pytest.raises(SystemExit, match=r"adult\.data in .* is not the original file"):
        make.make(originals, tmp_path / "out.csv.gz")
    assert not (tmp_path / "out.csv.gz").exists()


def test_make_refuses_a_broken_row(make):
    with pytest.raises(SystemExit, match="3 values instead of 15"):
        make.rows(b"39, State-gov, <=50K\n")
