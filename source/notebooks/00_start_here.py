# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   helix:
#     inputs: [source/course.toml, source/notebooks/, source/labs/, utils/helix/labs/*.py]
# ---

# %% [markdown]
# # Start here
#
# **Double Helix is a course for people who build AI systems and have to answer for them.**
# One strand is **engineering**: making models smaller, faster, distributed, private, deployed.
# The other is **ethics**: deciding what may be built, who bears its errors, and what must stop it.
# Each chapter is one rung between the two, and its lab ends in a decision of your own.
#
# **45 minutes · needs nothing but this notebook · both strands.**
# After this page you can say how far a number from a sample may be trusted, and you are ready for a first lab.
#
# ## The map
#
# Begin now: click into the next cell and press <kbd>Shift</kbd> + <kbd>Enter</kbd>.
# It counts what you have done; run it again after a lab.
# Everything runs on this machine, and no page needs a network.

# %%
from helix.course import progress_page

progress_page.overview()

# %% [markdown]
# The same as a picture.
# A chapter is *done* when every core exercise of its lab has once been correct, *open* when it is written and waits for you, and *planned* when it is not written yet.

# %% tags=["hide-input"]
from helix import plots
from helix.course import map_picture

rungs = progress_page.rungs()
plots.show(
    map_picture.double_helix(rungs),
    alt=map_picture.in_words(rungs),
    caption="The course as a double helix: one rung a chapter.",
)

# %% [markdown]
# | you want to | type in a terminal |
# |---|---|
# | open this page again | `python3 kit.py lab` |
# | see what you have solved, and what comes next | `python3 kit.py progress` |
# | begin a lab anew, and keep the old one | `python3 kit.py start 00 --fresh` |
# | have the newest version, and keep all that you wrote | `python3 kit.py update` |
# | take your record with you | `python3 kit.py export` |
# | know that everything works on this machine | `python3 kit.py test` |
#
# Read a chapter, then do its lab.
# These pages are copies of your own, in `work/`: write in them as you like.
# No update changes what you wrote, and nothing leaves this machine.
#
# ## The claim
#
# A <dfn title="主张">claim</dfn> is a sentence that people repeat.
# Every chapter takes one, and measures it.
# The verdict is one of *holds*, *holds if …*, *does not hold*, and *not traced* (nobody could say where the sentence comes from).
# A sentence that fails is a good result.
# Here is the one for this page:
#
# > An audit of 100 people is enough to see a selection gap of the size Adult has.
#
# "Enough" has to be said before measuring: at least 95 of 100 such audits should see the gap.
# Those who pay if the claim is false are people in the smaller group: a rule that turns them away passes its audit, and the report says that all is well.
#
# ## The idea, built up
#
# Adult is a table of people whom the US Census Bureau asked around 1994, and of whether each earned more than 50,000 dollars a year.
# Its card, with origin, licence and known problems, is `data/adult/CARD.md`.

# %%
from helix.datasets import adult

people = adult.load("train")
people[["age", "education", "occupation", "sex", "income_over_50k"]].head(4)

# %% [markdown]
# Take the last column as a selection: 1 is selected.
# The <dfn title="选择率">selection rate</dfn> of a group is the share of its people who are selected.
# This is the one of all women in the training part.

# %% tags=["nbval-check-output"]
women = people.loc[people["sex"] == "Female", "income_over_50k"].to_numpy()
print(f"{women.sum()} of {len(women)} women: {women.mean():.4f}")

# %% [markdown]
# An <dfn title="审计">audit</dfn> looks at people, often only a sample of them, and measures how a rule treats them.
# About a third of the table are women, so an audit of 100 people meets about 33 of them.
# Draw 33, five times, and look at the share that each draw would report.

# %% tags=["nbval-check-output"]
import numpy as np

rng = np.random.default_rng(0)
print([f"{rng.choice(women, 33, replace=False).mean():.2f}" for _ in range(5)])

