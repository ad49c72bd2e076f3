# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Data parallelism
#
# After this chapter you can write data-parallel training by hand, prove it equal to one process, name what silently makes it unequal, and say on paper how many devices are worth their price.
#
# **60 minutes · after [Start here](00_start_here.ipynb) · strand: engineering.**
#
# You need a training loop in PyTorch.
# A GPU is not needed: the processes here are real, joined by `torch.distributed` with gloo, its backend for CPUs.
# Nothing here was run with NCCL, the backend for GPUs.

# %%
from helix import distributed

distributed.warm()  # in the background: the process from which ranks are forked

# %% [markdown]
# ## The claim
#
# Two sources that this course grew from ("AI大时代要懂的2种核心能力:技术驾驭与伦理决策", JC, 18 September 2025, and chapters 28 to 30 of a Chinese tutorial series on generative AI) say:
#
# > Beyond a trillion parameters, distributed training is the only choice.
#
# > DistributedDataParallel synchronises the gradients.
#
# Whoever believes the second without asking *when* may train another model than they think, and see no error.
#
# **The rules for the verdicts were written before measuring.**
# The second claim holds if all gradients are equal to those of one process within 10⁻⁶ of the largest, with 2, 3 and 4 processes; whatever moves them by more than 1 % is named as a condition.
# The first holds if no device that we looked up holds a trillion parameters, and none with a published throughput trains them on 450 billion tokens within 40 years.
#
# ## The idea, built up
#
# ### Ranks
#
# Distributed training is the *same program*, started N times.
# A <dfn title="进程编号">rank</dfn> is one of the N copies; all it knows is its number r, and N, the <dfn title="进程总数">world size</dfn>.
# `launch` starts a function on N local processes (two by default) and returns what each of them returned.
# (`note=False` leaves out a remark on this machine's cores.)

# %%
import torch
import torch.distributed as dist

from helix.distributed import RankFailed, launch


# %% tags=["nbval-check-output"]
def hello(greeting):
    print(greeting, "from rank", dist.get_rank(), "of", dist.get_world_size())
    return dist.get_rank() ** 2


list(launch(hello, "hello", ranks=3, note=False))

# %% [markdown]
# Ranks share no memory: what one knows, another knows only if it was sent.
# A <dfn title="集合通信">collective</dfn> is an operation that all ranks call together.
# The most important one is the <dfn title="全归约">all-reduce</dfn>: every rank puts a tensor in, and every rank gets the sum.


# %% tags=["nbval-check-output"]
def add_up():
    mine = torch.tensor([1.0, 10.0]) * (dist.get_rank() + 1)
    dist.all_reduce(mine)  # in place
    return mine.tolist()


print(launch(add_up, ranks=3, note=False))

# %% [markdown]
# ### A sum that nobody collects
#
# The obvious all-reduce sends everything to rank 0, which adds and sends back.
# With 1,000 ranks, all wait for the one link of rank 0.
# A **ring** has no such rank.
# Cut each tensor into N chunks, and let every rank only ever send *one chunk to its right neighbour*:
#
# - <dfn title="归约散射">reduce-scatter</dfn>, N−1 steps: pass a chunk on, add what arrives; in the end each rank holds *one* chunk of the sum.
# - <dfn title="全收集">all-gather</dfn>, N−1 steps: pass the finished chunks on, until each rank holds all of them.
#
# Here is what four ranks hold after each step.
# A number says how many ranks' values are in the chunk already:

# %% tags=["hide-input"]
import numpy as np

from helix import plots


def after(step: int, N: int = 4) -> np.ndarray:
    """Return what rank r (row) holds of chunk c (column): how many ranks are in it."""
    held = np.ones((N, N), dtype=int)
    for s in range(min(step, N - 1)):
        for r in range(N):
            held[(r + 1) % N, (r - s) % N] = s + 2
    for s in range(max(0, step - (N - 1))):
        for r in range(N):
            held[(r + 1) % N, (r + 1 - s) % N] = N
    return held


fig, axes = plots.figure(columns=4, rows=2, height=3.9)
for step, ax in enumerate(axes.flat[:7]):
    title = "start" if not step else f"{'reduce-scatter' if step < 4 else 'all-gather'} {(step - 1) % 3 + 1}"
    plots.matrix(ax, after(step), title, "d", limits=(0, 4))
    ax.set_title(title, fontsize=9)
axes.flat[7].set_axis_off()
axes.flat[7].text(
    0, 0.5, "rows: ranks 0 to 3\ncolumns: chunks 0 to 3\n4: the sum is complete", fontsize=9, va="center"
)
plots.show(
    fig,
    alt="What four ranks hold of four chunks after each of six steps. After three steps of reduce-scatter "
    "each rank has one complete chunk, on a diagonal; after three of all-gather every rank has all.",
)

# %% [markdown]
# In code, a step is a send to the right while something arrives from the left.
# *While*: if all ranks first sent and then received, a large message would wait for a receiver that waits itself.


# %%
def pass_on(chunk, into, add: bool) -> int:
    """Send a chunk to the right, receive one from the left; return the bytes sent."""
    r, N = dist.get_rank(), dist.get_world_size()
    arrived = torch.empty_like(into)
    sending = dist.isend(chunk, dst=(r + 1) % N)
    dist.recv(arrived, src=(r - 1) % N)
    sending.wait()
    into.copy_(into + arrived if add else arrived)
    return chunk.numel() * chunk.element_size()


