# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Bias mitigation
#
# After this chapter you can narrow a selection gap in five ways, and state the price of each in accuracy, in the other gaps, and in people.
#
# **60 minutes · after [Fairness audit](12_fairness_audit.ipynb) · strand: ethics.**
#
# You need a training loop in PyTorch, and from the audit the four numbers of a group (TP, FN, FP, TN), its rates, and ΔDP.
#
# ## The claim
#
# An audit has found a gap.
# Somebody says: *then train it away*.
# Before any method, look at who is moved when a gap is narrowed.
# Two tables go through this chapter, and for both we imagine a decision.
# In both, 1 is the answer that the person wants:
#
# | table | the decision | label 1 | a wrong 0 harms | a wrong 1 harms |
# |---|---|---|---|---|
# | Adult, by sex | who gets credit | earned over 50,000 dollars (in 1994) | who could have paid, and is refused | who gets a debt that cannot be paid |
# | COMPAS, by race | who may wait for trial at home | *not* arrested again within two years | who is kept in custody for nothing | those whom a new deed hits |
#
# Both labels have the faults that chapter 12 tells, and all methods here take the label for the truth.
# So the numbers say what methods do, and nothing about anybody who is in these tables.
# (Of COMPAS we keep the two largest groups, as ProPublica did: the methods here are written for two.)
#
# The articles that this course grew from ("AI大时代要懂的2种核心能力:技术驾驭与伦理决策", JC, 18 September 2025, and chapters 28 to 30 of a Chinese tutorial series on generative AI) say that a penalty in the loss is enough:
#
# > ΔDP ≤ 0.1 is reachable with a fairness regulariser in the loss.
#
# ΔDP is the absolute difference of the two groups' selection rates.
#
# **What would "reachable" mean?**
# ΔDP = 0 can always be reached: give everybody the same answer.
# Then nothing is decided, and that is not what anybody means.
# So we train 20 times on each table, and a run *reaches* the limit if
#
# - among the strengths of the penalty there is one with ΔDP ≤ 0.1 on *validation* people that is more accurate there than one answer for everybody (of several the most accurate is taken), and
# - on *test* people, whom nobody has looked at for this, that one keeps ΔDP ≤ 0.1 and is more accurate than one answer for everybody, too.
#
# The claim holds if most runs reach it, on both tables.
# Whether *all* do, and what it costs, belongs to the verdict.
#
# <dfn title="偏差缓解">Bias mitigation</dfn> narrows a gap that was measured, and no more.
# No method here makes a model fair; each moves one gap, and moves people.
#
# ## The idea, built up
#
# ### The gap that is there
#
# The sensitive attribute is kept apart: it is never among the features `X`.
# The model is a network with 64 hidden units.

# %%
import numpy as np
import torch

from helix.display import table
from helix.trust import debiasing
from helix.trust.groups import gaps, group_metrics
from helix.trust.people import load

torch.set_num_threads(1)
adult = load("adult")
train, validation, test = (adult[split] for split in ("train", "validation", "test"))
base = debiasing.fit(train.X, train.y, train.groups, seed=99)

# %%
scores = {split: debiasing.probabilities(base, adult[split].X) for split in ("validation", "test")}
before = (scores["test"] > 0.5).astype(int)
rates = group_metrics(test.y, before, test.groups)[["n", "base_rate", "selection_rate", "tpr", "fpr"]]
rates.columns = ["people", "label 1", "selected", "TPR", "FPR"]
table(rates, caption="The model without mitigation, on test people.")

# %% [markdown]
# Of 100 men three times as many are selected as of 100 women, and a woman *with* label 1 is passed over more often than such a man.
# The record of this chapter (20 runs; a run draws the training rows anew, with replacement) holds three models that differ in nothing but what they may see:

# %%
from helix.record import results

record = results.load("13_debiasing")["figures"]
settings = record["tables"]["adult"]["settings"]

# %% tags=["hide-input", "nbval-check-output"]
seen = {
    "all, and sex": "group among the features",
    "all but sex": "baseline",
    "neither sex nor relationship nor marital status": "proxies dropped",
}
table(
    [
        {"the model sees": what, "ΔDP": settings[name]["demographic_parity"]["value"]}
        | {"accuracy": settings[name]["accuracy"]["value"]}
        for what, name in seen.items()
    ],
    caption="Three models on Adult, means of 20 runs.",
)

# %% [markdown]
# **Leaving the attribute out is no mitigation.**
# The baseline never saw sex, and its gap is nearly as wide as that of the model which did: `relationship` says "Husband" or "Wife".
# Dropping that column too, and `marital_status`, costs three points of accuracy, and on average still does not keep 0.1.
#
# ### In the loss: a penalty
#
# Whatever is in the loss, training makes smaller.
# So add the gap.
# A selection (0 or 1) has no gradient, but a probability has, so the penalty is the gap of **mean probabilities** in a batch, times a strength λ.
# A <dfn title="公平正则项">fairness regulariser</dfn> is a term that is added to the loss and grows with a gap between groups.
#
# $$L = \text{cross-entropy} + \lambda\,\left|\bar p_0 - \bar p_1\right|, \qquad \bar p_g = \text{mean of } p_i \text{ over group } g .$$


