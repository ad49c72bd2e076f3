# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tensor parallelism
#
# After this chapter you can split a layer over several ranks without changing what it computes, count every byte that they exchange, recognise four mistakes that raise nothing, and plan a training run for a cluster: memory, time, energy.
#
# **60 minutes · after [Pipeline parallelism](10_pipeline_parallel.ipynb) · strand: engineering.**

# %%
from importlib.metadata import version

from helix import distributed

distributed.warm()
for package in ("numpy", "torch"):
    print(package, version(package))

# %% [markdown]
# ## The claim
#
# > Megatron-LM's column-parallel linear layers split one layer over several devices.
#
# So say the articles that this course grew from, and stop there.
# Whoever builds on that sentence alone gets a layer that is right and sends several times the bytes it has to; whoever forgets one of two small operators gets *wrong gradients and no error*.
# People who rent a cluster by the hour pay for the first, people who use the model for the second.
#
# **The rule for the verdict was written before measuring.**
# The claim holds if outputs and all gradients are those of the whole layer (within 10⁻⁵ of the largest entry in float32, 10⁻¹² in float64, on 2 and 4 ranks), if the bytes are those of the formula, and if each rank holds just its share of the weights.
# It is "holds if" where columns alone send more than columns and rows together.
#
# Three ways to use t, p and d devices have names now: **data** parallelism (chapter 09) splits the batch, **pipeline** parallelism (chapter 10) the layers, **tensor** parallelism splits *inside* a layer.
#
# ## The idea, built up
#
# ### One matrix, two cuts
#
# A linear layer computes $Y = XA$.
# There are two ways to give t ranks a part of $A$ each:
#
# $$\text{columns: } X\,[A_1\; A_2] = [XA_1\; XA_2] \qquad\qquad \text{rows: } [X_1\; X_2]\begin{bmatrix}A_1\\A_2\end{bmatrix} = X_1A_1 + X_2A_2 .$$
#
# By **columns** every rank needs the whole $X$ and gets a *part* of $Y$.
# By **rows** every rank needs a *part* of $X$ and gets a *summand* of $Y$.

# %%
import numpy as np

from helix import plots

X, A = np.array([[1, 2, 0, 1]]), np.arange(16).reshape(4, 4) % 5
fig, axes = plots.figure(columns=4, rows=2, height=3.6, height_ratios=[1, 1])
left, right = np.full((4, 4), np.nan), np.full((4, 4), np.nan)
left[:, :2], right[:, 2:] = A[:, :2], A[:, 2:]
over, under = np.full((4, 4), np.nan), np.full((4, 4), np.nan)
over[:2], under[2:] = A[:2], A[2:]
names = ("A, columns of rank 0", "its part of Y", "A, columns of rank 1", "its part of Y")
for ax, matrix, name in zip(axes[0], (left, X @ A[:, :2], right, X @ A[:, 2:]), names, strict=True):
    plots.matrix(ax, matrix, name, ".0f", limits=(0, 12))
names = ("A, rows of rank 0", "its summand", "A, rows of rank 1", "its summand")
for ax, matrix, name in zip(axes[1], (over, X[:, :2] @ A[:2], under, X[:, 2:] @ A[2:]), names, strict=True):
    plots.matrix(ax, matrix, name, ".0f", limits=(0, 12))
for ax in axes.flat:
    ax.title.set_fontsize(9)
plots.show(
    fig,
    alt="A matrix of 4 by 4 cut between two ranks. Above, by columns: each rank gets two of the four "
    "entries of Y. Below, by rows: each rank gets four summands, which have to be added.",
)

# %% tags=["nbval-check-output"]
print("whole   ", X @ A)
print("columns ", np.concatenate([X @ A[:, :2], X @ A[:, 2:]], axis=1))
print("rows    ", X[:, :2] @ A[:2] + X[:, 2:] @ A[2:])

# %% [markdown]
# Now put two layers behind each other with a GELU between, as every transformer does: $Y = \text{GELU}(XA)\,B$.
# If $A$ is cut by **columns**, a rank applies the GELU to its own part, and what it holds is just the part of the input that *rows* of $B$ need: **nothing has to be exchanged between the two layers**.
# If $A$ is cut by rows, the GELU needs the sum first, because

# %% tags=["nbval-check-output"]
import torch
from torch.nn.functional import gelu

