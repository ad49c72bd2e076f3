"""Job advertisements in Chinese and English: 240 sentences with whether their wording addresses one gender, and 132 that are to be rewritten.

They were written for this course, and before the rules that they judge. How they were written and labelled, and what they
are not good for: ``data/job_ads/CARD.md``; what a label means: ``data/job_ads/GUIDE.md``; how to rewrite: ``data/job_ads/REWRITING.md``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from helix import datasets

if TYPE_CHECKING:
    import pandas as pd

CODES = ("requirement", "pronoun", "title", "stereotype", "none")
LANGUAGES = ("zh", "en")
KINDS = ("wanted", "other", "name", "word", "said")


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


def rewriting() -> pd.DataFrame:
    """Load the sentences for a rewriter. All of them are a test set: no rule is written with one of them in view.

    Returns
    -------
    DataFrame
        The columns ``id``, ``language``, ``kind`` (one of `KINDS`, see ``data/job_ads/REWRITING.md``), ``text``, and ``right``: the tuple
        of texts that a careful editor may make of it, which is the text itself where nothing must change.

    Raises
    ------
    ValueError
        If a data file is damaged.
    FileNotFoundError
        If a data file is missing.
    """
    import pandas as pd

    content = io.BytesIO(datasets.read("job_ads", "rewriting.csv"))
    frame = pd.read_csv(content, dtype=str, keep_default_na=False)
    frame["right"] = [tuple(one.split(" | ")) for one in frame["right"]]
    return frame


def outcome(text: str, right: tuple[str, ...], made: str) -> Literal["right", "left", "wrong"]:
    """Judge what a rewriter made of a sentence: as it should be, left as it was though it should change, or anything else."""
    if made in right:
        return "right"
    return "left" if made == text else "wrong"
