"""Loaders of the tables among the assets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from helix.assets.store import folder

if TYPE_CHECKING:
    import pandas as pd

COMPAS_LABEL = "two_year_recid"
COMPAS_SENSITIVE = ("sex", "age", "age_cat", "race")
COMPAS_FEATURES = ("juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count", "c_charge_degree")
LAST_FOLLOWED = "2014-04-01"  # whoever was scored later is in ProPublica's file only if arrested again
_SEED = 2026


def compas(split: Literal["train", "validation", "test"] = "train", followed: bool = False) -> pd.DataFrame:
    """Load one split of COMPAS: people whom Broward County, Florida, scored in 2013 and 2014, and two years after.

    Kept are the people whom ProPublica kept in its analysis: charged within 30 days of the screening, for more than an
    ordinary traffic offence, with a known score and outcome. The splits are ours, chosen by a hash: 60, 20 and 20 %, with
    the shares of outcome, race and sex as equal as whole people allow.

    Parameters
    ----------
    split : "train", "validation" or "test"
        3,704, 1,234 and 1,234 rows.
    followed : bool
        Only people who were scored until `LAST_FOLLOWED`, 5,304 of the 6,172. All 868 who were scored later were arrested
        again: for these ProPublica's file left out whoever was not, and its base rates are too high (Barenstein 2019).

    Returns
    -------
    DataFrame
        One row a person, without name, birth date and numbers of cases. ``decile_score`` is the score (1 low to 10
        high), ``two_year_recid`` is 1 if the person was arrested again within two years: an arrest, not a deed.
        `COMPAS_SENSITIVE` names the sensitive attributes, `COMPAS_FEATURES` what else was known when the score was made.
        Most other columns were not (``is_recid``, ``r_…``, ``vr_…``, ``violent_recid``, ``event``, ``start``, ``end``
        and more): a model that is given them reads the answer.

    Raises
    ------
    ValueError
        If there is no such split.
    AssetError
        If the asset is missing or damaged.

    References
    ----------
    J. Larson, S. Mattu, L. Kirchner and J. Angwin, How We Analyzed the COMPAS Recidivism Algorithm, ProPublica,
    23 May 2016.
    M. Barenstein (2019), ProPublica's COMPAS Data Revisited, arXiv:1906.04711.
    """
    import pandas as pd

    if split not in ("train", "validation", "test"):
        raise ValueError(f"COMPAS has the splits 'train', 'validation' and 'test'; got {split!r}.")
    everyone = pd.read_csv(folder("compas") / "compas.csv")
    everyone = everyone.drop(
        columns=[column for column in everyone if column.endswith(".1")]
    )  # two columns stand twice
    kept = everyone[
        everyone["days_b_screening_arrest"].between(-30, 30)
        & (everyone["is_recid"] != -1)
        & (everyone["c_charge_degree"] != "O")
        & everyone["score_text"].notna()
    ]
    # The hash decides the order, and not a generator of random numbers, so that no library can change the split.
    order = kept.assign(hash=[hashlib.sha256(f"{_SEED}:{one}".encode()).hexdigest() for one in kept["id"]])
    order = order.sort_values([COMPAS_LABEL, "race", "sex", "hash"]).index
    fifth = {"train": (0, 1, 3), "validation": (2,), "test": (4,)}[split]
    rows = kept.loc[sorted(row for place, row in enumerate(order) if place % 5 in fifth)]
    if followed:
        rows = rows[
            rows["compas_screening_date"] <= LAST_FOLLOWED
        ]  # dates as YYYY-MM-DD, whose order is that of the days
    return rows.reset_index(drop=True)


@dataclass(frozen=True)
class Fico:
    """Credit scores in the United States by race; the sample is the Federal Reserve's.

    The groups are "Non-Hispanic white", "Black", "Hispanic" and "Asian".

    Attributes
    ----------
    people : Series
        How many people of each group are in the sample.
    at_most : DataFrame
        For each score (the index, 0 to 100), the percentage of each group that has at most this score.
    defaulted : DataFrame
        For each score, the percentage of each group's people with it who defaulted.
    """

    people: pd.Series
    at_most: pd.DataFrame
    defaulted: pd.DataFrame


def fico() -> Fico:
    """Load the FICO shares.

    References
    ----------
    M. Hardt, E. Price and N. Srebro (2016), Equality of Opportunity in Supervised Learning, arXiv:1610.02413.
    """
    import pandas as pd

    place = folder("fico")
    people = pd.read_csv(place / "totals.csv", index_col=0).loc["SSA"]
    at_most = pd.read_csv(place / "transrisk_cdf_by_race_ssa.csv", index_col=0)
    defaulted = pd.read_csv(place / "transrisk_performance_by_race_ssa.csv", index_col=0)
    name = {"Non- Hispanic white": "Non-Hispanic white"}  # as the file spells it
    return Fico(people.rename(name), at_most.rename(columns=name), defaulted.rename(columns=name))