# %%
def plain_gap(p: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    return (p[code == 0].mean() - p[code == 1].mean()).abs()


# %% [markdown]
# In a batch without one of the groups one mean is the mean of nobody, NaN, and one NaN in the loss can make every weight NaN.
# So ask first whether both groups are there, and else **skip** the penalty.
# Here is the whole training step, after a function that makes the networks:


# %%
def begin(seed: int):
    """Return a network, an adversary for later, and an optimiser for both."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(train.X.shape[1], 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)
    )
    guesser = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    steps = [{"params": model.parameters()}, {"params": guesser.parameters(), "lr": 1e-2}]
    return model, guesser, torch.optim.Adam(steps, lr=2e-3)


X, y = torch.tensor(train.X), torch.tensor(train.y, dtype=torch.float32)
code = torch.tensor((train.groups == "Male").astype(int))


# %%
def penalised_step(model, optimiser, x, y, code, lam: float) -> None:
    logit = model(x)[:, 0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, y)
    if 0 < code.sum() < len(code):  # both groups are there; else the penalty is skipped
        loss = loss + lam * plain_gap(logit.sigmoid(), code)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


# %% [markdown]
# Eight passes over Adult with λ = 0.3, beside `helix.trust.debiasing.fit`, which trains every network of this chapter.
# With the same seed and the plain formula as penalty, both do the same.

# %%
model, _, optimiser = begin(99)
for _ in range(8):
    for rows in torch.randperm(len(y)).split(512):
        penalised_step(model, optimiser, X[rows], y[rows], code[rows], lam=0.3)
plain = debiasing.GapRegulariser(momentum=0)
fitted = debiasing.fit(train.X, train.y, train.groups, seed=99, gap=0.3, penalty=plain)

# %% tags=["nbval-check-output"]
ours, theirs = (debiasing.probabilities(one, test.X) for one in (model, fitted))
print("the same to a millionth:", bool(np.abs(ours - theirs).max() < 1e-6))


# %%
def parity_gap(answers) -> float:
    return gaps(test.y, answers, test.groups)["demographic_parity"]


print(f"ΔDP {parity_gap(before):.3f} → {parity_gap(ours > 0.5):.3f}")

# %% [markdown]
# ### The noise of small batches
#
# Where the true gap is small, the gaps of batches scatter on both sides of 0, and the absolute value pushes against each of them, even one that is there by chance.
# Even the baseline's wide gap has the wrong sign in 17 of 100 batches of eight people.
# So take the **sign** from a running estimate over the last batches, and the gradient from the batch:


# %%
def steady_gap(p: torch.Tensor, code: torch.Tensor, running: float | None) -> tuple[torch.Tensor, float]:
    signed = p[code == 0].mean() - p[code == 1].mean()
    now = float(signed.detach())
    running = now if running is None else 0.9 * running + 0.1 * now
    return (signed if running >= 0 else -signed), running


# %% [markdown]
# That, with the skipped batch, is `debiasing.GapRegulariser`.
# In the record (λ = 0.2, five seeds; ΔDP of the baseline, trained with batches of 512, 0.178) the plain formula closes 0.04 of the gap with batches of 16 people, and this one 0.06; with 512 both close 0.07.
# So large batches come first.
#
# ### In the loss: an adversary
#
# Another idea: if nobody can read the group from the model's output, the output is the same for both.
# An <dfn title="对抗网络">adversary</dfn> is a second network that guesses the group from the model's output, while the model is trained to make that impossible.
# Here it reads the logit $z$, the model's output before the sigmoid.
# Both train at once, by one trick: between the two stands a layer that passes numbers on unchanged, and **turns gradients round** on the way back, times a strength $\alpha$:
#
# $$\text{forward: } u = z, \qquad \text{back: } \frac{\partial L}{\partial z} \leftarrow -\alpha\,\frac{\partial L}{\partial u}.$$


# %%
class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, alpha):
        ctx.alpha = alpha
        return z.view_as(z)

    @staticmethod
    def backward(ctx, upstream):
        return -ctx.alpha * upstream, None


# %%
def adversarial_step(model, guesser, optimiser, x, y, code, alpha: float) -> None:
    logit = model(x)[:, 0]
    guess = guesser(Reverse.apply(logit[:, None], alpha))[:, 0]
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    loss = cross_entropy(logit, y) + cross_entropy(guess, code.float())
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


# %% [markdown]
# One loss, one `backward`: the adversary steps **down** its loss and gets better at guessing; what flows on into the model has changed its sign, so the model steps **up** that loss.
# (Turn the adversary's own gradient too, and it never learns: an opponent who does not try is no test.)

# %%
model, guesser, optimiser = begin(99)
for _ in range(2):
    for rows in torch.randperm(len(y)).split(512):
        adversarial_step(model, guesser, optimiser, X[rows], y[rows], code[rows], alpha=2.0)
now = parity_gap(debiasing.probabilities(model, test.X) > 0.5)
print(f"ΔDP {parity_gap(before):.3f} → {now:.3f}")

# %% [markdown]
# (`debiasing.fit(…, adversary=2.0)` takes the same step.)
# An adversary needs no formula of the gap.
# Its price is a game between two networks, which can swing from run to run.
#
# The best-known version is AIF360's `AdversarialDebiasing` (B. H. Zhang and others, 2018).
# With the strength that it has by default it keeps ΔDP ≤ 0.1 in 18 of our 20 runs on Adult, and in none on COMPAS: a strength that fits one table need not fit another.
# And one trap: AIF360's table keeps the group **among the features**, so that the usual call tells the model what it must not know.
#
# ### Before training: weights
#
# The gap can also be mended in the data.
# In Adult, 11 of 100 women have the label 1 and 31 of 100 men.
# If group and label had nothing to do with each other, a cell of the table (group, label) would hold $P(g)\,P(y)$ of all people.
# <dfn title="重加权">Reweighing</dfn> lets each person count by the ratio of what would be there, were group and label independent, to what is there.
#
# $$w(g, y) = \frac{P(g)\,P(y)}{P(g, y)} .$$

# %%
import pandas as pd


def reweigh(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    there = pd.crosstab(groups, y, normalize=True)  # P(g, y)
    free = np.outer(there.sum(axis=1), there.sum(axis=0))  # P(g) P(y)
    row = np.searchsorted(there.index.to_numpy(), groups)
    return (free / there).to_numpy()[row, y]


# %%
weight = reweigh(train.y, train.groups)
assert np.allclose(weight, debiasing.reweighing(train.y, train.groups))
people = pd.DataFrame({"group": train.groups, "label": train.y, "weight": weight})
people["weight with label 1"] = people["weight"] * people["label"]
weights = people.groupby(["group", "label"])["weight"].first().unstack().add_prefix("weight with label ")
sums = people.groupby("group")[["weight", "weight with label 1"]].sum()

# %% tags=["hide-input", "nbval-check-output"]
shares = {
    "label 1, as it is": people.groupby("group")["label"].mean(),
    "label 1, weighted": sums["weight with label 1"] / sums["weight"],
}
table(pd.DataFrame(weights).assign(**shares), caption="Adult: what a person counts, and what that does.")

# %% [markdown]
# A woman with a high income counts as more than two people now.
# Any library that takes sample weights can be used.
# But there is no strength to turn: reweighing gives *one* result, and if that misses the limit, the method has no answer.
#
# ### After training: thresholds
#
# The simplest idea of all: leave the model alone, and let each group have the threshold that selects the same share of it.
# The threshold is a **quantile** of the group's own scores, and it is chosen on *validation* people.


# %%
def quantile_thresholds(scores: np.ndarray, groups: np.ndarray, share: float) -> dict[str, float]:
    return {str(name): float(np.quantile(scores[groups == name], 1 - share)) for name in np.unique(groups)}


def accuracy_at(share: float) -> float:
    cuts = quantile_thresholds(scores["validation"], validation.groups, share)
    return float(np.mean(debiasing.select(scores["validation"], validation.groups, cuts) == validation.y))


shares = np.arange(0.05, 0.40, 0.01)
share = float(max(shares, key=accuracy_at))

# %%
cuts = quantile_thresholds(scores["validation"], validation.groups, share)
selected = debiasing.select(scores["test"], test.groups, cuts)
print(f"{share:.0%} of each group, who score above:", {name: round(cut, 2) for name, cut in cuts.items()})
print(f"ΔDP {parity_gap(selected):.3f}, accuracy {np.mean(selected == test.y):.3f}")
print(f"before: {parity_gap(before):.3f}, {np.mean(before == test.y):.3f}")
assert parity_gap(selected) < 0.03

# %% [markdown]
# The group must be **known when the decision is made**, and two people with the same score may get different answers.
# That is disparate treatment in the open, and may be forbidden where you are.
# For employment tests in the United States it is, since 1991: no "different cutoff scores" by race, color, religion, sex, or national origin (42 U.S.C.
# 2000e-2(l)).
# The other methods use the group in training only; ask a lawyer whether that is another thing where you are.
#
# And *validation* above is not a formality: **thresholds tuned on test look better than they are.**
# Tune on 200 people, and look once at these 200 and once at everybody else.
# Twenty draws:


# %%
def judged(scores, people, rows, thresholds) -> tuple[float, float]:
    chosen = debiasing.select(scores[rows], people.groups[rows], thresholds)
    gap = gaps(people.y[rows], chosen, people.groups[rows])["demographic_parity"]
    return gap, float(np.mean(chosen == people.y[rows]))


rng, both = np.random.default_rng(0), []
for _ in range(20):
    few, others = np.split(rng.permutation(len(test.y)), [200])
    tuned = debiasing.parity_thresholds(scores["test"][few], test.y[few], test.groups[few])
    both.append([judged(scores["test"], test, rows, tuned) for rows in (few, others)])

# %%
optimism = pd.DataFrame(
    np.mean(both, axis=0), index=["the 200 tuned on", "everybody else"], columns=["ΔDP", "accuracy"]
)
table(optimism, caption="Thresholds tuned on 200 people, means of 20 draws.")
assert optimism["ΔDP"].iloc[1] > 2 * optimism["ΔDP"].iloc[0]
assert optimism["accuracy"].iloc[1] < optimism["accuracy"].iloc[0]

# %% [markdown]
# The gap that is reported is a fraction of the gap that comes.
# Whoever never looks at others will not find out; those who are judged will.
#
# ### A reduction: other labels, other weights
#
# The last method puts the constraint into the *data* of an ordinary classifier.
# Put a **price** $\mu$ on the gap: selecting somebody of the group that is behind ($g_0$) earns something, selecting somebody of the other ($g_1$) costs it.
# Answering 1 to person $i$ is then worth
#
# $$c_i = \underbrace{(2y_i - 1)}_{\text{right or wrong}} + \mu \cdot \begin{cases} +1/P(g_0) & i \in g_0 \\ -1/P(g_1) & i \in g_1 .\end{cases}$$
#
# Where $c_i > 0$ the best answer is 1, else 0, and $|c_i|$ says how much is at stake.
# So any classifier that takes weights can be trained on the labels $[c_i > 0]$ with the weights $|c_i|$.


# %%
def signed_weights(y: np.ndarray, code: np.ndarray, price: float) -> np.ndarray:
    pull = np.where(code == 0, 1 / np.mean(code == 0), -1 / np.mean(code == 1))
    return (2 * y - 1) + price * pull


# %%
from sklearn.linear_model import LogisticRegression

numbers, group = train.X.astype(float), code.numpy()


def answer_to(price: float) -> LogisticRegression:
    stake = signed_weights(train.y, group, price)
    return LogisticRegression(max_iter=200).fit(numbers, stake > 0, sample_weight=np.abs(stake))


# %%
falling = []
for price in (0.0, 0.05, 0.1, 0.2):
    answers = answer_to(price).predict(test.X.astype(float)).astype(int)
    right = float(np.mean(answers == test.y))
    falling.append({"price": f"{price:g}", "ΔDP": parity_gap(answers), "accuracy": right})
table(falling, caption="The dearer the gap, the narrower.")
assert (np.diff([row["ΔDP"] for row in falling]) < -0.01).all()

# %% [markdown]
# Which price?
# **Exponentiated gradient** finds it: in each round the price rises while the gap is above the bound, and falls where the gap has turned round.
# The answer is the *mixture* of all rounds: each decision is made by one classifier, drawn by chance.
# fairlearn does that.
# Mind its words: `difference_bound` limits how far each group may lie from **everybody**, so that two groups may lie up to *twice* as far apart.

# %%
from fairlearn.reductions import DemographicParity, ExponentiatedGradient

reduced = ExponentiatedGradient(
    LogisticRegression(max_iter=200), DemographicParity(difference_bound=0.05), max_iter=30
)
reduced.fit(numbers, train.y, sensitive_features=train.groups)
drawn = [reduced.predict(test.X.astype(float), random_state=seed) for seed in (0, 1)]
by_lot = np.sum(drawn[0] != drawn[1])
print(f"ΔDP {parity_gap(drawn[0]):.3f}; {by_lot} of {len(test.y):,} answers change in a second draw")

# %% [markdown]
# That last number is a price too: for more than a hundred people two draws disagree, so a lot that nobody sees gives them their yes or no.
# Who would explain it to them?
#
# ## The measurement
#
# `experiments/13_debiasing.py` gave every method and strength 20 runs on both tables.
# The strength of *thresholds* is how far apart selection rates may lie on validation; *threshold optimiser* is fairlearn's, which makes them equal there.
# All strengths were chosen on validation, by one rule: **the most accurate setting with ΔDP ≤ 0.1 that beats one answer for everybody**.
# If there is none, the method has *failed* in this run, and is counted as failed.
#
# One confession belongs here.
# The lists of strengths were first fixed after one look at test people, with a single seed: just what this chapter warns of.
# For the penalty, which the claim is about, the list was then made finer and longer, the same for both tables: from λ = 0.05, which moves ΔDP by less than 0.02, to 32, with which nobody is selected on Adult and 92 of 100 on COMPAS.
# That was done when the first results were known, so every strength of the first list stayed in it, and it now goes on until nearly everybody gets one answer.
# The lists of the other methods are as they were; take their rows as a comparison, not as a contest.
#
# First, all settings as they are on test people:

# %%
from helix import plots

methods = (
    "regulariser",
    "adversary",
    "reweighing",
    "thresholds",
    "threshold optimiser",
    "exponentiated gradient",
)


def of_method(settings: dict, method: str) -> list[dict]:
    """Return a method's settings, from the weakest to the strongest."""
    named = {
        name.rpartition(" ")[2]: one for name, one in settings.items() if name.rpartition(" ")[0] == method
    }
    return [named[strength] for strength in sorted(named, key=float)] or [settings[method]]


# %% tags=["hide-input"]
figure, axes = plots.figure(height=6.6, columns=2, rows=2, sharex="col")
NAMED = {"adult": ("0.3", "8"), "compas": ("2", "8", "32")}
for (top, bottom), (name, one) in zip(axes.T, record["tables"].items(), strict=True):
    for method in ("baseline", *methods):
        points = of_method(one["settings"], method)
        size = (
            {"fillstyle": "none", "markersize": 11, "zorder": 5}
            if method == "baseline"
            else {"markersize": 4}
        )
        for ax, kind in ((top, "accuracy"), (bottom, "selected")):
            across, up = ([point[of] for point in points] for of in ("demographic_parity", kind))
            reach = [
                [[i["value"] - i["low"] for i in some], [i["high"] - i["value"] for i in some]]
                for some in (across, up)
            ]
            ax.errorbar(
                [i["value"] for i in across],
                [i["value"] for i in up],
                xerr=reach[0],
                yerr=reach[1],
                **{"markevery": 1, "linewidth": 0.8, "elinewidth": 0.8, "label": method} | size,
            )
    for strength in NAMED[name]:
        point = one["settings"][f"regulariser {strength}"]
        for ax, kind, shift in ((top, "accuracy", (7, -11)), (bottom, "selected", (7, 6))):
            place = point["demographic_parity"]["value"], point[kind]["value"]
            ax.annotate(
                f"λ = {strength}",
                place,
                xytext=shift,
                textcoords="offset points",
                fontsize=8,
                color="#7a4f00",
            )
    for ax in (top, bottom):
        ax.axvline(0.1, color=plots.SOFT, linestyle="--", linewidth=1)
        ax.set_xlim(-0.01, 0.2)
    top.axhspan(0, one["constant"], color="#dddddd", zorder=0)
    top.text(
        0.195, one["constant"] - 0.0115, "no better than one answer for everybody ", ha="right", fontsize=7.5
    )
    top.set_title({"adult": "Adult, by sex", "compas": "COMPAS, by race"}[name])
    top.set_ylim(one["constant"] - 0.012, one["settings"]["baseline"]["accuracy"]["value"] + 0.012)
    top.set_ylabel("accuracy")
    bottom.set(xlabel="ΔDP", ylabel="share selected", ylim=(-0.03, 1.03))
figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
plots.show(
    figure,
    alt="Four panels against ΔDP, with a dashed line at 0.1; a point is a setting, with its 95 % interval over 20 runs. "
    "Above, accuracy. On Adult it falls slowly, from 0.85 to 0.84, until ΔDP is 0.07, then faster; the penalty with λ = 8 "
    "stands at 0.77, just above the grey region of one answer for everybody, 0.76. On COMPAS thresholds reach 0.02 at one "
    "point less than the baseline's 0.65; the penalty, the adversary and exponentiated gradient lose five to eleven points "
    "to come below 0.1, and λ = 32 ends near the grey region, at 0.55. Below, the share selected: on Adult 0.15 to 0.2, "
    "until strong penalties select nobody; on COMPAS 0.6 for thresholds, and rising to 0.9 for the penalty.",
    caption="Accuracy (above) and share selected (below) of every setting on test people, against ΔDP; bars are 95 % intervals over 20 runs.",
)

# %% [markdown]
# Follow the penalty from right to left.
# Down to a ΔDP of 0.11 it costs Adult half a point of accuracy, and COMPAS three.
# Where it is strong the gap closes because hardly anything is decided any more: λ = 8 selects **hardly anybody** on Adult (5 of 1,000), and **nearly everybody** on COMPAS (84 of 100).
# A gap can always be closed by deciding nothing, so look at the share selected before you believe a small one.
#
# Now what the rule chose.
# *Reached* counts runs in which the chosen setting keeps 0.1 on test people; *surely* those in which the 95 % interval over these people keeps it too, as the gate of chapter 12 asks.
# (Training is drawn anew in each run; the test people are always the same.)
# Beside them stands what happens to another gap, that of equalised odds: the larger of the differences in TPR and in FPR.
# A change is against the same run without mitigation.


# %% tags=["hide-input", "nbval-check-output"]
def told(one: dict, name: str, scale: float = 1, digits: int = 3) -> str:
    """Return a mean change with its interval over the runs."""
    if "change" not in one:
        return "–"
    value, low, high = (scale * one["change"][name][key] for key in ("value", "low", "high"))
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]".replace("-", "−")


