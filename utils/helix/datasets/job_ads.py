"""Job advertisements: 240 sentences in Chinese and English, and whether their wording addresses one gender.

They were written for this course, and before any program that reads them. How they were written and labelled, and what they
are not good for: ``data/job_ads/CARD.md``; what a label means: ``data/job_ads/GUIDE.md``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from helix import datasets

if TYPE_CHECKING:
    import pandas as pd

CODES = ("requirement", "pronoun", "title", "stereotype", "none")
LANGUAGES = ("zh", "en")


def load(language: Literal["zh", "en"] | None = None) -> pd.DataFrame:
    """Load the advertisements. All of them are a test set: nothing is trained or tuned on them.

    Parameters
    ----------
    language : "zh" or "en", optional
        One language only; without it both.

    Returns
    -------
    DataFrame
        The columns ``id``, ``language``, ``text``; ``a`` and ``b``, the codes of the two labellers; ``code``, one of
        `CODES`: theirs where they agree, else the one that was settled on; and ``gendered``, whether that is not "none".

    Raises
    ------
    ValueError
        If there is no such language, or a data file is damaged.
    FileNotFoundError
        If a data file is missing.
    """
    import pandas as pd

    if language is not None and language not in LANGUAGES:
        raise ValueError(f"The advertisements are in 'zh' and 'en'; got {language!r}.")
    tables = (
        pd.read_csv(io.BytesIO(datasets.read("job_ads", file)), dtype=str, keep_default_na=False)
        for file in ("items.csv", "labels.csv")
    )
    frame = next(tables).merge(next(tables), on="id", validate="one_to_one")
    frame["gendered"] = frame["code"] != "none"
    return frame[frame["language"] == (language or frame["language"])].reset_index(drop=True)
