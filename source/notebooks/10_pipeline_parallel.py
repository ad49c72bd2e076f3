# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pipeline parallelism
#
# After this chapter you can cut a transformer into pipeline stages, predict how long its devices will wait, and hold the prediction against a recorded run.
#
# **60 minutes · after [Data parallelism](09_data_parallel.ipynb) · strand: engineering.**
#
# You need PyTorch's `backward()`, and `send`, `recv` and ranks from chapter 9.

# %%
from importlib.metadata import version

for package in ("torch", "transformers"):
    print(package, version(package))

from helix import distributed
from helix.distributed.parallel import pipeline_trials as trials

distributed.warm(trials.MODULES)

# %% [markdown]
# ## The claim
#
# A model that is too large for one device has to be cut.
# The simplest cut runs **between layers**: the first device computes the first layers and hands its result on.
# The articles that this course grew from name the method by a paper of 2019:
#
# > 1. GPipe trains a model that is split by its layers.
#
# It does.
# But a layer can start only when the one before it is done, so devices wait, and somebody pays for a device that waits.
# Two more statements go with it:
#
# > 2. 1F1B waits as long as GPipe and holds less.
# >
# > 3. Re-materialisation costs a third more operations.
#
# Who is affected?
# Whoever pays for the run, and all who need the devices that stand still.
#
# ## The idea, built up
#
# ### A transformer, cut by its layers
#
# Our model is a GPT-2 from `transformers` with random weights.
# Two embeddings go in (token and position), eight layers follow, and at the end come a norm and the **head**, which turns each vector into a score for each token of the vocabulary.

# %% tags=["nbval-check-output"]
import torch
import torch.distributed as dist

from helix.distributed.parallel.gpt2_stages import cut, next_token_loss, small_gpt2

model = small_gpt2(seed=0, layers=8, hidden=64, vocabulary=512)  # GPT-2 has 12, 768 and 50,257
x, y = trials.tokens()  # 8 sequences of 32 random tokens, and the tokens that follow
print("tokens", tuple(x.shape), "→ scores", tuple(model(x).logits.shape))

# %% [markdown]
# A **stage** is some of these parts in their order.
# `cut` takes the first layer of every stage but the first.
# Running the stages one after the other, in one process, must give the model's scores:

# %% tags=["nbval-check-output"]
stages = cut(model, boundaries=(2, 4, 6))
h = x
for number, stage in enumerate(stages):
    h = stage(h)
    size = sum(parameter.numel() for parameter in stage.parameters())
    print(f"stage {number}: {size:7,} parameters, puts out {tuple(h.shape)}")
print("largest difference to the model:", (h - model(x).logits).abs().max().item())

# %% [markdown]
# What passes between stages is small, a vector of 64 numbers for each token: pipelines need little network.
# The two ends are heavier than the middle, since each holds 512 · 64 numbers of vocabulary.
#
# ### One batch at a time: naive
#
# Now each stage lives on a rank of its own.
# Rank r receives from r − 1, computes, and sends to r + 1.
# Backward it goes the other way: what comes back is the gradient of the loss with respect to *what this stage sent*, and `y.backward(gradient)` goes on from there.
# The received tensor is a leaf of this rank's graph, so it must be told to keep its gradient.


# %%
def receive(source: int, shape: tuple[int, ...]) -> torch.Tensor:
    tensor = torch.empty(shape)
    dist.recv(tensor, src=source)
    return tensor


def naive_on_two_ranks(boundary: int) -> float | None:
    stage = cut(small_gpt2(seed=0), (boundary,))[dist.get_rank()]
    x, y = trials.tokens()
    if dist.get_rank() == 0:
        sent = stage(x)
        dist.send(sent.detach(), dst=1)
        sent.backward(receive(1, sent.shape))
        return None
    received = receive(0, (8, 32, 64)).requires_grad_()
    loss = next_token_loss(stage(received), y)
    loss.backward()
    dist.send(received.grad, dst=0)
    return loss.item()


# %% tags=["nbval-check-output"]
from helix.distributed import launch