rows = [
    {"table": {"adult": "Adult", "compas": "COMPAS"}[name], "method": method}
    | {"no answer": found["failed"], "reached": found["reached"], "surely": found["surely"]}
    | {
        "accuracy, points": told(found, "accuracy", 100, 1),
        "equalised-odds gap": told(found, "equalised_odds"),
    }
    for name, one in record["tables"].items()
    for method, found in one["chosen"].items()
]
table(
    rows,
    caption="What the rule chose in 20 runs, on test people: runs, and mean changes with 95 % intervals.",
)

# %% [markdown]
# On Adult the equalised-odds gap rises with **every** method, on COMPAS it falls with each that has an answer.
# (Two tables, and methods that share their baseline: no law follows from that.)
# Why so different?
# Train a few strengths live, with a seed that the record has not seen, and look at the two groups instead of their gap.

# %%
strengths = (0.1, 0.2, 0.3, 0.5)
trained = {0.0: base} | {
    lam: debiasing.fit(train.X, train.y, train.groups, seed=99, gap=lam) for lam in strengths
}
rates = {
    lam: group_metrics(test.y, debiasing.probabilities(one, test.X) > 0.5, test.groups)
    for lam, one in trained.items()
}

# %% tags=["hide-input"]
figure, axes = plots.figure(height=2.8, columns=2, sharey=True)
for ax, (rate, words) in zip(
    axes,
    {"selection_rate": "selected, of all", "tpr": "selected, of those with label 1"}.items(),
    strict=True,
):
    for name in ("Female", "Male"):
        ax.plot(list(rates), [one.loc[name, rate] for one in rates.values()], label=name, markevery=1)
    ax.set(title=words, xlabel="λ")