def ring_all_reduce(tensor) -> int:
    """Replace a one-dimensional tensor by its sum over all ranks; return the bytes that this rank sent."""
    r, N, sent = dist.get_rank(), dist.get_world_size(), 0
    chunks = tensor.tensor_split(N)
    for s in range(N - 1):  # reduce-scatter
        sent += pass_on(chunks[(r - s) % N], chunks[(r - s - 1) % N], add=True)
    for s in range(N - 1):  # all-gather
        sent += pass_on(chunks[(r + 1 - s) % N], chunks[(r - s) % N], add=False)
    return sent


# %% [markdown]
# Is it right, and what did it send?
# Where the ranks, and no switch, do the adding, some rank must send at least $2\frac{N-1}{N}n$ bytes to all-reduce n bytes (Patarasuk and Yuan, 2009).
# This stays below 2n for any N: one reason why data parallelism scales.
# (The number of messages does grow.)


# %% tags=["nbval-check-output"]
def against_gloo(n: int):
    ours = torch.rand(n)
    theirs = ours.clone()
    sent = ring_all_reduce(ours)
    dist.all_reduce(theirs)
    return sent, torch.allclose(ours, theirs, rtol=1e-6)


for N in (2, 3, 4):
    found = launch(against_gloo, 12_000, ranks=N, note=False)
    bound = 2 * (N - 1) / N * 12_000 * 4
    assert all(equal for _, equal in found)
    print(f"{N} ranks: each sent {found[0][0]:,} bytes, the bound is {bound:,.0f}")

# %% [markdown]
# ### One gradient from many
#
# The loss of a batch is a mean over its samples.
# Cut the batch of B samples into N shares of B/N; then
#
# $$\nabla \frac{1}{B}\sum_{i=1}^{B} \ell_i \;=\; \frac{1}{N}\sum_{r=0}^{N-1}\; \nabla \underbrace{\frac{N}{B}\sum_{i\,\in\,\text{share } r}\ell_i}_{\text{the mean loss of rank } r}.$$
#
# So: give all ranks the same weights, let each compute the gradient of *its* share, average the gradients, and let every rank take the same step.
# The equation needs two things, and we shall break both: **shares of equal size**, and **losses ℓᵢ that do not depend on the rest of the share**.
#
# By hand it is a *broadcast* at the beginning (rank 0 sends its weights to all), and a *hook* on every parameter, which PyTorch calls as soon as the gradient is there:


# %%
class ByHand(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module
        for p in module.parameters():
            dist.broadcast(p.detach(), src=0)  # everybody starts from rank 0's weights
            p.register_post_accumulate_grad_hook(self.average)

    @staticmethod
    def average(p):
        dist.all_reduce(p.grad)
        p.grad /= dist.get_world_size()

    def forward(self, x):
        return self.module(x)


# %% [markdown]
# Three trainings of the same network on Fashion-MNIST: one process with 48 pictures a step; ranks with a share each, wrapped by hand; and wrapped by PyTorch's `DistributedDataParallel` (DDP).

# %%
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from helix.datasets import fashion_mnist
from helix.engineering.training import tensors

X, y = tensors(fashion_mnist.load("train"))


def network(seed: int):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    )


