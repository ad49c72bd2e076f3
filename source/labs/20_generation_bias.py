# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: whose job is it?
#
# You will measure how a generator of job descriptions leans, mend its data and its output, and decide whether it may write for a job portal.
#
# **70 minutes · five exercises · read [the chapter](../notebooks/20_generation_bias.ipynb) first.**
#
# A woman who reads “he” in a description of her own trade may not apply, and then she is in no data.
# That is why the text is measured, and not the complaints.

# %%
import numpy as np
import pandas as pd

from helix.labs import generation_bias as check
from helix.record import Decision, evidence, results

# %% [markdown]
# ## 1. The excess over the neutral word
#
# *10 minutes · difficulty 2 of 5 · core*
#
# A model wrote descriptions for several words.
# For each you have how many call the wanted person “he”, how many “she”, and how many use neither.
# Return the **excess** of a word: the share of “he” **among the texts with one of the two**, less the same share for the neutral word.


# %%
def beyond_neutral(counts: dict[str, tuple[int, int, int]], word: str, neutral: str = "person") -> float:
    """Return the excess of “he” for a word over the neutral word, signed.

    Parameters
    ----------
    counts : dict of str to (he, she, none)
        How many texts of each kind.
    word, neutral : str
        Keys of `counts`.

    Returns
    -------
    float
        Between −1 and 1; below 0 if the word leans to “she” more than the neutral word does.
        ``beyond_neutral({"cook": (6, 2, 2), "person": (5, 5, 0)}, "cook")`` is ``0.25``.

    Raises
    ------
    ValueError
        If one of the two words has no text with a pronoun: then there is nothing to compare.
    """
    ### BEGIN SOLUTION
    shares = []
    for one in (word, neutral):
        he, she, _ = counts[one]
        if he + she == 0:
            raise ValueError(f"No text about {one!r} has a pronoun.")
        shares.append(he / (he + she))
    return shares[0] - shares[1]
    ### END SOLUTION


# %%
check.beyond_neutral(beyond_neutral)

# %% [markdown]
# ## 2. The twin of a sentence
#
# *13 minutes · difficulty 3 of 5 · core*
#
# Counterfactual augmentation gives every text a twin in which the pronouns of the wanted person have the other gender.
# English makes that harder than it looks: “her” is “him” in one place and “his” in another.
# A parser has already done the hard part, and marked each pronoun with its role and with whose it is.

# %%
FORMS = {
    "subject": ("he", "she"),
    "object": ("him", "her"),
    "possessive": ("his", "her"),
    "lone": ("his", "hers"),
    "reflexive": ("himself", "herself"),
}
example = [
    ("She", "subject", "wanted"),
    ("shows", "", ""),
    ("Paul", "", ""),
    ("his", "possessive", "other"),
    ("desk", "", ""),
]


# %%
def counterfactual(tokens: list[tuple[str, str, str]]) -> list[str]:
    """Return the words of the twin.

    Parameters
    ----------
    tokens : list of (word, role, whose)
        `role` is a key of `FORMS`, or empty if the word is no pronoun; `whose` is "wanted", "other" or empty.

    Returns
    -------
    list of str
        As many words. Pronouns of the wanted person have the other gender, and keep a capital; all others
        stay. ``counterfactual(example)`` is ``["He", "shows", "Paul", "his", "desk"]``.
    """
    ### BEGIN SOLUTION
    made = []
    for word, role, whose in tokens:
        if whose == "wanted" and role:
            he, she = FORMS[role]
            other = she if word.lower() == he else he
            word = other.capitalize() if word[0].isupper() else other
        made.append(word)
    return made
    ### END SOLUTION


# %%
check.counterfactual(counterfactual)

# %% [markdown]
# ## 3. How much of the skew arrives
#
# *7 minutes · difficulty 2 of 5 · core*
#
# The corpus had a known lean for each occupation (of all texts, the share with “he” less the share with “she”), and the generator's texts have another.
# Return the **slope** of the straight line of least squares: 1 if what was put in comes out, 0 if nothing of it does, whatever the general level.


