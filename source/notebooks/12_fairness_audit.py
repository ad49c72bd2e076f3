# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fairness audit
#
# After this chapter you can audit a classifier group by group, say how sure you are, and hand over a report that a manager can act on.
#
# **60 minutes · after [Start here](00_start_here.ipynb) · strand: ethics.**
#
# You need Python with pandas, the idea of a classifier with a threshold, and the intervals of the start page.
#
# ## The claim
#
# A model decides who is invited, who gets a loan, who is watched.
# An audit asks **whom its errors fall on**.
# The articles that this course grew from ("AI大时代要懂的2种核心能力:技术驾驭与伦理决策", JC, 18 September 2025, and chapters 28 to 30 of a Chinese tutorial series on generative AI) give one number for that, the gap in selection rates between two groups, and one limit:
#
# > 1. A demographic parity gap of ΔDP ≤ 0.1 is acceptable.
#
# They do not stand alone: a manual of Red Hat counts a difference from −0.1 to 0.1 as reasonably fair.
# A habit of practice sounds as safe:
#
# > 2. A model that does not see the sensitive attribute cannot treat its groups differently.
#
# ### Before any number: who is harmed?
#
# A metric counts something.
# First say what being counted there does to a person.
# A *false 1* is an answer 1 where 0 was right (a false positive), a *false 0* the other way round.
# Three cases go through this chapter:
#
# | decision | 1 means | a false 1 harms | a false 0 harms |
# |---|---|---|---|
# | an offer to people with a high income (Adult) | gets the offer | hardly anybody | who could use the offer, and never hears of it |
# | who is held before trial (COMPAS) | "will be arrested again" | the person: held for an offence that does not come | whoever is hurt, *if* the arrest stands for a deed |
# | who gets a loan (German credit) | "pays it back" | the person too: a debt that cannot be paid | who would have paid, and is refused |
#
# So a false positive harms hardly anybody in the first row and takes somebody's freedom in the second, and no metric knows.
# These are harms of **allocation**: something is given, or withheld.
# A system can also work worse for a group, show it as a stereotype, or leave it out; chapter 20 is about those.
#
# ### And what does the label measure?
#
# We want to know one thing and record another.
# Whether the record stands for the thing is its <dfn title="构念效度">construct validity</dfn> (Jacobs and Wallach 2021).
#
# | case | we want to know | the label says | between them lies |
# |---|---|---|---|
# | Adult | can this person use the offer? | an income over 50,000 dollars in a survey of 1994 | unequal pay, a limit that nobody chose for this, thirty years |
# | COMPAS | will this person do harm? | *arrested* again within two years | where the police look |
# | German credit | would this person pay it back? | paid back, by those who got the loan in 1973 to 1975 | those who were refused have no label at all |
#
# Every rate on this page inherits its label's faults, and no rate shows them.
#
# ## The idea, built up
#
# ### A model to audit
#
# Adult holds 48,842 answers to a survey in the United States; its card is `data/adult/CARD.md`.
# We predict whether somebody earned over 50,000 dollars, from work, education and family.
# The <dfn title="敏感属性">sensitive attributes</dfn>, those by which nobody should be treated worse (here sex and race), are kept apart: the model does not see them, the audit does.

# %%
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from helix.datasets import adult

train, test = adult.load("train"), adult.load("test")
NUMERIC = ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
CATEGORICAL = ["workclass", "occupation", "marital_status", "relationship"]


def pipeline(categorical: list[str]):
    code = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((StandardScaler(), NUMERIC), (code, categorical))
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


model = pipeline(CATEGORICAL).fit(train, train[adult.LABEL])

# %% tags=["nbval-check-output"]
y = test[adult.LABEL].to_numpy()
scores = model.predict_proba(test)[:, 1]
selected = (scores > 0.5).astype(int)
sex = test["sex"].astype(str).to_numpy()
print(f"{(selected == y).mean():.3f} of {len(y):,} people are judged rightly")

# %% [markdown]
# ### Four numbers for each group
#
# Every rate of this chapter comes from the same four numbers: of those whose label is 1 how many were selected (TP) or passed over (FN), and of those whose label is 0 how many were selected (FP) or not (TN).
# Count them for each group.

# %% tags=["nbval-check-output"]
import pandas as pd

from helix.display import table

parts = {
    "TP": y & selected,
    "FN": y & (1 - selected),
    "FP": (1 - y) & selected,
    "TN": (1 - y) & (1 - selected),
}
cells = pd.DataFrame(parts).groupby(sex).sum()
table(cells, caption="People in the test set, by sex, label and answer.")

# %% [markdown]
# A rate puts one or two of them over a sum of them.
# The whole art is what stands **below** the line: *of whom?*
#
# $$\text{base rate}=\frac{TP+FN}{n},\qquad \text{selection rate}=\frac{TP+FP}{n},\qquad \mathrm{TPR}=\frac{TP}{TP+FN},\qquad \mathrm{FPR}=\frac{FP}{FP+TN},\qquad \mathrm{PPV}=\frac{TP}{TP+FP}.$$
#
# The <dfn title="真正率">true positive rate (TPR)</dfn> asks among those who *have* the label 1, the <dfn title="假正率">false positive rate (FPR)</dfn> among those who do not, and the <dfn title="阳性预测值">positive predictive value (PPV)</dfn> among those whom the model *selected*.
# The <dfn title="基础率">base rate</dfn> says nothing of the model: it is the share with label 1.