a, b = torch.tensor(-1.0), torch.tensor(2.0)
print(f"GELU(a) + GELU(b) = {gelu(a) + gelu(b):.3f}, GELU(a + b) = {gelu(a + b):.3f}")

# %% [markdown]
# ### Two operators
#
# What happens at the ends of the pair?
# Forward: $X$ is whole on every rank already, and the summands of $Y$ need an all-reduce.
# Backward it is the mirror image.
# Every rank has the whole gradient of $Y$, but of $X$ it knows only what flowed through *its* columns: those have to be summed.
# Megatron-LM calls the two operators **f** and **g**:
#
# | | forward | backward | stands |
# |---|---|---|---|
# | f | nothing | all-reduce | before columns |
# | g | all-reduce | nothing | after rows |

# %%
import torch.distributed as dist


class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        total = gradient.clone()
        dist.all_reduce(total)
        return total


# %%
class G(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        return gradient


# %% [markdown]
# That is nearly all there is to Megatron-LM.
# Here is the feed-forward block on t ranks: every rank makes the whole layers from one seed, and keeps its share.
# (PyTorch stores $A$ transposed, so that columns of $A$ are *rows* of `weight`.)

# %%
from helix.distributed import counted, launch

h, b, s = 64, 4, 32  # hidden size, batch, positions


def layers(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Linear(h, 4 * h), torch.nn.Linear(4 * h, h), torch.randn(b, s, h)


def split_mlp(x, up, down):
    t, r = dist.get_world_size(), dist.get_rank()
    own = slice(r * 4 * h // t, (r + 1) * 4 * h // t)
    part = gelu(torch.nn.functional.linear(F.apply(x), up.weight[own], up.bias[own]))
    # the bias once, after the sum
    return G.apply(torch.nn.functional.linear(part, down.weight[:, own])) + down.bias


# %%
def against_dense():
    up, down, x = layers()
    whole, part = x.clone().requires_grad_(), x.clone().requires_grad_()
    wanted = down(gelu(up(whole)))
    wanted.square().mean().backward()
    with counted() as forward:
        out = split_mlp(part, up, down)
    with counted() as backward:
        out.square().mean().backward()
    apart = [
        ((a - b).abs().max() / b.abs().max()).item() for a, b in ((out, wanted), (part.grad, whole.grad))
    ]
    return apart, [(c.name, c.bytes) for c in forward], [(c.name, c.bytes) for c in backward]


# %% tags=["nbval-check-output"]
for t in (2, 4):
    apart, forward, backward = launch(against_dense, ranks=t, note=False)[0]
    assert max(apart) < 1e-5
    print(f"{t} ranks: output and gradient are the dense ones; forward {forward}, backward {backward}")
print("b·s·h numbers of 4 bytes are", 4 * b * s * h)

# %% [markdown]
# One all-reduce of $bsh$ numbers each way, *whatever t is and however wide the inner layer*.
# `helix.distributed.parallel.tensor_parallel` has the layers as modules.
#
# ### Attention: cut by heads
#
# Attention is made of heads that do not know of each other.
# So queries, keys and values are cut by columns, *head by head*, and the output projection by rows: again f before and g after.
# One trap: many models keep queries, keys and values in **one** matrix of 3h rows.
# With four heads of one row each, rows 0 to 3 are queries, 4 to 7 keys, 8 to 11 values; the first half of them is no share of the heads.
# Cut by heads, each of two ranks holds:

# %% tags=["nbval-check-output"]
from helix.distributed.parallel.parallel_block import Block, ParallelBlock, qkv_share


def rows_of_rank():
    return qkv_share(torch.arange(12), heads=4).tolist()


print(list(launch(rows_of_rank)))

# %% [markdown]
# ### A whole layer
#
# Norms and residuals are computed whole on every rank: they are cheap, and their inputs are whole.
# So a layer has two all-reduces forward and two backward, each of $bsh$ numbers; as a ring each rank sends
#
# $$4 \cdot 2\,\frac{t-1}{t}\,bsh = 8\,\frac{t-1}{t}\,bsh .$$


# %%
def whole_layer():
    torch.manual_seed(0)
    dense = Block(h, heads=8)
    split, x = ParallelBlock(dense), torch.randn(b, s, h)
    with counted() as calls:
        out = split(x.requires_grad_())
        out.square().mean().backward()
    dense(x).square().mean().backward()
    apart = max((mine - whole).abs().max().item() for _, mine, whole in split.parts_of(dense, gradients=True))
    return apart, sum(call.ring_bytes for call in calls), sum(p.numel() for p in split.parameters())


# %% tags=["nbval-check-output"]
for t in (1, 2, 4):
    apart, sent, parameters = launch(whole_layer, ranks=t, note=False)[0]
    assert apart < 1e-5
    print(
        f"t = {t}: {parameters:,} parameters, {sent:,.0f} bytes sent, formula "
        f"{8 * (t - 1) / t * b * s * h * 4:,.0f}"
    )

# %% [markdown]
# ### Columns alone
#
# Why not cut *every* layer by columns, and gather its output?
# It is right, too.
# The record counted it for the feed-forward block, on two and four ranks and eight shapes: the output has to be gathered twice, the wide one in the middle as well, and backward f has to sum a gradient of 4h:

# %% tags=["nbval-check-output"]
from helix.record import results

record = results.load("11_tensor_parallel")["figures"]
low, high = record["gathering_sends"]
assert low == high
print(
    f"columns and columns send {low:.2f} times the bytes of columns and rows, in all shapes, on 2 and on 4 "
    "ranks"
)

# %% [markdown]
# On paper: gathering sends $\frac{t-1}{t}(4+1)\,bsh$ forward and $2\frac{t-1}{t}(1+4)\,bsh$ backward, 15 of these units instead of 4.
# (If gathering scatters in its backward pass, instead of leaving the sum to f, it is 11.)
#
# ### What goes wrong
#
# Four mistakes, in the output of a layer, relative to its largest entry; five seeds from the record.
# **None of them raises anything**, all shapes fit, and a training goes on with them:

# %%
import pandas as pd

pd.DataFrame(
    {
        f"{ranks} ranks": {
            name: f"{100 * low:.0f} to {100 * high:.0f} %" for name, (low, high) in found.items()
        }
        for ranks, found in record["mistakes"].items()
    }
)

# %% [markdown]
# The bias that every rank adds before the sum counts t times.
# With biases at 0, as many models start, *that one does not show at all*.
# This is why every layer here is held against the whole one, in outputs **and gradients**: leave out f, and the output stays right while the gradient of everything below is a part of the sum.


# %%
def without_f():
    up, down, x = layers()
    x.requires_grad_()
    own = slice(dist.get_rank() * 2 * h, (dist.get_rank() + 1) * 2 * h)
    part = gelu(torch.nn.functional.linear(x, up.weight[own], up.bias[own]))
    out = G.apply(torch.nn.functional.linear(part, down.weight[:, own])) + down.bias
    whole = x.detach().clone().requires_grad_()
    wanted = down(gelu(up(whole)))
    out.sum().backward()
    wanted.sum().backward()
    return torch.allclose(out, wanted, atol=1e-5), torch.allclose(x.grad, whole.grad, atol=1e-5)


# %% tags=["nbval-check-output"]
print("output right, gradient right:", launch(without_f)[0])

# %% [markdown]
# And **chance**: dropout on what is whole everywhere (after g) must drop the same entries on all ranks, or the copies drift apart; dropout inside the split part must drop *different* ones.
# So Megatron-LM keeps two random states.
#
# ### PyTorch's own
#
# `parallelize_module` takes an ordinary module and a plan, and makes its weights `DTensor`s that know how they are cut.
# The rules are the ones you know:


# %%
def by_pytorch():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    up, down, x = layers()
    ours = split_mlp(x, up, down)
    model = torch.nn.Sequential(up, torch.nn.GELU(), down)
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    parallelize_module(model, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    with counted() as calls:
        out = model(x.requires_grad_())
        out.sum().backward()
    return (
        torch.allclose(out, ours, atol=1e-6),
        [(c.name, c.bytes) for c in calls],
        model[0].weight.placements,
    )


# %% tags=["nbval-check-output"]
equal, calls, placements = launch(by_pytorch)[0]
print("equal to ours:", equal)
print(calls, placements)

# %% [markdown]
# The plan also takes inputs and outputs that are cut by *positions* (`Shard(0)`), so that norms and dropout between the layers work on a part of them: **sequence parallelism** (Korthikanti et al., 2022).
# Each all-reduce becomes an all-gather before the columns and a reduce-scatter after the rows.
# What does it cost?


# %%
def by_positions():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    up, down, x = layers()
    positions, own = x.view(-1, h), slice(dist.get_rank() * b * s // 2, (dist.get_rank() + 1) * b * s // 2)
    wanted = down(gelu(up(positions)))[own]
    model, mesh = torch.nn.Sequential(up, torch.nn.GELU(), down), init_device_mesh("cpu", (2,))
    plan = {"0": ColwiseParallel(input_layouts=Shard(0)), "2": RowwiseParallel(output_layouts=Shard(0))}
    parallelize_module(model, mesh, plan)
    with counted() as calls:
        out = model(positions[own])
    return torch.allclose(out, wanted, atol=1e-6), [(c.name, c.bytes, c.ring_bytes) for c in calls]


# %% tags=["nbval-check-output"]
equal, calls = launch(by_positions)[0]
print("equal to the whole layer:", equal)
print("call, bytes put in, bytes a ring sends:", *calls)
print("the all-reduce of g, as a ring:", 2 * (2 - 1) / 2 * 4 * b * s * h)

# %% [markdown]
# Two halves of the same bytes: norms and dropout between the layers now work on 1/t of the positions, for nothing more on the wire.
# (The gathered input of the columns is still kept whole for the backward pass; Korthikanti et al. cut it too, and gather it again.)
#
# ### Memory
#
# Weights, gradients and Adam's states fall to 1/t, but for norms and a few biases.
# Activations fall less: what f and the norms see is whole on every rank.
# Counted, for one layer (bytes that autograd saves; width 256):

# %%
table = {
    f"t = {t}": {
        "states": one["states"],
        "saved activations": one["saved"],
        "by the book, (4 + 12/t) / 16": (4 + 12 / t) / 16,
    }
    for name, one in record["shares"].items()
    if name.startswith("256") and (t := int(name.split(" | ")[1]))
}
pd.DataFrame(table).T.map("{:.1%} of one rank's".format)

# %% [markdown]
# Without dropout and with fused attention a layer saves $sbh(4 + 12/t)$ numbers.
# The first summand does not divide; sequence parallelism, with the input gathered again, cuts it as well.
#
# ### When it stops paying
#
# Those all-reduces stand *between* matrix products that need their result, so in this schedule nothing overlaps with them.
# The time of a layer's products falls with t; that of its messages **grows**: 2(t − 1)/t in bytes, and 2(t − 1) steps of the ring, each with a latency.
# On paper, a layer of width h on nodes of eight A100s: 300 GB/s between the GPUs of a node, and 200 GB/s out of it, through eight network cards.
# The 10 µs of latency are assumed, and high inside a node; for narrow layers they are the larger part:

# %%
from helix.distributed.paper.clusters import selene

cluster = selene(64)


def share_in_messages(width: int, t: int, tokens: int = 2048) -> float:
    """Return the all-reduces' share of a layer's time; forward and backward, 16 bits, on paper."""
    link = cluster.intra if t <= cluster.per_node else cluster.per_node * cluster.inter
    products = 6 * 12 * width**2 * tokens / t / (cluster.peak * cluster.efficiency)
    messages = 4 * (2 * (t - 1) / t * 2 * tokens * width / link + 2 * (t - 1) * cluster.latency)
    return messages / (products + messages)


# %%
fig, ax = plots.figure(height=3.0)
ts = [2, 4, 8, 16]
for width in (2048, 4096, 12288):
    ax.plot(ts, [100 * share_in_messages(width, t) for t in ts], label=f"h = {width:,}", markevery=1)
ax.set(xlabel="t, ranks that share a layer (16: two nodes)", ylabel="time in messages, %", xticks=ts)
ax.legend(frameon=False)
narrow, wide = (100 * share_in_messages(width, 8) for width in (2048, 12288))
plots.show(
    fig,
    alt="The share of time in messages grows with t and is smaller for wide layers. At t = 8 it is "
    f"{narrow:.0f} % for h = 2,048 and {wide:.0f} % for h = 12,288.",
)

# %% [markdown]
# Hence the rule of the published runs: **tensor parallelism inside a node, pipelines across nodes, and data parallelism with what is left.**
#
# ### Three dimensions at once
#
# A plan for a cluster chooses t, p and d with t·p·d GPUs, a micro-batch b, how many small stages v a GPU holds, and whether activations are computed again.
# `planner.plan` tries all that divide, drops what does not fit with the reason, and sorts the rest by estimated time.
# A model of 7.5 billion parameters on 64 A100s, 512 sequences of 2,048 tokens a step:

# %%
from helix.distributed.paper import planner
from helix.distributed.paper.costs import Model

gpt = Model(layers=36, hidden=4096, heads=32)
plans = planner.plan(gpt, cluster, 512, chunks=(1, 2, 3))
large = sum(reason.startswith("needs") for _, reason in plans.dropped)
print(
    f"{len(plans.fitting)} layouts fit, {large} need too much memory, {len(plans.dropped) - large} do not "
    "divide"
)

# %%
chosen = {}  # the best of each (t, p, d)
for one in plans.fitting:
    chosen.setdefault((one.layout.tensor, one.layout.pipeline, one.layout.data), one)
best, *others = chosen.values()
print(best, *others[:4], sep="\n")

# %% [markdown]
# All of these keep Adam's states whole on each replica (ZeRO 0, chapter 09).
# Cut them over the replicas, as most do now, and the same GPUs need neither t nor p:

# %%
print(planner.plan(gpt, cluster, 512, chunks=(1, 2, 3), zero=1).fitting[0])

# %% [markdown]
# Ask that first, before three dimensions; a larger model, or fewer sequences a step, brings them back.
#
# ### Against published runs
#
# A planner that nobody checked is an opinion.
# Narayanan et al. (2021), Table 1, give ten runs with layout and throughput.
# The record holds ours against them; one row is computed again here:

# %%
from helix.distributed.paper import published

live = published.compare(published.TABLE_1[4])
stored = record["plans"][4]
assert abs(live["throughput"] / stored["throughput"] - 1) < 1e-6
rows = pd.DataFrame(record["plans"])
pd.DataFrame(
    {
        "10⁹ parameters": rows["published parameters"],
        "published t·p·d": ["·".join(map(str, one)) for one in rows["layout"]],
        "published TFLOP/s": rows["published throughput"],
        "ours": rows["throughput"].round(0).astype(int),
        "its rank among what fits": [f"{a} of {b}" for a, b in zip(rows["rank"], rows["of"], strict=True)],
        "our choice": ["·".join(map(str, one)) for one in rows["planned"]],
    }
).set_index("10⁹ parameters")

# %%
first = int((rows["rank"] == 1).sum())
off = (rows["throughput"] / rows["published throughput"] - 1).abs().max()
unfitted = (rows["throughput"] / rows["published throughput"] - 1).abs()[5:].max()
print(
    f"the published layout is our first choice in {first} of {len(rows)} rows; throughput is off by "
    f"{off:.1%} at most, by {unfitted:.1%} in the five rows that nothing was fitted to"
)

# %% [markdown]
# Of these, one row leaves nothing else that fits, and two only two others.
# From 3.6 to 39 billion parameters the planner would split less by t than the authors did, and it prefers micro-batches of 1, because it does not know that small matrix products are slower.
# One number in it, the share of the peak that products reach, was fitted to the five *smaller* rows.
# It is an estimate to argue with, not a promise.
#
# ## The measurement
#
# `experiments/11_tensor_parallel.py`, five seeds, 2 and 4 ranks; the largest difference from the whole layer, relative to the largest entry:

# %%
pd.DataFrame(record["equal"]).T.map("{:.0e}".format)

# %%
from helix.record.claims import claim

claim(
    "megatron_column_parallel",
    measured=f"Equal to the whole layer on 2 and 4 ranks; columns alone send {low:.2f} times the bytes of "
    "columns and rows",
    verdict="holds if a row-parallel layer follows each column-parallel one" if low > 1 else "holds",
)

# %% [markdown]
# ## The other strand
#
# The plan above runs on 64 GPUs for days.
# Before *how*, the question is **whether**.
# Suppose that a public library wants an assistant that answers in its region's language.
# Three ways: **train** the 7.5 billion parameters from nothing on 150 billion tokens; **fine-tune** an open model of that size on 50 million tokens; or **don't**, and use what exists with good retrieval.
# (The library and the token counts are assumptions of this page; 20 tokens a parameter is the ratio of Hoffmann et al., 2022, arXiv:2203.15556.)
#
# Energy is devices · hours · watts · PUE, and emissions are that times the grid's grams a kilowatt-hour.
# No input is known exactly, so each has a range, and is named as assumed unless all three of its numbers have a source:

# %%
from helix.distributed.paper.footprint import GRIDS, Given, footprint

watts = Given(
    200, 330, 400
)  # of an A100; 400 W is the board's maximum (arXiv:2211.02001), to which the rest of a node adds
# 1.10: arXiv:2104.10350, Table 4; 1.2: arXiv:2211.02001; nobody looked up the high end
pue = Given(1.1, 1.2, 1.6)


def hours_for(tokens: float) -> Given:
    """Return hours on the 64 GPUs, from 10 % less than planned to 50 % more, for failures and restarts."""
    planned = tokens / (512 * gpt.sequence) * best.time / 3600
    return Given(
        0.9 * planned, planned, 1.5 * planned
    )  # the planner is within 7 % of published runs; failures are a guess


# %%
runs = {
    name: footprint(64, hours_for(tokens), watts, pue, GRIDS["world"])
    for name, tokens in {"train, 150·10⁹ tokens": 150e9, "fine-tune, 50·10⁶ tokens": 50e6}.items()
}
for name, one in runs.items():
    print(f"{name}: {one.inputs['hours'].value * 64:,.0f} GPU-hours, {one.kwh} kWh, {one.kg} kg CO2e")

# %%
print(runs["train, 150·10⁹ tokens"])

# %% [markdown]
# Fine-tuning is counted here as if it cost as much a token as training.
# **LoRA** (Hu et al., 2021, arXiv:2106.09685) leaves the model as it is and trains two thin matrices beside each of some products, h·r and r·h numbers.
# The model then needs no gradients and no Adam, and of three products for each weight the one for its gradient falls away: about two thirds of the arithmetic.

# %%
# r = 16, beside queries, keys, values and the output of each layer
thin = gpt.layers * 4 * 2 * 16 * gpt.hidden
whole = gpt.parameters
print(f"LoRA trains {thin / 1e6:.1f} million parameters, {thin / whole:.2%} of the model")
ways = {  # tokens, share of the arithmetic, bytes of weights and states
    "train": (150e9, 1, 16 * whole),
    "fine-tune all": (50e6, 1, 16 * whole),
    "fine-tune by LoRA": (50e6, 2 / 3, 2 * whole + 16 * thin),
    "don't": (0, 1, 2 * whole),
}


# %%
def row(tokens: float, share: float, held: float) -> dict[str, str]:
    hours = hours_for(share * tokens)
    kwh = footprint(64, hours, watts, pue, GRIDS["world"]).kwh
    return {
        "GB": f"{held / 1e9:.0f}",
        "A100s for them": f"{np.ceil(held / cluster.usable):.0f}",
        "kWh": f"{kwh.value:,.1f}",
        "at the high end": f"{kwh.high:,.1f}",
        "dollars, hours at the high end": f"{64 * hours.high:,.0f} to {4 * 64 * hours.high:,.0f}",
    }


pd.DataFrame({way: row(*given) for way, given in ways.items()}).T

# %% [markdown]
# A GPU-hour at 1 to 4 dollars is **assumed**.
# The last row is not free: answering costs electricity as well, about the same whichever of these models answers.
# Training costs about three thousand times as much as fine-tuning; what the other rows differ by would decide little.
# What no row says is which of them *answers well*: held out questions of the people who asked must say that.
#
# Where a run stands matters as well:

# %%
fig, ax = plots.figure(height=2.9)
places = ["Norway", "France", "Germany", "world", "India"]
found = [footprint(64, hours_for(150e9), watts, pue, GRIDS[place]).kg for place in places]
from helix.measure import Interval

plots.bars(
    ax,
    places,
    [Interval(one.value / 1e3, one.low / 1e3, one.high / 1e3, 1.0) for one in found],
    xlabel="tonnes of CO2e for training once (all inputs at their low and high ends)",
    ylabel="grid",
)
plots.show(
    fig,
    alt="Estimated emissions of the training by grid, in tonnes: "
    + "; ".join(
        f"{place} {one.value / 1e3:.1f} ({one.low / 1e3:.1f} to {one.high / 1e3:.1f})"
        for place, one in zip(places, found, strict=True)
    )
    + ".",
)

# %% [markdown]
# These are no confidence intervals: they multiply all low ends and all high ends.
# Left out, and not small: making the machines, idle nodes, the rest of a node at its busiest, and the runs that failed before.
# For BLOOM, Luccioni et al. (2022, arXiv:2211.02001) report 24.7 tonnes for the use of the machines, and 50.5 with their making and idling.
#
# And who can do this at all?
# The first run needs eight nodes of eight A100s for about nine days, *if nothing fails*; the second less than an hour of one node.
# **Whoever cannot rent the first can still do the second.**
# That too is an effect of the plan: who decides what such models know.
#
# - **Ship (train)** only if nothing that exists can be adapted, the high end of the energy is within a budget that was set before, and the run's record (chapter 09) will let others reuse it, so that it is done *once*.
# - **Fix (fine-tune)** if a model that exists is licensed for it, and held out questions show what it lacks.
# - **Stop (don't)** if what exists with retrieval answers the questions of those who asked, or if an input of the estimate that decides is only assumed.
#
# The control of the lab runs before a job is sent: it refuses a plan whose energy breaks the budget *at the high end*, or that has an input which nobody looked up.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# Why is the first layer of a feed-forward block cut by columns, and the second by rows?**
#
# <details><summary>A. Because the first is wider than long.</summary>
#
# Not quite.
# The shape does not matter; a square pair is cut in the same way.
#
# </details>
# <details><summary>B. Because then what one produces is just what the other needs, and the GELU works on whole entries.</summary>
#
# Right.
# Nothing is exchanged between the two; one all-reduce follows the second.
#
# </details>
# <details><summary>C. Because rows need no communication.</summary>
#
# Not quite.
# Rows end in a sum over the ranks: that is the all-reduce.
#
# </details>
#
# **2.
# Somebody leaves f out.
# What do they see?**
#
# <details><summary>A. An error about shapes.</summary>
#
# Not quite.
# f changes no shape, in neither direction.
#
# </details>
# <details><summary>B. A wrong output from the first step on.</summary>
#
# Not quite.
# Forward, f does nothing.
# The output of the first step is right.
#
# </details>
# <details><summary>C. At first nothing: the output is right. The gradients below the layer are only a part of their sum.</summary>
#
# Right.
# So hold gradients against the whole layer, not only outputs.
#
# </details>
#
# **3.
# From t = 2 to t = 8 in one node.
# What happens to the bytes that a rank sends for a layer?**
#
# <details><summary>A. They fall to a quarter.</summary>
#
# Not quite.
# Weights and products fall to a quarter.
# What is exchanged are activations, and they are whole.
#
# </details>
# <details><summary>B. They grow from ½·8 to ⅞·8 times bsh.</summary>
#
# Right.
# 8(t−1)/t·bsh.
# Meanwhile the arithmetic falls to a quarter, so the share of the messages grows.
#
# </details>
# <details><summary>C. They grow fourfold.</summary>
#
# Not quite.
# Each rank sends 1.75 times as much.
# All ranks together send 8(t − 1)·bsh: seven times as much.
#
# </details>
#
# **4.
# An estimate says 20 MWh, from 12 to 40.
# The budget is 25.
# What does the control of this page do?**
#
# <details><summary>A. It lets the run start: 20 is less than 25.</summary>
#
# Not quite.
# With these inputs 40 is possible, and then the budget is gone before the run has ended.
#
# </details>
# <details><summary>B. It stops it: the high end is above the budget.</summary>
#
# Right.
# Measure or look up the input with the widest range, and ask again.
#
# </details>
# <details><summary>C. It takes the mean of 12 and 40.</summary>
#
# Not quite.
# The ends are products of ends, no distribution: their mean means nothing.
#
# </details>
#
# ## Go on
#
# - **The lab:** an embedding and a loss over a vocabulary that is cut, a sum that is cut by positions, a layout for a cluster, and the decision: train, fine-tune, or don't.
# - M. Shoeybi and others, "Megatron-LM", 2019, [arXiv:1909.08053](https://arxiv.org/abs/1909.08053): f, g and both blocks.
# - D. Narayanan and others, "Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM", 2021, [arXiv:2104.04473](https://arxiv.org/abs/2104.04473): three dimensions, and the runs of the table.
# - V. Korthikanti and others, "Reducing Activation Recomputation in Large Transformer Models", 2022, [arXiv:2205.05198](https://arxiv.org/abs/2205.05198): sequence parallelism and the memory of activations.
# - D. Patterson and others, "Carbon Emissions and Large Neural Network Training", 2021, [arXiv:2104.10350](https://arxiv.org/abs/2104.10350); A. Luccioni and others, "Estimating the Carbon Footprint of BLOOM", 2022, [arXiv:2211.02001](https://arxiv.org/abs/2211.02001).