alone, gradients = trials.one_process()
_, loss = launch(naive_on_two_ranks, 4, ranks=2)
print(f"loss of two ranks {loss:.4f}, of one process {alone:.4f}")

# %% [markdown]
# Right, and no faster than one device: at each moment one rank works and the others wait.
# Let F be a forward pass and B a backward pass that takes twice as long.
# The simulator `schedules.simulate` starts each pass as soon as its order and its neighbours allow:

# %% tags=["nbval-check-output"]
from helix.distributed.paper import schedules

forward, backward = [1.0] * 4, [2.0] * 4  # seconds of each of four stages
naive = schedules.simulate("naive", forward, backward, microbatches=1)
print(f"one batch on 4 stages: {schedules.span(naive):g} s, idle share {schedules.idle_share(naive):.2f}")

# %% [markdown]
# With p stages the idle share is (p − 1)/p.
# Four devices, the speed of one.
#
# ### Micro-batches
#
# GPipe's idea: cut the batch into **m micro-batches**.
# As soon as stage 0 has passed on the first, it starts the second.
# What does that do to the gradient?
# The loss is a mean over the batch, and a mean of n samples is the mean of m means of n/m samples:
#
# $$L=\frac1n\sum_{k=1}^{n}\ell_k=\frac1m\sum_{i=1}^{m}L_i \qquad\Rightarrow\qquad \nabla L=\frac1m\sum_{i=1}^{m}\nabla L_i .$$
#
# `backward()` adds to `.grad`.
# So divide each micro-batch's loss by m, and the sum comes out by itself.
# (With padding, weigh by the tokens that count; and nothing may look across samples, as BatchNorm does.)
# Here is GPipe, whole:


# %%
def gpipe(stage, inputs, targets, shape: tuple[int, ...]) -> float:
    """All forward passes, then all backward passes, on this rank; return the loss on the last."""
    rank, last, m, loss = dist.get_rank(), dist.get_world_size() - 1, len(inputs), 0.0
    kept, sending = [], []
    for i in range(m):
        x = inputs[i] if rank == 0 else receive(rank - 1, shape).requires_grad_()
        y = stage(x)
        if rank < last:
            sending.append(dist.isend(y.detach(), dst=rank + 1))
        else:
            y = next_token_loss(y, targets[i]) / m
            loss += y.item()
        kept.append((x, y))
    for x, y in kept:
        y.backward(receive(rank + 1, shape) if rank < last else None)
        if rank > 0:
            sending.append(dist.isend(x.grad, dst=rank - 1))
    for message in sending:
        message.wait()
    return loss


# %% [markdown]
# `isend` sends without waiting, so that the rank can go on.
# Run it on two and on four ranks, and compare every gradient with one process:


# %%
def gpipe_on_ranks(m: int) -> dict:
    stage = cut(small_gpt2(seed=0), trials.CUTS[dist.get_world_size()])[dist.get_rank()]
    x, y = trials.tokens()
    loss = gpipe(stage, x.chunk(m), y.chunk(m), (8 // m, 32, 64))
    named = {stage.name_in_model(name): parameter.grad for name, parameter in stage.named_parameters()}
    return {"loss": loss, "gradients": named}


# %% tags=["nbval-check-output"]
def compare(by_rank: list[dict]) -> str:
    error = trials.largest_error(by_rank, gradients)
    return "equal to one process" if error < 1e-5 else f"off by {error:.2f} of a gradient's largest entry"


for p in (2, 4):
    print(p, "ranks:", compare(launch(gpipe_on_ranks, 4, ranks=p, note=False)))

# %% [markdown]
# The loss is right, and some gradient is wrong.
# Which?
#
# ### The trap: two ends, one weight
#
# GPT-2 **ties** its head to the token embedding: both are *one* matrix.
# In one process it gets two contributions to its gradient, one from each use.
# Cut into stages, the two ends are different processes, and each has a copy that sees only its own part:

# %% tags=["nbval-check-output"]
by_rank = launch(gpipe_on_ranks, 4, ranks=2)
first, last = by_rank[0]["gradients"]["transformer.wte.weight"], by_rank[1]["gradients"]["lm_head.weight"]
whole = gradients["transformer.wte.weight"]
for name, part in {"first": first, "last": last, "sum of both": first + last}.items():
    equal = (part - whole).abs().max() < 1e-5 * whole.abs().max()
    print(f"{name:12} {'equal' if equal else 'not equal'}")

# %% [markdown]
# So both ends must **add** their gradients: one `all_reduce` in a group of the first and the last rank, after the last backward pass.
# Then both copies get the same update and stay the same.
# What if one forgets it?
# The record trained 40 steps both ways, from three seeds:

# %%
from helix.record import claim, results

record = results.load("10_pipeline_parallel")["figures"]

# %% tags=["nbval-check-output"]
for how, found in record["training"].items():
    print(
        f"{how:9}: copies apart by {found['apart']:.3f}, last loss {found['loss']:.3f} (one process "
        f"{found['alone']:.3f})"
    )

# %% [markdown]
# **The loss does not tell.**
# It is even a little lower without the sum: two free copies are another, larger model.
# Only the comparison with one process shows that it is not the model that was to be trained.
#
# From here on `helix.distributed.parallel.pipeline_parallel.Pipeline` does the work.
# It is the loop above with three more things: it adds the ends, records when each pass ran, and checks that the stages agree.

# %% tags=["nbval-check-output"]
for p in (2, 4):
    print(p, "ranks:", compare(launch(trials.step_on_rank, "gpipe", 4, ranks=p, note=False)))
assert trials.largest_error(launch(trials.step_on_rank, "gpipe", 4, ranks=2), gradients) < 1e-5

# %% [markdown]
# ### How long do they wait? The bubble
#
# Let all p stages take the same time for a micro-batch, τ for forward and backward together.
# The last stage starts late by p − 1 forward passes, and waits at the end for p − 1 backward passes.
# So the step takes (m + p − 1)τ, of which each stage works mτ:
#
# $$\text{idle share}=1-\frac{m\tau}{(m+p-1)\tau}=\frac{p-1}{m+p-1}.$$
#
# With m = 1 that is the naive (p − 1)/p, and it falls with every micro-batch.
# (Narayanan et al. divide by the *ideal* time instead, (p − 1)/m: the same wait, a larger number.)

# %% tags=["nbval-check-output"]
for m in (1, 4, 16):
    events = schedules.simulate("gpipe", forward, backward, m)
    print(f"m = {m:2}: simulated {schedules.idle_share(events):.3f}, law {3 / (m + 3):.3f}")

# %% [markdown]
# Does it hold where clocks run?
# A stage that *computes* would measure how busy this laptop is: four ranks on two cores disturb each other.
# A stage that **sleeps** needs no core.
# The record's stages sleep 16 ms a sample forward and 32 ms backward, for a batch of 32.

# %%
import pandas as pd

from helix import plots

bubbles = pd.DataFrame(record["bubble"])
figure, ax = plots.figure(height=3.2)
for p, colour in ((2, "blue"), (4, "vermilion")):
    law = bubbles[bubbles["p"] == p].drop_duplicates("m")
    ax.plot(law["m"], law["law"], color=plots.COLOURS[colour], marker="", label=f"law, p = {p}")
    for (schedule, by), marker in zip(
        (("gpipe", "hand"), ("1f1b", "hand"), ("gpipe", "PyTorch")), "o^x", strict=True
    ):
        part = bubbles.query("p == @p and schedule == @schedule and by == @by")
        label = f"{schedule}, {by}" if p == 2 else None
        look = {"color": plots.COLOURS[colour], "markevery": 1, "linestyle": "", "alpha": 0.8, "label": label}
        ax.plot(part["m"], part["idle"], marker, **look)
ax.set(xlabel="micro-batches m", ylabel="idle share", xscale="log", xticks=[2, 4, 8, 16], ylim=(0, 0.7))
ax.set_xticklabels([2, 4, 8, 16])
ax.minorticks_off()
ax.legend(fontsize=8)
plots.show(
    figure,
    alt="Idle share against the number of micro-batches for 2 and 4 stages. The measured points of GPipe "
    "and 1F1B, by hand and by PyTorch, lie on the curve of the law for "
    "2 and 4 micro-batches and a little above it for 16, by 0.02 to 0.05.",
)

# %% [markdown]
# On the law at first, and above it as m grows.
# By how much of the law itself?
# The median of what was measured, in per cent more:

# %%
bubbles["above"] = 100 * (bubbles["idle"] / bubbles["law"] - 1)
print(
    bubbles.pivot_table(index="p", columns="m", values="above", aggfunc="median")
    .round(0)
    .astype(int)
    .to_string()
)

# %% [markdown]
# Each micro-batch costs some **overhead** o (two messages, Python, a sleep that ends late), whatever its size, so a step of work W takes (m + p − 1)(W/m + o).
# The *share* that overhead takes grows as the micro-batches shrink: more of them help until overhead eats what the bubble gives back.
#
# ### The same by PyTorch
#
# `torch.distributed.pipelining` has the schedules ready.
# A `PipelineStage` wraps a rank's module, a schedule cuts the batch; the first rank gives the inputs, the last one the targets.
# The tied ends remain **our** affair.


# %%
def by_pytorch(m: int) -> dict:
    from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

    rank, p = dist.get_rank(), dist.get_world_size()
    stage = cut(small_gpt2(seed=0), trials.CUTS[p])[rank]
    wrapped = PipelineStage(stage, rank, p, torch.device("cpu"))
    schedule = ScheduleGPipe(wrapped, n_microbatches=m, loss_fn=next_token_loss)
    x, y = trials.tokens()
    schedule.step(*([x] if rank == 0 else []), **({"target": y} if rank == p - 1 else {}))
    ends = dist.new_group([0, p - 1])
    if stage.tied is not None:
        dist.all_reduce(stage.tied.grad, group=ends)
    return {"gradients": {stage.name_in_model(name): each.grad for name, each in stage.named_parameters()}}


# %% tags=["nbval-check-output"]
for p in (2, 4):
    print(p, "ranks, PyTorch:", compare(launch(by_pytorch, 4, ranks=p, note=False)))

# %% [markdown]
# ### 1F1B
#
# GPipe does all forward passes before the first backward pass.
# So in its middle a stage holds what **all m** micro-batches saved for their backward pass, and m was to be large.
# 1F1B ("one forward, one backward") starts a backward pass as soon as one can have come back; from then on it frees one micro-batch for each that it takes.

# %% tags=["nbval-check-output"]
for schedule in ("gpipe", "1f1b"):
    print(schedule)
    for rank in range(3):
        print("  stage", rank, " ".join(f"{kind}{i}" for kind, i in schedules.order(schedule, 3, rank, 4)))

# %% [markdown]
# Here both neighbours may want to send at the same time: one an activation down, the other a gradient up.
# With a `send` that waits until it is received, both wait for ever.
# `launch` notices that no rank can go on:


# %%
def both_send_first() -> None:
    other, tensor = 1 - dist.get_rank(), torch.ones(1_000_000)
    dist.send(tensor, dst=other)
    dist.recv(tensor, src=other)


# %% tags=["nbval-check-output"]
try:
    launch(both_send_first, timeout=20)
except distributed.RankFailed as failed:
    print(str(failed).partition(".")[0] + ".", f"[{failed.kind}]")

# %% [markdown]
# Hence `isend`.
# Now look at both schedules, **as predicted and as recorded**, on four ranks with four micro-batches:

# %%
from helix.distributed.paper import gantt
from helix.distributed.parallel import sleepers

recorded = {}
for schedule in ("gpipe", "1f1b"):
    by_rank = launch(sleepers.timed, schedule, 4, 16, 0.005, 0.01, ranks=4, note=False)
    recorded[schedule], _, _ = sleepers.summary(by_rank)

# %%
figure, axes = plots.figure(height=7.2, rows=4, sharex=True)
for row, schedule in enumerate(("gpipe", "1f1b")):
    predicted = schedules.simulate(schedule, [0.02] * 4, [0.04] * 4, 4)
    gantt.draw(axes[2 * row], predicted, f"{schedule}, predicted")
    gantt.draw(axes[2 * row + 1], recorded[schedule], f"{schedule}, recorded")
axes[3].set(xlabel="time (s)", xlim=(0, 1.03 * max(map(schedules.span, recorded.values()))))
plots.show(
    figure,
    alt="Four Gantt charts with a row for each of four stages: GPipe predicted and recorded, 1F1B predicted "
    "and recorded. Blue forward passes run down the stages as a staircase, orange "
    "backward passes run back up. With GPipe all four forward passes come first; with 1F1B the last stage "
    "alternates from the start. The white areas of waiting have the same total size in both "
    "schedules: an idle share of 0.43 predicted, a little more recorded.",
)

# %% [markdown]
# The bubble is **the same**: 1F1B only moves it.
# What differs is how much a stage holds: GPipe m micro-batches, 1F1B min(m, p − rank), whatever m is.

# %% tags=["nbval-check-output"]
for schedule, events in recorded.items():
    print(f"{schedule:5} micro-batches held by stages 0 to 3: {schedules.held(events)}")

# %% [markdown]
# ### Memory, measured
#
# Held micro-batches are bytes.
# PyTorch tells which tensors autograd saves for backward (`saved_tensors_hooks`); `SavedBytes` counts their storages, each once, without the parameters.
# For one of our layers:

# %% tags=["nbval-check-output"]
from helix.distributed.paper.costs import Model
from helix.distributed.measured.saved import SavedBytes, layer_bytes

layer, inputs = model.transformer.h[0], torch.ones(2, 32, 64, requires_grad=True)
with SavedBytes(layer.parameters()) as saved:
    layer(inputs).sum().backward()
book = layer_bytes(Model(8, 64, 4, sequence=32), microbatch=2)
print(f"one layer, 2 sequences: {saved.peak:,} bytes saved; 16·s·b·h·4 = {book:,} ({saved.peak / book:.3f})")

# %% [markdown]
# Korthikanti et al. count the same tensors on paper: sbh(34 + 5as/h) bytes in 16 bits *with* dropout masks and stored attention scores.
# Without either, 16sbh numbers are left, in float32 64sbh bytes.
# The measured layer has 0.8 % more: means and variances of the norms, and the attention's row sums.
#
# Now all four stages, eight micro-batches of two sequences, in units of what one micro-batch takes:


# %%
def peaks(schedule: str, m: int, rematerialise: str = "") -> list[int]:
    return [
        rank["peak"]
        for rank in launch(
            trials.step_on_rank, schedule, m, 0, False, False, rematerialise, True, 2 * m, ranks=4, note=False
        )
    ]


one = peaks("gpipe", 1)
eight = {name: peaks(*how) for name, how in {"GPipe": ("gpipe", 8), "1F1B": ("1f1b", 8)}.items()}

# %% tags=["nbval-check-output"]
for name, found in eight.items():
    times = [f"{peak / unit:.1f}" for peak, unit in zip(found, one, strict=True)]
    print(f"{name:5} saves {', '.join(times)} times one micro-batch's bytes on stages 0 to 3")

# %% [markdown]
# ### Re-materialisation: keep less, compute again
#
# A layer's saved tensors are 16 times its input.
# So keep **only the input** of each layer, and run the layer once more when its backward pass needs the rest: `torch.utils.checkpoint`.

# %%
eight["GPipe, again"] = peaks("gpipe", 8, "whole")
eight["1F1B, again"] = peaks("1f1b", 8, "whole")

# %%
figure, ax = plots.figure(height=3.0)
for place, ((name, found), hatch) in enumerate(zip(eight.items(), plots.HATCHES, strict=False)):
    at = [rank + 0.2 * (place - 1.5) for rank in range(4)]
    ax.bar(
        at,
        [each / 1e6 for each in found],
        0.18,
        label=name,
        color=plots.CYCLE[place],
        hatch=hatch,
        edgecolor="white",
    )
ax.set(xlabel="stage", ylabel="saved for backward (MB)", xticks=range(4))
ax.legend(fontsize=8, ncols=2)
plots.show(
    figure,
    alt="Bytes saved for the backward pass at the peak on four stages, eight micro-batches. GPipe: about "
    "4.2 MB on each stage, 5.5 on the last, which holds the scores. 1F1B: 2.1 MB on the first "
    "stage, falling to 0.7 on the last. With layers computed again GPipe needs half a megabyte, on the "
    "last stage 1.7; 1F1B 0.3 to 0.4 everywhere.",
)

# %% [markdown]
# What does it cost?
# A forward pass is a third of a step, since backward takes twice as long; computing it again should add a third.
# Count it:

# %% tags=["nbval-check-output"]
plain = trials.operations()
for how in ("whole", "early stop"):
    print(f"{how:10}: {trials.operations(how) / plain:.3f} times the operations of the layers")

# %% [markdown]
# A third for whole layers.
# PyTorch's recommended variant (`use_reentrant=False`) stops when it has what it needs: nobody needs the result of a layer's *last* product, a third of a layer's forward pass, so it costs 2/9.
#
# ### Balancing unequal stages
#
# The law assumed equal stages.
# The head of a model with a large vocabulary costs as much as several layers, and a pipeline goes at the pace of its slowest stage.
# So cut by **cost**, not by number: among all cuts of the layers into p contiguous stages take the one whose largest sum is smallest.
# `helix.distributed.paper.balance` finds it exactly.

# %% tags=["nbval-check-output"]
from helix.distributed.paper import balance

uneven = Model(layers=8, hidden=512, heads=8, vocabulary=22_000, sequence=128)
layers = balance.layer_costs(uneven)
print("cost of each layer, in layers:", [round(cost / layers[0], 2) for cost in layers])
for boundaries in ((2, 4, 6), balance.balance(layers, 4)):
    sums = balance.stage_costs(layers, boundaries)
    shares = [round(each / sum(sums), 2) for each in sums]
    idle = schedules.idle_share(schedules.simulate("1f1b", sums, [2 * each for each in sums], 8))
    print(
        f"boundaries {boundaries}: stages {shares}, idle share {idle:.2f} (law for equal stages {3 / 11:.2f})"
    )

# %%
for how, found in record["balancing"].items():
    print(
        f"{how:8}: measured idle {found['idle']:.2f}, {found['seconds']:.2f} s; predicted "
        f"{found['predicted']:.2f}, {found['predicted_seconds']:.2f} s"
    )

# %% [markdown]
# Better, and far from the law: the head alone is more than a quarter of the work, and no cut *between* layers can divide it.
# Chapter 11 cuts **through** layers.
#
# ## The measurement
#
# What counts as "holds" was written into the experiment before the record was measured: gradients within 1e-5 (float32) and 1e-12 (float64) of one process, relative to each gradient's largest entry, for p = 2 and 4; idle shares within 0.05 of the law (an absolute margin: at m = 16 the table above says what it hides); peaks within 5 % of m and of min(m, p − rank); operations within 1 % of 4/3.
# One cell of the record again, here:

# %%
again = launch(trials.step_on_rank, "gpipe", 4, 1, ranks=4, note=False)
error = trials.largest_error(again, trials.one_process(1)[1])
stored = record["errors"]["float32 | hand | gpipe | 4"]
assert error < 1e-5, "the gradients differ from one process's"
print(f"largest error {error:.1e}; record, over three seeds {stored:.1e}")

# %%
events, idle, _ = sleepers.summary(launch(sleepers.timed, "gpipe", 8, 16, 0.01, 0.02, ranks=2))
claim(
    "gpipe_layer_split",
    measured=f"4 stages: gradients within {error:.1e} of one process; 2 stages, m = 8: idle share "
    f"{idle:.3f}, law {1 / 9:.3f}",
    verdict="holds" if abs(idle - 1 / 9) <= 0.05 else "holds if overhead is small beside the work",
    conditions="one seed, one step, shorter sleeps than in the record",
)

# %%
times = [peak / unit for peak, unit in zip(eight["1F1B"], one, strict=True)]
apart = abs(schedules.idle_share(recorded["gpipe"]) - schedules.idle_share(recorded["1f1b"]))
claim(
    "one_f_one_b_memory",
    measured=f"idle shares {apart:.3f} apart; with m = 8 the fullest stage saves {max(times):.1f} "
    "micro-batches with 1F1B, 8 with GPipe",
    verdict="holds" if apart <= 0.05 and max(times) < 4.2 else "does not hold",
    conditions="4 stages, one step",
)

# %%
claim(
    "rematerialisation_a_third",
    measured=f"{trials.operations('whole') / plain:.3f} times the operations for whole layers, "
    f"{trials.operations('early stop') / plain:.3f} in PyTorch's recommended variant",
    verdict="holds if each layer is computed again to its end",
    conditions="matrix products of 8 layers, counted; fused attention is not seen by the counter",
)

# %% [markdown]
# ## The other strand
#
# ### Who pays for idle devices
#
# An idle share is a share of a bill: a waiting device is rented and powered too, and somebody else could have used it.
# Take the largest run of the paper that we follow for 1F1B: a model of 10¹² parameters on 3,072 GPUs, p = 64 stages, 512 micro-batches on each pipeline, and by its authors' estimate 84 days (arXiv:2104.04473, section 5.1; the run itself was not finished there).
# We count plain 1F1B.
# The paper also *interleaves*: with v small stages a device the bubble is about a v-th of it, at the price of more messages.

# %% tags=["nbval-check-output"]
from helix.distributed.paper.costs import bubble
from helix.distributed.paper.published import TABLE_1

run = TABLE_1[9]
m = run.layout.microbatches(run.batch)
share = bubble(run.layout.pipeline, m)
hours = run.layout.gpus * 84 * 24
print(f"p = {run.layout.pipeline}, m = {m}: idle share {share:.3f}")
print(f"{hours:,} GPU-hours, of them idle {share * hours:,.0f}: one GPU for {share * hours / 8766:.0f} years")

# %% [markdown]
# Eleven percent sounds small.
# In energy and carbon, with a range for each input, and those that nobody documented marked as **ASSUMED**: a waiting GPU may sit near its idle power, or spin at full tilt.

# %% tags=["nbval-check-output"]
from helix.distributed.paper.footprint import GRIDS, Given, footprint

waiting = Given(60, 200, 400)  # watts of a GPU that waits: nobody published it
idle = 84 * 24 * share
source = "84 days of arXiv:2104.04473, section 5.1, times the law; the 10 % are ours"
idle_hours = Given(0.9 * idle, idle, 1.1 * idle, source)
print(footprint(run.layout.gpus, idle_hours, waiting, Given(1.1, 1.2, 1.6), GRIDS["world"]))

# %% [markdown]
# The high end of the emissions is almost 300 times the low one.
# That is the honest answer: grid and waiting power decide, and a report that gives the middle number alone claims what nobody knows.
# At an **assumed** 1 to 4 dollars for a GPU-hour the waiting costs 0.7 to 2.7 million dollars.
# A university group with four cards could work for almost twenty years in these hours.
# And memory that allows only small batches means a small m, and a larger bubble.
#
# ### A gate before the queue
#
# The control: no plan gets devices before its **simulated** step has been looked at, and no run keeps them if its **recorded** step is worse than that.
# The limit is set by those who share the devices.


# %%
def may_run(events: list, limit: float = 0.2) -> bool:
    return schedules.idle_share(events) <= limit


# %% tags=["nbval-check-output"]
for p, m in ((4, 4), (4, 16), (8, 16), (8, 32)):
    events = schedules.simulate("1f1b", [1.0] * p, [2.0] * p, m)
    print(
        f"p = {p}, m = {m:2}: idle {schedules.idle_share(events):.2f} → "
        f"{'may run' if may_run(events) else 'fix or stop'}"
    )

# %% [markdown]
# A gate sees what it was built to see: to this one, computing layers again is work.
# A plan can lower its idle share that way and still take *longer*; so look at the time of a step beside it.
#
# **Ship** a pipeline whose gradients equal one process's (the tied ends included), whose recorded idle share keeps the limit, and whose fullest stage fits.
# **Fix** one that waits: more micro-batches, a cut by cost, fewer stages, or layers computed again if the step gets shorter by it.
# **Stop** where a model that exists, or one that fits on fewer devices, would serve the same people: the cheapest idle hour is the one that nobody books.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# Four stages, four micro-batches.
# What does 1F1B change against GPipe?**
#
# <details><summary>A. The bubble: 3/7 becomes smaller.</summary>
#
# Not quite.
# Both take (m + p − 1)τ.
# 1F1B orders the passes differently and waits as long.
#
# </details>
# <details><summary>B. How much the stages hold: at most 4, 3, 2, 1 micro-batches instead of 4 each.</summary>
#
# Right.
# min(m, p − rank).
# The gain grows with m, since GPipe holds m.
#
# </details>
# <details><summary>C. The gradients, slightly: weights are updated earlier.</summary>
#
# Not quite.
# That would be PipeDream without a flush.
# Here all backward passes end before the update, and the gradients equal one process's.
#
# </details>
#
# **2.
# After the cut the training loss is a little lower than in one process.
# What do you do?**
#
# <details><summary>A. Ship it: lower is better.</summary>
#
# Not quite.
# The same model on the same data must have the same loss.
# Two untied copies of a tied weight can make it lower: it is another model.
#
# </details>
# <details><summary>B. Compare every gradient of one step with one process.</summary>
#
# Right.
# That shows where they differ; here, in the embedding's two copies.
#
# </details>
# <details><summary>C. Nothing: sums in another order differ in the last digits.</summary>
#
# Not quite.
# Rounding gave 1e-6 of a gradient here.
# A loss that differs in the second decimal after 40 steps is no rounding.
#
# </details>
#
# **3.
# You double m.
# The measured idle share falls less than the law says.
# Why?**
#
# <details><summary>A. The law holds for p = 2 only.</summary>
#
# Not quite.
# It holds for any p, if stages are equal and overhead is nothing.
#
# </details>
# <details><summary>B. Each micro-batch has a fixed overhead, and there are twice as many.</summary>
#
# Right.
# Of (m + p − 1)(W/m + o), the bubble's (p − 1)W/m shrinks with m, and the overhead's (m + p − 1)o grows.
#
# </details>
# <details><summary>C. Memory runs out.</summary>
#
# Not quite.
# It may with GPipe, but then the step fails; it does not wait.
#
# </details>
#
# **4.
# A plan says: 8 equal groups of layers, m = 64, so a bubble of 7/71, ten percent.
# The vocabulary has 256,000 tokens.
# What is missing?**
#
# <details><summary>A. Nothing: the law is exact.</summary>
#
# Not quite.
# It is exact for equal *stages*.
# Equal numbers of layers are not equal work where the last stage has a large head.
#
# </details>
# <details><summary>B. The head's cost: the slowest stage sets the pace, and all others wait for it.</summary>
#
# Right.
# Simulate with each stage's own time, and cut by cost.
#
# </details>
# <details><summary>C. More micro-batches.</summary>
#
# Not quite.
# They shrink the bubble of starting and ending.
# Waiting for a slow stage stays, however large m is.
#
# </details>
#
# ## Go on
#
# The lab comes next: its link stands on top and at the end of this page.
#
# - Y. Huang et al. (2019).
#   GPipe: efficient training of giant neural networks using pipeline parallelism.
#   arXiv:1811.06965.
# - D. Narayanan et al. (2021).
#   Efficient large-scale language model training on GPU clusters using Megatron-LM.
#   arXiv:2104.04473: the bubble, 1F1B, and its interleaved form, in which a device holds several small stages.
# - A. Harlap et al. (2018).
#   PipeDream: fast and efficient pipeline parallel DNN training.
#   arXiv:1806.03377: 1F1B without a flush, and what stale weights do.
# - T. Chen et al. (2016).
#   Training deep nets with sublinear memory cost.
#   arXiv:1604.06174: re-materialisation.
# - V. Korthikanti et al. (2022).
#   Reducing activation recomputation in large transformer models.
#   arXiv:2205.05198: what a layer keeps, byte by byte.
# - PyTorch documentation, `torch.distributed.pipelining`, version 2.13.
