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
from helix import distributed
from helix.distributed.parallel import pipeline_trials as trials

distributed.warm(trials.MODULES)  # in the background: the process from which ranks are forked

# %% [markdown]
# ## The claim
#
# A model that is too large for one device has to be cut.
# The simplest cut runs **between layers**: the first device computes the first layers and hands its result on.
# The sources that this course grew from ("AI大时代要懂的2种核心能力:技术驾驭与伦理决策", JC, 18 September 2025, and chapters 28 to 30 of a Chinese tutorial series on generative AI) name the method as a paper of 2019 does:
#
# > 1. GPipe trains a model that is split by its layers.
#
# It does.
# But a layer can start only when the one before it is done, so devices wait.
# Two more statements go with it, both after a paper of 2021 (Narayanan et al., sections 2.2.1 and 5.6), and explained below:
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
# A <dfn title="流水线阶段">pipeline stage</dfn> is a run of neighbouring layers that stand on one device.
# `cut` is told where a new stage begins: 2, 4, 6 gives the layers 0–1, 2–3, 4–5, 6–7.
# Running the stages one after the other, in one process, must give the model's scores:

# %% tags=["nbval-check-output"]
from helix.display import table

stages = cut(model, boundaries=(2, 4, 6))
h, rows = x, []
for number, stage in enumerate(stages):
    h = stage(h)
    size = sum(parameter.numel() for parameter in stage.parameters())
    rows.append({"stage": number, "parameters": size, "puts out": str(tuple(h.shape))})
table(rows, caption="Four stages of the model, run one after the other.")
print("largest difference to the model:", (h - model(x).logits).abs().max().item())

# %% [markdown]
# What passes between stages is small: 64 numbers for each token, here 16,384, where data parallelism would send the gradients of a stage's parameters, about 100,000.
# The two ends are heavier than the middle, since each holds 512 · 64 numbers for the vocabulary.
#
# ### One batch at a time: naive
#
# Now each stage lives on a rank of its own.
# Rank r receives from r − 1, computes, and sends to r + 1.
# Backward it goes the other way: what a stage gets back is the gradient of the loss with respect to *what this stage sent*, and `y.backward(gradient)` goes on from there.
# A received tensor is new here: autograd knows nothing of where it came from, so it must be told to keep its gradient.


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
# The **idle share** is the part of all devices' time in which they wait: with p stages (p − 1)/p.
#
# ### Micro-batches
#
# GPipe's idea: cut the batch.
# A <dfn title="微批次">micro-batch</dfn> is one of m equal parts of a batch, which go through the stages one behind the other.
# As soon as stage 0 has passed on the first, it starts the second.
# The loss is a mean over the batch, and a mean of n samples is the mean of m means of n/m samples:
#
# $$L=\frac1n\sum_{k=1}^{n}\ell_k=\frac1m\sum_{i=1}^{m}L_i \qquad\Rightarrow\qquad \nabla L=\frac1m\sum_{i=1}^{m}\nabla L_i .$$
#
# `backward()` adds to `.grad`.
# So divide each micro-batch's loss by m, and the sum comes out by itself.
# Two things have to hold.
# Nothing may look across samples, as BatchNorm does.
# And each micro-batch must have equally many targets that count: with padding they do not, so weigh each by its own number of *tokens*.
# (`transformers` took the mean of means until [October 2024](https://huggingface.co/blog/gradient_accumulation).)
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
# Run it on two ranks (cut at layer 4) and on four (at 2, 4 and 6), and compare every gradient with one process:


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
    by_rank = launch(gpipe_on_ranks, 4, ranks=p, note=False)
    print(f"{p} ranks: loss {by_rank[-1]['loss']:.4f}, gradients {compare(by_rank)}")

# %% [markdown]
# The loss is right, and some gradient is wrong.
# Which?
#
# ### The trap: two ends, one weight
#
# <dfn title="权重绑定">Tied weights</dfn> are one matrix that a model uses in two places.
# GPT-2's head uses the matrix of the token embedding.
# In one process the matrix gets two contributions to its gradient, one from each use.
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
# The record trained 40 steps with and without that sum, from three seeds:

# %%
from helix.record import claim, results

record = results.load("10_pipeline_parallel")["figures"]

# %% tags=["hide-input", "nbval-check-output"]
table(
    [
        {
            "the two ends": how,
            "copies apart by": found["apart"],
            "last loss": found["loss"],
            "in one process": found["alone"],
        }
        for how, found in record["training"].items()
    ],
    caption="Two stages after 40 steps; apart: the largest difference of an entry, over three seeds; losses: means.",
)

# %% [markdown]
# **The loss alone does not tell.**
# Without the sum it is even a little lower, with each of the seeds: two free copies are another, larger model.
# Only the comparison with one process shows that it is not the model that was to be trained.
#
# From here on `helix.distributed.parallel.pipeline_parallel.Pipeline` does the work.
# It is the loop above for any schedule, and adds the ends, weighs micro-batches by their targets, records when each pass ran, and checks that the stages agree.

# %% tags=["nbval-check-output"]
for p in (2, 4):
    print(p, "ranks:", compare(launch(trials.step_on_rank, "gpipe", 4, ranks=p, note=False)))
assert trials.largest_error(launch(trials.step_on_rank, "gpipe", 4, ranks=2), gradients) < 1e-5

# %% [markdown]
# ### How long do they wait? The bubble
#
# Let all p stages take the same time for a micro-batch, τ for forward and backward together.
# A pipeline's <dfn title="流水线气泡">bubble</dfn> is the time in which its devices wait, while it fills at the start of a step and drains at the end.
# The last stage begins after p − 1 forward passes, one on each stage before it; when it is done, p − 1 backward passes are still to come.
# So the step takes (m + p − 1)τ, of which each stage works mτ:
#
# $$\text{idle share}=1-\frac{m\tau}{(m+p-1)\tau}=\frac{p-1}{m+p-1}.$$
#
# With m = 1 that is the naive (p − 1)/p, and it falls with every micro-batch.
# (Narayanan et al. divide by the *ideal* time instead, (p − 1)/m: the same wait, a larger number.)

# %% tags=["nbval-check-output"]
idle = {m: schedules.idle_share(schedules.simulate("gpipe", forward, backward, m)) for m in (1, 4, 16)}
rows = [{"m": m, "simulated": share, "(p − 1)/(m + p − 1)": 3 / (m + 3)} for m, share in idle.items()]
table(rows, caption="Idle share of four equal stages.")

# %% [markdown]
# Does it hold where clocks run?
# A stage that *computes* would measure how busy this laptop is: four ranks on two cores disturb each other.
# A stage that **sleeps** needs no core.
# The record's stages sleep 16 ms a sample forward and 32 ms backward, for a batch of 32.

# %%
import numpy as np
import pandas as pd

from helix import plots

bubbles = pd.DataFrame(record["bubble"])
bubbles["above"] = bubbles["idle"] / bubbles["law"] - 1  # relative to the law

# %% tags=["hide-input"]
figure, ax = plots.figure(height=3.4)
fine = np.geomspace(2, 16, 60)
for p, colour, line in ((2, "blue", "-"), (4, "vermilion", "--")):
    ax.plot(
        fine, (p - 1) / (fine + p - 1), line, color=plots.COLOURS[colour], marker="", label=f"law, p = {p}"
    )
for (schedule, by), marker, name in (
    (("gpipe", "hand"), "o", "GPipe by hand"),
    (("1f1b", "hand"), "^", "1F1B by hand"),
    (("gpipe", "PyTorch"), "x", "GPipe by PyTorch"),
):
    for p, colour in ((2, "blue"), (4, "vermilion")):
        part = bubbles.query("p == @p and schedule == @schedule and by == @by")
        ax.plot(
            part["m"], part["idle"], marker, color=plots.COLOURS[colour], markevery=1, linestyle="", alpha=0.8
        )
    ax.plot([], [], marker, color="#666666", linestyle="", label=name)