# %% tags=["nbval-check-output"]
TP, FN, FP, TN = (cells[name] for name in ("TP", "FN", "FP", "TN"))
n = TP + FN + FP + TN
rates = pd.DataFrame(
    {
        "base rate": (TP + FN) / n,
        "selected": (TP + FP) / n,
        "TPR": TP / (TP + FN),
        "FPR": FP / (FP + TN),
        "PPV": TP / (TP + FP),
        "accuracy": (TP + TN) / n,
    }
)
table(rates, caption="The rates of each group.")

# %% [markdown]
# The model is **more accurate for women** than for men (0.93 against 0.81), and selects men three times as often as women.
# Of the women who *do* earn over 50,000 dollars it passes over 46 of 100, of the men 39.
# High accuracy for a group says little: where few have the label 1, saying 0 to everybody is mostly right, too.
#
# ### Five notions of equal treatment
#
# Each notion demands that one of these rates be equal.
# With $A$ the group, $Y$ the label, $S$ the score and $\hat Y$ the answer:
#
# | notion | demands equal | in words |
# |---|---|---|
# | demographic parity | $P(\hat Y{=}1 \mid A)$ | the same share of each group is selected |
# | equal opportunity | $P(\hat Y{=}1 \mid Y{=}1, A)$ | whoever has the label 1 has the same chance |
# | equalised odds | that, and $P(\hat Y{=}1 \mid Y{=}0, A)$ | errors of both kinds fall evenly |
# | predictive parity | $P(Y{=}1 \mid \hat Y{=}1, A)$ | of those selected, the same share has the label |
# | calibration within groups | $P(Y{=}1 \mid S{=}s, A)$ for every $s$ | each score means the same |
#
# The last two are often taken for one.
# Predictive parity looks at one threshold and lumps all who lie above it; calibration looks at every score.
# A model can have either without the other.
#
# The **gap** is the largest difference of two groups: an absolute value, never negative.
# The <dfn title="人口统计均等差距">demographic parity gap (ΔDP)</dfn> is the gap in selection rates.
# The <dfn title="影响比">impact ratio</dfn> is the lowest selection rate over the highest, of something that people **want**; 1 is equal.


# %%
def gap(rate: pd.Series) -> float:
    return float(rate.max() - rate.min())


by_hand = {
    "demographic parity": gap(rates["selected"]),
    "equal opportunity": gap(rates["TPR"]),
    "equalised odds": max(gap(rates["TPR"]), gap(rates["FPR"])),
    "predictive parity": gap(rates["PPV"]),
    "impact ratio": float(rates["selected"].min() / rates["selected"].max()),
}

# %% [markdown]
# All these are about *groups*.
# Two further notions are about one person.
# <dfn title="个体公平">Individual fairness</dfn>: people who are alike get the same answer (Dwork and others 2012); somebody has to say who is alike.
# <dfn title="反事实公平">Counterfactual fairness</dfn>: the answer would be the same, had the person been of the other group (Kusner and others 2017); somebody has to say what else in that life would then have been different.
#
# ### The same from two libraries
#
# fairlearn and AI Fairness 360 must agree with us, on the same predictions, to the last digits.
# They do, **once one knows what each of them means**.
# AIF360 asks you to name a group that may be at a disadvantage (*unprivileged*) and one that it is compared with (*privileged*).
# (It mentions optional parts at import; we keep those lines out.)

# %%
import logging

import fairlearn.metrics as fairlearn

logging.disable(logging.WARNING)
from aif360.datasets import BinaryLabelDataset
from aif360.metrics import ClassificationMetric

logging.disable(logging.NOTSET)

# %%
asked = {"y_true": y, "y_pred": selected, "sensitive_features": sex}
from_fairlearn = {
    "demographic parity": fairlearn.demographic_parity_difference(**asked),
    "equal opportunity": fairlearn.equal_opportunity_difference(**asked),
    "equalised odds": fairlearn.equalized_odds_difference(**asked),
    "impact ratio": fairlearn.demographic_parity_ratio(**asked),
}

# %%
people = pd.DataFrame({"man": (sex == "Male").astype(float), "label": y.astype(float)})
truth = BinaryLabelDataset(df=people, label_names=["label"], protected_attribute_names=["man"])
answers = truth.copy()
answers.labels = selected.reshape(-1, 1).astype(float)
metric = ClassificationMetric(truth, answers, [{"man": 0}], [{"man": 1}])  # unprivileged, privileged
from_aif360 = {
    "demographic parity": metric.mean_difference(),
    "equal opportunity": metric.equal_opportunity_difference(),
    "equalised odds": metric.equalized_odds_difference(),
    "predictive parity": metric.precision(False) - metric.precision(True),
    "impact ratio": metric.disparate_impact(),
}

# %% tags=["nbval-check-output"]
compared = pd.DataFrame({"by hand": by_hand, "fairlearn": from_fairlearn, "AIF360": from_aif360})
off = compared.abs().sub(compared["by hand"], axis=0).abs().max()
assert off.max() < 1e-9
table(
    compared,
    caption="One model, three counts; they differ in signs alone. A dash: not asked.",
    formats=".6f",
)

