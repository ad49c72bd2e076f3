# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Warm-up: your first rates, your first control, your first decision
#
# You will measure how unequally one real table selects people, write a control that stops such a selection, and record a decision that rests on your own numbers.
#
# **60 minutes · four exercises · read the start page first.**
#
# The table is Adult: people whom the US Census Bureau asked around 1994, and whether each earned more than 50,000 dollars a year.
# Suppose that a lender wants to use that label to choose who gets an offer.
# Whoever the label leaves out gets no offer.
# So before anything is trained, we ask whom it leaves out.
#
# ### How a check answers
#
# Below each exercise stands a line that checks it.
# It answers with one of four cards:
#
# | card | what it means |
# |---|---|
# | ○ Not attempted | the function is still blank |
# | ✗ Incorrect | it runs, and the card says what is wrong with what it returns |
# | ! Your code raised an error | it stopped; the card shows your line, and what helps |
# | ✓ Correct | it holds on fresh cases, drawn anew each time you check |
#
# Meet all four: run the first check before you write anything, then make a mistake on purpose.
# The last exercise is a decision, and its card says *Recorded* or *Not recorded yet*: a program sees whether a decision is whole and keeps to its evidence, and cannot say whether it is right.
# Nothing breaks, and no attempt is held against you.
# What you solve is kept in `work/`, on this machine only.

# %%
import pandas as pd

from helix.labs import start_here as check
from helix.datasets import adult
from helix.record import Decision, evidence

people = adult.load("train")  # the training part; the test part is left alone
people[["age", "sex", "occupation", "income_over_50k"]].head()

# %% [markdown]
# ## 1. Selection rates
#
# *8 minutes · difficulty 1 of 5 · core*
#
# The **selection rate** of a group is the share of its members who are selected: $r_g = P(\text{selected} \mid g)$.
#
# Write a function that returns it for every group, as a `dict`.
# It must work for any people and any groups, not only for this table.
# One or two lines of pandas are enough.


# %%
def selection_rates(selected: pd.Series, group: pd.Series) -> dict[str, float]:
    """Return the share of each group that was selected.

    Parameters
    ----------
    selected : pandas.Series, shape (n,)
        1 for a person who was selected, 0 for one who was not.
    group : pandas.Series, shape (n,)
        The group that each person belongs to.

    Returns
    -------
    dict
        The selection rate of each group, between 0 and 1: ``{"a": 0.25, "b": 0.5}``.
    """
    ### BEGIN SOLUTION
    return selected.groupby(group).mean().to_dict()
    ### END SOLUTION


# %%
check.selection_rates(selection_rates)

# %% [markdown]
# <details><summary>A hint before you start</summary>
#
# A selection rate is a mean.
# Run the check without a good answer, and its card offers further hints, one more each time.
# `check.selection_rates.hint(1)` prints one too.
#
# </details>
#
# Now ask it of the table: run the next cell when your check says *Correct*.

# %%
rates = selection_rates(people["income_over_50k"], people["sex"].astype(str))
rates

# %% [markdown]
# ## 2. The parity gap
#
# *7 minutes · difficulty 1 of 5 · core*
#
# Many rates become one number.
# The **parity gap** is the largest difference between the selection rates of any two groups.
# (The literature calls it the demographic parity difference, ΔDP.)
#
# $$\Delta\mathrm{DP} = \max_g r_g - \min_g r_g .$$


# %%
def parity_gap(rates: dict[str, float]) -> float:
    """Return the largest difference between the selection rates of any two groups.

    Parameters
    ----------
    rates : dict
        The selection rate of each group; two groups at least.

    Returns
    -------
    float
        Between 0 (all groups alike) and 1: ``parity_gap({"a": 0.25, "b": 0.5})`` is ``0.25``.
    """
    ### BEGIN SOLUTION
    return max(rates.values()) - min(rates.values())
    ### END SOLUTION


# %%
check.parity_gap(parity_gap)

# %% [markdown]
# The gap of the table is evidence for your decision.
# `evidence` records it under a name, in this run.

# %%
evidence("parity_gap", parity_gap(rates))

# %% [markdown]
# ## 3. A control: the release gate
#
# *10 minutes · difficulty 2 of 5 · core*
#
# A number in a report stops nobody.
# A **control** does: a function that runs before a selection is released, and refuses it if the gap is too large.
# Use what you have written.


# %%
def release_gate(selected: pd.Series, group: pd.Series, limit: float = 0.1) -> bool:
    """Say whether a selection may be released.

    Parameters
    ----------
    selected : pandas.Series, shape (n,)
        1 for a person who was selected, 0 for one who was not.
    group : pandas.Series, shape (n,)
        The group that each person belongs to.
    limit : float
        The largest parity gap that may pass.

    Returns
    -------
    bool
        True if the parity gap is at most `limit`, else False.
    """
    ### BEGIN SOLUTION
    return parity_gap(selection_rates(selected, group)) <= limit
    ### END SOLUTION


# %%
check.release_gate(release_gate)

# %% [markdown]
# ## 4. A decision: may this table choose?
#
# *20 minutes · difficulty 3 of 5 · core*
#
# **May the lender use this table's label to choose who gets an offer: ship, fix, or stop?**
#
# No program can tell you the answer.
# It can tell you whether your decision is complete, whether it agrees with your own numbers, and whether the control that it promises works.
# This is the form; copy it into the function and replace every `...` by words of your own.
#
# ```python
# return Decision(
#     question=...,                # what has to be decided
#     affected=[...],              # who is affected, by name of the group
#     options=["ship", "fix", "stop"],     # add what you mean, if you like: "fix: ..."
#     evidence={"parity_gap": ...},        # a relation and a number, such as "< 0.05"
#     choice=...,                  # one of the options
#     dissent=...,                 # the strongest reason against your choice
#     residual_risk=...,           # what can still go wrong
#     owner=...,                   # who answers for it
#     review_date=...,             # a date: date.today() + timedelta(days=...)
#     control=...,                 # the function that runs from now on
# )
# ```
#
# Say of the gap on which side of 0.1 it lies.
# That limit is a convention, not a law of nature; chapter 12 will ask where it comes from and what it misses.

# %%
from datetime import date, timedelta


def decide() -> Decision:
    """Return your decision on the question above, with `release_gate` or a control of your own.

    Returns
    -------
    Decision
        Complete, in agreement with your evidence, with a control that works.
    """
    ### BEGIN SOLUTION
    return Decision(
        question="May the lender use this table's label to choose who gets an offer?",
        affected=[
            "women, whom the label selects about a third as often as men",
            "men who earn little",
            "the lender's staff",
        ],
        options=["ship", "fix", "stop"],
        evidence={"parity_gap": "> 0.15"},
        choice="fix",
        dissent="The label records wages of the 1990s. To mend a rule that learns it is to polish the wrong "
        "question; stop.",
        residual_risk="The gate looks at one attribute at a time: a gap for older Black women can hide "
        "behind two small ones.",
        owner="The lender's head of credit risk",
        review_date=date.today() + timedelta(days=90),
        control=release_gate,
    )
    ### END SOLUTION


# %%
check.decide(decide)