ax.set(xlabel="micro-batches m", ylabel="idle share", xscale="log", xticks=[2, 4, 8, 16], ylim=(0, 0.65))
ax.set_xticklabels([2, 4, 8, 16])
ax.minorticks_off()
ax.legend(fontsize=8, frameon=False)
plots.show(
    figure,
    alt="Idle share against the number of micro-batches, for 2 stages (blue, lower) and 4 (orange, higher). Two falling "
    "curves are the law. The measured points of GPipe by hand and by PyTorch and of 1F1B by hand lie on them for 2 and 4 "
    "micro-batches, a little above them for 8, and clearly above for 16.",
    caption="Idle share of stages that sleep: law, and medians of three steps (1F1B by PyTorch: in the table below).",
)

# %% [markdown]
# On the law at first, above it as m grows.
# The difference *relative to the law*:

# %% tags=["hide-input"]
groups = bubbles.groupby(["p", "m"])["above"]
least, most = groups.min(), groups.max()
table(
    [
        {"m": m} | {f"p = {p}": f"{least[p, m]:.0%} to {most[p, m]:.0%}" for p in (2, 4)}
        for m in (2, 4, 8, 16)
    ],
    caption="How far idle shares lie above the law, in per cent of it: least and most of both schedules, by hand and by PyTorch.",
)

# %% [markdown]
# So the law is right within an eighth up to m = 8.
# At m = 16 and two stages, the idle share is up to half as large again as it says.
# Each micro-batch costs some **overhead** o (two messages, Python, a sleep that ends late), whatever its size, so a step in which each stage works for W = mτ seconds takes (m + p − 1)(W/m + o).
# So more micro-batches help until overhead eats what the bubble gives back.
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
# <dfn title="一前一后调度">1F1B</dfn> ("one forward, one backward") starts a backward pass as soon as the first gradient can be back, and from then on does one forward and one backward pass in turn.
# So it lets one micro-batch go for each that it takes.

# %% tags=["nbval-check-output"]
for schedule in ("gpipe", "1f1b"):
    print(schedule)
    for rank in range(3):
        print("  stage", rank, " ".join(f"{kind}{i}" for kind, i in schedules.order(schedule, 3, rank, 4)))

# %% [markdown]
# Here two neighbours may want to send to each other at the same time: one its output down, the other a gradient up.
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

# %% tags=["hide-input"]
figure, axes = plots.figure(height=7.6, rows=4, sharex=True)
for row, schedule in enumerate(("gpipe", "1f1b")):
    predicted = schedules.simulate(schedule, [0.02] * 4, [0.04] * 4, 4)
    gantt.draw(axes[2 * row], predicted, f"{schedule}, predicted")
    gantt.draw(axes[2 * row + 1], recorded[schedule], f"{schedule}, recorded", legend=row == 1)
axes[3].set(xlabel="time (s)", xlim=(0, 1.03 * max(map(schedules.span, recorded.values()))))
plots.show(
    figure,
    alt="Four Gantt charts with a row for each of four stages: GPipe predicted and recorded, 1F1B predicted "
    "and recorded. Blue forward passes run down the stages as a staircase, orange backward passes run back up. With GPipe "
    "all four forward passes come first; with 1F1B the last stage alternates from the start. The white areas of waiting "
    "have the same total size in both schedules: an idle share of 0.43 predicted, a little more recorded.",
    caption="Four stages, four micro-batches (their numbers on the bars): GPipe and 1F1B, predicted and recorded.",
)

# %% [markdown]
# The bubble is **the same**: 1F1B only moves it.
# What differs is how much a stage holds: GPipe m micro-batches, 1F1B at most p − rank, however large m is.

# %% tags=["nbval-check-output"]
held = {schedule: schedules.held(events) for schedule, events in recorded.items()}
print("micro-batches held by stages 0 to 3:", held)

# %% [markdown]
# ### A smaller bubble, for more messages
#
# Filling and draining together make each device wait for (p − 1)τ.
# The <dfn title="交错调度">interleaved schedule</dfn> gives each device v small stages (chunks) instead of one large one, so that a micro-batch goes round all devices v times.
# The wait is then a v-th as long, and the idle share $(p-1)/(vm+p-1)$.
# The price is v times as many messages, and more micro-batches held at once.