# %% [markdown]
# Where they differ, it is by definition:
#
# - **AIF360 keeps the sign** of most differences, unprivileged minus privileged; its `equalized_odds_difference` has none.
#   A test `metric.mean_difference() <= 0.1` lets −0.17 through, and any gap however wide on that side.
#   Take the absolute value.
# - **AIF360's `average_odds_difference`** is the *mean* of the two differences with their signs, so that a gap in TPR and an opposite one in FPR cancel.
#   Equalised odds asks for the larger one.
# - fairlearn's differences run over **all** groups, AIF360's over the two sets that you name.
# - fairlearn counts a rate of nobody as 0: of a group without a label 1 it says that its TPR is 0.
#   We say that it is not known.
#
# From here on `helix.trust.fairness_audit` counts.
# It does what we did above, for any number of groups.

# %%
from helix.trust import fairness_audit

ours = fairness_audit.gaps(y, selected, sex)
for name in ("demographic parity", "equal opportunity", "equalised odds", "predictive parity"):
    assert abs(ours[name.replace(" ", "_")] - by_hand[name]) < 1e-12

# %% [markdown]
# ### Two attributes at once, and few people
#
# A model can treat women and men alike, and Black people and white people alike, and still treat Black women worse than everybody.
# So one looks at <dfn title="交叉性">intersectional</dfn> groups, and meets the other trouble: some of them are small.
# The test set has 46 women with race "Other", and 5 of these have the label 1.
# (The words are the survey's, which knew two sexes and five races.)

# %%
from helix import plots
from helix.trust.groups import rate_of

crossed = fairness_audit.counts(y, selected, test[["race", "sex"]].astype(str))
behind = crossed["tp"] + crossed["fn"]
tpr = [rate_of(row, "tpr") for _, row in crossed.iterrows()]

# %% tags=["hide-input"]
figure, ax = plots.figure(height=3.6)
labels = [f"{group} ({count})" for group, count in behind.items()]
plots.bars(
    ax, labels, tpr, xlabel="selected, of those with label 1 (TPR)", ylabel="group (people with label 1)"
)
plots.show(
    figure,
    alt="True positive rate of ten groups of race and sex, with 95 % intervals. For White men and women the "
    "intervals are a few points wide; for groups with 3 to 20 people behind the rate they span about half "
    "of the axis.",
)

# %% [markdown]
# The widest difference here, 0.80, lies between 4 of 5 women and 0 of 3.
# It tells something about eight people, and hardly anything about two groups.
# To leave small groups out is no answer either: they are the ones on whom a model was tried least.
# A report must **show** that they are there, **not compare** them, and **say so**; the remedy is more data about them, gathered with their consent.
#
# How often would a limit of 0.1 raise a false alarm?
# Draw two groups for which the rate is *equal*, 0.6, and count how often their gap is above 0.1.

# %% tags=["nbval-check-output"]
import numpy as np

rng = np.random.default_rng(0)
alarms = []
for size in (10, 30, 100, 300, 1000):
    a, b = rng.binomial(size, 0.6, (2, 20_000))  # counts: with shares, 0.8 - 0.7 > 0.1 is True
    alarms.append({"people in each group": size, "gap above 0.1": np.mean(10 * np.abs(a - b) > size)})
table(
    alarms,
    caption="How often two groups with the same rate, 0.6, lie more than 0.1 apart, in 20,000 draws.",
    formats=".0%",
)

# %% [markdown]
# ### Not all at once: COMPAS
#
# In May 2016 ProPublica reported on COMPAS, a score for the risk of a new arrest that courts in Broward County, Florida, used: Black defendants who were *not* arrested again had been called risky far more often than white ones.
# The vendor answered that the score predicts equally well for both groups.
# Here are the data that ProPublica published: of the 6,172 people whom it kept, the 5,278 whom they call African-American or Caucasian.
# As there, a score of 5 or more ("medium or high") counts as 1.

# %%
from helix.assets import tables

everyone = pd.concat([tables.compas(split) for split in ("train", "validation", "test")])
compas = everyone[everyone["race"].isin(["African-American", "Caucasian"])]
risky = (compas["decile_score"] >= 5).astype(int)
found = fairness_audit.group_metrics(compas["two_year_recid"], risky, compas["race"])

# %% tags=["nbval-check-output"]
table(found.drop(columns="npv"), caption="COMPAS: 1 is “arrested again”, predicted by a score of 5 or more.")

# %% [markdown]
# **Both had a point, and neither is quite right.**
# Of the Black defendants who were *not* arrested again, 42 of 100 had been called risky, and of the white ones 22.
# The PPV lies closer together, 0.650 and 0.595, but is not equal: the difference is 0.055, with a 95 % interval from 0.013 to 0.097.
#
# PPV, TPR and FPR could not all have been equal, says Chouldechova (2017).
# Write $p$ for the base rate.
# From the four numbers alone follows
#
# $$\mathrm{FPR} = \frac{p}{1-p}\cdot\frac{1-\mathrm{PPV}}{\mathrm{PPV}}\cdot \mathrm{TPR}.$$
#
# If PPV and TPR are the same for two groups, and $p$ is not, then the FPR **cannot** be the same, as long as some are selected rightly and some wrongly ($0 < \mathrm{PPV} < 1$).
# First see that the identity holds.
# Then give both groups the same PPV and TPR, those of all 5,278 people together, and look at which FPR that forces.