axes[0].set_ylabel("rate")
axes[0].legend()
plots.show(
    figure,
    alt="Rates of women and men on Adult against λ from 0 to 0.5. Left, selection rates: they start at 0.08 "
    "and 0.26 and meet at 0.5. Right, true positive rates: women start below men, the lines cross near λ = "
    "0.1, and at 0.5 women stand more than twenty points above men.",
    caption="Adult, one run for each λ, test people: selection rates meet; true positive rates cross.",
)

# %% [markdown]
# The lines on the right **cross**.
# A weak penalty narrows *both* gaps (at λ = 0.1 the record's equalised-odds gap is half of the baseline's).
# A stronger one pushes the qualified (those with label 1) of one group past those of the other.
# That is arithmetic: a group's selection rate is $b\cdot\mathrm{TPR} + (1-b)\cdot\mathrm{FPR}$ with its base rate $b$.
# Where base rates differ, equal TPR *and* equal FPR give different selection rates, unless TPR = FPR and the label plays no part.
# So equal shares mean that the qualified, or the unqualified, or both are treated unequally.
# On COMPAS base rates differ by 0.13 only: at a ΔDP near 0.1 the penalty has brought the two lines together, and hardly across.
#
# Does this run agree with the record?
# Its 20 runs say between which values one more should lie, 95 times of 100.

