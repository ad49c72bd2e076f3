# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: narrow a gap, and say who pays
#
# You will write the working part of four mitigations and the rule that chooses between strengths, and decide whether a mitigated model may be shipped.
#
# **90 minutes · six exercises · read [the chapter](../notebooks/13_debiasing.ipynb) first.**

# %%
import numpy as np

from helix.checks import debiasing as check
from helix.record import Decision, evidence, results
from helix.trust import debiasing
from helix.trust.groups import gaps
from helix.trust.people import load

# %% [markdown]
# ## 1. A gap that survives every batch
#
# *16 minutes · difficulty 2 of 5 · core*
#
# Return the absolute difference of the mean probabilities in groups 0 and 1, and its gradient with respect to each probability. A batch without one of the groups gives 0 and zeros.


# %%
def safe_gap(p: np.ndarray, code: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the gap of a batch and its gradient.

    Parameters
    ----------
    p : ndarray of float, shape (n,)
        Probabilities.
    code : ndarray of int, shape (n,)
        The group of each person, 0 or 1.

    Returns
    -------
    gap, gradient : float, ndarray of shape (n,)
        ``safe_gap(np.array([0.2, 0.4, 0.9]), np.array([0, 0, 1]))`` is ``(0.6, [-0.5, -0.5, 1.0])``.
    """
    ### BEGIN SOLUTION
    first = code == 0
    if len(set(code.tolist())) < 2:
        return 0.0, np.zeros(len(p))
    gap = p[first].mean() - p[~first].mean()
    slope = np.where(first, 1 / np.count_nonzero(first), -1 / np.count_nonzero(~first))
    return abs(gap), np.sign(gap) * slope
    ### END SOLUTION


# %%
check.safe_gap(safe_gap)

# %% [markdown]
# ## 2. The gradient, turned round
#
# *16 minutes · difficulty 3 of 5 · core*
#
# A model gives logits $z$ for the labels $y$. An adversary guesses the group $a$ from $u = w z$. Both losses are mean binary cross-entropies. Return the gradient that reaches $z$ when the adversary's part is reversed and
# multiplied by $\alpha$, and the gradient with which $w$ learns.


# %%
def reversed_gradients(z: np.ndarray, y: np.ndarray, a: np.ndarray, w: float, alpha: float) -> tuple[np.ndarray, float]:
    """Return the gradient of the model's logits and that of the adversary's weight.

    Parameters
    ----------
    z, y, a : ndarray, shape (n,)
        Logits, labels and groups (0 or 1).
    w, alpha : float
        The adversary's weight, and the strength of the reversal.

    Returns
    -------
    gradient_z, gradient_w : ndarray of shape (n,), float
        With ``z = [0.0], y = [1], a = [1], w = 1.0, alpha = 2.0`` they are ``[0.5]`` and ``0.0``.
    """
    ### BEGIN SOLUTION
    n = len(z)
    task = (1 / (1 + np.exp(-z)) - y) / n
    other = (1 / (1 + np.exp(-w * z)) - a) / n
    return task - alpha * w * other, float(other @ z)
    ### END SOLUTION


# %%
check.reversed_gradients(reversed_gradients)

# %% [markdown]
# ## 3. Weights that make group and label independent
#
# *14 minutes · difficulty 2 of 5 · core*
#
# Give each person the weight P(group) P(label) / P(group, label).


# %%
def weights(y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the weight of each person.

    Parameters
    ----------
    y, group : ndarray, shape (n,)
        Labels 0 and 1, and the names of the groups.

    Returns
    -------
    ndarray of float, shape (n,)
        All ones where group and label are independent already.
    """
    ### BEGIN SOLUTION
    made = np.zeros(len(y))
    for name in set(group.tolist()):
        for label in set(y.tolist()):
            own, same = group == name, y == label
            made[own & same] = own.mean() * same.mean() / (own & same).mean()
    return made
    ### END SOLUTION


# %%
check.weights(weights)

# %% [markdown]
# ## 4. A threshold for each group
#
# *14 minutes · difficulty 3 of 5 · core*
#
# From validation scores find for each group the threshold above which floor(rate · n) of its n people score. Whoever has **more** than the threshold is selected. No two scores are the same.


# %%
def thresholds(scores: np.ndarray, group: np.ndarray, rate: float) -> dict[str, float]:
    """Return the threshold of each group.

    Parameters
    ----------
    scores, group : ndarray, shape (n,)
        Of validation people.
    rate : float
        From 0 to below 1.

    Returns
    -------
    dict of str to float
        A score of the group itself: that of the best person who is not selected.
    """
    ### BEGIN SOLUTION
    made = {}
    for name in set(group.tolist()):
        own = np.sort(scores[group == name])[::-1]
        made[name] = float(own[int(np.floor(rate * len(own)))])
    return made
    ### END SOLUTION


# %%
check.thresholds(thresholds)

# %% [markdown]
# ## 5. The rule that chooses λ
#
# *10 minutes · difficulty 2 of 5 · core*
#
# Of the strengths whose **absolute** gap on validation is at most `limit`, choose the most accurate. The gaps you are given are signed. If none keeps the limit, raise a `ValueError`.


# %%
def choose_strength(validation: dict[float, tuple[float, float]], limit: float = 0.1) -> float:
    """Return the strength that the rule chooses.

    Parameters
    ----------
    validation : dict of float to (accuracy, signed gap)
    limit : float

    Returns
    -------
    float
        A key of `validation`.
    """
    ### BEGIN SOLUTION
    kept = {strength: pair for strength, pair in validation.items() if abs(pair[1]) <= limit}
    if not kept:
        raise ValueError(f"No strength has a gap of at most {limit}.")
    return max(kept, key=lambda strength: kept[strength][0])
    ### END SOLUTION


# %%
check.choose_strength(choose_strength)

# %% [markdown]
# ## 6. A decision: may the mitigated model be shipped?
#
# *20 minutes · difficulty 3 of 5 · core*
#
# Suppose that a lender uses Adult's model. The rule chose λ on validation; these are its answers to the test people, from the record.

# %%
test = load("adult")["test"]
kept = results.load("13_debiasing")["figures"]["answers"]["adult"]
before, after = (np.array([int(one) for one in kept[name]]) for name in ("baseline", "regulariser"))
debiasing.moved(test.y, before, after, test.groups).round(3)

# %%
was, now = gaps(test.y, before, test.groups), gaps(test.y, after, test.groups)
evidence("parity_gap_after", now["demographic_parity"])
evidence("opportunity_gap_growth", now["equal_opportunity"] - was["equal_opportunity"])
print({name: round(now[name] - was[name], 3) for name in now})

# %% [markdown]
# Write a **control**: it gets `y, before, after, groups` and returns True only if ΔDP after is at most 0.1, the gap of true positive rates grew by at most 0.02, and the gap was not closed by levelling down.
#
# ```python
# return Decision(
#     question=..., affected=[...], options=["ship", "fix", "stop"],
#     evidence={"parity_gap_after": ..., "opportunity_gap_growth": ...},   # such as "< 0.05"
#     choice=..., dissent=..., residual_risk=..., owner=...,
#     review_date=...,             # date.today() + timedelta(days=...)
#     control=...,
# )
# ```

# %%
from datetime import date, timedelta


def decide() -> Decision:
    """Return your decision, with a control that works.

    Returns
    -------
    Decision
    """
    ### BEGIN SOLUTION
    return Decision(
        question="May the model with the penalty replace the baseline at the lender?",
        affected=["women who are newly accepted", "men with a high income who are newly turned away"],
        options=["ship", "fix: a smaller λ", "stop"],
        evidence={"parity_gap_after": "<= 0.1", "opportunity_gap_growth": "> 0.02"},
        choice="fix",
        dissent="Every month with the old model turns away more women than the new one would.",
        residual_risk="The labels are incomes of 1994, and two groups hide what happens inside each.",
        owner="The head of lending",
        review_date=date.today() + timedelta(days=60),
        control=lambda y, before, after, groups: not debiasing.refusals(y, before, after, groups),
    )
    ### END SOLUTION


# %%
check.decide(decide)

# %% [markdown]
# ## You are done
#
# The worked version is in `solutions/13_debiasing.ipynb`. Compare the reasons, not only the code.
