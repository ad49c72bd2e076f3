"""The two tables on which gaps are mitigated, as numbers: what a model may see, the label, and the group kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")
# What stays among the features although it tells something of the group.
PROXIES = MappingProxyType(
    {
        "adult": ("relationship", "marital_status", "occupation", "age", "hours_per_week"),
        "compas": ("priors_count", "juv_fel_count", "juv_misd_count", "juv_other_count"),
    }
)


@dataclass(frozen=True)
class People:
    """Some people of a table.

    Attributes
    ----------
    X : ndarray of float32, shape (n, features)
        Standardised with the means and spreads of the training rows. The group is not in it.
    y : ndarray of int, shape (n,)
        1 is what the person would want: an income over 50,000 dollars, or not arrested again within two years.
    groups : ndarray of str, shape (n,)
        Female and Male, or African-American and Caucasian.
    features : tuple of str
        The names of the columns of X.
    """

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    groups: NDArray[np.object_]
    features: tuple[str, ...]


@cache
def load(table: Literal["adult", "compas"]) -> MappingProxyType[str, People]:
    """Load a table, split as its own loader splits it.

    Adult: the group is sex; race, country of origin and the survey weight are left out with it. COMPAS: the group is race,
    of which only the two largest are kept, as ProPublica did; sex and age are left out with it, and the label is turned
    round, so that 1 is the wanted outcome in both tables.

    Parameters
    ----------
    table : "adult" or "compas"
        COMPAS is an asset.

    Returns
    -------
    mapping of "train", "validation" and "test" to People

    Raises
    ------
    ValueError
        If there is no such table.
    AssetError
        If the asset is missing or damaged.
    """
    if table not in PROXIES:
        raise ValueError(f"There are the tables 'adult' and 'compas'; got {table!r}.")
    made = {split: (_adult if table == "adult" else _compas)(split) for split in SPLITS}
    numbers = made["train"][0]
    middle, spread = numbers.mean(), numbers.std(ddof=0).replace(0.0, 1.0)
    return MappingProxyType(
        {
            split: People(
                ((frame - middle) / spread).to_numpy(np.float32),
                y.to_numpy(np.int64),
                groups.astype(str).to_numpy(object),
                tuple(frame),
            )
            for split, (frame, y, groups) in made.items()
        }
    )


def _adult(split: Literal["train", "validation", "test"]) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    import pandas as pd

    from helix.datasets import adult

    people = adult.load(split)
    frame = people[["age", "education_num", "hours_per_week"]].astype(float)
    for money in ("capital_gain", "capital_loss"):
        frame[money] = np.log1p(people[money])
    named = pd.get_dummies(people[["workclass", "marital_status", "occupation", "relationship"]], dtype=float)
    return pd.concat([frame, named], axis=1), people[adult.LABEL], people["sex"]


def _compas(split: Literal["train", "validation", "test"]) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    from helix.assets import tables

    people = tables.compas(split)
    people = people[people["race"].isin(["African-American", "Caucasian"])]
    frame = people[list(tables.COMPAS_FEATURES)].assign(
        c_charge_degree=(people["c_charge_degree"] == "F").astype(float)
    )
    counts = frame.columns.drop("c_charge_degree")
    frame[counts] = np.log1p(frame[counts])
    return frame.astype(float), 1 - people[tables.COMPAS_LABEL], people["race"]