# %%
live = parity_gap(debiasing.probabilities(trained[0.3], test.X) > 0.5)
stored = record["tables"]["adult"]["settings"]["regulariser 0.3"]["demographic_parity"]
assert stored["one_low"] <= live <= stored["one_high"], live
print(f"ΔDP {live:.3f} lies between {stored['one_low']:.3f} and {stored['one_high']:.3f}")

# %% [markdown]
# Now the claim itself, live and once for each table: train, let the rule choose on validation, open the test people, compare with no penalty.


# %%
def score(model, people) -> tuple[float, float, float]:
    answers = debiasing.probabilities(model, people.X) > 0.5
    found = gaps(people.y, answers, people.groups)
    return float(np.mean(answers == people.y)), found["demographic_parity"], found["equalised_odds"]


def one_answer(people) -> float:
    """Return the accuracy of the better of the two constant answers."""
    return max(people.y.mean(), 1 - people.y.mean())


def choose(networks: dict, people) -> float:
    tried = {lam: score(one, people["validation"])[:2] for lam, one in networks.items()}
    deciding = {lam: pair for lam, pair in tried.items() if pair[0] > one_answer(people["validation"])}
    return debiasing.choose(deciding, limit=0.1)


# %%
compas = load("compas")
how = {"seed": 99, "epochs": 25, "batch": 128}
data = compas["train"].X, compas["train"].y, compas["train"].groups
on_compas = {float(lam): debiasing.fit(*data, gap=lam, **how) for lam in (0, 1, 2, 4, 8)}

