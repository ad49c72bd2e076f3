"""AIF360's AdversarialDebiasing, which needs TensorFlow and so an environment of its own: ``python3 kit.py env tensorflow``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helix import own_venv
from helix.trust.groups import binary
from helix.trust.mitigated import codes

# AIF360's own defaults.
WEIGHT, EPOCHS, BATCH = 0.1, 50, 128


def aif360_adversarial(
    X: ArrayLike,
    y: ArrayLike,
    groups: Any,
    asked: Mapping[str, ArrayLike],
    *,
    seed: int,
    debias: bool = True,
    weight: float = WEIGHT,
    epochs: int = EPOCHS,
    batch: int = BATCH,
    timeout: float = 600.0,
) -> dict[str, NDArray[np.float64]]:
    """Train AIF360's network of 200 hidden units against an adversary that guesses the group, and return its probabilities.

    The adversary sees the network's output and the true label, which the paper does for equalised odds; that of `debiasing.adversarial`
    sees the logit alone, for demographic parity. Experiment 13 has what either gap does. The group is never among the features.

    Parameters
    ----------
    X : array_like, shape (n, features)
        Standardised; the group is not in it.
    y : array_like, shape (n,)
        0 or 1.
    groups : array_like, shape (n,)
        The names of two groups.
    asked : mapping of str to array_like, shape (m, features)
        The people to be judged, by the name of their split.
    seed : int
        Of weights, batches and dropout, from 0 to below 2**31.
    debias : bool
        False trains the same network without adversary.
    weight : float
        Of the adversary's loss; AIF360's default is 0.1.
    epochs, batch : int
        AIF360's defaults are 50 and 128. It leaves out the rows of an epoch that do not fill a batch.
    timeout : float
        Seconds.

    Returns
    -------
    dict of str to ndarray of float, shape (m,)
        The probabilities of label 1, by split.

    Raises
    ------
    ValueError
        If numbers are not finite or shapes do not fit, labels are not 0 and 1, there are not just two groups, or there are fewer people than
        a batch has, so that AIF360 would return the untrained network.
    helix.own_venv.Missing
        If the environment was not made; the message names the command.
    TimeoutError, helix.own_venv.Failed
        As `helix.own_venv.call`.

    References
    ----------
    B. H. Zhang, B. Lemoine and M. Mitchell (2018), Mitigating Unwanted Biases with Adversarial Learning,
    arXiv:1801.07593.
    """
    people = _table(X, "X")
    truth = binary(y, "y")
    if len(truth) != len(people):
        raise ValueError(f"X has {len(people)} rows and y {len(truth)}.")
    code = codes(groups, len(truth))[1]
    others = {f"X_{name}": _table(one, name, people.shape[1]) for name, one in asked.items()}
    if not 0 <= seed < 2**31:
        raise ValueError(f"The seed lies from 0 to below 2**31; got {seed}.")
    if not 0 < batch <= len(truth) or epochs < 1:
        raise ValueError(f"{epochs} epochs in batches of {batch} train nothing on {len(truth)} people.")
    given: dict[str, ArrayLike] = {"X": people, "y": truth, "groups": code, **others}
    given |= {"seed": seed, "debias": debias, "weight": weight, "epochs": epochs, "batch": batch}
    return own_venv.call("tensorflow", "trust/adversarial_tf.py", given, timeout=timeout)


def _table(values: ArrayLike, name: str, columns: int | None = None) -> NDArray[np.float64]:
    """Return a table of finite numbers."""
    found = np.asarray(values, dtype=float)
    if found.ndim != 2 or columns not in (None, found.shape[1]):
        raise ValueError(
            f"{name} needs people as rows and {columns or 'features'} columns; its shape is {found.shape}."
        )
    if not np.isfinite(found).all():
        raise ValueError(f"A number of {name} is NaN or infinite.")
    return found