# %%
def train(model, X, y, rank=0, world=1):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for batch in torch.arange(960).view(20, world, 48 // world)[:, rank]:
        optimiser.zero_grad()
        cross_entropy(model(X[batch]), y[batch]).backward()
        optimiser.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def compare(X, y):
    r, N = dist.get_rank(), dist.get_world_size()
    alone = train(network(0), X, y)
    shared = [train(wrap(network(r)), X, y, r, N) for wrap in (ByHand, DistributedDataParallel)]
    return [((weights - alone).abs().max() / alone.abs().max()).item() for weights in shared]


# %% tags=["nbval-check-output"]
for N in (2, 3):
    found = launch(compare, X[:960], y[:960], ranks=N, note=False)
    assert max(map(max, found)) < 1e-5
    print(
        f"{N} ranks, 20 steps: by hand and DDP end at the weights of one process, within 1e-5 of the largest"
    )

# %% [markdown]
# Each rank made its network with *another* seed (`network(r)`): that is what the broadcast is for.
# The last digits do differ; “The other strand” asks for whom that matters.
#
# ### Buckets
#
# `ByHand` sends one message for each parameter, and each message takes time to start, however small it is.
# One message after all gradients would waste the time of the backward pass.
# Between the two lies the <dfn title="梯度桶">bucket</dfn>: gradients that are sent together, as soon as the last of them is there, while the backward pass goes on.
# DDP's first backward pass sends one message and notes in which order gradients come; from the second on its buckets have 25 MB (the first 1 MB).
# `helix.distributed.parallel.data_parallel` takes the parameters from last to first, and closes a bucket once its size has reached the limit:

# %% tags=["nbval-check-output"]
from helix.distributed.parallel.data_parallel import buckets_of

for number, bucket in enumerate(buckets_of(network(0), limit=2_000)):
    print(f"bucket {number}: {bucket.size:>7,} bytes, {', '.join(bucket.names)}")

# %% [markdown]
# (If a step adds up the gradients of several small batches, *micro-batches*, wrap all but the last in DDP's `no_sync`; else each of them is sent.)
#
# ### Which rank sees which sample
#
# `DistributedSampler` shuffles the indices with a seed that is the same on all ranks, and deals them out like cards; `set_epoch` changes the order with each epoch.
# Three things go wrong, and none of them raises an error:

# %%
from torch.utils.data import DistributedSampler


def dealt(
    epoch: int, *, samples: int = 10, ranks: int = 4, call_set_epoch=True, own_seed=False
) -> list[list[int]]:
    """Return each rank's indices in an epoch."""
    hands = []
    for r in range(ranks):
        sampler = DistributedSampler(range(samples), num_replicas=ranks, rank=r, seed=r if own_seed else 0)
        if call_set_epoch:
            sampler.set_epoch(epoch)
        hands.append(list(sampler))
    return hands


# %% tags=["nbval-check-output"]
print("without set_epoch: ", *(dealt(epoch, ranks=2, call_set_epoch=False)[0] for epoch in (0, 1)))
print("with set_epoch:    ", *(dealt(epoch, ranks=2)[0] for epoch in (0, 1)))
print("10 samples, 4 ranks:", dealt(0), "are", sum(map(len, dealt(0))), "indices")
apart = dealt(0, samples=10_000, own_seed=True)
print(f"a seed of its own:  {len({i for hand in apart for i in hand})} of 10,000 samples are seen")

# %% [markdown]
# 1. **Without `set_epoch`** every epoch has the same order, and every rank sees the same share for ever.
# 2. Ten samples for four ranks are **filled up to twelve**: two count twice, and an accuracy over such shares is wrong.
#    Deal out test samples without filling up, and add up *counts*, not means.
# 3. **A seed for each rank** looks careful and deals from four different packs: a third of the samples is left out of each epoch, others come twice or more.
#
# In the record, over ten seeds, the accuracies of the first and the third cannot be told from the right way's (95 % intervals: within 1.2 points of it): **accuracy did not give these mistakes away.**
# What they do to a rare class was not measured.
#
# ### Uneven shares
#
# The equation above divides by N because all shares have equally many samples.
# If they do not, the **mean of means** is not the mean: the few samples of a small share count as much as the many of a large one.
# DDP does not notice.
# The cure is to multiply each rank's loss by $N n_r / \sum_q n_q$, where rank r's loss is a mean over $n_r$ samples.
# In a language model the loss is a mean over *tokens*, without padding: their number differs even where all ranks have equally many texts, and between the micro-batches of one rank too.

# %%
import copy

from helix.distributed.parallel import batches, data_parallel


def share_error(X, y, counts, norm, mend: bool) -> float:
    """Return |gradient of the ranks − whole batch's| / |whole batch's|."""
    r, model, alone = dist.get_rank(), with_norm(norm), with_norm(norm)
    own = slice(sum(counts[:r]), sum(counts[: r + 1]))
    if mend:
        batches.synchronised(model)  # for the next section
    weight = batches.loss_weight(counts[r]) if mend else 1.0
    (weight * cross_entropy(data_parallel.DataParallel(model)(X[own]), y[own])).backward()
    cross_entropy(alone(X), y).backward()
    ours, whole = (torch.cat([p.grad.flatten() for p in each.parameters()]) for each in (model, alone))
    return ((ours - whole).norm() / whole.norm()).item()


def with_norm(norm):
    model = network(0)
    if norm:
        model.insert(2, copy.deepcopy(norm))
    return model


# %% tags=["nbval-check-output"]
for mend in (False, True):
    error = launch(share_error, X[:96], y[:96], [88, 8], None, mend)[0]
    print(
        f"shares of 88 and 8, {'weighted' if mend else 'as it is'}:",
        f"{error:.0%} off" if error > 1e-5 else "equal",
    )
    if not mend:
        unweighed = error

# %% [markdown]
# And if one rank has *no* batch left while others have one?
# They wait in an all-reduce for a rank that has gone home, until a time limit ends the job.
# PyTorch's `Join` lets a rank that has finished answer the others.
#
# ### A layer that looks around
#
# The equation also needs each ℓᵢ to depend on sample i alone.
# <dfn title="批归一化">BatchNorm</dfn> normalises each sample by the mean and the variance *of its batch*, and so breaks that.
# On N ranks it sees N small batches, and computes another function.
# GroupNorm and LayerNorm look at one sample at a time, so shares change nothing.
# PyTorch's `SyncBatchNorm` computes the statistics over all ranks, but refuses the CPU; `batches.synchronised` puts in the same idea for gloo:

# %% tags=["nbval-check-output"]
for name, norm in (("BatchNorm", torch.nn.BatchNorm1d(64)), ("GroupNorm", torch.nn.GroupNorm(8, 64))):
    for mend in (False, True):
        error = launch(share_error, X[:16], y[:16], [8, 8], norm, mend)[0]
        print(
            f"{name}, {'over all ranks' if mend else 'of a share':14}", "differs" if error > 1e-5 else "equal"
        )

# %% tags=["hide-input"]
from helix.record import results

record = results.load("09_data_parallel")["figures"]
fig, ax = plots.figure(height=2.8)
for norm, name in (("batch", "BatchNorm of each share"), ("group", "GroupNorm")):
    rows = [row for row in record["norms"] if row["norm"] == norm]
    ax.plot([row["share"] for row in rows], [100 * row["plain"][0] for row in rows], label=name, markevery=1)
ax.set_xscale("log", base=2)
ax.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
ax.set(xlabel="samples on each of four ranks", ylabel="gradient off by, %")
ax.legend(frameon=False)
rows = {row["share"]: row["plain"][0] for row in record["norms"] if row["norm"] == "batch"}
plots.show(
    fig,
    alt=f"Means of ten seeds. With BatchNorm the gradient of four ranks is {100 * rows[2]:.0f} % off at 2 samples a "
    f"rank and still {100 * rows[32]:.0f} % at 32; with GroupNorm only rounding is left, below one millionth.",
)

# %% [markdown]
# ### Who holds what: ZeRO and FSDP
#
# *(This section and “From this notebook to a cluster” may wait for a second reading.)*
#
# With DDP every rank holds everything.
# With <dfn title="分片">sharding</dfn> each of N ranks keeps 1/N of the weights, gradients or optimiser states, instead of all of them.
# ZeRO (2019) has numbered stages: each cuts more than the one before.
# In <dfn title="混合精度">mixed precision</dfn> weights and gradients have 2 bytes each, and Adam keeps a copy of the weights and two moments in 4 bytes each:

# %% tags=["hide-input", "nbval-check-output"]
from helix.display import table
from helix.distributed.paper import costs

cut = ("nothing (DDP)", "Adam's states", "and gradients", "and weights")
table(
    [
        {
            "stage": stage,
            "cut over the ranks": what,
            "bytes a parameter, N = 8": sum(costs.states(1, 8, stage).values()),
            "N = 64": sum(costs.states(1, 64, stage).values()),
            "sent, times n(N−1)/N": costs.data_rounds(costs.Layout(zero=stage), 1),
        }
        for stage, what in enumerate(cut)
    ],
    caption="What ZeRO's stages leave on each of N ranks, and what a rank sends in a step of one micro-batch, for "
    "n bytes of weights.",
    formats=".2f",
)

# %% [markdown]
# Stage 1 sends no more than DDP: instead of an all-reduce, gradients are reduce-scattered and new weights gathered.
# Stages 2 and 3 send more where a step has several micro-batches, as they scatter or gather for each.
# *Hybrid* sharding cuts within a node (one machine of a cluster) and keeps a copy on each node: most messages stay where links are fast.
# (Sums of 16-bit gradients lose digits as N grows, so `fully_shard` can be told to send them in 32 bits.)
#
# PyTorch's FSDP2 (fully sharded data parallel) is stage 3 in one function, `fully_shard`; `counted` records what PyTorch hands over to the backend:

# %%
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from helix.distributed import counted
from helix.distributed.measured import memory_per_rank


def sharded_step(X, y):
    model = network(0)
    fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    optimiser = torch.optim.Adam(model.parameters())
    with counted() as calls:
        cross_entropy(model(X), y).backward()
    optimiser.step()
    names = [(call.name, call.bytes) for call in calls]
    return tuple(model[1].weight.to_local().shape), memory_per_rank.held(model, optimiser), names


# %% tags=["nbval-check-output"]
shape, held, calls = launch(sharded_step, X[:8], y[:8], ranks=4, note=False)[0]
print("rank 0 of 4 holds", shape, "of a weight of (64, 784)")
print(held)
print(calls)

# %% [markdown]
# A shard of 51,020 bytes goes into the gather, and all gradients, 204,080 bytes, into the reduce-scatter (the network's 203,560 and padding, so that shards are equal).
# The whole network is one unit here, so one gather is enough.
# With a unit for each layer, weights are dropped after use and gathered again for the backward pass: that makes the 3 of the table, where DDP has 2.
#
# ### What a message costs
#
# A message of x bytes takes about α + βx seconds: the <dfn title="延迟">latency</dfn> α is what it takes to start, β is the time of one byte.
# A ring all-reduce of n bytes sends 2(N−1) messages of n/N in a row:
#
# $$t_\text{ring}(n, N) = 2(N-1)\,\alpha + 2\,\frac{N-1}{N}\,n\,\beta .$$
#
# In five launches of two ranks on two cores, messages of 64 bytes to 16 MiB were sent there and back.
# α and β are fitted to those; the all-reduces were *not* used for the fit:

# %%
import pandas as pd

from helix.distributed.measured import messages

model = messages.fit(record["alpha_beta"]["pairs"])
print(f"α = {model.latency.value * 1e6:.0f} µs, 1/β = {1e-9 / model.seconds_per_byte.value:.1f} GB/s")
timed = pd.DataFrame(record["alpha_beta"]["table"])
ratios = timed["gloo"] / timed["predicted"]
print(
    f"gloo's all-reduce on two ranks takes {ratios.min():.1f} to {ratios.max():.1f} times what the model "
    "predicts"
)

# %% [markdown]
# The model is off by a factor of about two, the most for the largest messages: probably because gloo starts threads and copies buffers, and two processes share the memory of one machine.
#
# ### Thousands of GPUs, on paper
#
# Now the same two terms for a cluster that we do not have: nodes of eight A100s as in Narayanan et al. (2021, [arXiv:2104.04473](https://arxiv.org/abs/2104.04473)).
# Inside a node a ring carries 235 GB/s, NCCL's limit for this GPU.
# Each GPU has a network card of 25 GB/s, and a gradient is cut over eight rings, one through each card: 200 GB/s leave a node.
# A step of a ring takes 3.4 µs to start inside a node, and 9.6 µs between nodes (for large messages, in [NCCL's own table](https://github.com/NVIDIA/nccl/blob/master/src/graph/tuning.cc)).
# In a ring the number of starts grows with N; NCCL's *trees* need fewer, two for each doubling of the nodes, and NCCL takes whichever is faster.
#
# A model of P = 10⁹ parameters, gradients in 16 bits, 6P operations for each token (2P forward, 4P backward):
#
# - **strong scaling**: the step always has 2²⁰ tokens, and more GPUs share them;
# - **weak scaling**: each GPU always has 2¹⁴ tokens, and the step grows.

# %%
from helix.distributed.paper.clusters import selene

cluster, P = selene(4096), 1e9
speed = cluster.peak * cluster.efficiency  # operations a second that large products reach


def step_time(N: int, tokens: float) -> tuple[float, float]:
    """Return seconds of arithmetic and of all-reduce in a step of `tokens` tokens on N GPUs; on paper."""
    all_reduce = cluster.all_reduce(2 * P, costs.Layout(data=N))
    return 6 * P * tokens / N / speed, min(all_reduce.values())


# %% tags=["hide-input"]
counts = 2 ** np.arange(0, 13)
fig, axes = plots.figure(columns=2, height=3.0, sharey=True)
for ax, title, tokens in (
    (axes[0], "strong: 2²⁰ tokens", 2**20 * np.ones(13)),
    (axes[1], "weak: 2¹⁴ tokens each", counts * 2**14),
):
    arithmetic, messages_ = np.array([step_time(int(N), k) for N, k in zip(counts, tokens, strict=True)]).T
    ax.plot(counts, arithmetic / (arithmetic + messages_), label="one after the other", markevery=1)
    hidden = arithmetic / 3 + np.maximum(2 / 3 * arithmetic, messages_)  # only backward has gradients to send
    ax.plot(counts, arithmetic / hidden, label="overlapped with backward", markevery=1)
    ax.set(xscale="log", xlabel="GPUs", title=title, ylim=(0, 1.05))
axes[0].set_ylabel("share of the time in arithmetic")
axes[0].legend(frameon=False, fontsize=8)
last = step_time(4096, 2**20)
plots.show(
    fig,
    alt=f"On paper. Strong scaling: with overlap nearly all of the time is arithmetic up to 1,024 GPUs; at 4,096 it is "
    f"{last[0] / (last[0] / 3 + max(2 / 3 * last[0], last[1])):.0%}, without overlap {last[0] / sum(last):.0%}. "
    "Weak scaling: more than nine tenths without overlap, nearly all with it.",
)

# %% [markdown]
# **When does the all-reduce hide behind the backward pass?**
# With k tokens a GPU, backward takes 4Pk/speed, and the all-reduce sends about 2 · 2P bytes.
# P drops out: if the starts are left out, the all-reduce hides if k ≥ speed/bandwidth.

# %% tags=["nbval-check-output"]
link = cluster.ring(costs.Layout(data=4096))
print(f"{speed / 1e12:.0f} TFLOP/s over {link / 1e9:.0f} GB/s: at least {speed / link:,.0f} tokens a GPU")

# %% [markdown]
# So on this cluster messages cost time only where a GPU has fewer than about a thousand tokens in a step.
# (Left out: every step waits for its slowest rank.)
#
# Matrix products reach two thirds of the peak here, and waiting takes time too.
# What counts in the end is the <dfn title="模型算力利用率">MFU</dfn> (model FLOPs utilisation): the operations that the model needs, divided by those that the devices could have done in the time.
# Llama 3, with 405 billion parameters, was trained at 38 to 43 % (2024).
#
# ### The critical batch
#
# Weak scaling keeps every GPU busy, but does a larger batch *need fewer steps*?
# At first it does, nearly in proportion: the gradient is noisy, and averaging helps.
# Once little noise is left, it helps little.
# McCandlish et al. (2018) found, for the steps S to a given loss,
#
# $$S(B) = S_\text{min}\left(1 + \frac{B_\text{crit}}{B}\right).$$
#
# No batch gets below $S_\text{min}$ steps.
# The <dfn title="临界批量">critical batch</dfn> $B_\text{crit}$ is the batch size at which a training needs $2\,S_\text{min}$ steps: twice the fewest.
# We measured it with SGD, to a validation loss of 0.50: ten batch sizes, each with the best of seven learning rates (chosen on three seeds, counted on five others):

# %% tags=["hide-input"]
law = record["law"]
sizes = np.array([float(batch) for batch in law["means"]])
means = np.array(list(law["means"].values()))
fine = np.geomspace(sizes[0], sizes[-1], 100)
curve = law["least_steps"] * (1 + law["batch"] / fine)
fig, axes = plots.figure(columns=2, height=3.0)
axes[0].plot(sizes, means, "o", label="measured")
axes[0].plot(fine, curve, "-", marker="", label="the law")
axes[0].set(xscale="log", yscale="log", xlabel="batch B, samples", ylabel="steps to the target")
axes[0].set_yticks([200, 500, 1000, 2000], ["200", "500", "1,000", "2,000"], minor=False)
axes[0].set_yticks([], minor=True)
axes[0].legend(frameon=False, fontsize=8)
axes[1].plot(sizes / 8, means[0] / means, "o", label="measured")
axes[1].plot(fine / 8, curve[0] / curve, "-", marker="", label="the law")
axes[1].plot(sizes / 8, sizes / 8, ":", marker="", color="#666666", label="ideal")
axes[1].set(xscale="log", yscale="log", xlabel="ranks of 8 samples each", ylabel="times fewer steps")
axes[1].legend(frameon=False, fontsize=8)
plots.show(
    fig,
    alt=f"Steps to the target fall with the batch and level off near {law['least_steps']:.0f}. The fitted "
    f"critical batch is {law['batch']:.0f} samples. {sizes[-1] / 8:.0f} ranks need "
    f"{means[0] / means[-1]:.0f} times fewer steps, not {sizes[-1] / 8:.0f} times.",
)

# %% [markdown]
# The fit gives S_min = 216 steps and a critical batch of 87 samples (95 % over seeds: 80 to 94), and is off by 8 % at most at any size.
# Eight ranks need 5 times fewer steps than one, and 512 ranks 12 times fewer, at 512 times the cost of a step.
# By this law, **beyond the critical batch all further devices together save at most half of the steps**; far beyond it they save nearly nothing, however fast their network is.
#
# One run of this, live: batch 64 with the recorded rate, seed 3.

# %%
import math

from helix.distributed.measured.critical_batch import fit

V, v = tensors(fashion_mnist.load("validation"))
torch.set_num_threads(1)


def race(batch: int, rate: float, seed: int) -> int:
    """Count steps until the validation loss is at most 0.50, looking when they have grown by 2 %."""
    model, generator = network(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    due = 1
    for step in range(1, 5_000):
        chosen = torch.randint(len(X), (batch,), generator=generator)
        optimiser.zero_grad()
        cross_entropy(model(X[chosen]), y[chosen]).backward()
        optimiser.step()
        if step == due:
            due = math.ceil(1.02 * step)
            if cross_entropy(model(V), v) <= 0.5:
                return step
    raise RuntimeError("the target was not reached")


# %%
runs = results.load("09_data_parallel")["runs"]["critical"]
row = list(runs["batch"]).index(64)
now, then = race(64, runs["rate"][row], 3), runs["steps"][row][0]
assert abs(now / then - 1) < 0.1, (now, then)
print(
    f"{now} steps now, {then} in the record; the law says "
    f"{fit({float(b): m for b, m in law['means'].items()}).steps(64):.0f}"
)

# %% [markdown]
# ### From this notebook to a cluster
#
# `launch` is for notebooks.
# Everywhere else a script is started by **torchrun**, which starts N copies and tells each its rank by environment variables.
# The same script runs under both, if it opens with `context()`.
# `written` puts it into a file:

# %%
from helix.distributed import written

script = written(
    "sum_of_ranks",
    """
import torch
import torch.distributed as dist
from helix.distributed import context

def main():
    with context() as here:
        mine = torch.tensor([float(here.rank + 1)])
        dist.all_reduce(mine)
        if here.rank == 0:
            print(f"{here.world_size} ranks, started by {here.started_by}: the sum is {mine.item():g}")

if __name__ == "__main__":
    main()
""",
)

# %% tags=["nbval-check-output"]
import subprocess
import sys

torchrun = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node=2",
    script.__file__,
]
print(subprocess.run(torchrun, capture_output=True, text=True, check=True).stdout, end="")
_ = launch(script.main)

# %% [markdown]
# On more than one machine the command is the same, given on every node, with the address where they meet; Slurm can give it for you.
# The course's tests start torchrun twice on one machine, as if on two nodes; **it was not run on a cluster**, and the Slurm file says so:

# %% tags=["nbval-check-output"]
from helix.distributed.paper import jobs

job = jobs.Job("sum-of-ranks", "sum_of_ranks.py", nodes=4, per_node=8, restarts=3)
print(jobs.torchrun(job, "node-0.example"), "\n")
print(jobs.slurm(job, "00:30:00"))

# %% [markdown]
# ### How it fails
#
# With a thousand processes, sooner or later one fails.
# Then all must end soon, say where, and leave the notebook usable:


# %%
def one_raises(x):
    if dist.get_rank() == 1:
        raise ValueError("a picture is broken")
    dist.all_reduce(x)  # rank 0 would wait for ever


def one_is_killed(x):
    import os
    import signal

    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory is full
    dist.all_reduce(x)


def shapes_differ(x):
    dist.all_reduce(x[: len(x) - dist.get_rank()])


# %% tags=["nbval-check-output"]
for failing in (one_raises, one_is_killed, shapes_differ):
    try:
        launch(failing, torch.ones(4), timeout=5, careful=failing is shapes_differ)
    except RankFailed as failure:
        print(f"{failing.__name__:14}", str(failure).split(". ")[0])

# %% [markdown]
# `careful=True` compares shapes before each collective.
# Without it, gloo may end a rank, or, worse, *return a wrong sum*.
# (On a cluster PyTorch's *flight recorder* for NCCL tells which rank did not come to which collective.)
#
# ### How often it fails, and how to go on
#
# A training on 16,384 H100s met 419 unexpected interruptions in 54 days (Llama 3, 2024, section 3.3.4): one every 50,700 GPU-hours, or every three hours for all together.
# A <dfn title="检查点">checkpoint</dfn> is the saved state of a training, from which it goes on after an interruption; what came after it is lost.
# With c seconds to save and M seconds between failures, saving every $\tau = \sqrt{2cM}$ seconds loses about the least (Young, 1974):

# %% tags=["nbval-check-output"]
c, restart = 30, 300  # seconds to save and to start again: assumed, measure yours
rows = []
for gpus in (8, 1024, 16_384):
    M = 54 * 24 * 16_384 / 419 * 3600 / gpus
    tau = (2 * c * M) ** 0.5
    lost = c / tau + tau / 2 / M + restart / M  # saving; half an interval done again; starting
    rows.append(
        {"GPUs": gpus, "hours between failures": M / 3600, "save every, minutes": tau / 60, "time lost": lost}
    )
caption = (
    "Failures at the rate of Llama 3's training, the interval of checkpoints that loses about the least "
    "time, and the share that is lost."
)
table(
    rows,
    caption,
    formats={"time lost": ".1%", "hours between failures": ",.1f", "save every, minutes": ",.0f"},
)

# %% [markdown]
# `torch.distributed.checkpoint` lets each rank save its own shard, in the background if wanted (`async_save`), and another number of ranks can load it. `--max-restarts=3` above makes torchrun start all ranks again.
# But what is a *whole* checkpoint?
# On two ranks, ten steps, an interruption and ten more are compared with twenty steps in one go:


# %%
def resumed(X, y, saved: tuple[str, ...]) -> bool:
    """Return whether ten steps, a checkpoint of `saved`, and ten more give the bits of twenty in one go."""
    r, N = dist.get_rank(), dist.get_world_size()
    whole, kept = train(data_parallel.DataParallel(network(0)), X, y, r, N), {}
    for begin in (0, 10):
        model = data_parallel.DataParallel(network(0))
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        if kept:
            model.load_state_dict(kept["weights"])
        if kept and "optimiser" in saved:
            optimiser.load_state_dict(kept["optimiser"])
        for batch in torch.arange(960).view(20, N, 48 // N)[begin if "step" in saved else 0 :][:10, r]:
            optimiser.zero_grad()
            cross_entropy(model(X[batch]), y[batch]).backward()
            optimiser.step()
        kept = {"weights": model.state_dict(), "optimiser": optimiser.state_dict()}
    return torch.equal(torch.cat([p.detach().flatten() for p in model.parameters()]), whole)


# %% tags=["nbval-check-output"]
for saved in (("weights",), ("weights", "optimiser"), ("weights", "optimiser", "step")):
    print(
        f"{' + '.join(saved):28}",
        "the same bits" if all(launch(resumed, X[:960], y[:960], saved)) else "other weights",
    )

# %% [markdown]
# A checkpoint without the optimiser, or without the place in the data, goes on without an error, and trains another model.
# With dropout or augmentation, the state of each rank's random numbers belongs to it too.
#
# ## The measurement
#
# `experiments/09_data_parallel.py` repeated the comparison with one process over five seeds and 2, 3 and 4 ranks:

# %% tags=["hide-input"]
from helix.record.claims import claim

table(
    pd.DataFrame(record["equal"]).T.rename(columns=lambda name: name.replace("_", ", ", 1).replace("_", " ")),
    caption="Largest difference from one process, relative to the largest entry, over 2, 3 and 4 ranks and five "
    "seeds: of the first gradient, and of the weights after 21 steps; by hand and by PyTorch's DDP.",
    formats=".0e",
)
claim(
    "ddp_gradient_synchronisation",
    measured="2 and 3 ranks, 20 steps: weights of one process within 1e-5; shares of 88 and 8: "
    f"{unweighed:.0%} off, equal when weighed",
    verdict="holds if every rank has equally many samples, and no layer computes statistics of its batch",
)

# %% [markdown]
# And the trillion parameters.
# Its *states* alone are 16 bytes a parameter: 2 for the weight, 2 for its gradient, and 4 each for Adam's copy and two moments.

# %% tags=["hide-input"]
from helix.distributed.paper.one_device import DEVICES, largest_model, on_one_device

table(
    [
        {
            "device": name,
            "memory, GB": round(device.memory / 1e9),
            "largest model, 10⁹ parameters": largest_model(device) / 1e9,
            "devices for 10¹²": on_one_device(1e12, device).devices,
            "years on one": on_one_device(1e12, device, tokens=450e9).years,
        }
        for name, device in DEVICES.items()
    ],
    caption="Whose states fill the device's memory, how many devices hold those of a trillion parameters, and years of "
    "450 billion tokens on one, where a published training gives the speed.",
    formats={"largest model, 10⁹ parameters": ".1f", "years on one": ",.0f"},
)
claim("distributed_only_choice")

# %% [markdown]
# The speeds are those of published trainings of large models, in each paper's own count: 8 operations a parameter and token on the A100, where the forward pass was computed again, else 6.
# 450 billion tokens are what a plan of 2021 (Narayanan et al.) gave its trillion parameters, less than half a token each; at 20 tokens a parameter (chapter 11), one H100 needs 8,800 years.
# For the other devices only the memory was looked up; the source for the largest is of July 2026.
#
# So by our rule the sentence holds, and it understates: the limit is the memory of *your* device.
# And it leaves out two ways around: moving states to the host's memory and disks ([ZeRO-Infinity](https://arxiv.org/abs/2104.07857), 2021), which helps with memory and not with time; and **not training a trillion parameters**: chapter 11 counts what that saves.
#
# ## The other strand
#
# Somebody is refused by a model, and a court, an auditor or the person asks: *show us the training again*.
# Same code, same data, same seed.
# Is that enough?
# Floating-point addition is not associative: 0.1 + (0.2 + 0.3) is not (0.1 + 0.2) + 0.3.
# And the order of a sum depends on how many ranks take part.
#
# From the record: five epochs on Fashion-MNIST, with five seeds, at a calm learning rate and at a rapid one.
# Each step takes the *same* 48 samples, split among 1, 2, 3 or 4 ranks; a run on N ranks is called a *world* here:

# %%
sums = record["sums"]
print("different hashes of a world that ran twice:", sums["hashes_of_a_world"])
print("different hashes of four worlds:", *set(sums["hashes_of_four_worlds"]))
table(
    [
        {"rate": name, "ranks": pair, **{f"seed {seed}": one for seed, one in enumerate(changed)}}
        for name, rate in (("calm, 0.02", "0.02"), ("rapid, 0.1", "0.1"))
        for pair, changed in sums["rates"][rate]["changed"].items()
    ],
    caption="Share of 10,000 test pictures that two worlds answer differently, for four of the six pairs.",
    formats=".1%",
)

# %%
from helix.distributed.measured import run_record


def twenty_steps(X, y, seed: int):
    wrapped = data_parallel.DataParallel(network(seed))
    optimiser = torch.optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9)
    r, N = dist.get_rank(), dist.get_world_size()
    for batch in torch.arange(960).view(20, N, 48 // N)[:, r]:
        optimiser.zero_grad()
        cross_entropy(wrapped(X[batch]), y[batch]).backward()
        optimiser.step()
    return [p.detach() for p in wrapped.parameters()]


# %% tags=["nbval-check-output"]
found = {
    N: [run_record.sha256(launch(twenty_steps, X, y, 0, ranks=N, note=False)[0]) for _ in range(2)]
    for N in (1, 2, 3)
}
print("the same world gives the same bits:", all(first == second for first, second in found.values()))
print("three worlds give", len({first for first, _ in found.values()}), "different results")

# %% [markdown]
# So the same world gives the same bits, and four worlds gave four sets of weights, for every seed.
# At the calm rate it mostly does not matter: with four of five seeds not one of 10,000 pictures is answered differently.
# With the fifth 2 to 3 % are, and at the rapid rate up to a quarter.
# If these pictures were people, the number of processes would have decided about them.
#
# So an audit needs the world, too.
# Is that all?
# Two ranks, the rapid rate, 960 samples a step; only the *threads* that share an operation change, one or two:

# %% tags=["nbval-check-output"]
threads = record["threads"]
print("different hashes of one number of threads, run twice:", threads["hashes_of_a_number"])
print("different hashes of one and two threads, by seed:    ", threads["hashes_of_both"])
print("pictures answered differently, by seed:              ", *(f"{one:.1%}" for one in threads["changed"]))

# %% [markdown]
# `run_record.record` writes down what can move the bits, also the `settings` that each rank reports: its threads, its device, and whether libraries may choose other algorithms.
# `run_record.missing` is the **gate**: it names what a record leaves out.
# (All this was measured on the CPU of one machine.
# On GPUs equal settings are necessary, and not enough: some operations have no fixed order at all.)

# %%
kept = run_record.record(
    seed=0, world_size=2, batch_per_rank=24, steps=20, sampler="in order, dealt out in runs of 24",
    data=[X[:960], y[:960]],
    weights=launch(twenty_steps, X, y, 0)[0], settings=launch(run_record.settings)[0],
)  # fmt: skip
table(
    [{"name": name, "kept": str(value)[:60]} for name, value in kept.items()],
    caption="The record of a run, each value cut to 60 characters.",
)

# %% tags=["nbval-check-output"]
whole = kept | {"commit": "0" * 40, "clean": True}  # as in a clean clone
print("whole:", run_record.missing(whole))
for name, value in {"world_size": None, "data_sha256": "n/a", "settings": {}, "clean": False}.items():
    print(f"{name} = {value}:", *run_record.missing(whole | {name: value}))

# %% [markdown]
# When two runs disagree, `run_record.differences` names the inputs in which their records differ.
#
# **Ship, fix or stop?**
# Suppose that the model decides something about people.
#
# - **Ship** if the gate is silent, the run was repeated once from its record to the same hash, and the people whose answer differs between worlds are told that it does.
# - **Fix** if a repetition ends elsewhere: find the difference in the records; then say how often answers differ, as an interval, instead of promising bits that the next machine may not give.
# - **Stop** where a record is incomplete: then nobody can say afterwards what was trained, on what, and who answers for it.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# The last batch of an epoch has 20 samples on rank 0 and 4 on rank 1.
# What does DDP do?**
#
# <details><summary>A. It weighs the ranks by their samples.</summary>
#
# Not quite.
# It divides the sum of the gradients by the number of ranks, and knows nothing of samples.
#
# </details>
# <details><summary>B. It raises an error.</summary>
#
# Not quite.
# Gradients have the shape of the parameters, whatever the batch was.
# Nothing is there to raise an error.
#
# </details>
# <details><summary>C. It averages both means, so that a sample on rank 1 counts five times as much.</summary>
#
# Right.
# Weigh the losses, or drop the last batch on all ranks.
#
# </details>
#
# **2.
# A team quadruples its GPUs and the batch with them, far above the critical batch.
# What happens?**
#
# <details><summary>A. The training takes a quarter of the time.</summary>
#
# Not quite.
# That would be true far *below* the critical batch, where four times the batch needs nearly four times fewer steps.
#
# </details>
# <details><summary>B. Nearly as many steps as before, at four times the price each.</summary>
#
# Right.
# The gradient was hardly noisy before.
# The time stays nearly the same, and four times as many GPUs are paid for.
#
# </details>
# <details><summary>C. The steps stay, but the result is more accurate by the larger batch.</summary>
#
# Not quite.
# The law counts the steps to the *same* loss; it does not promise a better one.
#
# </details>
#
# **3.
# Two runs whose records agree in seed, data, commit and sampler answer 1 % of the people differently.
# Which question comes first?**
#
# <details><summary>A. Who changed the code?</summary>
#
# Not quite.
# The commit says that nobody did, if the record says that it was clean.
#
# </details>
# <details><summary>B. Was the seed really set on every rank?</summary>
#
# Not quite.
# The records agree in the seed and in how samples are dealt out; but other inputs change the bits too, without anybody's mistake.
#
# </details>
# <details><summary>C. Did both run on the same number of ranks and threads, with the same libraries and settings on the same kind of processor?</summary>
#
# Right.
# Each of them can change the order of the sums, or the instructions used.
# `differences` lists them.
#
# </details>
#
# ## Go on
#
# - **The lab:** an all-reduce by doubling, an evaluation that counts nobody twice, the norm of a gradient that nobody holds, how many ranks are worth it, and a decision about what may be promised of a run.
# - P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009, [doi:10.1016/j.jpdc.2008.09.002](https://doi.org/10.1016/j.jpdc.2008.09.002): the bound, and the ring.
# - S. Li and others, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", 2020, [arXiv:2006.15704](https://arxiv.org/abs/2006.15704): buckets, overlap, `no_sync`.
# - S. Rajbhandari and others, "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", 2019, [arXiv:1910.02054](https://arxiv.org/abs/1910.02054), and Y. Zhao and others, "PyTorch FSDP", 2023, [arXiv:2304.11277](https://arxiv.org/abs/2304.11277).
# - J. W. Young, "A first order approximation to the optimum checkpoint interval", 1974, [doi:10.1145/361147.361115](https://doi.org/10.1145/361147.361115), and Llama Team, "The Llama 3 Herd of Models", 2024, [arXiv:2407.21783](https://arxiv.org/abs/2407.21783), sections 3.3.2 and 3.3.4: speeds and failures.
# - S. McCandlish and others, "An Empirical Model of Large-Batch Training", 2018, [arXiv:1812.06162](https://arxiv.org/abs/1812.06162).
