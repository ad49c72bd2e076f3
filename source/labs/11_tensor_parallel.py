# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: Tensor parallelism
#
# You will cut both ends of a language model by its vocabulary, replace an all-reduce by half of one, find a layout for a cluster, and decide whether a model shall be trained at all.
#
# **75 minutes · five exercises · read [the chapter](../notebooks/11_tensor_parallel.ipynb) first.**
#
# Short of time?
# Start with exercises 1, 2 and 5; 3 and 4 each stand alone.
# The lab counts as done when all five are correct.
#
# The checks of exercises 1, 2 and 3 start real processes.
# If your answer makes them wait for each other, or kills one, the check ends all of them after a few seconds, and says so.

# %%
import torch
import torch.distributed as dist

from helix import distributed
from helix.display import table
from helix.labs import tensor_parallel as check
from helix.distributed.paper import planner
from helix.distributed.paper.clusters import selene
from helix.distributed.paper.costs import Model
from helix.distributed.paper.footprint import GRIDS, WATTS, Footprint, Given, footprint
from helix.record import Decision, evidence

# so that the checks find the process from which ranks are forked
distributed.warm("helix.labs.tensor_parallel")

# %% [markdown]
# ## 1. An embedding, cut by words
#
# *10 minutes · difficulty 3 of 5 · core*
#
# The embedding table of a large vocabulary is too big to stand on every rank.
# Cut it by words: of V words rank r holds rows r·V/t up to, but not including, (r+1)·V/t.
# Every rank sees all tokens.
# Return the embedding of every token, on every rank, **without moving the table**.