# %%
plain = schedules.simulate("1f1b", [0.02] * 4, [0.04] * 4, 4)
interleaved = schedules.simulate_interleaved([0.02] * 4, [0.04] * 4, 4, chunks=2)

# %% tags=["hide-input"]
figure, axes = plots.figure(height=4.4, rows=2, sharex=True)
gantt.draw(axes[0], plain, "1F1B, v = 1")
gantt.draw(axes[1], interleaved, "interleaved, v = 2", legend=True)
for ax in axes:
    ax.set_ylabel("device")
axes[1].set(xlabel="time (s)", xlim=(0, 1.03 * schedules.span(plain)))
plots.show(
    figure,
    alt=f"Two Gantt charts of four devices and four micro-batches, simulated. 1F1B takes {schedules.span(plain):.2f} s with an "
    f"idle share of {schedules.idle_share(plain):.2f}. Interleaved with two chunks a device, the second drawn paler, it takes "
    f"{schedules.span(interleaved):.2f} s with an idle share of {schedules.idle_share(interleaved):.2f}.",
    caption="The same work, simulated: one stage a device, and two (the second paler).",
)

# %% [markdown]
# Newer: *zero bubble* (2023) cuts the backward pass in two: the gradient that the stage before waits for, and the gradient of the weights, which can fill the gaps.
# *DualPipe* (DeepSeek-V3, 2024) feeds micro-batches from both ends.
# Neither was run here.
#
# ### Memory, measured
#
# PyTorch tells which tensors autograd saves for backward (`saved_tensors_hooks`); `SavedBytes` adds up their bytes, each storage once, without the parameters.
# For one of our layers:

# %% tags=["nbval-check-output"]
from helix.distributed.paper.costs import Model
from helix.distributed.measured.saved import SavedBytes, layer_bytes

layer, inputs = model.transformer.h[0], torch.ones(2, 32, 64, requires_grad=True)
with SavedBytes(layer.parameters()) as saved:
    layer(inputs).sum().backward()
book = layer_bytes(Model(8, 64, 4, sequence=32), microbatch=2)
print(f"one layer saves {saved.peak:,} bytes; 64·s·b·h = {book:,} ({saved.peak / book:.3f})")

# %% [markdown]
# Here s = 32 is the number of positions, b = 2 that of sequences in a micro-batch, and h = 64 the hidden size.
# On paper a layer saves 16·s·b·h numbers, if there is no dropout and attention keeps no scores: 64·s·b·h bytes in float32.
# The measured layer has 0.8 % more: means and variances of the norms, and the attention's row sums.
# (Korthikanti et al. count in 16 bits, with dropout masks and attention scores, for *a* heads: *sbh*(34 + 5*as*/*h*) bytes.)
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

# %% tags=["hide-input", "nbval-check-output"]
rows = {name: {f"stage {r}": found[r] / one[r] for r in range(4)} for name, found in eight.items()}
table(
    pd.DataFrame(rows).T,
    caption="Bytes saved at the peak with eight micro-batches, in units of what one micro-batch takes on that stage.",
    formats=".1f",
)

# %% [markdown]
# ### Re-materialisation: keep less, compute again
#
# What a layer saves is 16 times its input.
# <dfn title="重计算">Re-materialisation</dfn> keeps only the input of each layer, and computes the layer once more when its backward pass needs the rest.
# (It is also called activation recomputation, or gradient checkpointing; PyTorch has it as `torch.utils.checkpoint`.)

# %%
eight["GPipe, again"] = peaks("gpipe", 8, "whole")
eight["1F1B, again"] = peaks("1f1b", 8, "whole")