# %%
def forced_fpr(p, ppv, tpr):
    return p / (1 - p) * (1 - ppv) / ppv * tpr


assert np.allclose(forced_fpr(found["base_rate"], found["ppv"], found["tpr"]), found["fpr"])
right = (compas["two_year_recid"] == 1) & (risky == 1)
ppv, tpr = right.sum() / risky.sum(), right.sum() / compas["two_year_recid"].sum()

# %% tags=["nbval-check-output"]
forced = {"base rate": found["base_rate"], "FPR must be": forced_fpr(found["base_rate"], ppv, tpr)}
table(
    pd.DataFrame(forced),
    caption=f"The FPR that follows from the same PPV, {ppv:.3f}, and the same TPR, {tpr:.3f}.",
)

# %% [markdown]
# This is arithmetic, and leaves three doors: a classifier that hardly ever selects wrongly, equal base rates, or **a decision on which notion counts here, by people who answer for it**.
#
# And then look at the table before you trust a rate in it.
# When was each person scored, and how many of them were arrested again?

# %% tags=["nbval-check-output"]
late = everyone["compas_screening_date"] > tables.LAST_FOLLOWED
scored = late.map({False: "until 1 April 2014", True: "later"}).rename("scored")
again = everyone.groupby(scored)["two_year_recid"].agg(["size", "mean"])
table(
    again.rename(columns={"size": "people", "mean": "arrested again"}),
    caption="All 6,172 people whom ProPublica kept.",
)

# %% [markdown]
# *Everybody* who was scored later was arrested again.
# For those months the file holds only people who were; the others had not been watched for two years yet and were dropped (Barenstein 2019).
# So ProPublica's base rates are too high, for all together 0.46 instead of 0.37, and the PPVs with them.
# Its false positive rates stand: everybody with label 0 was scored in the earlier months, and nobody is missing there.
# Bao and others (2021) list more faults, and advise against this table as a benchmark; Adult's limit of 50,000 dollars decides much of what is found on it, say Ding and others (2021), who offer newer tables.
#
# ### Does a score mean the same?
#
# Calibration within groups asks that of every score.
# So read **all** ranges, not the one that looks best.
# First COMPAS, with the people who were followed for two years.

# %%
from helix import measure

followed = compas[compas["compas_screening_date"] <= tables.LAST_FOLLOWED]
deciles = fairness_audit.calibration(
    followed["two_year_recid"], followed["decile_score"], followed["race"], range(11)
)


def apart(one, other) -> measure.Interval:
    """Return by how much the share with label 1 is higher in `one` than in `other`, with its interval."""
    counts = [round(row.n * row.positive) for row in (one, other)]
    return measure.difference_of_proportions(counts[0], one.n, counts[1], other.n)


# %% tags=["hide-input"]
figure, ax = plots.figure(height=3.2)
for shift, (group, part) in zip((-0.1, 0.1), deciles.groupby("group"), strict=True):
    known = [measure.wilson(round(row.n * row.positive), row.n) for row in part.itertuples()]
    reach = [[i.value - i.low for i in known], [i.high - i.value for i in known]]
    ax.errorbar(part["score"] + shift, part["positive"], yerr=reach, markevery=1, capsize=3, label=group)
ax.set(xlabel="COMPAS score", ylabel="arrested again within two years", ylim=(0, 1), xticks=range(1, 11))
ax.legend()
plots.show(
    figure,
    alt="Share arrested again within two years for each COMPAS score from 1 to 10, with 95 % intervals, for "
    "African-American and Caucasian defendants. Both lines rise from about 0.2 at 1 to above 0.6 at 9. At "
    "every score the African-American one is higher: at 10 by 0.2, elsewhere by less than 0.1.",
)

# %% tags=["nbval-check-output"]
differences = [
    apart(*(deciles.loc[(group, scores)] for group in ("African-American", "Caucasian")))
    for scores in deciles.index.unique("range")
]
print(
    f"above 0: {sum(d.value > 0 for d in differences)} of 10; surely: {sum(d.low > 0 for d in differences)}"
)

# %% [markdown]
# Score by score only one difference is sure, that at 10.
# Together they are: if a score meant the same for both, all ten would lie on one side about twice in a thousand times.
# So at the same score Black defendants were arrested again a little more often here, and those who were not had been called risky almost twice as often, which is no contradiction.
#
# Now our own model.

# %% tags=["nbval-check-output"]
by_score = fairness_audit.calibration(y, scores, sex, np.linspace(0, 1, 6).tolist())
rows = []
for scored in by_score.index.unique("range"):
    men, women = (by_score.loc[(group, scored)] for group in ("Male", "Female"))
    between = apart(men, women)
    rows.append(
        {
            "score up to": scored.right,
            "women": f"{women.n:,.0f}",
            "mean score, women": women.score,
            "label 1, women": women.positive,
            "mean score, men": men.score,
            "label 1, men": men.positive,
            "more men, by": f"{between:.3f}",
        }
    )
table(
    rows,
    caption="Adult, by range of scores: mean score, share with label 1, men’s lead (95 % interval).",
)