# %% [markdown]
# One truth, five answers.
# Two thousand draws show the whole spread, for 33 women and for 330.

# %%
shares = {n: [rng.choice(women, n, replace=False).mean() for _ in range(2000)] for n in (33, 330)}

# %% tags=["hide-input"]
figure, axes = plots.figure(height=2.8, columns=2, sharex=True)
for ax, (n, drawn) in zip(axes, shares.items(), strict=True):
    ax.hist(drawn, bins=np.arange(-0.5, n * 0.35) / n, color="#8d99ae")
    ax.axvline(women.mean(), color="black", linestyle="--")
    ax.set(title=f"{n} women a draw", xlabel="share selected", ylabel="draws of 2,000")
plots.show(
    figure,
    alt="Two histograms of the share of women selected: wide for 33 women a draw, narrow for 330. "
    "The dashed line is the share in the whole table.",
)

# %% [markdown]
# A report that gives one share hides this spread.
# A 95 % <dfn title="置信区间">confidence interval</dfn> is a range made so that, of 100 such samples, about 95 give a range that holds the true value.
# It shows the spread; in short we say interval.
# You need not derive the formula, only read it.
# Wilson's 95 % interval for $k$ selected of $n$ people, with $\hat p = k/n$ and $z = 1.96$ (the middle 95 % of a normal distribution lie within 1.96 standard deviations of its mean), is
#
# $$\frac{\hat p + \frac{z^2}{2n} \;\pm\; z\sqrt{\frac{\hat p(1-\hat p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}} .$$


