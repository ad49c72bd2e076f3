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

# %%
from importlib.metadata import version

for package in ("numpy", "torch", "scikit-learn", "fairlearn"):
    print(package, version(package))

# %% [markdown]
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
# The articles that this course grew from say that a penalty in the loss is enough:
#
# > ΔDP ≤ 0.1 is reachable with a fairness regulariser in the loss.
#
# ΔDP is the absolute difference of the two groups' selection rates.
# **The rule for the verdict was written before measuring.**
# The claim holds if, in *both* tables, some strength of the penalty keeps ΔDP ≤ 0.1 on validation people in *every one* of 20 runs, and if the strengths so chosen keep it on test people too.
# And a price belongs to the verdict: what accuracy is lost, and what another gap does meanwhile.
#
# We say *mitigation*.
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
group_metrics(test.y, before, test.groups)[
    ["n", "base_rate", "selection_rate", "tpr", "ppv", "accuracy"]
].round(3)

# %% [markdown]
# Of 100 men three times as many are selected as of 100 women, and a woman *with* label 1 is passed over more often than such a man.
# The record of this chapter (20 runs; a run draws the training rows anew, with replacement) holds three models that differ in nothing but what they may see:

# %% tags=["nbval-check-output"]
from helix.record import results

record = results.load("13_debiasing")["figures"]
for name in ("group among the features", "baseline", "proxies dropped"):
    one = record["tables"]["adult"]["settings"][name]
    print(f"{name:25} ΔDP {one['demographic_parity']['value']:.3f}, accuracy {one['accuracy']['value']:.3f}")

# %% [markdown]
# **Leaving the attribute out is no mitigation.**
# The baseline never saw sex, and its gap is nearly as wide as that of a model which did: `relationship` says "Husband" or "Wife".
# Dropping that column too, and `marital_status`, costs three points of accuracy, and on average still does not keep 0.1.
#
# ### A penalty in the loss
#
# Whatever is in the loss, training makes smaller.
# So add the gap.
# A selection (0 or 1) has no gradient, but a probability has, so the penalty is the gap of **mean probabilities** in a batch, times a strength λ:
#
# $$L = \text{cross-entropy} + \lambda\,\left|\bar p_0 - \bar p_1\right|, \qquad \bar p_g = \text{mean of } p_i \text{ over group } g .$$