# %% [markdown]
# In the two low ranges a larger share of men than of women has the label 1: twice the share in the first, and six points more in the second.
# Neither is chance, and nine women in ten are in these two ranges.
# But men's scores lie higher *within* the first range too, so compare with the mean scores.
# The model is **not calibrated by sex**: there it expects 4.0 of 100 women to have the label, and 2.9 do; of men it expects 5.7, and 6.1 do.
# Whoever looked only at 0.4 to 0.6, around the threshold, would have found nothing that is sure.
# (Here the fault favours women, while the TPR favours men: notions of fairness need not agree on who is wronged.)
#
# ### What is left when the attribute is left out
#
# Law and practice tell two things apart.
# <dfn title="差别待遇">Disparate treatment</dfn>: somebody is treated otherwise *because of* the group.
# <dfn title="差别影响">Disparate impact</dfn>: a rule that does not name the group works against it all the same.
# Leaving the column out removes the plainest form of the first and says nothing of the second.
# (In United States employment law impact is unlawful unless the rule is job-related and necessary for the business, 42 U.S.C.
# 2000e-2(k); since April 2025 federal agencies are told to give its enforcement a low priority, Executive Order 14281, which does not change the statute.)
#
# Our model never saw sex, and its ΔDP is 0.17.
# That alone proves nothing: labels differ, and a classifier without error has 0.19 on these people.
# So ask among people **with the same label**.
# Does the model's score still tell women from men there?
# And can sex be read from the columns that are left?
# (AUC: 0.5 is chance, 1 is certainty.)

# %%
from sklearn.metrics import roc_auc_score

PROXIES = ["relationship", "marital_status"]


def without(columns: list[str]) -> list[dict]:
    seen = [column for column in CATEGORICAL if column not in columns]
    score = pipeline(seen).fit(train, train[adult.LABEL]).predict_proba(test)[:, 1]
    guess = pipeline(seen).fit(train, train["sex"] == "Male").predict_proba(test)[:, 1]
    left = ["sex", *columns]
    rows = []
    for label in (0, 1):
        same, man = y == label, sex[y == label] == "Male"
        more = (score[same][man] > 0.5).mean() - (score[same][~man] > 0.5).mean()
        columns_tell, score_tells = (roc_auc_score(man, told[same]) for told in (guess, score))
        row = {"left out": ", ".join(left), "label": label, "columns tell sex": columns_tell}
        rows.append(row | {"score tells sex": score_tells, "men selected more, by": more})
    return rows


# %% tags=["nbval-check-output"]
table(
    without([]) + without(PROXIES),
    caption="With the same label: what tells sex (AUC), and by how much more men are selected.",
    formats=".2f",
)

# %% [markdown]
# Columns that tell the attribute are <dfn title="代理变量">proxies</dfn>; `relationship` says "Husband" or "Wife".
# They tell sex among people with the same label, and the score passes some of it on: with the label 0, men are selected four times as often as women.
# Taking both columns out closes most of that gap, and hardly any of the one with the label 1.
# It costs three points of accuracy (0.852 to 0.821 in the record), and leaves work and hours, which tell sex too.
#
# Would *she* have got the offer, had she been a man?
# Change the one word, "Wife" to "Husband", and ask again.

# %% tags=["nbval-check-output"]
wives = test[test["relationship"] == "Wife"]
turned = wives.assign(relationship="Husband")
roles = pd.crosstab(sex, test["relationship"], normalize="index")
print(f"{len(wives)} wives: {model.predict(wives).sum()} selected; as husbands {model.predict(turned).sum()}")
print(
    f"wives: {roles.loc['Female', 'Wife']:.0%} of women; husbands: {roles.loc['Male', 'Husband']:.0%} of men"
)

# %% [markdown]
# *Fewer*.
# With all else equal the model favours wives over husbands, and women get fewer offers all the same, since few of them are wives here.
# A changed word is not another life; what else would have been different is a question for a causal model, and for people.
#
# Last, whoever *deletes* the attribute from the data can hardly audit: what remains are guesses from names or places, or a survey.
# So keep it, apart, under lock, for this purpose.
# Europe's AI Act has rules for just that: its new Article 4a allows sensitive data to find and mend bias, with safeguards (in force since 27 July 2026).
#
# ## The measurement
#
# Now the first claim.
# What would make ΔDP ≤ 0.1 acceptable as the one rule?
# Written before measuring: what it lets through should seldom break the two other limits in common use **for sure**, with the whole 95 % interval.
# These are an impact ratio of at least 0.8 and an equalised-odds gap of at most 0.1; seldom means once in twenty.
# Some rule must be able to meet that, or the test tests nothing; so the same is counted for each limit.
#
# The <dfn title="五分之四规则">four-fifths rule</dfn>, 0.8, comes from United States guidelines of 1978 on **hiring and other employment decisions** (29 CFR 1607.4(D)).
# It is made for what people want, so for COMPAS we take those who are *not* called risky.
# Even there it is a reason to look closer, no proof, and unreliable with few people: the same paragraph weighs statistical significance, too.
# It stood in the Code of Federal Regulations on 1 September 2026; the Equal Employment Opportunity Commission, one of the agencies that issued it, lists a rule to rescind its guidelines (RIN 3046-AB43).
# For offers and loans 0.8 has no force of law; we use it as a yardstick that many know.
#
# The experiment audited 200 classifiers on test data: Adult by sex and by its five races, COMPAS by race (people who were followed), German credit by age; two kinds of model, five seeds, and five thresholds, chosen on validation data.
# These are cases, not independent trials.
# Groups with fewer than 30 people behind a rate are in the record, and are not compared.

