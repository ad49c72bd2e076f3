# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: Pipeline parallelism
#
# At the end you will have written the order of 1F1B, the last stage of a pipeline on a real rank, an exact balance of unequal stages, and a control that stops a plan which wastes devices.
#
# **75 minutes · 5 exercises · read [the chapter](../notebooks/10_pipeline_parallel.ipynb) first.**

# %%
import itertools
from datetime import date, timedelta

import torch
import torch.distributed as dist

from helix import distributed
from helix.labs import pipeline_parallel as check
from helix.distributed.paper import schedules
from helix.display import table
from helix.distributed.paper.pipeline_plan import GPT, PLAN, PipelinePlan, plan_for
from helix.distributed.paper.schedules import Event
from helix.record import Decision, evidence

# so that the check of exercise 2 finds the process from which ranks are forked
distributed.warm("helix.labs.pipeline_parallel")

# %% [markdown]
# ## 1. The order of 1F1B
#
# *10 minutes · difficulty 3 of 5 · core*
#
# Write the order in which **one** stage works with 1F1B: p − 1 − rank forward passes ahead, then a forward and a backward pass in turn, then the backward passes that are left.
# There may be fewer micro-batches than stages.


# %%
def order_1f1b(stages: int, rank: int, microbatches: int) -> list[tuple[str, int]]:
    """Return what a stage does, in its order.

    Parameters
    ----------
    stages, rank : int
        p, and which of the stages, from 0.
    microbatches : int
        m, at least 1.

    Returns
    -------
    list of (kind, microbatch)
        2m pairs: kind is ``"F"`` or ``"B"``, micro-batches are numbered from 0. The last stage's with m = 2
        is ``[("F", 0), ("B", 0), ("F", 1), ("B", 1)]``.
    """
    ### BEGIN SOLUTION
    ahead = min(stages - 1 - rank, microbatches)
    order = [("F", i) for i in range(ahead)]
    for i in range(microbatches - ahead):
        order += [("F", ahead + i), ("B", i)]
    return order + [("B", i) for i in range(microbatches - ahead, microbatches)]
    ### END SOLUTION


# %%
check.order_1f1b(order_1f1b)

# %% [markdown]
# ## 2. The last stage, with uneven micro-batches
#
# *15 minutes · difficulty 4 of 5 · core*
#
# The last batch of an epoch rarely divides evenly.
# Write the last stage's side of one training step, for micro-batches of **different** sizes.
# The check runs it on rank 1 of 2; rank 0 sends all micro-batches, and then waits for one gradient for each, in the same order.
# After your function has returned, the stage's parameters must hold the gradients of the mean loss over *all* samples, and so must those of the stage before.
# The loss is `torch.nn.functional.cross_entropy`; the ranks work in float64.


# %%
def last_stage(stage: torch.nn.Module, sizes: list[int], targets: torch.Tensor, width: int) -> float:
    """Receive micro-batches from the rank before, train on them, and send their gradients back.

    Parameters
    ----------
    stage : Module
        Takes a float64 tensor of shape (n, width), returns (n, classes).
    sizes : list of int
        Samples in each micro-batch, in the order in which they come.
    targets : Tensor
        Classes of all samples, shape (sum of sizes,).
    width : int
        Of what is received.

    Returns
    -------
    float
        The mean loss over all samples.
    """
    ### BEGIN SOLUTION
    before = dist.get_rank() - 1
    total = 0.0
    for n, y in zip(sizes, targets.split(sizes), strict=True):
        x = torch.empty(n, width, dtype=torch.float64)
        dist.recv(x, src=before)
        x.requires_grad_()
        loss = torch.nn.functional.cross_entropy(stage(x), y) * n / sum(sizes)
        loss.backward()
        dist.send(x.grad, dst=before)
        total += loss.item()
    return total
    ### END SOLUTION


# %%
check.last_stage(last_stage)

# %% [markdown]
# ## 3. Balance unequal stages
#
# *9 minutes · difficulty 3 of 5 · core*
#
# The output layer of a model with a large vocabulary costs as much as several layers.
# Cut the layers into contiguous stages so that the slowest stage is as fast as can be.
# There are at most twelve layers, so you may try every cut.


# %%
def balance_stages(costs: list[float], stages: int) -> list[int]:
    """Return the best boundaries.

    Parameters
    ----------
    costs : list of float
        Of each layer, in order.
    stages : int
        p; each gets at least one layer.

    Returns
    -------
    list of p − 1 int
        The first layer of every stage but the first: ``balance_stages([1, 1, 1, 3], 2)`` is ``[3]``.
    """

    ### BEGIN SOLUTION
    def slowest(cuts):
        return max(sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)]))

    return list(min(itertools.combinations(range(1, len(costs)), stages - 1), key=slowest))
    ### END SOLUTION


# %%
check.balance_stages(balance_stages)

# %% [markdown]
# ## 4. What each stage holds at its peak
#
# *12 minutes · difficulty 3 of 5 · core*
#
# From the start of a micro-batch's forward pass to the end of its backward pass, a stage keeps what it saved.
# From the events of a step, predicted or recorded, compute what each stage holds at its peak.
# The events are not sorted, and passes of one stage may overlap (a device can do two things at once).
# Where one micro-batch ends at the very moment when another starts, the first is gone already: do not count both.


