# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: Data parallelism
#
# You will write an all-reduce that needs three exchanges among eight ranks, an evaluation that counts nobody twice, and clipping by a norm that no rank sees alone.
# You will compute how many ranks are worth their price, and decide what a team may promise about a run.
#
# **75 minutes · five exercises · read [the chapter](../notebooks/09_data_parallel.ipynb) first.**
#
# Short of time?
# Start with exercises 1, 2 and 5; 3 and 4 can follow later.
# The lab counts as done when all five are correct.
#
# The checks of exercises 1 to 3 start real processes.
# If your answer makes them wait for each other, or kills one, the check ends all of them after a few seconds, and says so.

# %%
import pandas as pd
import torch
import torch.distributed as dist

from helix import display, distributed
from helix.labs import data_parallel as check
from helix.distributed.measured import run_record
from helix.record import Decision, evidence, results

# so that the checks find the process from which ranks are forked
distributed.warm("helix.labs.data_parallel")

# %% [markdown]
# ## 1. All-reduce by doubling
#
# *15 minutes · difficulty 3 of 5 · core*
#
# The ring of the chapter sends little and takes 2(N−1) steps.
# For a *small* tensor only the number of steps counts, and there is a way with fewer if N is a power of two.
# In the first exchange swap sums with the rank at distance 1 (0↔1, 2↔3, …), then at distance 2 (0↔2, 1↔3, …), then 4, and so on: what you have collected doubles each time.
#
# Use `dist.isend` and `dist.recv` only, and do not change a tensor between `isend` and `wait()`.
# If the number of ranks is not a power of two, raise a `ValueError`.
# To try it: `distributed.launch(all_reduce_by_doubling, torch.ones(3), ranks=4)`.