# %%
from helix.record import claim, results

record = results.load("12_fairness_audit")["figures"]
points = pd.DataFrame(record["points"])

# %% tags=["nbval-check-output"]
table(
    pd.DataFrame(record["rules"]).T.rename_axis("rule"),
    caption=f"Of {record['audited']} classifiers, how many each rule lets through, and how many of these "
    "surely break a limit.",
)

# %% tags=["hide-input"]
figure, axes = plots.figure(height=2.6, columns=4, sharex=True, sharey=True)
for ax, (source, part), marker in zip(axes, points.groupby("source", sort=False), "os^D", strict=True):
    surely = part["ratio_high"] < 0.8
    for some, face in ((part[surely], "#D55E00"), (part[~surely], "white")):
        ax.plot(
            some["dp"],
            some["ratio"],
            marker,
            markersize=5,
            color="#D55E00" if face != "white" else "#222222",
            markerfacecolor=face,
        )
    ax.axhline(0.8, color="#595959", linestyle="--", linewidth=1)
    ax.set(title=source, xlim=(-0.005, 0.105), ylim=(-0.05, 1.05), xticks=[0, 0.05, 0.1], xlabel="ΔDP")
    ax.title.set_fontsize(9)
axes[0].set_ylabel("impact ratio")
plots.show(
    figure,
    alt="Impact ratio against ΔDP of the classifiers with ΔDP up to 0.1, a panel a table; filled points lie below "
    "four fifths, the dashed line, with their whole interval. All of Adult by sex and most of Adult by race are "
    "filled, at 0.2 to 0.4; COMPAS lies above 0.9; German credit is scattered over the whole height and empty: "
    "its groups are small.",
)

# %% [markdown]
# By sex and by race on Adult, what ΔDP ≤ 0.1 lets through gives one group a fifth to two fifths of another's chance of an offer; in 30 of these 35 cases, less than four fifths for sure.
# (With five races the two furthest apart are compared, which makes a little too sure.)
# The equalised-odds limit alone lets even more of that through, 40.
# The ratio lets none through, that one by its definition.
# Ten classifiers keep all three limits, all of them on COMPAS with a twentieth called risky: the yardstick can be met there.
# (German credit has too few people for the error rates to be compared.)
#
# Why?
# A difference forgets **how many are selected at all**.
# Select one person in twenty, and a difference seldom reaches 0.1: 6 % of the men and 2 % of the women is a ΔDP of 0.04, and a third of the chance.
# Let $r$ be the highest rate: a gap of at most 0.1 guarantees four fifths only if $r \ge 0.5$, since only then $1 - 0.1/r \ge 0.8$.
#
# What the verdict does not say: that a ratio of 0.8 *is* acceptable, or that unequal shares are wrong.
# Where base rates differ, a rule of equal shares can refuse even the classifier without error: on all four its ΔDP is above 0.15.
#
# Now rerun one cell of the record, logistic regression at a tenth selected, on a draw of the training people that the record does not have.
# (The experiment's model also sees `education` as a category.)
# The five draws of the record span a range, and this one may lie up to 0.01 outside of it.

# %%
drawn = train.sample(len(train), replace=True, random_state=7)
again = pipeline(["workclass", "education", "occupation", "marital_status", "relationship"])
again.fit(drawn, drawn[adult.LABEL])
cut = np.quantile(again.predict_proba(adult.load("validation"))[:, 1], 0.9)
tenth = again.predict_proba(test)[:, 1] > cut
live = fairness_audit.gaps(y, tenth, sex)

# %%
mean, least, most = record["grid"]["Adult, sex | logistic regression | 0.1"]["dp"]
assert least - 0.01 <= live["demographic_parity"] <= most + 0.01, "the record and this run disagree"
print(f"ΔDP {live['demographic_parity']:.3f}, recorded {least:.3f} to {most:.3f}")

# %%
from helix.trust.groups import widest

ratio = widest(fairness_audit.counts(y, tenth, sex), "impact_ratio").interval
claim(
    "dp_gap_acceptable",
    measured=f"ΔDP {live['demographic_parity']:.3f} with an impact ratio of {ratio:.2f} "
    "(Adult by sex, a tenth selected)",
    verdict="does not hold" if ratio.high < 0.8 else "not tested",
    conditions="one model, one draw of the training rows: a case that keeps ΔDP and surely breaks another "
    "limit; the record says how often that happens",
)

# %%
blind, uneven = without([]), widest(fairness_audit.counts(y, selected, sex), "equalised_odds").interval
claim(
    "attribute_left_out",
    measured=f"Among people with the same label more men are selected by a model that does not see sex: "
    f"{blind[1]['men selected more, by']:.3f} more with label 1, {blind[0]['men selected more, by']:.3f} "
    "with label 0",
    verdict="does not hold" if uneven.low > 0 else "not tested",
    conditions="outcomes of people with the same label, the model of this chapter; changing the word for sex "
    "alone changes nothing, by construction",
)