# %%
from helix.record import claim

reached, said = [], []
for name, networks, people in (("Adult", trained, adult), ("COMPAS", on_compas, compas)):
    lam = choose(networks, people)
    now, was = (np.array(score(networks[which], people["test"])) for which in (lam, 0.0))
    reached.append(now[1] <= 0.1 and now[0] > one_answer(people["test"]))
    points, gap, odds = 100 * (now - was)[0], now[1], (now - was)[2]
    said.append(f"{name}: λ {lam:g}, ΔDP {gap:.3f}, accuracy {points:+.1f} points, odds gap {odds:+.3f}.")
claim(
    "dp_gap_reachable",
    measured=" ".join(said),
    verdict="holds if the price is accepted, in this one run" if all(reached) else "not tested",
    conditions="one training on all training rows, seed 99; one run cannot say how many reach it",
)

# %% [markdown]
# One run on each table may say *reached*; the record says how many do.
# Adult reaches it in all 20.
# COMPAS in 16 of 20, and surely in 4: in one run the rule finds no λ on validation, and in three the chosen one misses 0.1 on test people.
# (There are 1,054 test people: the 95 % interval of ΔDP reaches about 0.05 either way.)
# Someone who trains once does not know which kind of run theirs is.
# So the claim **holds if the price is accepted; not in every run**.
# And this is the price of the penalty:

# %% tags=["hide-input", "nbval-check-output"]
penalty = {name: one["chosen"]["regulariser"] for name, one in record["tables"].items()}
rows = [
    {
        "table": {"adult": "Adult", "compas": "COMPAS"}[name],
        "accuracy, points": told(one, "accuracy", 100, 1),
        "equalised-odds gap": told(one, "equalised_odds"),
        "selected, of 100": told(one, "selected", 100, 1),
    }
    for name, one in penalty.items()
]
table(
    rows,
    caption="What ΔDP ≤ 0.1 by a penalty changes: means of the runs with an answer, with 95 % intervals.",
)

# %% [markdown]
# **Adult**: 1.0 point of accuracy, and an equalised-odds gap that is 0.045 [0.026, 0.064] wider: reached, and the next section counts who pays.
# **COMPAS**: 6.4 points of accuracy, where thresholds pay 1.2, and 22 people more of a hundred sent home: it is bought by deciding less.
# Whoever quotes "ΔDP ≤ 0.1" without these lines has told half of the measurement.
#
# ## The other strand: who newly loses?
#
# A narrower gap moves people, and they can be counted.
# The record holds the answers of its first seed to all test people, with and without the penalty.
# Adult, person by person:

# %%
kept = record["answers"]["adult"]
was, now = (np.array([int(digit) for digit in kept[name]]) for name in ("baseline", "regulariser"))
moved = []
for name in ("Female", "Male"):
    for label in (1, 0):
        own = (test.groups == name) & (test.y == label)
        counts = {"n": own.sum(), "gain": (now > was)[own].sum(), "lose": (now < was)[own].sum()}
        moved.append({"who": f"{name}, label {label}"} | {key: int(count) for key, count in counts.items()})

# %% tags=["hide-input"]
figure, ax = plots.figure(height=2.6)
for place, row in enumerate(reversed(moved)):
    for side, sign, colour, hatch in (("gain", 1, plots.CYCLE[0], ""), ("lose", -1, plots.CYCLE[1], "///")):
        share = sign * 100 * row[side] / row["n"]
        words = side + "s" * (place == 3)
        ax.barh(place, share, color=colour, hatch=hatch, edgecolor="white")
        ax.annotate(
            f"{row[side]:,} of {row['n']:,}",
            (share, place),
            xytext=(4 * sign, 0),
            textcoords="offset points",
            ha="left" if sign > 0 else "right",
            va="center",
            fontsize=8,
        )
ax.axvline(0, color=plots.INK, linewidth=1)
ax.set_yticks(range(4), [row["who"] for row in reversed(moved)])
ax.set_xticks(range(-15, 16, 5), [str(abs(tick)) for tick in range(-15, 16, 5)])
ax.grid(visible=False)
ax.set(xlabel="newly turned away (left) and newly selected (right), of 100 such people", xlim=(-19, 19))
ax.set_ylabel("group and label")
plots.show(
    figure,
    alt="People moved by the penalty on Adult, as shares with counts. Women with label 1: 79 of 590 newly selected, 1 "
    "turned away. Women with label 0: 152 of 4,831 newly selected, 1 turned away. Men with label 1: 12 of 3,256 newly "
    "selected, 407 turned away. Men with label 0: 18 of 7,604 newly selected, 281 turned away.",
    caption="Whom the penalty moves on Adult: shares as bars, people as numbers.",
)

# %% [markdown]
# The gap closed from **both** sides: of the women with a high income 79 of 590 newly gain (13 of 100), of such men 407 of 3,256 newly lose (12 of 100).
# The shares are alike, the numbers are not, because there are more men with that label: tell both.
# Nobody decided that, and ΔDP does not show it.
# Nor does it show what a *yes* is worth: whoever gets credit that they cannot pay back is harmed by it, and a rule that equalises shares can leave a group worse off in the end (Liu and others 2018).
# (And all this was for sex only: the widest gap by race is 0.17 in these answers, before as after.)
#
# ### A control
#
# So a mitigation gets a gate of its own.
# `debiasing.refusals` compares *before* with *after*.
# It refuses if ΔDP is still above the limit, if the gap among the qualified (in TPR) grew by more than 0.02, or if ΔDP was narrowed by levelling down.
# <dfn title="向下拉平">Levelling down</dfn> makes a gap narrower by turning people away, with no group gaining.


# %% tags=["nbval-check-output"]
def asked(name: str) -> dict:
    people, kept = load(name)["test"], record["answers"][name]
    pair = [np.array([int(digit) for digit in kept[one]]) for one in ("baseline", "regulariser")]
    reasons = debiasing.refusals(people.y, *pair, people.groups)
    told = {"table": name, "λ": f"{kept['strength']:g}", "the gate": " ".join(reasons) or "lets it pass"}
    for what, values in {
        "accuracy": [np.mean(one == people.y) for one in pair],
        "selected": [one.mean() for one in pair],
    }.items():
        told[what] = " → ".join(f"{value:.3f}" for value in values)
    return told


table(
    [asked("adult"), asked("compas")], caption="The gate, asked about the penalty at the record's first seed."
)

# %% [markdown]
# It refuses Adult and **lets COMPAS pass**.
# That is what it was made for: there the gap among the qualified nearly vanishes, and both groups gain.
# Look at the other columns before you cheer.
# Accuracy fell by five points, because more than three of four people are now sent home, whoever they are.
# A gate sees what it was built to see; the accuracy needs a limit of its own, set by those who answer for the people whom a new deed hits.
#
# Do thresholds for each group do better?
# And was it one run's bad luck?
# The record's counts of 20 runs can be asked, for the strength that the rule chose most often on validation.


# %%
def passes(was: list, now: list) -> bool:
    """Whether `refusals` finds nothing, from counts (TP, FN, FP, TN); ΔDP was above 0.1 before."""
    (tp, fn, fp, tn), (tp0, fn0, fp0, tn0) = (np.array(cells, dtype=float).T for cells in (now, was))
    rate, rate0 = (tp + fp) / (tp + fn + fp + tn), (tp0 + fp0) / (tp0 + fn0 + fp0 + tn0)
    grown = np.ptp(tp / (tp + fn)) - np.ptp(tp0 / (tp0 + fn0))
    return bool(np.ptp(rate) <= 0.1 and grown <= 0.02 and (rate > rate0).any())