# %%
def wilson_by_hand(k: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    p = k / n
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = p + z**2 / (2 * n) - half, p + z**2 / (2 * n) + half
    return low / (1 + z**2 / n), high / (1 + z**2 / n)


# %% tags=["nbval-check-output"]
low, high = wilson_by_hand(4, 33)
print(f"4 of 33: {4 / 33:.3f}, 95 % interval from {low:.3f} to {high:.3f}")

# %% [markdown]
# The course has one yardstick for such things, `helix.measure`.
# It gives the same, and all chapters use it.

# %% tags=["nbval-check-output"]
from helix import measure

library = measure.wilson(4, 33)
print(library, np.allclose([library.low, library.high], [low, high]))

# %% [markdown]
# An audit compares groups, so it needs the interval of a *difference*.
# Newcombe's method builds it from two Wilson intervals.
# `audit` draws people and returns the gap, men minus women, with that interval.
# One audit of 100 people:

# %% tags=["nbval-check-output"]
from helix.start_here import sample_gap

one = sample_gap(people, size=100, rng=np.random.default_rng(1))
print(f"gap {one.gap}   sees it: {one.sees}")

# %% [markdown]
# The audit **sees** a gap when its interval lies wholly above or wholly below zero.
# Now the question is how often that happens.
#
# ## The measurement
#
# The experiment `experiments/00_start_here.py` drew 4,000 audits of each size, with 20 seeds.
# Its record is stored, with seeds, date and hardware; chapters read long measurements from such records, and rerun a slice of them live.

# %%
from helix.record import results

record = results.load("00_start_here")
by_size = record["figures"]["by_size"]

# %% tags=["hide-input"]
sizes = [int(size) for size in by_size]
figure, ax = plots.figure(height=3.2)
for key, label in (("sees", "sees the gap"), ("below_limit", "measures a gap of 0.1 or less")):
    ax.plot(sizes, [by_size[str(size)][key]["value"] for size in sizes], label=label)
ax.axvline(100, color="#595959", linewidth=1, linestyle=":")
ax.set(xscale="log", xlabel="people in the audit", ylabel="share of 4,000 audits", ylim=(-0.03, 1.03))
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.minorticks_off()
ax.legend(loc="center right")
plots.show(
    figure,
    alt="The share of audits that see the gap rises from under a third at 50 people to nearly all at 300; "
    "the share that measure a gap of 0.1 or less falls from a fifth to almost none. The dotted line marks "
    "100 people.",
)

# %% [markdown]
# One cell of that record again, here and now: 200 audits of 100 people, with a seed that the record does not hold.
# It must lie within three standard deviations of what the 20 recorded seeds gave.

# %% tags=["nbval-check-output"]
rng = np.random.default_rng([100, 20])  # recorded are the seeds 0 to 19
seen = [sample_gap(people, size=100, rng=rng).sees for _ in range(200)]
recorded = np.array(by_size["100"]["sees_by_seed"])
assert abs(np.mean(seen) - recorded.mean()) <= 3 * recorded.std(ddof=1)
print(
    f"{np.mean(seen):.3f} of 200 audits see the gap; recorded: {recorded.mean():.3f} ± "
    f"{recorded.std(ddof=1):.3f}"
)

# %%
from helix.record import claim

claim(
    "small_audit_suffices",
    measured=f"{100 * np.mean(seen):.0f} % of audits of 100 people see the gap.",
    verdict="holds" if np.mean(seen) >= 0.95 else "does not hold",
    conditions="200 audits, one seed; enough = at least 95 % see it",
)

# %% [markdown]
# The claim fails.
# At 100 people about four audits in ten miss a gap of twenty percentage points, and about 12 in 100 measure 0.1 or less, which many reports would call acceptable.
#
# The course makes a promise of its own that you are about to use: a check of your answer takes under a second, in the median.
# A promise is a claim too, so it was measured in the same way.

# %%
import time

from helix.labs import start_here as check

start = time.perf_counter()
check.parity_gap.verdict(lambda rates: 0.5, seed=0)
seconds = time.perf_counter() - start
claim(
    "check_under_a_second",
    measured="under 1 s" if seconds < 1 else f"{seconds:.1f} s",
    verdict="holds" if seconds < 1 else "does not hold",
    conditions="one check, wall clock",
)

# %% [markdown]
# ## The other strand: who pays for a small audit?
#
# A thousand people sounds like plenty.
# Here is one audit of that size, by the column `race` as the census worded it in those years.
# The rate of each group comes with its interval.

# %%
sample = people.sample(1000, random_state=0)
counts = (
    sample.groupby(sample["race"].astype(str))["income_over_50k"].agg(["sum", "count"]).sort_values("count")
)
intervals = [measure.wilson(row["sum"], row["count"]) for _, row in counts.iterrows()]

# %% tags=["hide-input"]
figure, ax = plots.figure(height=2.6)
labels = [f"{name} ({n})" for name, n in counts["count"].items()]
plots.bars(ax, labels, intervals, xlabel="selection rate with its 95 % interval", ylabel="group (people)")
plots.show(
    figure,
    alt="Dots are the rates that an audit of 1,000 people measured for five groups, bars their 95 % "
    "intervals: narrow for the largest group, "
    "several times as wide for the smallest ones.",
)

# %% [markdown]
# The largest group is measured well.
# The smallest groups, a few people each, are measured so badly that very different treatments of them agree with the report.
# Those with the fewest people in the data get the weakest protection from it.
# Averages over everybody never show this.
#
# So what does one do with such a report: **ship** it, **fix** it, or **stop** it?
# An intention helps nobody.
# A <dfn title="控制措施">control</dfn> is a function that runs, and refuses what must not happen.
# This one lets a rate into a report only if its interval is narrow enough to mean something: here, no wider than 0.2, about the size of the gap that we look for.


# %%
def publishable(rate: measure.Interval, widest: float = 0.2) -> bool:
    return rate.width <= widest


# %% tags=["nbval-check-output"]
from helix.display import table

table(
    [
        {"group": name, "people": n, "answer": "publish" if publishable(rate) else "ask more people first"}
        for (name, n), rate in zip(counts["count"].items(), intervals, strict=True)
    ],
    caption="What the control lets into the report.",
)

# %% [markdown]
# Fix it, says this control: ask more people of the groups that it names, before anyone reads a rate into the noise.
# What it cannot tell you is whether those people want to be asked.
# That stays a question for you, and for them.
#
# ## How a lab and a decision work
#
# A **lab** gives you functions with an empty body.
# You write the body, run the cell, then run the line that checks it.
# The check draws fresh cases each time, so a constant never passes.
# It answers *correct*, *incorrect* and why, *not attempted*, or *your code raised*.
# It recognises common misconceptions by what your function does, and names them.
# If it hangs, the check stops it.
#
# A <dfn title="决策">decision</dfn>, the last exercise of each lab, is more than a choice: the question, who is affected, the options, the evidence, your choice, the strongest dissent, the risk that stays, an owner, a date to look again, and a control.
# The evidence is numbers that your own run recorded.
# The check refuses a decision that contradicts them, or whose control does not work.
# Whether the choice is wise, no program can judge; there you get questions, and two other answers with their reasons.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# An audit of 100 people reports a gap of 0.08, with an interval from −0.10 to 0.25.
# What does it show?**
#
# <details><summary>A. The gap is at most 0.1, so the rule may be released.</summary>
#
# Not quite.
# The interval reaches up to 0.25.
# The audit cannot tell a small gap from one of a quarter.
#
# </details>
# <details><summary>B. There is no gap, because the interval holds zero.</summary>
#
# Not quite.
# That zero is possible does not make it true; 0.2 is possible too.
# The audit did not see a gap, and it would have missed many a real gap.
#
# </details>
# <details><summary>C. It is too small to tell a fair rule from a rather unfair one.</summary>
#
# Right.
# Everything from −0.10 to 0.25 agrees with the data.
# The honest next step is more people.
#
# </details>
#
# **2.
# You audit four times as many people.
# What happens to the width of the interval, roughly?**
#
# <details><summary>A. It is divided by four.</summary>
#
# Not quite.
# The number of people stands under a square root.
#
# </details>
# <details><summary>B. It is divided by two.</summary>
#
# Right.
# The width shrinks with $1/\sqrt{n}$, and $\sqrt{4} = 2$.
# Compare 500 and 2,000 people in the record: the widths are 0.138 and 0.069.
#
# </details>
# <details><summary>C. It stays, if the groups keep their shares.</summary>
#
# Not quite.
# Their shares stay, but each group has four times the people, and each rate is known better.
#
# </details>
#
# **3.
# Which of these is a control?**
#
# <details><summary>A. A paragraph in the model card that names the gap.</summary>
#
# Not quite.
# It informs, which matters, but nothing happens if nobody reads it.
#
# </details>
# <details><summary>B. A function in the release script that refuses a gap above the limit.</summary>
#
# Right.
# It runs every time, and it can say no.
# You will write one in the lab.
#
# </details>
# <details><summary>C. A promise of the team to look at the gap each quarter.</summary>
#
# Not quite.
# It is an intention.
# With an owner and a date it supports a control; alone it stops nothing.
#
# </details>
#
# ## Go on
#
# The lab comes next: its link stands on top and at the end of this page.
#
# Primary sources:
#
# - E. B. Wilson, "Probable inference, the law of succession, and statistical inference", *Journal of the American Statistical Association* 22 (1927), [doi:10.1080/01621459.1927.10502953](https://doi.org/10.1080/01621459.1927.10502953)
# - R. G. Newcombe, "Interval estimation for the difference between independent proportions", *Statistics in Medicine* 17 (1998), 873–890, method 10
# - B. Becker and R. Kohavi, *Adult*, UCI Machine Learning Repository (1996), [doi:10.24432/C5XW20](https://doi.org/10.24432/C5XW20)
# - F. Ding, M. Hardt, J. Miller, L. Schmidt, "Retiring Adult: New Datasets for Fair Machine Learning" (2021), [arXiv:2108.04884](https://arxiv.org/abs/2108.04884)