# %% [markdown]
# What ΔDP ≤ 0.1 **says**: the shares selected lie at most ten points apart.
# What it does **not** say: anything about errors, about how many are selected, about groups inside the groups, about how sure that is.
# It is one line of an audit.
#
# ## The other strand
#
# ### A report for those who decide
#
# One call audits any scikit-learn or PyTorch classifier and writes a page that can be handed on, in words that its readers use.
# It shows people beside rates, intervals, who was not compared, who answers for it and what happens next.
# The limits have to be set **before** it is written.
# New York City asks for something like it: Local Law 144 wants an independent audit within the year before a hiring tool is used, and its summary published (enforced from 5 July 2023; the State Comptroller found that enforcement ineffective in December 2025).

# %%
words = fairness_audit.Page(
    title="Offer to people with a high income",
    about="The model chooses who gets the offer. Its label is an answer to a survey of 1994.",
    selected="gets the offer",
    label="earns over 50,000 dollars",
    date="28 November 2026",
    model="logistic regression, chapter 12",
    data="Adult, official test split",
    threshold="0.5, which nobody chose",
    owner="head of customer offers",
    next_step="agrees on limits with those whom they protect, and has the model mended",
)
limits = {"demographic_parity": 0.1, "impact_ratio": 0.8, "equal_opportunity": 0.1}
audit = fairness_audit.audit(model, test, y, sex, limits=limits, page=words)

# %%
from IPython.display import Markdown

Markdown(audit.to_markdown(level=4))

# %% [markdown]
# `audit.save("audit.html")` writes the same as a page, with the intervals and the limits drawn, without a script and without anything from the network.
# Equal opportunity shows what *not certainly* means: the estimate, 6.6, keeps the limit of 10, and its interval reaches 11.
#
# ### A gate that says no
#
# A report can be put in a drawer.
# A <dfn title="闸门">gate</dfn> cannot: it stands in the pipeline that ships the model, raises `Refused`, and keeps its findings.
# It refuses a model that breaks a limit, and also one of which it **does not know** that it keeps the limit: the interval reaches beyond it, or too few people of some group stand behind a rate.
# Here a selection treats two large groups alike, and gives nothing to a small one.

# %% tags=["nbval-check-output"]
groups = np.repeat(["A", "B", "C"], [500, 500, 29])
picked = np.where(groups == "C", 0, np.arange(len(groups)) % 2)
try:
    fairness_audit.gate(lambda rows: picked, groups, picked, groups, limits={"demographic_parity": 0.1})
except fairness_audit.Refused as refused:
    print(str(refused).partition(". ")[0])

# %% [markdown]
# Somebody may decide otherwise, by name: `unknown=["C"]` lets that group pass unknown, `certain=False` judges the estimate alone.
# The headline of the report then says so.
# Counting and auditing refuse data with which they would go wrong:

# %% tags=["nbval-check-output"]
for name, broken in {
    "the group is missing": lambda: fairness_audit.gaps(y, selected, np.where(sex == "Male", sex, None)),
    "numbers among texts": lambda: fairness_audit.gaps([0, 1, 1], [0, 1, 0], ["1", 1, "2"]),
    "labels 1 and 2": lambda: fairness_audit.gaps(y + 1, selected, sex),
    "the same for everybody": lambda: fairness_audit.audit(lambda rows: np.zeros(len(rows)), test, y, sex),
}.items():
    try:
        broken()
    except ValueError as error:
        print(f"{name}: {error}")