# %% tags=["hide-input"]
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
ax.legend(fontsize=8, ncols=4, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
plots.show(
    figure,
    alt="Bytes saved for the backward pass at the peak on four stages, eight micro-batches. GPipe: about "
    "4.2 MB on each stage, 5.5 on the last, which holds the scores. 1F1B: 2.1 MB on the first "
    "stage, falling to 0.7 on the last. With layers computed again GPipe needs half a megabyte, on the "
    "last stage 1.7; 1F1B 0.3 to 0.4 everywhere.",
    caption="Saved for backward at the peak, eight micro-batches; “again”: layers are computed again.",
)

# %% [markdown]
# What does it cost?
# A forward pass is a third of a step, since backward takes twice as long; computing it again should add a third.
# Count the operations of the layers' matrix products:

# %% tags=["nbval-check-output"]
plain = trials.operations()
again = {how: trials.operations(how) / plain for how in ("whole", "early stop")}
print({how: f"{ratio:.3f} times" for how, ratio in again.items()})

# %% [markdown]
# A third for whole layers.
# PyTorch's recommended variant (`use_reentrant=False`) stops when it has what it needs: nobody needs the result of a layer's *last* product, a third of its forward pass, so two thirds of a third are added, 2/9.
#
# ### Balancing unequal stages
#
# The law assumed equal stages.
# The head costs 6·h·V operations for each token (V is the size of the vocabulary), as much as several layers where V is large, and a pipeline goes at the pace of its slowest stage.
# So cut by **cost**, not by number: among all cuts of the layers into p contiguous stages take the one whose largest sum is smallest.
# `helix.distributed.paper.balance` finds it exactly.

# %% tags=["nbval-check-output"]
from helix.distributed.paper import balance

uneven = Model(layers=8, hidden=512, heads=8, vocabulary=22_000, sequence=128)
layers = balance.layer_costs(uneven)
print("cost of each layer, in layers:", [round(cost / layers[0], 2) for cost in layers])
print("boundaries by cost:", balance.balance(layers, 4))

# %% tags=["hide-input"]
table(
    [
        {
            "cut": {"even": "two layers each", "balanced": "by cost"}[how],
            "shares of the work": ", ".join(f"{share:.2f}" for share in found["shares"]),
            "idle, predicted": found["predicted"],
            "idle, measured": found["idle"],
            "seconds, predicted": found["predicted_seconds"],
            "seconds, measured": found["seconds"],
        }
        for how, found in record["balancing"].items()
    ],
    caption=f"Four stages with a heavy head, m = 8, 1F1B; equal stages would be idle for {3 / 11:.2f} of the time.",
    formats=".2f",
)

# %% [markdown]
# Better, and far from the law: the head alone is 30 % of the work, and no cut *between* layers can divide it.
# Chapter 11 cuts **through** layers.
#
# ## The measurement
#
# What counts as "holds" was written into the experiment before the record was measured: gradients within 1e-5 (float32) and 1e-12 (float64) of one process, relative to each gradient's largest entry, for p = 2 and 4; peaks within 5 % of m and of min(m, p − rank); operations within 1 % of 4/3, in both variants.
# One rule was written after the times had been measured.
# At first an idle share was to lie within 0.05 of the law: at m = 16 and p = 2 that allows 85 % more, so there it tested nothing.
# Now the distance from the law is told in per cent of it, and the two schedules may differ by 10 % of the smaller share.
# One cell of the record again, here:

# %%
repeated = launch(trials.step_on_rank, "gpipe", 4, 1, ranks=4, note=False)
error = trials.largest_error(repeated, trials.one_process(1)[1])
stored = record["errors"]["float32 | hand | gpipe | 4"]
assert error < 1e-5, "the gradients differ from one process's"
print(f"largest error {error:.1e}; record, over three seeds {stored:.1e}")

# %%
_, share, _ = sleepers.summary(launch(sleepers.timed, "gpipe", 8, 16, 0.01, 0.02, ranks=2))
claim(
    "gpipe_layer_split",
    measured=f"4 stages: gradients within {error:.1e} of one process. 2 stages, m = 8: the idle share is "
    f"{share:.3f}, {9 * share - 1:+.0%} from the law.",
    verdict="holds",
    conditions="one seed, one step, shorter sleeps than in the record; what else this machine does counts as "
    "waiting",
)

# %%
most = max(peak / unit for peak, unit in zip(eight["1F1B"], one, strict=True))
waits = [schedules.idle_share(recorded[schedule]) for schedule in ("gpipe", "1f1b")]
claim(
    "one_f_one_b_memory",
    measured=f"m = 4: idle shares {waits[0]:.3f} (GPipe) and {waits[1]:.3f} (1F1B); m = 8: the fullest stage "
    f"saves {most:.1f} micro-batches with 1F1B, 8 with GPipe.",
    verdict="holds" if max(waits) <= 1.1 * min(waits) and most < 4.2 else "not tested",
    conditions="4 stages, one step: whatever else this machine does is in the idle shares",
)

# %%
claim(
    "rematerialisation_a_third",
    measured=f"{again['whole']:.3f} times the operations for whole layers, {again['early stop']:.3f} in "
    "PyTorch's recommended variant",
    verdict="holds if each layer is computed again to its end",
    conditions="matrix products of 8 layers, counted; fused attention is not seen by the counter",
)

# %% [markdown]
# The third claim does not hold as it stands: the rule asked for both variants, and the recommended one costs less.
#
# ## The other strand
#
# ### Who pays for idle devices
#
# An idle share is a share of a bill: a waiting device is rented and powered too, and somebody else could have used it.
# Take the largest run of the paper of 2021: a model of 10¹² parameters on 3,072 A100s, p = 64 stages, 512 micro-batches on each pipeline, and by its authors' estimate 84 days (section 5.1 of [arXiv:2104.04473](https://arxiv.org/abs/2104.04473); the run itself was not finished there).
# That section says that the schedule was interleaved.
# The script that was published for it [has no small stages](https://github.com/NVIDIA/Megatron-LM/blob/cf547dea839f709ec2f147da0679d663da3c20da/examples/sc21/run_table_1.sh) for this model: v = 1.
# The two do not fit together, so here are both:

# %% tags=["nbval-check-output"]
from helix.distributed.paper.costs import bubble
from helix.distributed.paper.published import TABLE_1

run = TABLE_1[9]
m, hours = run.layout.microbatches(run.batch), run.layout.gpus * 84 * 24
waiting = {v: bubble(run.layout.pipeline, m, v) for v in (1, 2)}

rows = [
    {
        "v": v,
        "idle share": share,
        "GPU-hours idle": round(share * hours),
        "years of one GPU": share * hours / 8766,
    }
    for v, share in waiting.items()
]
formats = {"idle share": ".3f", "years of one GPU": ".0f"}
table(rows, caption=f"What waits in {hours:,} GPU-hours, with p = 64 and m = {m}.", formats=formats)

# %% [markdown]
# Six to eleven per cent sounds small.
# Here it is in electricity and carbon, for v = 1; inputs have ranges, and what nobody documented is marked as assumed.
# A waiting GPU may draw little power, or nearly full power while it asks again and again for a message; the rest of its node runs in any case.

# %%
from helix.distributed.paper.footprint import GRIDS, WATTS, Given, footprint

idle = 84 * 24 * waiting[1]
watts = Given(60, 400, WATTS["A100"].high)  # of a GPU that waits: nobody published it
found = footprint(
    run.layout.gpus, Given(0.9 * idle, idle, 1.1 * idle), watts, Given(1.1, 1.2, 1.6), GRIDS["world"]
)

# %% tags=["hide-input", "nbval-check-output"]
table(
    [
        {"": name, "low": one.low, "middle": one.value, "high": one.high, "source": one.source or "assumed"}
        for name, one in {
            **found.inputs,
            "→ MWh": Given(found.kwh.low / 1e3, found.kwh.value / 1e3, found.kwh.high / 1e3, "the product"),
            "→ tonnes CO2e": Given(
                found.kg.low / 1e3, found.kg.value / 1e3, found.kg.high / 1e3, "the product"
            ),
        }.items()
    ],
    caption="The waiting of one run on paper: all low ends, all middles, all high ends multiplied.",
    formats=".3g",
)

# %% [markdown]
# The high end of the emissions is more than 500 times the low one.
# Grid and waiting power decide: a report that gives the middle number alone claims what nobody knows.
# At an **assumed** 1 to 4 dollars for a GPU-hour, the waiting costs 0.4 million dollars (v = 2, low end) to 2.7 million (v = 1, high end).
# These idle hours would keep the four cards of a university group busy for 10 to 19 years.
# Fewer micro-batches on as many stages would wait for a larger share.
#
# ### A gate before the queue
#
# The control: no plan gets devices before its **simulated** step has been looked at, and no run keeps them if its **recorded** step breaks the limit.
# What should the gate look at?
# Not the idle share alone: computing layers again keeps a device busy too, and trains the model no further.
# Look at the MFU (chapter 9): the operations that the *model* asks for, over those that p devices could have done in the time.
# (Where everything that was computed counts, it is called HFU, hardware FLOPs utilisation: there, waste looks like work.)
# A model of 32 layers on eight cards, three plans:

# %%
from helix.distributed.paper.pipeline_plan import PipelinePlan, plan_for

wide = Model(layers=32, hidden=4096, heads=32, vocabulary=50_000)
even = range(4, 32, 4)  # four layers on each card
plans = {
    "m = 16": plan_for(wide, even, 16, device=80e9),
    "m = 32": plan_for(wide, even, 32, device=80e9),
    "m = 32, layers computed again": plan_for(wide, even, 32, device=80e9, rematerialised=True),
}


def may_run(plan: PipelinePlan, limit: float = 0.45) -> bool:
    return plan.mfu >= limit


# %% tags=["hide-input", "nbval-check-output"]
table(
    [
        {
            "plan": name,
            "idle share": schedules.idle_share(plan.events()),
            "seconds for 32 sequences": 32 / plan.microbatches * schedules.span(plan.events()),
            "MFU": plan.mfu,
            "may run": may_run(plan),
        }
        for name, plan in plans.items()
    ],
    caption="A gate by MFU: the plan that waits least is the slowest one.",
    formats=".2f",
)

# %% [markdown]
# The third plan is right only where nothing else fits: so the gate needs the memory of the fullest stage beside the MFU.
# Those who share the devices set both limits.
#
# **Ship** a pipeline whose gradients equal one process's (the tied ends included), whose recorded MFU keeps the limit, and whose fullest stage fits.
# **Fix** one that waits or does not fit: more micro-batches, a cut by cost, fewer stages, or layers computed again if that is the only way to fit.
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
# That would be PipeDream (2018), which updates before all backward passes have ended.
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
# - Y. Huang et al. (2019).
#   GPipe: efficient training of giant neural networks using pipeline parallelism.
#   [arXiv:1811.06965](https://arxiv.org/abs/1811.06965).
# - D. Narayanan et al. (2021).
#   Efficient large-scale language model training on GPU clusters using Megatron-LM.
#   [arXiv:2104.04473](https://arxiv.org/abs/2104.04473): the bubble, 1F1B, its interleaved form, and what re-materialisation costs.
# - A. Harlap et al. (2018).
#   PipeDream: fast and efficient pipeline parallel DNN training.
#   [arXiv:1806.03377](https://arxiv.org/abs/1806.03377): 1F1B that updates before the batch has ended, and what stale weights do.
# - P. Qi et al. (2023).
#   Zero bubble pipeline parallelism.
#   [arXiv:2401.10241](https://arxiv.org/abs/2401.10241).
# - DeepSeek-AI (2024).
#   DeepSeek-V3 technical report.
#   [arXiv:2412.19437](https://arxiv.org/abs/2412.19437): DualPipe.
# - T. Chen et al. (2016).
#   Training deep nets with sublinear memory cost.
#   [arXiv:1604.06174](https://arxiv.org/abs/1604.06174): re-materialisation.
# - V. Korthikanti et al. (2022).
#   Reducing activation recomputation in large transformer models.
#   [arXiv:2205.05198](https://arxiv.org/abs/2205.05198): what a layer keeps, byte by byte.
# - PyTorch documentation, [`torch.distributed.pipelining`](https://docs.pytorch.org/docs/stable/distributed.pipelining.html), version 2.13.
