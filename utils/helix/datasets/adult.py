"""Adult: 48,842 people in the US Census Bureau's 1994 survey, and whether each earned over 50,000 dollars.

Where it comes from, what is wrong with it and who could be harmed by careless use: ``data/adult/CARD.md``.
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Literal

from helix import datasets

if TYPE_CHECKING:
    import pandas as pd

LABEL = "income_over_50k"
SENSITIVE = ("sex", "race", "age", "marital_status", "native_country")
CATEGORICAL = (
    "workclass",
    "education",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native_country",
)
NUMERIC = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")


def load(split: Literal["train", "validation", "test"] = "train") -> pd.DataFrame:
    """Load one split of Adult.

    ``test`` is the official one; ``validation`` is a fixed fifth of the official training rows, with the same
    shares of label, sex and race, and ``train`` is the rest.

    Parameters
    ----------
    split : "train", "validation" or "test"
        26,049, 6,512 and 16,281 rows.

    Returns
    -------
    DataFrame
        15 columns under their original names in snake_case. Those in ``NUMERIC`` are int64 (years, dollars,
        hours; ``fnlwgt`` is a survey weight and no property of the person). Those in ``CATEGORICAL`` are
        categories, the same in every split; education is ordered, and NaN means that the answer is not known.
        ``income_over_50k`` is 0 or 1. ``SENSITIVE`` names the columns by which people have been treated
        unequally; leaving them out hides little, as ``relationship`` tells the sex of husbands and wives.

    Raises
    ------
    ValueError
        If there is no such split, or the data file is damaged.
    FileNotFoundError
        If the data file is missing.

    References
    ----------
    B. Becker and R. Kohavi (1996), Adult, UCI Machine Learning Repository, doi:10.24432/C5XW20, CC BY 4.0.
    """
    import pandas as pd

    if split not in ("train", "validation", "test"):
        raise ValueError(f"Adult has the splits 'train', 'validation' and 'test'; got {split!r}.")
    content = gzip.decompress(datasets.read("adult", "adult.csv.gz"))
    dtypes = dict.fromkeys(CATEGORICAL, "category") | dict.fromkeys((*NUMERIC, LABEL), "int64")
    # Categories come from the whole file, so every split has the same ones; only "" is missing, never "None".
    frame = pd.read_csv(
        io.BytesIO(content), dtype=dtypes | {"split": "category"}, keep_default_na=False, na_values=[""]
    )
    levels = frame.drop_duplicates("education").sort_values("education_num")["education"].astype(str)
    frame["education"] = frame["education"].cat.reorder_categories(list(levels), ordered=True)
    return frame[frame["split"] == split].drop(columns="split").reset_index(drop=True)