counts = results.load("13_debiasing")["runs"]
runs = pd.DataFrame(counts["mitigate"] | counts["further"])  # the same runs, more strengths

# %% tags=["nbval-check-output"]
from statistics import mode

passed = []
for name, one in record["tables"].items():
    own = runs[runs["table"] == name]
    for method in ("regulariser", "thresholds"):
        setting = mode(one["chosen"][method]["chosen"])
        pairs = zip(own["baseline"], own[setting], strict=True)
        count = sum(passes(was["test"], now["test"]) for was, now in pairs)
        passed.append({"table": name, "method and strength": setting, "runs": len(own), "pass": count})
table(passed, caption="Runs in which the gate would let the mitigation pass, on test people.")

# %% [markdown]
# Neither passes reliably, on either table.
# Then what?
#
# - **Fix** on Adult: λ = 0.3 is mostly refused, a smaller one narrows both gaps and seldom keeps 0.1, thresholds pass in some runs only.
#   Say so, instead of turning λ up until one number is small, and ask those who are affected which gap counts.
# - **Stop** on COMPAS, *although* the gate often lets both pass: the label is an arrest, not a deed, and a threshold by race for somebody's freedom is no decision for a program.
#   A gate can refuse; it cannot allow.
# - **Ship** what passes in nearly every run (none of these four does), where the group may lawfully be used, with the table of the people moved attached, and with somebody who tells those at its end why.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# With a penalty in the loss ΔDP went from 0.17 to 0.07 on test people.
# What do you know?**
#
# <details><summary>A. The model is fair now.</summary>
#
# Not quite.
# One gap is narrower.
# On Adult the gap among the qualified grew at the same time, to the disadvantage of the other group.
#
# </details>
# <details><summary>B. Selection rates are closer; nothing yet about who pays.</summary>
#
# Right.
# Count the people moved, look at the other gaps, and at how many are selected at all.
#
# </details>
# <details><summary>C. More people of the group that was behind are selected.</summary>
#
# Not quite.
# The gap may have closed from above.
# With λ = 8 on Adult it closed because hardly anybody is selected.
#
# </details>
#
# **2.
# On validation, the rule finds no strength that keeps the limit.
# What now?**
#
# <details><summary>A. Choose the strength whose gap on test people is smallest.</summary>
#
# Not quite.
# Then nothing is left to say what the result is worth: tuned on 200 people, thresholds showed a fraction of the gap that everybody else then met.
#
# </details>
# <details><summary>B. Report that the method failed here, under this rule.</summary>
#
# Right.
# In the record this happens to the penalty in one of 20 runs on COMPAS, and to reweighing in all.
#
# </details>
# <details><summary>C. Take a much larger strength: some λ always keeps the limit.</summary>
#
# Not quite.
# It does, by giving everybody the same answer.
# Such a model has no gap and decides nothing; the rule does not count it.
#
# </details>
#
# **3.
# A report on COMPAS says: "Accuracy 0.66 and 0.65 in the two groups, so they are treated alike.
# And race is not among the features."
# What do you answer?**
#
# <details><summary>A. Both are good signs, and together they are enough.</summary>
#
# Not quite.
# Accuracy adds wrong refusals and wrong grants; and the baseline of this chapter never saw the group either.
#
# </details>
# <details><summary>B. Neither says how the errors fall: show TPR and FPR by group, with intervals.</summary>
#
# Right.
# In the record the baseline's accuracy differs by less than 0.02 there, and its equalised-odds gap is 0.17.
#
# </details>
# <details><summary>C. Then put race among the features, so that the model can correct for it.</summary>
#
# Not quite.
# In the record that widened the gap, from 0.18 to 0.22.
# Seeing the group is no instruction to treat it better.
#
# </details>
#
# ## Go on
#
# Primary sources:
#
# - F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination" (2012), [doi:10.1007/s10115-011-0463-8](https://doi.org/10.1007/s10115-011-0463-8): reweighing
# - Y. Ganin and others, "Domain-Adversarial Training of Neural Networks" (2016), [arXiv:1505.07818](https://arxiv.org/abs/1505.07818): the reversed gradient
# - B. H. Zhang, B. Lemoine, M. Mitchell, "Mitigating Unwanted Biases with Adversarial Learning" (2018), [arXiv:1801.07593](https://arxiv.org/abs/1801.07593)
# - M. Hardt, E. Price, N. Srebro, "Equality of Opportunity in Supervised Learning" (2016), [arXiv:1610.02413](https://arxiv.org/abs/1610.02413): thresholds
# - A. Agarwal and others, "A Reductions Approach to Fair Classification" (2018), [arXiv:1803.02453](https://arxiv.org/abs/1803.02453): exponentiated gradient
# - L. T. Liu and others, "Delayed Impact of Fair Machine Learning" (2018), [arXiv:1803.04383](https://arxiv.org/abs/1803.04383): what an equal share does to people afterwards
# - B. Mittelstadt, S. Wachter, C. Russell, "The Unfairness of Fair Machine Learning" (2023), [arXiv:2302.02404](https://arxiv.org/abs/2302.02404): levelling down
