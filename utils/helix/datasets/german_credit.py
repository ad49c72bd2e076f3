"""German credit: 1,000 loans that a bank in southern Germany gave in 1973–1975, and whether they were paid back.

The code table that came with these data is wrong, and sex cannot be recovered from them. Where they come from, what is
wrong with them and who could be harmed by careless use: ``data/german_credit/CARD.md``.
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Literal

from helix import datasets

if TYPE_CHECKING:
    import pandas as pd

LABEL = "bad_credit"
SENSITIVE = ("age", "personal_status", "statlog_sex", "foreign_worker")
NUMERIC = ("duration", "amount", "age")
BANDS = ("instalment_rate", "residence", "credits_at_bank", "dependants")  # Statlog calls these numbers
ORDERED = ("employment", *BANDS)

COST = ((0, 1), (5, 0))
"""What a decision costs, as ``COST[bad_credit][refused]``: 5 for a bad credit that is given, 1 for a good one refused.

The matrix comes with the Statlog data. It is in no currency, and counts what the bank loses, not what the applicant does.
"""


def load(
    split: Literal["train", "validation", "test"] = "train", codebook: Literal["corrected", "statlog"] = "corrected"
) -> pd.DataFrame:
    """Load one split of German credit.

    A seeded hash drew the splits, with the same shares of label, personal status and ``statlog_sex``. There is no
    official test set.

    Parameters
    ----------
    split : "train", "validation" or "test"
        600, 200 and 200 rows.
    codebook : "corrected" or "statlog"
        Which table names the categories: Grömping's, or the wrong one that came with the data and that most papers
        used. The rows and the groups that they form are the same, what these are called is not: where the one says
        that somebody has no account, the other says that the account is overdrawn.

    Returns
    -------
    DataFrame
        22 columns. Those in ``NUMERIC`` are int64 (months; an unknown monotonic function of Deutsche Mark; years), and
        so is ``bad_credit``, 1 if the contract was not complied with as required. All others are categories, the same in
        every split; those in ``ORDERED`` are ordered, lowest first. With Statlog's table, ``BANDS`` are int64, and no
        values of what they are called but numbers of bands. Nothing is missing, though some categories mean "unknown".

        ``SENSITIVE`` names the columns by which people have been treated unequally. **None of them is sex.**
        ``personal_status`` puts men who are single and women who are not under one code (A92), so sex cannot be
        recovered. ``statlog_sex`` is what Statlog's table makes of it and most papers call sex: "female" for that
        mixed code, "male" for all others, among them the 92 women who are single. A gap between its two groups is a
        gap between codes. It says nothing about women and men.

    Raises
    ------
    ValueError
        If there is no such split or codebook, or the data file is damaged.
    FileNotFoundError
        If the data file is missing.

    References
    ----------
    H. Hofmann (1994), Statlog (German Credit Data), UCI Machine Learning Repository, doi:10.24432/C5NC77, CC BY 4.0.
    U. Grömping (2019), South German Credit, UCI Machine Learning Repository, doi:10.24432/C5X89F; and South German
    Credit Data: Correcting a Widely Used Data Set, Reports in Mathematics, Physics and Chemistry 4/2019, Beuth
    University of Applied Sciences Berlin.
    """
    import pandas as pd

    if split not in ("train", "validation", "test"):
        raise ValueError(f"German credit has the splits 'train', 'validation' and 'test'; got {split!r}.")
    if codebook not in ("corrected", "statlog"):
        raise ValueError(f"German credit has the codebooks 'corrected' and 'statlog'; got {codebook!r}.")
    content = gzip.decompress(datasets.read("german_credit", "german_credit.csv.gz"))
    tables = {column: list(table.values()) for column, table in datasets.card("german_credit")["codebook"].items()}
    dtypes = {
        column: pd.CategoricalDtype([corrected for corrected, _ in table], ordered=column in ORDERED)
        for column, table in tables.items()
    }
    numbers = dict.fromkeys((*NUMERIC, LABEL), "int64")
    frame = pd.read_csv(io.BytesIO(content), dtype=dtypes | numbers, keep_default_na=False)
    mixed = frame["personal_status"] == "female_not_single_or_male_single"
    sex = pd.Categorical.from_codes(mixed.astype(int), ["male", "female"])
    frame.insert(frame.columns.get_loc("personal_status") + 1, "statlog_sex", sex)
    if codebook == "statlog":
        for column, table in tables.items():
            frame[column] = frame[column].cat.rename_categories([statlog for _, statlog in table])
        frame = frame.astype(dict.fromkeys(BANDS, "int64"))
    return frame[frame["split"] == split].drop(columns="split").reset_index(drop=True)