# %% [markdown]
# The gate opens for a repaired model; chapter 13 has five ways to repair one, and their price.
# In continuous integration it is one line; its exit code is 1 when it refuses, and the report is written either way:
#
# ```bash
# python -m helix.trust.fairness_audit --model shop.model:load --data people.csv --label hired \
#     --groups sex race --limit demographic_parity=0.1 impact_ratio=0.8 --report audit.html
# ```
#
# **Fix** this model before it makes offers: set the limits with those whom they protect, and choose the notion by the harm in the first table.
# **Stop** any use of a risk score for freedom whose error rates differ as COMPAS' did and that nobody answers for.
# **Ship** only with the report attached, the gate in place, and a way for a person to object.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# AIF360 reports a mean difference of −0.31, and the test `mean_difference() <= 0.1` is green.
# What is true?**
#
# <details><summary>A. The gap is small enough.</summary>
#
# Not quite.
# The sign only says who is selected less often.
# The gap is the absolute value, 0.31.
#
# </details>
# <details><summary>B. The test forgets the sign: the gap is 0.31 and must be refused.</summary>
#
# Right.
# Compare the absolute value, or use a gap that is never negative.
#
# </details>
# <details><summary>C. A negative difference means that the model favours the weaker group.</summary>
#
# Not quite.
# AIF360 subtracts the privileged group's rate: negative means that the unprivileged group is selected less often.
#
# </details>
#
# **2.
# Base rates differ.
# You demand equal PPV and equal TPR of a classifier that selects some people rightly and some wrongly.
# What happens to the false positive rates?**
#
# <details><summary>A. They are equal too, by symmetry.</summary>
#
# Not quite.
# The identity has $p/(1-p)$ in front, which differs.
#
# </details>
# <details><summary>B. They must differ.</summary>
#
# Right.
# It is arithmetic, whatever the model.
# Only one that never selects wrongly escapes: its false positive rates are 0.
#
# </details>
# <details><summary>C. They can be made equal with more data.</summary>
#
# Not quite.
# More data narrow the intervals.
# The identity holds in every table of four numbers.
#
# </details>
#
# **3.
# In a group the TPR is 0.3 lower than elsewhere, and only 12 of its people have the label 1.
# What goes into the report?**
#
# <details><summary>A. Nothing: the group is too small.</summary>
#
# Not quite.
# Then a harm to the group on which the model was tried least leaves no trace.
#
# </details>
# <details><summary>B. The difference, as a finding: 0.3 is far above 0.1.</summary>
#
# Not quite.
# The interval of a rate of twelve people is about half of the axis wide: chance alone can make such a difference.
#
# </details>
# <details><summary>C. The rate with its interval, the note that it was not compared, and a plan for more data.</summary>
#
# Right.
# Shown, not compared, and said so.
# Of fewer than ten people the report does not even print the rate, since each of them could be recognised (this page did, from public data).
#
# </details>
#
# **4.
# A threshold keeps ΔDP at 0.04 while 2 % of the women and 6 % of the men are invited.
# Is that acceptable?**
#
# <details><summary>A. Yes: 0.04 is below 0.1.</summary>
#
# Not quite.
# A man has three times the chance.
# The difference is small because few are invited at all.
#
# </details>
# <details><summary>B. That needs the ratio, the errors, and the people who decide what is acceptable here.</summary>
#
# Right.
# The impact ratio is a third, which calls for a closer look by the four-fifths rule.
#
# </details>
# <details><summary>C. No: every difference is discrimination.</summary>
#
# Not quite.
# A difference is a reason to ask why.
# The answer may be a proxy, a label, chance, or a reason that holds.
#
# </details>
#
# ## Go on
#
# The lab comes next: its link stands on top and at the end of this page.
#
# Primary sources:
#
# - J. Larson, S. Mattu, L. Kirchner, J. Angwin, "How We Analyzed the COMPAS Recidivism Algorithm", ProPublica, 23 May 2016, [copy of the text](https://assets.documentcloud.org/documents/2998392/How-We-Analyzed-the-COMPAS-Recidivism-Algorithm.txt); Northpointe's answer, "COMPAS Risk Scales: Demonstrating Accuracy Equity and Predictive Parity" (2016), [the vendor's page](https://www.equivant.com/response-to-propublica-demonstrating-accuracy-equity-and-predictive-parity/)
# - M. Barenstein, "ProPublica's COMPAS Data Revisited" (2019), [arXiv:1906.04711](https://arxiv.org/abs/1906.04711); M. Bao and others, "It's COMPASlicated" (2021), [arXiv:2106.05498](https://arxiv.org/abs/2106.05498); F. Ding and others, "Retiring Adult" (2021), [arXiv:2108.04884](https://arxiv.org/abs/2108.04884)
# - A. Chouldechova, "Fair Prediction with Disparate Impact" (2017), [doi:10.1089/big.2016.0047](https://doi.org/10.1089/big.2016.0047); J. Kleinberg, S. Mullainathan, M. Raghavan, "Inherent Trade-Offs in the Fair Determination of Risk Scores" (2016), [arXiv:1609.05807](https://arxiv.org/abs/1609.05807)
# - M. Hardt, E. Price, N. Srebro, "Equality of Opportunity in Supervised Learning" (2016), [arXiv:1610.02413](https://arxiv.org/abs/1610.02413); C. Dwork and others, "Fairness Through Awareness" (2012), [arXiv:1104.3913](https://arxiv.org/abs/1104.3913); M. Kusner and others, "Counterfactual Fairness" (2017), [arXiv:1703.06856](https://arxiv.org/abs/1703.06856)
# - A. Jacobs, H. Wallach, "Measurement and Fairness" (2021), [arXiv:1912.05511](https://arxiv.org/abs/1912.05511)
# - Law: 29 CFR 1607.4(D), Uniform Guidelines on Employee Selection Procedures (1978), [text](https://www.ecfr.gov/current/title-29/subtitle-B/chapter-XIV/part-1607/section-1607.4), and the [agenda entry](https://www.reginfo.gov/public/do/eAgendaViewRule?RIN=3046-AB43&operation=OPERATION_EXPORT_XML&pubId=202510) on it; 42 U.S.C.
#   2000e-2(k), [text](https://www.law.cornell.edu/uscode/text/42/2000e-2); Executive Order 14281 of 23 April 2025, [90 FR 17537](https://www.govinfo.gov/content/pkg/FR-2025-04-28/html/2025-07378.htm); the [audit of Local Law 144](https://www.osc.ny.gov/state-agencies/audits/2025/12/02/enforcement-local-law-144-automated-employment-decision-tools), 2 December 2025; Regulation (EU) 2024/1689 as amended by [Regulation (EU) 2026/1744](https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=OJ:L_202601744)
# - Red Hat OpenShift AI 2.16, [supported bias metrics](https://docs.redhat.com/zh-cn/documentation/red_hat_openshift_ai_self-managed/2.16/html/monitoring_data_science_models/supported-bias-metrics_bias-monitoring) (in Chinese); R. K. E. Bellamy and others, "AI Fairness 360" (2018), [arXiv:1810.01943](https://arxiv.org/abs/1810.01943)