# %%
def all_reduce_by_doubling(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum of the ranks' tensors, on every rank; runs on each of them.

    Parameters
    ----------
    tensor : Tensor
        This rank's own, of one shape on all ranks; it is not changed.

    Returns
    -------
    Tensor
        On four ranks that hold ``[1.]``, ``[2.]``, ``[3.]`` and ``[4.]`` every rank gets ``[10.]``.
    """
    ### BEGIN SOLUTION
    rank, world = dist.get_rank(), dist.get_world_size()
    if world & (world - 1):
        raise ValueError(f"Doubling needs a power of two of ranks, not {world}.")
    total, distance = tensor.clone(), 1
    while distance < world:
        partner, arrived = rank ^ distance, torch.empty_like(tensor)
        sending = dist.isend(total, partner)
        dist.recv(arrived, partner)
        sending.wait()
        total = total + arrived
        distance *= 2
    return total
    ### END SOLUTION


# %%
check.all_reduce_by_doubling(all_reduce_by_doubling)

# %% [markdown]
# That is three steps among eight ranks instead of the ring's fourteen; but each step carries the *whole* tensor of n bytes, 3n in all instead of 1.75n.
# So doubling is for small tensors, the ring for large ones.
#
# ## 2. Everybody counts once
#
# *9 minutes · difficulty 2 of 5 · core*
#
# A test set is dealt out to the ranks.
# `DistributedSampler` would fill up the shares, and count some samples twice.
# Ask the model about **every sample once**, by shares that differ by one sample at most, and return the accuracy over all, on every rank.
# There may be fewer samples than ranks.


# %%
def evaluate(model, X: torch.Tensor, y: torch.Tensor) -> float:
    """Return the accuracy over all samples; runs on each rank.

    Parameters
    ----------
    model : callable
        Takes samples of shape (k, features), returns scores of shape (k, classes).
    X, y : Tensor, shapes (n, features) and (n,)
        All samples and their classes, the same on every rank; ask the model about your share only.

    Returns
    -------
    float
        Right answers over samples, of all ranks together.
    """
    ### BEGIN SOLUTION
    own = slice(dist.get_rank(), None, dist.get_world_size())
    right = (model(X[own]).argmax(1) == y[own]).sum()
    counts = torch.tensor([float(right), float(len(y[own]))])
    dist.all_reduce(counts)
    return (counts[0] / counts[1]).item()
    ### END SOLUTION


# %%
check.evaluate(evaluate)

# %% [markdown]
# An audit by groups needs the same care: if two of a group of seven people count twice, the group's rate may change.
#
# ## 3. The norm of a gradient that nobody holds
#
# *10 minutes · difficulty 3 of 5 · core*
#
# Gradients are often **clipped**: if the norm of the whole gradient is greater than `most`, all of it is scaled down to that norm.
# With FSDP each rank holds only a shard of the gradient, and a shard may be empty.
# Scale your shard as if you had seen the whole gradient.


# %%
def clip_shards(shard: torch.Tensor, most: float) -> torch.Tensor:
    """Return this rank's shard of the clipped gradient; runs on each rank.

    Parameters
    ----------
    shard : Tensor, shape (k,)
        This rank's part of the gradient, which is not changed; k differs between ranks and may be 0.
    most : float
        The norm that the whole gradient may have at most.

    Returns
    -------
    Tensor, shape (k,)
        With shards ``[3.]`` and ``[4.]`` and ``most`` 1.0 the ranks get ``[0.6]`` and ``[0.8]``.
    """
    ### BEGIN SOLUTION
    squares = shard.square().sum()
    dist.all_reduce(squares)
    norm = squares.sqrt().item()
    return shard * (most / norm) if norm > most else shard
    ### END SOLUTION


# %%
check.clip_shards(clip_shards)

# %% [markdown]
# `torch.nn.utils.clip_grad_norm_` does this for the shards of `fully_shard`.
# If you write your own loop, remember that the norm of a shard is at most that of the whole: clipping each shard alone clips too little, and changes the gradient's direction.
#
# ## 4. How many ranks are worth it
#
# *11 minutes · difficulty 3 of 5 · core*
#
# Each of N ranks computes a share of a fixed size, so the batch is N times that.
# The critical batch gives the steps, S_min (1 + B_crit / B); a step on N ranks takes `seconds[N]`.
# Every rank is paid for until the training ends.
# Which N trains **in the shortest time within the budget**?
# Do not round steps.


# %%
def choose_ranks(seconds: dict[int, float], share: int, law: tuple[float, float], budget: float) -> int:
    """Return the number of ranks with the shortest training that the budget pays.

    Parameters
    ----------
    seconds : dict of int to float
        Number of ranks to the seconds of one step.
    share : int
        Samples of a rank in each step.
    law : (float, float)
        S_min, in steps, and B_crit, in samples.
    budget : float
        Rank-seconds that may be spent: ranks times seconds of the whole training.

    Returns
    -------
    int
        A key of `seconds`; of equally short trainings the one with the fewest ranks.

    Raises
    ------
    ValueError
        If the budget pays for none.
    """
    ### BEGIN SOLUTION
    least, critical = law
    times = {ranks: least * (1 + critical / (ranks * share)) * each for ranks, each in seconds.items()}
    paid = {ranks: time for ranks, time in times.items() if ranks * time <= budget}
    if not paid:
        raise ValueError("The budget pays for no number of ranks.")
    return min(paid, key=lambda ranks: (paid[ranks], ranks))
    ### END SOLUTION


# %%
check.choose_ranks(choose_ranks)

# %% [markdown]
# With the law that the chapter measured, 8 samples a rank, and assumed times, 0.01 s a step on one rank and 2 % more with each doubling:

# %%
law = results.load("09_data_parallel")["figures"]["law"]
seconds = {2**k: 0.01 * 1.02**k for k in range(10)}
rows = []
for budget in (30.0, 60.0, 120.0, 480.0):
    ranks = choose_ranks(seconds, 8, (law["least_steps"], law["batch"]), budget)
    steps = law["least_steps"] * (1 + law["batch"] / (8 * ranks))
    rows.append({"budget, rank-seconds": budget, "ranks": ranks, "seconds": steps * seconds[ranks]})
display.table(
    rows,
    caption="The shortest training within each budget.",
    formats={"budget, rank-seconds": ".0f", "seconds": ".2f"},
)

# %% [markdown]
# The second 30 rank-seconds make the training 2.6 times shorter; the last 360 make it only 16 % shorter.
# Whoever can pay for that gets the answer first; chapters 10 and 11 count the energy.
#
# ## 5. A decision: what may be promised about a run?
#
# *17 minutes · difficulty 3 of 5 · core*
#
# A team wants to publish a model that sorts pictures of clothes for resale, with the sentence: **"Anyone can reproduce this training exactly, on any number of ranks."**
# People will be paid by what the model says of their clothes, and a complaint is to be answered by repeating the training.
# The model is that of the chapter's section “The other strand”: Fashion-MNIST, five epochs at the calm learning rate, trained in four *worlds*, on 1, 2, 3 and 4 ranks, with the same samples in each step.
# The team set a limit beforehand: at most 0.1 % of the test pictures may be answered differently between two worlds.

# %%
sums = results.load("09_data_parallel")["figures"]["sums"]
display.table(
    pd.DataFrame(sums["rates"]["0.02"]["changed"]).rename_axis("seed").reset_index(),
    caption="Share of test pictures that two worlds answer differently; columns: the ranks of both.",
    formats=".2%",
)

# %%
evidence("changed_by_world", max(max(seeds) for seeds in sums["rates"]["0.02"]["changed"].values()))
evidence("hashes_of_a_world", sums["hashes_of_a_world"])  # of two runs on equally many ranks

# %% [markdown]
# Your **control** runs before a result is published.
# It gets two records as `run_record.record` makes them: that of the run, and that of a repetition.
# It returns True only if **both records are complete**, the repetition had the **same inputs**, and it ended at the **same weights** (`weights_sha256`).
# Without the world size, the hashes, or the threads of a rank, nobody can repeat a run, or tell whether a repetition agrees.
#
# This is the form; copy it into the function and replace every `...` by words of your own.
#
# ```python
# return Decision(
#     question=...,                # what has to be decided
#     affected=[...],              # who is affected, by name of the group; two at least
#     options=["ship", "fix", "stop"],     # add what you mean, if you like: "fix: ..."
#     evidence={"changed_by_world": ..., "hashes_of_a_world": ...},   # a relation and a number, such as "< 0.05"
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


def may_publish(record: dict, repetition: dict) -> bool:
    """Return whether the run could be repeated, and was: True only if both records allow to say so."""
    ### BEGIN SOLUTION
    if run_record.missing(record) or run_record.missing(repetition):
        return False
    if run_record.differences(record, repetition):
        return False
    return record["weights_sha256"] == repetition["weights_sha256"]
    ### END SOLUTION


def decide() -> Decision:
    """Return your decision, with a control that works.

    Returns
    -------
    Decision
    """
    ### BEGIN SOLUTION
    return Decision(
        question="May the team promise that anyone can reproduce the training exactly, on any number of "
        "ranks?",
        affected=[
            "people who are paid by what the model says of their clothes",
            "whoever has to answer their complaints",
        ],
        options=["ship", "fix: promise it for the recorded world only", "stop"],
        evidence={"changed_by_world": "> 0.001", "hashes_of_a_world": "== 1"},
        choice="fix: promise it for the recorded world only",
        dissent="Nobody repeats a training to the bit; a share of changed answers would tell people more.",
        residual_risk="The same world with other threads or processors may end at other bits as well.",
        owner="The head of the sorting line",
        review_date=date.today() + timedelta(days=90),
        control=may_publish,
    )
    ### END SOLUTION


# %%
check.decide(decide)