# %%
def arrives(known: np.ndarray, found: np.ndarray) -> float:
    """Return the slope of the found lean over the known one.

    Parameters
    ----------
    known, found : ndarray of float, shape (occupations,)

    Returns
    -------
    float
        ``arrives(np.array([-1.0, 0.0, 1.0]), np.array([0.2, 0.7, 1.2]))`` is ``0.5``.
    """
    ### BEGIN SOLUTION
    x = known - known.mean()
    return float(x @ found / (x @ x))
    ### END SOLUTION


# %%
check.arrives(arrives)

# %% [markdown]
# ## 4. A guard between the generator and the page
#
# *11 minutes · difficulty 2 of 5 · core*
#
# Write what happens to each text before it is published.
# `find` returns the codes of all gendered wording in a text ("requirement", "pronoun", "title", "stereotype"), an empty list if there is none; `rewrite` puts pronouns neutrally.
# The actions are those of the chapter's guard: a text without findings gets "publish" and stays as it is.
# If pronouns are the **only** finding, the action is "rewrite", with the rewritten text, but only if nothing is found in that one.
# Everything else gets "hold": a human looks at the text as it was written.


# %%
def publish(text: str, find, rewrite) -> tuple[str, str]:
    """Return what to do with a text, and the text.

    Parameters
    ----------
    text : str
    find : callable
        From a text to a list of codes.
    rewrite : callable
        From a text to a text.

    Returns
    -------
    tuple of str
        The action and the text: ``("publish", text)`` as it was, ``("rewrite", repaired)``, or
        ``("hold", text)`` as it was.
    """
    ### BEGIN SOLUTION
    found = find(text)
    if not found:
        return "publish", text
    if set(found) == {"pronoun"}:
        repaired = rewrite(text)
        if not find(repaired):
            return "rewrite", repaired
    return "hold", text
    ### END SOLUTION


# %%
check.publish(publish)

# %% [markdown]
# ## 5. A decision: may the repaired generator write for the portal?
#
# *16 minutes · difficulty 3 of 5 · core*
#
# A job portal wants to publish what a generator writes, in English and Chinese.
# The vendor has repaired it by **augmented data**, and shows you that pronouns no longer lean.
# This is the record of three trainings, each number that of the worse language.
# `pronoun_skew` and `trait_skew` say how much of the skew that was put in may arrive: of the slope's 95 % interval the end that lies further from 0, without its sign.
# `faultless` is the share of sentences without a fault.

# %%
systems = results.load("20_generation_bias")["figures"]["portal"]
pd.DataFrame(systems).T.round(3)

# %%
evidence("pronoun_skew", systems["augmented"]["pronoun_skew"])
evidence("trait_skew", systems["augmented"]["trait_skew"])
print({name: round(value, 3) for name, value in systems["augmented"].items()})

# %% [markdown]
# You want at most 0.1 of **either** skew, one way or the other.
#
# Write a **control**: it gets two such records, `before` and `after` a repair (each a dict with the three numbers), and returns True only if both skews are at most 0.1 after it, and `faultless` fell by at most 0.02.
# Somebody else's record may keep the sign: −0.5 is a skew as well.
#
# ```python
# return Decision(
#     question=..., affected=[...], options=["ship", "fix", "stop"],
#     evidence={"pronoun_skew": ..., "trait_skew": ...},   # each "<= 0.1" or "> 0.1"
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
    def control(before: dict[str, float], after: dict[str, float]) -> bool:
        kept = max(abs(after["pronoun_skew"]), abs(after["trait_skew"])) <= 0.1
        return kept and before["faultless"] - after["faultless"] <= 0.02

    return Decision(
        question="May the augmented generator write for the portal?",
        affected=[
            "people who do not apply because a text describes somebody else",
            "employers whose texts turn applicants away",
        ],
        options=["ship", "fix: augment the traits too", "stop"],
        evidence={"pronoun_skew": "<= 0.1", "trait_skew": "> 0.1"},
        choice="fix",
        dissent="Until the traits are mended, employers go on writing by hand, and their texts lean as well.",
        residual_risk="Only two axes are measured, in texts whose words we know; age, origin and disability "
        "are not.",
        owner="The head of the portal's content team",
        review_date=date.today() + timedelta(days=60),
        control=control,
    )
    ### END SOLUTION


# %%
check.decide(decide)
