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
# After this chapter you can split a layer over several ranks without changing what it computes, count every byte that they exchange, recognise mistakes that raise nothing, and plan a training run for a cluster: memory, time, energy.
#
# **60 minutes · after [Pipeline parallelism](10_pipeline_parallel.ipynb) · strand: engineering.**

# %%
from helix import distributed

distributed.warm()  # in the background: the process from which ranks are forked

# %% [markdown]
# ## The claim
#
# > Megatron-LM's column-parallel linear layers split one layer over several devices.
#
# So say the texts that this course grew from ("AI大时代要懂的2种核心能力:技术驾驭与伦理决策", JC, 18 September 2025, and chapters 28 to 30 of a Chinese tutorial series on generative AI), and stop there.
# Whoever builds on that sentence alone gets a layer that is right and sends about three times the bytes it has to; whoever forgets a small operator before it gets *wrong gradients and no error*.
# People who rent a cluster by the hour pay for the first, people who use the model for the second.
#
# **The rule for the verdict was written before measuring.**
# The claim holds if outputs and all gradients are those of the whole layer (within 10⁻⁵ of the largest entry in float32, 10⁻¹² in float64, on 2 and 4 ranks), if the bytes are those of the formula below, and if each rank holds just its share of the weights that are split.
# If columns alone send more than columns followed by rows, the verdict is only "holds if".
#
# Data parallelism (chapter 09) splits the batch over d devices, pipeline parallelism (chapter 10) the layers over p.
# <dfn title="张量并行">Tensor parallelism</dfn> splits single layers: each of t devices holds a part of every matrix.
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

X, A = np.array([[1, 2, 0, 1]]), np.arange(16).reshape(4, 4) % 5

# %% tags=["hide-input"]
from matplotlib.patches import Rectangle

from helix import plots

EVERY = slice(None)


def cells(ax, left, matrix, rows=EVERY, columns=EVERY):
    """Draw a matrix with its top left corner at (left, 0), or in the middle if it has one row; hatched: not on this rank."""
    has = np.zeros(matrix.shape, dtype=bool)
    has[rows, columns] = True
    for (i, j), value in np.ndenumerate(matrix):
        look = {"facecolor": "#cfe5f2"} if has[i, j] else {"facecolor": "white", "hatch": "////"}
        corner = (left + j, i + 1.5 * (len(matrix) == 1))
        ax.add_patch(Rectangle(corner, 1, 1, edgecolor="#888888", linewidth=0.7, **look))
        if has[i, j]:
            ax.text(corner[0] + 0.5, corner[1] + 0.5, value, ha="center", va="center", fontsize=9)


fig, axes = plots.figure(columns=2, rows=2, height=3.7)
for rank in range(2):
    own = slice(2 * rank, 2 * rank + 2)
    for ax, how, shares in (
        (axes[0, rank], "columns", ((EVERY, EVERY), (EVERY, own), (EVERY, own), X @ A)),
        (axes[1, rank], "rows", ((EVERY, own), (own, EVERY), (EVERY, EVERY), X[:, own] @ A[own])),
    ):
        for left, matrix, share in zip((0, 5, 10), (X, A, shares[3]), shares, strict=False):
            cells(ax, left, matrix, *share)
        for left, name in (
            (2, "X"),
            (4.5, "·"),
            (7, "A"),
            (9.5, "="),
            (12, "part of Y" if how == "columns" else "summand of Y"),
        ):
            ax.text(
                left,
                2 if len(name) == 1 and name in "·=" else 4.6,
                name,
                ha="center",
                va="center",
                fontsize=9,
            )
        ax.set(xlim=(-0.2, 14.2), ylim=(5, -0.2), aspect="equal", title=f"{how}, rank {rank}")
        ax.set_axis_off()