# %%
def peak_bytes(events: list[Event], bytes_each: list[float]) -> list[float]:
    """Return the most bytes that each stage holds at once.

    Parameters
    ----------
    events : list of Event
        ``stage``, ``kind`` ("F" or "B"), ``microbatch``, ``start``, ``end``.
    bytes_each : list of float
        What one micro-batch keeps on each stage.

    Returns
    -------
    list of float
        One for each stage: where at most 2 micro-batches of 5 bytes are held at once, 10.
    """
    ### BEGIN SOLUTION
    peaks = []
    for stage, size in enumerate(bytes_each):
        taken = {e.microbatch: e.start for e in events if e.stage == stage and e.kind == "F"}
        gone = {e.microbatch: e.end for e in events if e.stage == stage and e.kind == "B"}
        peaks.append(size * max(sum(taken[i] <= t < gone[i] for i in taken) for t in taken.values()))
    return peaks
    ### END SOLUTION


# %%
check.peak_bytes(peak_bytes)

# %% [markdown]
# ## 5. A decision: may this plan have the devices?
#
# *18 minutes · difficulty 3 of 5 · core*
#
# A group wants four cards of 24 GB for three weeks, to train a model of 1.7 billion parameters with a vocabulary of 256,000 tokens for many languages.
# Its plan says: six layers on each card, 16 micro-batches, 1F1B; so a bubble of 3/19, or 16 %, and on average 17 of 24 GB in use.
# Other groups want the same cards.
#
# `PLAN` is that plan, a `PipelinePlan`:
#
# | field | what it is |
# |---|---|
# | `plan.events()` | one step as it is simulated, for `schedules` and your `peak_bytes` |
# | `plan.activations` | bytes of one micro-batch that each stage keeps, a list |
# | `plan.fixed` | bytes that each stage keeps always: weights, gradients, Adam |
# | `plan.device` | bytes of a card; all are alike |
# | `plan.mfu` | operations that the *model* asks for, over those that the cards could have done in the time of the step |
# | `plan.schedule`, `plan.microbatches`, `plan.stages` | `"gpipe"` or `"1f1b"`, m, p |
#
# (Operations and bytes are on paper; a card reaches 10¹⁴ operations a second in matrix products, two thirds of what it could.)

# %%
step = PLAN.events()
peaks = peak_bytes(step, list(PLAN.activations))
need = [fixed + peak for fixed, peak in zip(PLAN.fixed, peaks, strict=True)]
mfu = evidence("mfu", PLAN.mfu)
fullest_device = evidence("fullest_device", max(need) / PLAN.device)
table(
    [
        {"stage": stage, "idle": share, "GB": each / 1e9}
        for stage, (share, each) in enumerate(zip(schedules.idle(step), need, strict=True))
    ],
    caption="The plan, by stage.",
    formats=".2f",
)

# %%
# try other cuts and schedules
again = plan_for(GPT, (6, 12, 18), microbatches=16, device=24e9, rematerialised=True)
table(
    [
        {
            "plan": name,
            "idle share": schedules.idle_share(plan.events()),
            "seconds a step": schedules.span(plan.events()),
            "MFU": plan.mfu,
        }
        for name, plan in (("this plan", PLAN), ("layers computed again", again))
    ],
    caption="The plan, and one in which each layer is computed again.",
)

# %% [markdown]
# The second plan waits *less* and takes *longer*: what is computed twice is work for a card, and nobody needs it.
# So those who lend the cards do not ask for an idle share.
# Their limits: an MFU of at least 0.4, and no card's memory filled beyond 0.9.
#
# **Ship the plan, fix it, or stop it?**
# Your control gets a `PipelinePlan`, such as `PLAN`, and returns True (it may run) or False.
# It will meet plans whose totals look fine.
#
# This is the form; copy it into the function and replace every `...` by words of your own.
#
# ```python
# return Decision(
#     question=...,                # what has to be decided
#     affected=[...],              # who is affected, by name of the group
#     options=["ship", "fix", "stop"],     # add what you mean, if you like: "fix: ..."
#     evidence={"mfu": ..., "fullest_device": ...},       # a relation and a number, such as "< 0.05"
#     choice=...,                  # one of the options
#     dissent=...,                 # the strongest reason against your choice
#     residual_risk=...,           # what can still go wrong
#     owner=...,                   # who answers for it
#     review_date=...,             # a date: date.today() + timedelta(days=...)
#     control=...,                 # the function that runs from now on
# )
# ```


# %%
def decide() -> Decision:
    """Return your decision on the question above.

    Returns
    -------
    Decision
        Complete, in agreement with your evidence, with a control that works.
    """

    ### BEGIN SOLUTION
    def control(plan: PipelinePlan) -> bool:
        held = peak_bytes(plan.events(), list(plan.activations))
        full = max(fixed + peak for fixed, peak in zip(plan.fixed, held, strict=True)) / plan.device
        return plan.mfu >= 0.4 and full <= 0.9

    return Decision(
        question="May the group have four cards for three weeks with this plan?",
        affected=[
            "the groups that wait for the same cards",
            "the people whose languages the model is for",
            "the group itself",
        ],
        options=["ship", "fix: cut by operations, with the first card's memory in view", "stop"],
        evidence={"mfu": "< 0.4", "fullest_device": "> 1"},
        choice="fix: cut by operations, with the first card's memory in view",
        dissent="Every week of planning is a week later for people whose languages no model serves; idle "
        "cards harm nobody at night.",
        residual_risk="The simulation knows no network, no slow card and no failed run; measured MFU will "
        "be lower.",
        owner="The person who keeps the queue of the cards",
        review_date=date.today() + timedelta(days=21),
        control=control,
    )
    ### END SOLUTION


# %%
check.decide(decide)