# %%
def plain_gap(p: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    return (p[code == 0].mean() - p[code == 1].mean()).abs()


# %% [markdown]
# The mean of nobody is not a number: in a batch without one of the groups the gap is NaN, and can turn every weight into NaN.
# So ask first, and **skip** the penalty there.
# (Is that a bias of its own?
# No: given how many people of each group a batch holds, its *signed* gap is right on average.)
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
now = gaps(test.y, ours > 0.5, test.groups)["demographic_parity"]
print(f"ΔDP {gaps(test.y, before, test.groups)['demographic_parity']:.3f} → {now:.3f}")

# %% [markdown]
# ### The noise of small batches
#
# Another trouble is quieter.
# Where the true gap is 0, the gaps of batches scatter on both sides of it, and each absolute value pushes, also those that are there by chance: with eight people, the baseline's gap has the wrong sign in 17 of 100 batches.
# So take the **sign** from a running estimate over the last batches, and the gradient from the batch:


# %%
def steady_gap(p: torch.Tensor, code: torch.Tensor, running: float | None) -> tuple[torch.Tensor, float]:
    signed = p[code == 0].mean() - p[code == 1].mean()
    now = float(signed.detach())
    running = now if running is None else 0.9 * running + 0.1 * now
    return (signed if running >= 0 else -signed), running


# %% [markdown]
# That, with the skipped batch, is `debiasing.GapRegulariser`.
# In the record (λ = 0.2, five seeds, baseline 0.178) the plain formula closes 0.04 of the gap with batches of 16 people, and this one 0.06; with 512 there is nothing left to mend.
# So large batches come first.
#
# ### An adversary
#
# Another idea: if nobody can read the group from the model's output, the output is the same for both.
# So train a second network, the **adversary**, to guess the group from the logit $z$, and train the model to make that impossible.
# Both at once, by one trick: between the two stands a layer that passes numbers on unchanged, and **turns gradients round** on the way back, times a strength $\alpha$:
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
now = gaps(test.y, debiasing.probabilities(model, test.X) > 0.5, test.groups)["demographic_parity"]
print(f"ΔDP {gaps(test.y, before, test.groups)['demographic_parity']:.3f} → {now:.3f}")

# %% [markdown]
# (`debiasing.fit(…, adversary=2.0)` takes the same step.)
# An adversary needs no formula of the gap.
# Its price is a game between two networks, which can swing from run to run.
#
# The best-known version is AIF360's `AdversarialDebiasing` (B. H. Zhang and others, 2018).
# One trap: AIF360's table keeps the group **among the features**, so that the usual call tells the model what it must not know.
#
# ### Weights before training
#
# The gap can also be mended in the data.
# In Adult, 11 of 100 women have the label 1 and 31 of 100 men.
# If group and label had nothing to do with each other, a cell of the table (group, label) would hold $P(g)\,P(y)$ of all people.
# So let each person count by the ratio of what would be there to what is there (**reweighing**):
#
# $$w(g, y) = \frac{P(g)\,P(y)}{P(g, y)} .$$

# %%
import pandas as pd


def reweigh(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    there = pd.crosstab(groups, y, normalize=True)  # P(g, y)
    free = np.outer(there.sum(axis=1), there.sum(axis=0))  # P(g) P(y)
    row = np.searchsorted(there.index.to_numpy(), groups)
    return (free / there).to_numpy()[row, y]


# %% tags=["nbval-check-output"]
weight = reweigh(train.y, train.groups)
print("as the package has it:", np.allclose(weight, debiasing.reweighing(train.y, train.groups)))
for name in ("Female", "Male"):
    own = train.groups == name
    heavy = {label: round(float(weight[own & (train.y == label)][0]), 2) for label in (0, 1)}
    rates = train.y[own].mean(), np.average(train.y[own], weights=weight[own])
    print(f"{name:6} weights {heavy}, label 1: {rates[0]:.3f} → {rates[1]:.3f}")

# %% [markdown]
# A woman with a high income counts as more than two people now.
# Any library that takes sample weights can be used.
# But there is no strength to turn: reweighing gives *one* result, and if that misses the limit, the method has no answer.
#
# ### Thresholds after training
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
now = gaps(test.y, selected, test.groups)["demographic_parity"]
print(f"{share:.0%} of each group: thresholds {cuts}")
print(
    f"test: ΔDP {now:.3f}, accuracy {np.mean(selected == test.y):.3f} (baseline "
    f"{np.mean(before == test.y):.3f})"
)
assert now < 0.03

# %% [markdown]
# The group must be **known when the decision is made**; that may be forbidden where you are, and is a choice of its own anywhere: two people with the same score are now answered differently.
#
# And *validation* above is not a formality: **thresholds tuned on test look better than they are.**
# Tune on 200 people, and look once at these 200 and once at everybody else.
# Twenty draws:


# %%
def judged(scores, people, rows, thresholds) -> tuple[float, float]:
    chosen = debiasing.select(scores[rows], people.groups[rows], thresholds)
    gap = gaps(people.y[rows], chosen, people.groups[rows])["demographic_parity"]
    return gap, float(np.mean(chosen == people.y[rows]))


rng, seen = np.random.default_rng(0), []
for _ in range(20):
    few, others = np.split(rng.permutation(len(test.y)), [200])
    tuned = debiasing.parity_thresholds(scores["test"][few], test.y[few], test.groups[few])
    seen.append([judged(scores["test"], test, rows, tuned) for rows in (few, others)])

# %%
optimism = np.mean(seen, axis=0)
for name, (gap, accuracy) in zip(("the 200 tuned on", "everybody else"), optimism, strict=True):
    print(f"{name:17} ΔDP {gap:.3f}, accuracy {accuracy:.3f}")
assert optimism[1, 0] > 2 * optimism[0, 0]
assert optimism[1, 1] < optimism[0, 1]

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
    falling.append(gaps(test.y, answers, test.groups)["demographic_parity"])
    print(f"price {price:.2f}: ΔDP {falling[-1]:.3f}, accuracy {np.mean(answers == test.y):.3f}")
assert (np.diff(falling) < -0.01).all()  # the dearer the gap, the narrower

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
gap = gaps(test.y, drawn[0], test.groups)["demographic_parity"]
print(f"ΔDP {gap:.3f}; {np.sum(drawn[0] != drawn[1])} of {len(test.y):,} people are answered by the draw")

# %% [markdown]
# That last number is a price too: more than a hundred people get a yes or a no by a lot that nobody sees.
# Who would explain it to them?
#
# ## The measurement
#
# `experiments/13_debiasing.py` gave every method and strength 20 runs on both tables.
# All strengths were chosen on validation, by one rule: **the most accurate setting with ΔDP ≤ 0.1**.
# If no setting keeps it, the method has *failed* in this run, and is counted as failed.
# (Which strengths there are to choose from was fixed after one look at a single seed on test people, as the script says: less than a clean separation.)
# First, all settings as they are on test people:

# %%
from helix import measure, plots

methods = (
    "regulariser",
    "adversary",
    "reweighing",
    "thresholds",
    "threshold optimiser",
    "exponentiated gradient",
)


def tradeoff(gap: str, label: str):
    figure, axes = plots.figure(height=3.8, columns=2)
    for ax, (table, one) in zip(axes, record["tables"].items(), strict=True):
        for method in ("baseline", *methods):
            rows = [
                s
                for name, s in one["settings"].items()
                if name == method or name.rpartition(" ")[0] == method
            ]
            points = [(s[gap]["value"], s["accuracy"]["value"]) for s in rows]
            ring = {"fillstyle": "none", "markersize": 10, "zorder": 5} if method == "baseline" else {}
            ax.plot(*zip(*points, strict=True), label=method, linestyle="", markevery=1, **ring)
        ax.set_xlim(left=-0.01)
        ax.set(
            title={"adult": "Adult, by sex", "compas": "COMPAS, by race"}[table],
            xlabel=label,
            ylabel="accuracy",
        )
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure, axes


# %%
figure, axes = tradeoff("demographic_parity", "ΔDP")
for ax in axes:
    ax.axvline(0.1, color="#595959", linestyle="--", linewidth=1)
weak = record["tables"]["adult"]["settings"]["regulariser 8"]
near = weak["demographic_parity"]["value"], weak["accuracy"]["value"]
axes[0].annotate("λ = 8", near, xytext=(8, -1), textcoords="offset points", fontsize=9)
plots.show(
    figure,
    alt="Accuracy against ΔDP, a point for each setting; a dashed line at 0.1. On Adult accuracy falls "
    "slowly, from 0.85 to 0.84, until ΔDP is near 0.1, and then faster; the penalty with λ = 8 stands "
    "alone at the bottom left, with no gap and an "
    "accuracy of 0.77. On COMPAS thresholds reach 0.02 at one point less than the baseline's 0.65; the "
    "penalty, the adversary and exponentiated gradient lose five to eleven points to come below 0.1.",
)

# %% [markdown]
# Beware of the lowest points on the left.
# On Adult λ = 8 has no gap because it selects **hardly anybody** (5 of 1,000); on COMPAS a small one, because it selects **nearly everybody** (83 of 100).
# A gap can always be closed by deciding nothing.
#
# Now what the rule chose, with another gap beside it: that of equalised odds, the larger one of the differences in TPR and in FPR.
# A change is against the same run without mitigation.

# %% tags=["nbval-check-output"]
for table, one in record["tables"].items():
    for method, found in one["chosen"]["limit"].items():
        print(f"{table:6} {method:22} failed in {found['failed']:2} of {found['of']}", end="")
        if "change" in found:
            accuracy, odds = found["change"]["accuracy"]["value"], found["change"]["equalised_odds"]["value"]
            print(f"; else accuracy {100 * accuracy:+.1f} points, odds gap {odds:+.3f}", end="")
        print()

# %% [markdown]
# On Adult the equalised-odds gap rises with **every** method, on COMPAS it falls with each that has an answer.
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

# %%
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
    "0.1, "
    "and at 0.5 women stand more than twenty points above men.",
)

# %% [markdown]
# The lines on the right **cross**.
# A weak penalty closes *both* gaps (at λ = 0.1 the record's odds gap is half of the baseline's).
# A stronger one pushes the qualified past each other: where the labels of two groups differ by far more than 0.1, equal shares are reached only by treating the qualified or the unqualified unequally.
# On COMPAS the labels differ by 0.13 only: at a ΔDP near 0.1 the penalty has brought the two lines together, and hardly across.
#
# Does this run agree with the record?
# Its twenty runs say between which values one more should lie.

# %%
live = gaps(test.y, debiasing.probabilities(trained[0.3], test.X) > 0.5, test.groups)["demographic_parity"]
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


def reach(networks: dict, people) -> tuple[float, float, float, float]:
    """Return the strength that the rule chooses, ΔDP on test, and how accuracy and odds gap change."""
    chosen = debiasing.choose(
        {lam: score(one, people["validation"])[:2] for lam, one in networks.items()}, limit=0.1
    )
    now, was = (np.array(score(networks[lam], people["test"])) for lam in (chosen, 0.0))
    return chosen, now[1], (now - was)[0], (now - was)[2]


# %%
compas = load("compas")
how = {"seed": 99, "epochs": 25, "batch": 128}
data = compas["train"].X, compas["train"].y, compas["train"].groups
on_compas = {float(lam): debiasing.fit(*data, gap=lam, **how) for lam in (0, 1, 2, 4, 8)}
found = {"Adult": reach(trained, adult), "COMPAS": reach(on_compas, compas)}

# %%
from helix.record import claim

reached = all(gap <= 0.1 for _, gap, _, _ in found.values())
claim(
    "dp_gap_reachable",
    measured=" ".join(
        f"{table}: λ = {lam:g}, ΔDP {gap:.3f} at {100 * accuracy:+.1f} points of accuracy, equalised-odds "
        f"gap {odds:+.3f}."
        for table, (lam, gap, accuracy, odds) in found.items()
    ),
    verdict="holds if the price is accepted, and one run may speak for all" if reached else "does not hold",
    conditions="one training on all training rows, seed 99",
)

# %% [markdown]
# One run on each table may say *reached*.
# The record says **does not hold**, for the rule was: both tables, every run.
# Adult keeps it in all 20.
# On COMPAS the rule finds no λ on validation in 4 of 20, and someone who trains once does not know which kind of run theirs is.
# And where it is reached, this is the price:

# %% tags=["nbval-check-output"]
for table in ("adult", "compas"):
    one = record["tables"][table]["chosen"]["limit"]["regulariser"]
    accuracy, odds, share = (
        measure.Interval(**{key: one["change"][name][key] for key in ("value", "low", "high")})
        for name in ("accuracy", "equalised_odds", "selected")
    )
    print(
        f"{table}: reached on validation in {one['of'] - one['failed']} of {one['of']} runs, ΔDP on test "
        f"{one['test']['demographic_parity']['value']:.3f}"
    )
    print(f"  accuracy {accuracy:+.3f}, equalised-odds gap {odds:+.3f}, share selected {share:+.3f}")

# %% [markdown]
# **Adult**: 1.0 point of accuracy, and an equalised-odds gap that is 0.045 [0.026, 0.064] wider: reached, and paid for by those with a high income in the other group.
# **COMPAS**: 7.1 points of accuracy, where thresholds pay 1.2, and twenty people more of a hundred sent home: it is bought mostly by deciding less.
# Whoever quotes "ΔDP ≤ 0.1" without the second line has told half of the measurement.
#
# ## The other strand: who newly loses?
#
# A narrower gap moves people, and they can be counted.
# The record holds the answers of its first seed to all test people, with and without the penalty.
# Adult, person by person:

# %%
kept = record["answers"]["adult"]
was, now = (np.array([int(digit) for digit in kept[name]]) for name in ("baseline", "regulariser"))

# %% tags=["nbval-check-output"]
moves = debiasing.moved(test.y, was, now, test.groups)
print(moves.round(3).T.to_string())

# %%
figure, ax = plots.figure(height=2.4)
for row, (_, one) in enumerate(moves.iterrows()):
    for side, colour, sign in (("wins", plots.CYCLE[0], 1), ("loses", plots.CYCLE[1], -1)):
        others = one[side] - one[f"qualified_{side}"]
        ax.barh(row, sign * one[f"qualified_{side}"], color=colour, hatch="///", edgecolor="white")
        ax.barh(row, sign * others, left=sign * one[f"qualified_{side}"], color=colour)
ax.axvline(0, color="#222222", linewidth=1)
ax.set_yticks(range(2), moves.index)
ax.set_xticks(range(-600, 400, 200), ["600", "400", "200", "0", "200"])
ax.set(
    xlabel="people newly turned away (left) and newly selected (right); hatched: with label 1",
    ylabel="group",
    xlim=(-760, 320),
)
plots.show(
    figure,
    alt="People moved by the penalty on Adult. Of the women 231 are newly selected, 79 of them with label "
    "1, and 2 newly turned away. Of the men 30 are newly selected, "
    "and 688 newly turned away, 407 of them with label 1.",
)

# %% [markdown]
# The gap closed from **both** sides: of the women with a high income 79 of 590 newly gain (13 of 100), of such men 407 of 3,256 newly lose (12 of 100).
# Neither number is wrong by itself.
# But nobody decided it, and ΔDP does not show it.
# (And it was for sex only: the widest gap by race is 0.17 in these answers, before as after.)
#
# ### A control
#
# So a mitigation gets a gate of its own.
# `debiasing.refusals` compares *before* with *after*, and refuses if the gap is still above the limit, if the gap among the qualified grew by more than 0.02, or if it **levelled down**: narrower because people were turned away, with no group gaining.

# %% tags=["nbval-check-output"]
for table in ("adult", "compas"):
    people, kept = load(table)["test"], record["answers"][table]
    pair = [np.array([int(digit) for digit in kept[name]]) for name in ("baseline", "regulariser")]
    reasons = debiasing.refusals(people.y, *pair, people.groups)
    right = [f"{np.mean(one == people.y):.3f}" for one in pair]
    print(table, f"λ = {kept['strength']:g}:", "passes" if not reasons else "refused.", *reasons)
    print("  accuracy", " → ".join(right), " selected", " → ".join(f"{one.mean():.3f}" for one in pair))

# %% [markdown]
# It refuses Adult and **lets COMPAS pass** (at the record's first seed).
# That is what it was made for: there the gap among the qualified nearly vanishes, and both groups gain.
# Look at the line below before you cheer.
# Accuracy fell by five points, because more than three of four people are now sent home, whoever they are.
# A gate sees what it was built to see; the accuracy needs a limit of its own, set by those who answer for the people whom a new deed hits.
#
# Do thresholds for each group do better, chosen on validation so that selection rates lie up to 0.1 apart on Adult, and 0.02 on COMPAS?
# And was it one run's bad luck?
# The record's counts of 20 runs can be asked.


# %%
def passes(was: list, now: list) -> bool:
    """Whether `refusals` would be empty, from the counts (TP, FN, FP, TN) of two groups."""
    (tp, fn, fp, tn), (tp0, fn0, fp0, tn0) = (np.array(cells, dtype=float).T for cells in (now, was))
    rate, rate0 = (tp + fp) / (tp + fn + fp + tn), (tp0 + fp0) / (tp0 + fn0 + fp0 + tn0)
    grown = np.ptp(tp / (tp + fn)) - np.ptp(tp0 / (tp0 + fn0))
    return bool(np.ptp(rate) <= 0.1 and grown <= 0.02 and (rate > rate0).any())


runs = pd.DataFrame(results.load("13_debiasing")["runs"]["mitigate"])

# %% tags=["nbval-check-output"]
for table, names in {
    "adult": ("regulariser 0.3", "thresholds 0.1"),
    "compas": ("regulariser 8", "thresholds 0.02"),
}.items():
    own = runs[runs["table"] == table]
    for name in names:
        passed = [
            passes(was["test"], now["test"]) for was, now in zip(own["baseline"], own[name], strict=True)
        ]
        print(f"{table:6} {name:15} passes in {sum(passed):2} of {len(passed)} runs")

# %% [markdown]
# On Adult no setting passes reliably; on COMPAS thresholds do.
# Then what?
#
# - **Fix** on Adult: λ = 0.3 is refused, a smaller one narrows both gaps without keeping 0.1, thresholds pass in some runs only.
#   Say so, instead of turning λ up until one number is small, and ask those who are affected which gap counts.
# - **Stop** on COMPAS, *although* the gate lets thresholds pass: the label is an arrest, not a deed, and a threshold by race for somebody's freedom is no decision for a program.
#   A gate can refuse; it cannot allow.
# - **Ship** what passes in more than one run, where the group may lawfully be used, with the table of the people moved attached, and with somebody who tells those at its end why.
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
# In the record this happens to the penalty in 4 of 20 runs on COMPAS, and it is why the claim does not hold.
#
# </details>
# <details><summary>C. Take the strength with the smallest gap on validation, and report its gap.</summary>
#
# Not quite.
# That is another rule, made after looking.
# The first one had no answer, which is a result.
#
# </details>
#
# **3.
# A report says: "Accuracy 0.66 and 0.64 in the two groups, so they are treated alike.
# And sex is not among the features."
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
# On COMPAS accuracy differs by 0.02 and the equalised-odds gap is 0.17.
#
# </details>
# <details><summary>C. Then put sex among the features, so that the model can correct for it.</summary>
#
# Not quite.
# In the record that widened the gap.
# Seeing the group is no instruction to treat it better.
#
# </details>
#
# ## Go on
#
# The lab comes next: its link stands on top and at the end of this page.
#
# Primary sources:
#
# - F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination" (2012), [doi:10.1007/s10115-011-0463-8](https://doi.org/10.1007/s10115-011-0463-8): reweighing
# - Y. Ganin and others, "Domain-Adversarial Training of Neural Networks" (2016), [arXiv:1505.07818](https://arxiv.org/abs/1505.07818): the reversed gradient
# - B. H. Zhang, B. Lemoine, M. Mitchell, "Mitigating Unwanted Biases with Adversarial Learning" (2018), [arXiv:1801.07593](https://arxiv.org/abs/1801.07593)
# - M. Hardt, E. Price, N. Srebro, "Equality of Opportunity in Supervised Learning" (2016), [arXiv:1610.02413](https://arxiv.org/abs/1610.02413): thresholds
# - A. Agarwal and others, "A Reductions Approach to Fair Classification" (2018), [arXiv:1803.02453](https://arxiv.org/abs/1803.02453): exponentiated gradient