plots.show(
    fig,
    alt="Four products of a row X of four numbers and a matrix A of 4 by 4, each on one of two ranks. Above, by columns: each "
    "rank has the whole of X and two columns of A, and gets two of the four entries of Y. Below, by rows: each rank has two "
    "numbers of X and two rows of A, and gets four summands, which have to be added to those of the other rank.",
    caption="What each of two ranks holds and gets (hatched: not on this rank).",
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
# These two are the heart of Megatron-LM's tensor parallelism.
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
def against_whole():
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
    apart, forward, backward = launch(against_whole, ranks=t, note=False)[0]
    assert max(apart) < 1e-5
    print(
        f"{t} ranks: output and gradient of X are the whole layer's; forward {forward}, backward {backward}"
    )
print("b·s·h numbers of 4 bytes are", 4 * b * s * h)

# %% [markdown]
# One all-reduce of $bsh$ numbers each way, on two ranks and on four; *the width of the inner layer is not in it*.
# `helix.distributed.parallel.tensor_parallel` has the layers as modules.
#
# ### Attention: cut by heads
#
# Attention is made of heads that do not know of each other.
# So queries, keys and values are cut by columns, *head by head*, and the output projection by rows: again f before and g after.
# One trap: many models keep queries, keys and values in **one** matrix of 3h rows, a *fused projection*.
# With four heads of one row each, rows 0 to 3 are queries, 4 to 7 keys, 8 to 11 values; rows 0 to 5 would be all queries, two keys and no value.
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
    pairs = [(mine, whole) for _, mine, whole in split.parts_of(dense, gradients=True)]
    apart = max(((mine - whole).abs().max() / whole.abs().max()).item() for mine, whole in pairs)
    return apart, sum(call.ring_bytes for call in calls), sum(p.numel() for p in split.parameters())


# %% tags=["nbval-check-output"]
from helix.display import table

rows, errors = [], []
for t in (1, 2, 4):
    apart, sent, parameters = launch(whole_layer, ranks=t, note=False)[0]
    errors.append(apart)
    formula = round(8 * (t - 1) / t * b * s * h * 4)
    rows.append({"t": t, "parameters": parameters, "bytes sent": round(sent), "by the formula": formula})
assert max(errors) < 1e-5
exact = all(row["bytes sent"] == row["by the formula"] for row in rows)
table(rows, caption="A whole transformer layer: what one rank holds, and sends forward and backward.")

# %% [markdown]
# ### Columns alone
#
# Why not cut *every* layer by columns, and gather its output?
# It is right, too.
# But now the wide output in the middle travels as well.
# How much more depends on the way back: either f sums the whole gradient of what was gathered, and each rank throws away what is not its own; or a reduce-scatter (chapter 09) gives each rank the sum of its own part only.
# The record counted both for the feed-forward block, on two and four ranks and eight shapes:

# %% tags=["nbval-check-output"]
from helix.record import results

record = results.load("11_tensor_parallel")["figures"]
ways = {"the sum left to f": "gathering_sends", "a reduce-scatter": "scattering_sends"}
for way, name in ways.items():
    low, high = record[name]
    assert low == high
    print(f"columns and columns, {way}: {low:.2f} times the bytes of columns and rows")

# %% [markdown]
# On paper, in units of $\frac{t-1}{t}bsh$: columns and rows send 4.
# Columns alone gather 4 + 1 forward, and send back 2 · 4 + 2 (with f) or 4 + 2 (reduce-scatter): 15 or 11.
#
# ### What goes wrong
#
# Four mistakes from the record: one in attention (rows of the fused projection dealt out in a row, not by heads), three in the feed-forward block ("no sum" leaves out g).
# **None of them raises anything**, and all shapes fit, so a training would go on with them:

# %% tags=["hide-input"]
import pandas as pd

table(
    pd.DataFrame(
        {
            f"{ranks} ranks": {
                name: f"{100 * low:.0f} to {100 * high:.0f} %" for name, (low, high) in found.items()
            }
            for ranks, found in record["mistakes"].items()
        }
    ).rename_axis("mistake"),
    caption="Largest difference from the right output, relative to its largest entry: lowest to highest of five seeds.",
)

# %% [markdown]
# The bias that every rank adds before the sum counts t times.
# With biases at 0, as many models start, *that one does not show at all*.
# This is why every layer here is held against the whole one, in outputs **and gradients**: leave out f, and the output stays right while the gradient of everything below is only a part of the sum.


# %%
def without_f():
    up, down, x = layers()
    x.requires_grad_()
    own = slice(dist.get_rank() * 2 * h, (dist.get_rank() + 1) * 2 * h)  # of 4h, on two ranks
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
# A last one is **chance**: dropout on what is whole everywhere (after g) must drop the same entries on all ranks, or the copies drift apart; dropout inside the split part must drop *different* ones.
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
# The plan also takes inputs and outputs that are cut by *positions* (`Shard(0)`).
# <dfn title="序列并行">Sequence parallelism</dfn> lets the t ranks share the positions where tensor parallelism leaves whole tensors on each: in norms and dropout (Korthikanti et al., 2022).
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
# Two halves of the same bytes: norms and dropout between the layers can work on 1/t of the positions, and nothing more is sent.
# But here each rank keeps the *gathered* input of the columns for its backward pass.
# Korthikanti et al. keep their own positions only, and gather once more in the backward pass: five all-reduces' worth of bytes a layer instead of four.
#
# ### Memory
#
# Weights, gradients and Adam's states fall to 1/t, but for norms and a few biases.
# Activations fall less: what f and the norms see is whole on every rank.
# On paper, without dropout and with attention that keeps no scores (*fused*), a layer saves $sbh(4 + 12/t)$ numbers for its backward pass.
# The record counted the bytes of one layer of width 256:

# %% tags=["hide-input"]
rows = [
    {
        "t": int(name.split(" | ")[1]),
        "weights, gradients, Adam": one["states"],
        "saved activations": one["saved"],
        "(4 + 12/t) / 16": (4 + 12 / int(name.split(" | ")[1])) / 16,
    }
    for name, one in record["shares"].items()
    if name.startswith("256")
]
table(
    rows, caption="What a rank holds of one layer, as a share of what one process alone holds.", formats=".1%"
)

# %% [markdown]
# The 4 is not divided by t.
# Sequence parallelism that gathers again divides it as well, on paper: $16\,sbh/t$.
#
# ### When it stops paying
#
# Those all-reduces stand *between* matrix products that need their result, so in this schedule nothing overlaps with them.
# The time of a layer's products falls with t; that of its messages **grows**: 2(t − 1)/t in bytes, and 2(t − 1) steps of the ring, each with a latency.
# On paper, a layer of width h and 2,048 tokens, on nodes of eight A100s as in chapter 09: a ring carries 235 GB/s inside a node and 200 GB/s out of it, through eight network cards; a step of it starts in 3.4 µs inside and 9.6 µs between nodes.
# Of ring and trees the faster counts, as NCCL chooses it:

# %%
from helix.distributed.paper.clusters import selene
from helix.distributed.paper.costs import Layout, Model

cluster = selene(64)


def share_in_messages(width: int, t: int, tokens: int = 2048) -> float:
    """Return the all-reduces' share of a layer's time; forward and backward, 16 bits, on paper."""
    products = 6 * 12 * width**2 * tokens / t / (cluster.peak * cluster.efficiency)
    each = cluster.all_reduce(2 * tokens * width, Layout(data=t))  # over t ranks, whatever they share
    messages = 4 * min(each.values())
    return messages / (products + messages)


# %% tags=["hide-input"]
fig, ax = plots.figure(height=3.0)
ts = [2, 4, 8, 16]
for width in (2048, 4096, 12288):
    ax.plot(ts, [100 * share_in_messages(width, t) for t in ts], label=f"h = {width:,}", markevery=1)
ax.set(
    xlabel="t, ranks that share a layer (16: two nodes)",
    ylabel="time in messages, %",
    xticks=ts,
    ylim=(0, 100),
)
ax.legend(frameon=False)
narrow, wide = (100 * share_in_messages(width, 8) for width in (2048, 12288))
plots.show(
    fig,
    alt="The share of time in messages grows with t and is smaller for wide layers. At t = 8 it is "
    f"{narrow:.0f} % for h = 2,048 and {wide:.0f} % for h = 12,288; over two nodes, at t = 16, "
    f"{100 * share_in_messages(2048, 16):.0f} and {100 * share_in_messages(12288, 16):.0f} %.",
    caption="Estimated share of a layer's time that goes into its four all-reduces.",
)

# %% [markdown]
# Hence the rule of the published runs: **tensor parallelism inside a node, pipelines across nodes, and data parallelism with what is left.**
#
# ### Three dimensions at once
#
# A plan for a cluster chooses t, p and d with t·p·d GPUs; a micro-batch of b sequences, and how many small stages v a GPU holds (chapter 10); what ZeRO cuts over the replicas (chapter 09); whether positions are shared, and whether layers are computed again.
# `planner.plan` tries all of them, sets aside with the reason what does not divide or does not fit, and sorts the rest by estimated time.
# A model of 7.5 billion parameters on 64 A100s, 512 sequences of 2,048 tokens a step:

# %%
from helix.distributed.paper import planner, published

gpt = Model(layers=36, hidden=4096, heads=32)
plans = planner.plan(gpt, cluster, 512)
best = plans.fitting[0]
print(
    f"{len(plans.fitting):,} layouts fit, {len(plans.too_large)} need too much memory, "
    f"{len(plans.indivisible):,} do not divide"
)
print("one that is too large", plans.too_large[0][1])


# %% tags=["hide-input"]
def fastest(plans, number):
    """Return rows of a table: the best plan of each (t, p, d), fastest first."""
    chosen = {}
    for one in plans.fitting:
        chosen.setdefault((one.layout.tensor, one.layout.pipeline, one.layout.data), one)
    return [
        {
            "t · p · d": " · ".join(map(str, at)),
            "b": one.layout.microbatch,
            "v": one.layout.chunks,
            "ZeRO": one.layout.zero,
            "positions shared": one.layout.sequence,
            "computed again": one.layout.rematerialised,
            "s a step": one.time,
            "GB": sum(one.memory.values()) / 1e9,
            "MFU": one.mfu,
        }
        for at, one in list(chosen.items())[:number]
    ]


formats = {"s a step": ".2f", "GB": ".0f", "MFU": ".0%"}
table(
    fastest(plans, 4),
    caption="7.5 billion parameters on 64 A100s: the four fastest t · p · d.",
    formats=formats,
)

# %% [markdown]
# The fastest needs **no tensor and no pipeline parallelism**: with Adam's states cut over the replicas (ZeRO 1), which sends nothing more, the model fits as it is.
# Ask that first.
# With about twenty times as many parameters, on 1,536 GPUs with 2,304 sequences a step, the fastest layouts use all three:

# %%
large = published.TABLE_1[6]  # 145.6 billion parameters
wide = planner.plan(large.model, selene(large.layout.gpus), large.batch)

# %% tags=["hide-input"]
table(
    fastest(wide, 3),
    caption="145.6 billion parameters on 1,536 A100s: the three fastest t · p · d.",
    formats=formats,
)

# %% [markdown]
# There are two more ways to cut, and this planner knows neither.
# <dfn title="上下文并行">Context parallelism</dfn> cuts long texts by positions in attention too, and passes keys and values round in a ring (Ring Attention, 2023).
# <dfn title="专家并行">Expert parallelism</dfn> gives each device some experts of a mixture, and sends every token to its experts and back by an all-to-all (GShard, 2020).
#
# ### Against published runs
#
# A planner that nobody checked is an opinion.
# Narayanan et al. (2021), Table 1, give ten runs with layout and throughput.
# The record compares the planner with them; one row is computed again here:

# %%
live = published.compare(published.TABLE_1[4])
stored = record["plans"][4]
assert abs(live["throughput"] / stored["throughput"] - 1) < 1e-6
rows = pd.DataFrame(record["plans"])
off = (rows["throughput"] / rows["published throughput"] - 1).abs()
print(
    f"our first choice is the published layout in {(rows['rank'] == 1).sum()} of {len(rows)} rows; its "
    f"throughput is off by {off.max():.1%} at most; in the five rows that nothing was fitted to, by "
    f"{off[5:].max():.1%}"
)

# %% tags=["hide-input"]
table(
    [
        {
            "10⁹ parameters": row["published parameters"],
            "published t·p·d": "·".join(map(str, row["layout"])),
            "TFLOP/s": row["published throughput"],
            "ours": round(row["throughput"]),
            "its rank among what fits": f"{row['rank']} of {row['of']}",
            "slower than our first": row["slower"] - 1,
            "our first": "·".join(map(str, row["planned"])),
        }
        for row in record["plans"]
    ],
    caption="Ten published runs and the planner, set to what they had: no ZeRO, attention that keeps its scores.",
    formats={"10⁹ parameters": ".1f", "slower than our first": ".0%"},
)

# %% [markdown]
# Six hits say less than they seem to: one of these layouts is all that fits, and two have only two others beside them.
# (The last row has v = 1, as its published script; with v = 2 the planner says 164.
# Chapter 10 tells why that is not settled.)
# From 3.6 to 39 billion parameters the planner would split less by t than the authors did, and its first choices have micro-batches of 1: it does not know that small matrix products are slower.
# One number in it, the share of the peak that products reach, was fitted to the five *smaller* rows.
# It is an estimate to argue with, not a promise.
#
# ## The measurement
#
# `experiments/11_tensor_parallel.py`, five seeds, 2 and 4 ranks; differences are relative to the largest entry:

# %% tags=["hide-input"]
table(
    pd.DataFrame(record["equal"]).T.rename_axis("numbers in"),
    caption="The largest difference from the whole layer, ten runs for each row.",
    formats=".0e",
)

# %%
from helix.record.claims import claim

claim(
    "megatron_column_parallel",
    measured=f"Gradients of a split layer on 2 and 4 ranks within {max(errors):.0e} of the whole layer's; "
    f"bytes sent {'exactly' if exact else 'not'} those of the formula.",
    verdict="holds if a row-parallel layer follows each column-parallel one",
    conditions="one seed, float32, relative to the largest entry; columns alone are from the record",
)

# %% [markdown]
# ## The other strand
#
# The first plan above keeps 64 GPUs busy for days.
# Before *how*, the question is **whether**.
# Suppose that a public library wants an assistant that answers in its region's language.
# Three ways: **train** the 7.5 billion parameters from nothing on 150 billion tokens; **fine-tune** an open model of that size on 50 million tokens; or **don't**, and use what exists with good retrieval.
# (The library and the token counts are assumptions of this page; 20 tokens a parameter is the ratio of Hoffmann et al., 2022, [arXiv:2203.15556](https://arxiv.org/abs/2203.15556).)
#
# <dfn title="电能使用效率">PUE</dfn> is the electricity of a data centre over that of its machines alone.
# Energy is devices · hours · watts · PUE, and emissions are that times the grid's grams a kilowatt-hour.
# The watts are those of a GPU *with its share of the node*: a board of 400 W stands in a node that may take 812 W for each.
# No input is known exactly, so each has a range, and is named as assumed unless both of its ends have a source:

# %%
from helix.distributed.paper.footprint import GRIDS, WATTS, Given, footprint

# 1.10: arXiv:2104.10350, Table 4; 1.2: arXiv:2211.02001; nobody looked up the high end
pue = Given(1.1, 1.2, 1.6)


def hours_for(tokens: float) -> Given:
    """Return hours on the 64 GPUs, from 10 % less than planned to 50 % more."""
    planned = tokens / (512 * gpt.sequence) * best.time / 3600
    return Given(0.9 * planned, planned, 1.5 * planned)


runs = {
    name: footprint(64, hours_for(tokens), WATTS["A100"], pue, GRIDS["world"])
    for name, tokens in {"train": 150e9, "fine-tune": 50e6}.items()
}

# %% [markdown]
# The plan has an MFU of 60 %; Llama 3 reached 38 to 43 % (chapter 09).
# So half as many hours again is no pessimism: it is an MFU of 40 %, and no failure is in it yet.


# %% tags=["hide-input"]
def line(name, one, source, scale=1.0):
    """Return a row: a number at its low end, in the middle, and at its high end."""
    return {
        "": name,
        "low": one.low / scale,
        "middle": one.value / scale,
        "high": one.high / scale,
        "source": source,
    }


train, tune = runs["train"], runs["fine-tune"]
table(
    [
        *(
            line(f"train: {name}", one, one.source.partition(";")[0] or "assumed")
            for name, one in train.inputs.items()
        ),
        line("train: MWh", train.kwh, "the product", 1e3),
        line("train: tonnes CO2e", train.kg, "the product", 1e3),
        line("fine-tune: kWh", tune.kwh, "the product"),
        line("fine-tune: kg CO2e", tune.kg, "the product"),
    ],
    caption="Both runs on 64 A100s. Watts: 400 is the board alone, 812 an eighth of a DGX A100's 6.5 kW (user guide), "
    "600 assumed between them.",
    formats=".3g",
)

# %% [markdown]
# Fine-tuning is counted here as if it cost as much a token as training.
# <dfn title="低秩适配">LoRA</dfn> leaves the weights of a model as they are, and trains two thin matrices, of h·r and r·h numbers, beside some of its own (Hu et al., 2021, [arXiv:2106.09685](https://arxiv.org/abs/2106.09685)).
# Those weights then need no gradients and no Adam, and of three products for each weight the one for its gradient falls away: about two thirds of the arithmetic remains.

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


# %% tags=["hide-input"]
def row(tokens: float, share: float, held: float) -> dict[str, str]:
    hours = hours_for(share * tokens)
    kwh = footprint(64, hours, WATTS["A100"], pue, GRIDS["world"]).kwh
    return {
        "GB": round(held / 1e9),
        "A100s for them": int(np.ceil(held / cluster.usable)),
        "kWh": f"{kwh.value:,.1f}",
        "at the high end": f"{kwh.high:,.1f}",
        "dollars, hours at the high end": f"{64 * hours.high:,.0f} to {4 * 64 * hours.high:,.0f}",
    }


table(
    pd.DataFrame({way: row(*given) for way, given in ways.items()}).T.rename_axis("way"),
    caption="Memory for weights and states, the A100s that it fills, and electricity and price of the run on 64 A100s.",
)

# %% [markdown]
# A GPU-hour at 1 to 4 dollars is **assumed**.
# The last row is not free: answering costs electricity as well, about the same whichever of these models answers.
# Training reads three thousand times as many tokens as fine-tuning, so here it costs three thousand times as much; what the other rows differ by would decide little.
# Which way *answers well* no row says: that needs held-out questions of the people who ask.
#
# Where a run stands matters as well:

# %% tags=["hide-input"]
fig, ax = plots.figure(height=2.9)
places = ["Norway", "France", "Germany", "world", "India"]
found = [footprint(64, hours_for(150e9), WATTS["A100"], pue, GRIDS[place]).kg for place in places]
from helix.measure import Interval

plots.bars(
    ax,
    places,
    [Interval(one.value / 1e3, one.low / 1e3, one.high / 1e3, 1.0) for one in found],
    xlabel="tonnes of CO2e for training once",
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
    caption="Emissions of the training by grid (Ember, 2023): middle, and all inputs at their low and high ends.",
)

# %% [markdown]
# These are no confidence intervals: they multiply all low ends and all high ends.
# Left out, and not small: making the machines, idle nodes, and the runs that failed before.
# For BLOOM, Luccioni et al. (2022) report 24.7 tonnes for the use of the machines, and 50.5 with making them and letting them idle.
#
# And who can do this at all?
# The first run needs eight nodes of eight A100s for about seven days at the planned speed, *if nothing fails*; the second less than an hour of one node.
# **Many who cannot rent the first can do the second.**
# That too is an effect of the plan: who decides what such models know.
#
# - **Ship (train)** only if nothing that exists can be adapted, the high end of the energy is within a budget that was set before, and the run's record (chapter 09) will let others reuse it, so that it is done *once*.
# - **Fix (fine-tune)** if a model that exists is licensed for it, and held-out questions show what it lacks; until every input of the estimate has a source, only prepare it.
# - **Stop (don't)** if what exists with retrieval answers the questions of those who ask.
#
# The control of the lab runs before a job is sent: it refuses a plan whose energy breaks the budget *at the high end*, or that has an input without a source.
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
# What does the control of the lab do?**
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
# The ends are products of ends, not a distribution: their mean says nothing.
#
# </details>
#
# ## Go on
#
# - M. Shoeybi and others, "Megatron-LM", 2019, [arXiv:1909.08053](https://arxiv.org/abs/1909.08053): f, g and both blocks.
# - D. Narayanan and others, "Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM", 2021, [arXiv:2104.04473](https://arxiv.org/abs/2104.04473): three dimensions, and the runs of the table.
# - V. Korthikanti and others, "Reducing Activation Recomputation in Large Transformer Models", 2022, [arXiv:2205.05198](https://arxiv.org/abs/2205.05198): sequence parallelism and the memory of activations.
# - H. Liu and others, "Ring Attention with Blockwise Transformers for Near-Infinite Context", 2023, [arXiv:2310.01889](https://arxiv.org/abs/2310.01889); D. Lepikhin and others, "GShard", 2020, [arXiv:2006.16668](https://arxiv.org/abs/2006.16668).
# - D. Patterson and others, "Carbon Emissions and Large Neural Network Training", 2021, [arXiv:2104.10350](https://arxiv.org/abs/2104.10350); A. Luccioni and others, "Estimating the Carbon Footprint of BLOOM", 2022, [arXiv:2211.02001](https://arxiv.org/abs/2211.02001).