# %%
def embed(tokens: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Return the embedding of every token; runs on each rank.

    Parameters
    ----------
    tokens : Tensor of int64, shape (n,)
        Numbers from 0 to V − 1, the same on all ranks.
    part : Tensor, shape (V / t, h)
        This rank's rows of the table.

    Returns
    -------
    Tensor, shape (n, h)
        On two ranks that hold ``[[1.]]`` and ``[[2.]]`` every rank gets ``[[2.], [1.]]`` for the tokens
        ``[1, 0]``.
    """
    ### BEGIN SOLUTION
    local = tokens - dist.get_rank() * len(part)
    mine = (local >= 0) & (local < len(part))
    found = part[local.clamp(0, len(part) - 1)] * mine[:, None]
    dist.all_reduce(found)
    return found
    ### END SOLUTION


# %%
check.embed(embed)

# %% [markdown]
# In the sum over the ranks each token's row comes from one rank, and the others add 0: so it is exact, to the bit.
#
# ## 2. A loss over a vocabulary that is cut
#
# *15 minutes · difficulty 4 of 5 · core*
#
# At the other end each rank has the logits of *its* words only.
# Cross-entropy needs all of them: $-z_y + \log \sum_j e^{z_j}$.
# Gathering the logits would move n·V numbers for n tokens; three all-reduces of n numbers are enough.
# Logits may be large: $e^{1000}$ is more than a float can hold.


# %%
def vocabulary_loss(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Return the mean cross-entropy over the whole vocabulary; runs on each rank.

    Parameters
    ----------
    logits : Tensor, shape (n, V / t)
        Of this rank's words: rank r has words r·V/t up to (r+1)·V/t.
    targets : Tensor of int64, shape (n,)
        The right word of each token, from 0 to V − 1, the same on all ranks.

    Returns
    -------
    float
        What ``torch.nn.functional.cross_entropy`` gives for the whole logits, on every rank.
    """
    ### BEGIN SOLUTION
    n, words = logits.shape
    largest = logits.max(dim=1).values
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    shifted = logits - largest[:, None]
    local = targets - dist.get_rank() * words
    mine = (local >= 0) & (local < words)
    right = shifted[torch.arange(n), local.clamp(0, words - 1)].where(mine, torch.zeros(()).to(logits))
    both = torch.stack([shifted.exp().sum(dim=1), right])
    dist.all_reduce(both)
    return (both[0].log() - both[1]).mean().item()
    ### END SOLUTION


# %%
check.vocabulary_loss(vocabulary_loss)

# %% [markdown]
# With 50,000 words and 2,048 tokens three all-reduces are of 6,144 numbers together; the whole logits would be a hundred million.
#
# ## 3. Half an all-reduce
#
# *10 minutes · difficulty 3 of 5 · core*
#
# After rows, each rank has a summand for *all* positions.
# If norms and dropout are to work on a **part of the positions** on each rank (sequence parallelism), nobody needs the whole sum: rank r needs it for positions r·s/t up to (r+1)·s/t only.
# Return that, and send no more than half of what an all-reduce sends.
# The first half of a ring all-reduce (chapter 09) does just that, and `torch.distributed` has it as one call.


# %%
def sum_of_own_positions(summand: torch.Tensor) -> torch.Tensor:
    """Return this rank's positions of the sum over all ranks; runs on each rank.

    Parameters
    ----------
    summand : Tensor, shape (s, h)
        This rank's, for all positions; t divides s. It is not changed.

    Returns
    -------
    Tensor, shape (s / t, h)
        On two ranks that hold ``[[1.], [2.]]`` and ``[[10.], [20.]]`` rank 0 gets ``[[11.]]`` and rank 1
        ``[[22.]]``.
    """
    ### BEGIN SOLUTION
    parts = list(summand.contiguous().chunk(dist.get_world_size()))
    own = torch.empty_like(parts[0])
    dist.reduce_scatter(own, parts)
    return own
    ### END SOLUTION


# %%
check.sum_of_own_positions(sum_of_own_positions)

# %% [markdown]
# (Whoever took `reduce_scatter_tensor` saw a warning: PyTorch 2.13 has it as `reduce_scatter_single`.)
# An all-gather before the next columns is the other half.
# Together they send what g sent, and between them each rank keeps 1/t of the activations.
#
# ## 4. A layout for a cluster
#
# *12 minutes · difficulty 3 of 5 · core*
#
# Find t, p and d so that t·p·d is the number of all GPUs.
# t must divide the GPUs of a node and the heads; p must divide the layers.
# Of the layouts that fit into the memory take the fastest.
# Memory and time of a layout are given as functions: the check draws them; in a real plan they are `planner.estimate`'s.


# %%
def choose_layout(
    gpus: int, per_node: int, layers: int, heads: int, memory, usable: float, time
) -> tuple[int, int, int]:
    """Return the fastest layout that divides and fits.

    Parameters
    ----------
    gpus, per_node : int
        All GPUs, and those of a node.
    layers, heads : int
        Of the model.
    memory, time : callable
        ``memory(t, p, d)`` in bytes of the fullest GPU, ``time(t, p, d)`` in seconds of a step.
    usable : float
        Bytes of a GPU; a layout that needs exactly as many fits.

    Returns
    -------
    tuple of int
        (t, p, d).

    Raises
    ------
    ValueError
        If no layout fits.
    """
    ### BEGIN SOLUTION
    found = []
    for t in range(1, per_node + 1):
        for p in range(1, layers + 1):
            divides = per_node % t == 0 and heads % t == 0 and layers % p == 0 and gpus % (t * p) == 0
            if divides and memory(t, p, gpus // (t * p)) <= usable:
                found.append((t, p, gpus // (t * p)))
    if not found:
        raise ValueError("No layout fits.")
    return min(found, key=lambda each: time(*each))
    ### END SOLUTION


# %%
check.choose_layout(choose_layout)

# %% [markdown]
# With the planner's own estimates, for the model of the chapter on 64 GPUs; without ZeRO, so the chapter's first choice does not fit:

# %%
gpt, cluster = Model(layers=36, hidden=4096, heads=32), selene(64)


def estimated(t: int, p: int, d: int):
    """Return the planner's estimate: micro-batches of one sequence, everything computed again, no ZeRO."""
    return planner.estimate(gpt, cluster, planner.Layout(t, p, d, 1, True), 512)


choose_layout(
    64, 8, 36, 32,
    memory=lambda t, p, d: sum(estimated(t, p, d).memory.values()),
    usable=cluster.usable,
    time=lambda t, p, d: estimated(t, p, d).time,
)  # fmt: skip

# %% [markdown]
# ## 5. A decision: train, fine-tune, or don't
#
# *15 minutes · difficulty 3 of 5 · core*
#
# The regional library of the chapter has to decide: **train** 7.5 billion parameters on 150 billion tokens, **fine-tune** an open model on 50 million, or **don't**.
# Its board has set a budget before: 9,000 kWh, *whatever happens*.
# (Library, tokens and budget are assumptions of this lab.)
# In the words of the register: ship is train, fix is fine-tune, stop is don't.
# A fix here means: prepare the fine-tuning and find the sources that are missing; no job is sent before the control lets it pass.

# %%
best = planner.plan(gpt, cluster, 512).fitting[0]
# 1.10: arXiv:2104.10350, Table 4; 1.2: arXiv:2211.02001; nobody looked up the high end
pue = Given(1.1, 1.2, 1.6)


def estimate(tokens: float) -> Footprint:
    """Return the footprint of a training on so many tokens, on 64 GPUs."""
    planned = tokens / (512 * gpt.sequence) * best.time / 3600
    return footprint(64, Given(0.9 * planned, planned, 1.5 * planned), WATTS["A100"], pue, GRIDS["world"])


train, tune = estimate(150e9), estimate(50e6)
table(
    [
        {
            "way": way,
            "kWh, low": one.kwh.low,
            "middle": one.kwh.value,
            "high": one.kwh.high,
            "without a source": ", ".join(one.assumed),
        }
        for way, one in {"train": train, "fine-tune": tune}.items()
    ],
    caption="Electricity of the two ways, on 64 A100s with their share of the node.",
    formats=",.1f",
)

# %%
evidence("train_high_kwh", train.kwh.high)
evidence("tune_high_kwh", tune.kwh.high)
evidence("train_kwh", train.kwh.value)

# %% [markdown]
# Your **control** runs before a job is sent.
# It gets a `Footprint` and the budget in kWh, and returns True only if the electricity stays within the budget **at its high end**, and if **every input has a source**.
# The value in the middle may be within the budget, and the run may still break it.
# Of those who are affected, name at least two: who would use the assistant, and who bears what it costs.
#
# This is the form; copy it into the function and replace every `...` by words of your own.
#
# ```python
# return Decision(
#     question=...,                # what has to be decided
#     affected=[...],              # who is affected, by name of the group
#     options=["ship: train", "fix: fine-tune", "stop: don't"],
#     evidence={"train_high_kwh": ..., "tune_high_kwh": ..., "train_kwh": ...},   # a relation and a number, such as "< 0.05"
#     choice=...,                  # one of the options
#     dissent=...,                 # the strongest reason against your choice
#     residual_risk=...,           # what can still go wrong
#     owner=...,                   # who answers for it
#     review_date=...,             # a date: date.today() + timedelta(days=...)
#     control=...,                 # the function that runs from now on
# )
# ```

# %%
from datetime import date, timedelta


def may_start(estimated: Footprint, budget: float) -> bool:
    """Return whether a job may be sent."""
    ### BEGIN SOLUTION
    return estimated.kwh.high <= budget and not estimated.assumed
    ### END SOLUTION


def decide() -> Decision:
    """Return your decision, with a control that works.

    Returns
    -------
    Decision
    """
    ### BEGIN SOLUTION
    return Decision(
        question="Shall the library train a model of its own, fine-tune an open one, or do neither?",
        affected=[
            "readers who ask in the region's language",
            "those who pay for the electricity, and live with its emissions",
        ],
        options=["ship: train", "fix: fine-tune", "stop: don't"],
        evidence={"train_high_kwh": "> 9000", "tune_high_kwh": "<= 9000", "train_kwh": "< 9000"},
        choice="fix: fine-tune",
        dissent="What an open model never learned of the region, 50 million tokens will hardly teach it.",
        residual_risk="Hours and PUE are assumed until the provider measures them; runs that fail "
        "are not counted.",
        owner="The library's head of digital services",
        review_date=date.today() + timedelta(days=120),
        control=may_start,
    )
    ### END SOLUTION


# %%
check.decide(decide)

# %% [markdown]
# ## Worth an evening
#
# Ask your own control about the fine-tuning: `may_start(tune, 9000)`.
# It refuses it, because hours and PUE are without a source.
# (The watts have a source for both ends, and the middle between them is assumed: read `WATTS["A100"].source`.
# Is that enough for you?)
# That is what the control is for: find a log, a meter and an operator's report, and ask again.
