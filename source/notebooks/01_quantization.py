# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quantization
#
# After this chapter you can quantize a real network to int8, show that your product of whole numbers is the library's, and say which classes pay for it.
#
# **60 minutes · after [Start here](00_start_here.ipynb) · strand: engineering.**
#
# You need Python with NumPy, a little PyTorch (tensors, a module, a training loop), and the intervals of the start page.

# %%
from importlib.metadata import version

for package in ("numpy", "torch", "torchao", "transformers"):
    print(package, version(package))

# %% [markdown]
# ## The claim
#
# A network that was trained in float32 spends four bytes on each of its numbers.
# Most of them need not be that exact.
# To **quantize** is to replace them by whole numbers of few bits: smaller files, less traffic between memory and processor, cheaper arithmetic.
# The articles that this course grew from show it in one line, and call it *quantization-aware training*:
#
# ```python
# model = torchvision.models.resnet18(pretrained=True)
# quantized = torch.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
# ```
#
# Whoever believes that line ships a model that is as large and as slow as before.
# We test it, and three habits of practice that stand beside it:
#
# > 1. Quantization-aware training is `quantize_dynamic(resnet18, {Linear}, dtype=qint8)`.
# > 2. Int8 is free: a quarter of the size, faster, and as accurate.
# > 3. Quantization-aware training gives a more accurate network than calibration after training.
# > 4. Dynamic int8 makes a language model smaller and faster and leaves its perplexity as it was.
#
# (*Calibration* is to choose the grids from example data, without training; *perplexity* says how much a text surprises a model.
# Both come below.)
#
# Those who pay if one of them is false are the people behind the examples that the smaller model newly gets wrong.
# An average hardly shows them.
# So the last question of this chapter is not *how much* accuracy is lost, but *whose*.
#
# ## The idea, built up
#
# ### One number
#
# A **grid** is a row of evenly spaced numbers.
# The distance of neighbours is the **scale** $s$.
# A number $x$ is stored as the whole number $q$ of the nearest place, and read back as $\hat x$:
#
# $$q = \mathrm{clip}\!\left(\mathrm{round}\!\left(\frac{x}{s}\right),\, -q_{\max},\, q_{\max}\right), \qquad \hat x = s\,q, \qquad q_{\max} = 2^{\,b-1} - 1 .$$
#
# With $b = 8$ bits $q$ runs from −127 to 127, with 3 bits from −3 to 3.
# (One of the $2^b$ whole numbers is left unused, so that the grid is symmetric.)

# %%
import numpy as np


def quantize(x: np.ndarray, scale: np.ndarray | float, bits: int) -> np.ndarray:
    q_max = 2 ** (bits - 1) - 1
    return np.clip(np.round(x / scale), -q_max, q_max).astype(np.int8)


# %% tags=["nbval-check-output"]
x = np.array([-1.3, -0.2, 0.0, 0.06, 0.49, 0.9, 2.0])
q = quantize(x, scale=0.4, bits=3)
print("x  ", x)
print("q  ", q)
print("x̂  ", np.round(0.4 * q, 2))

# %% [markdown]
# Two things happened.
# Numbers between two places were **rounded**, by half a scale at the most.
# The 2.0 was **clipped**: it lies beyond the last place, and lost 0.8.
# Drawn for all numbers, the grid is a staircase with two flat ends.

# %%
from helix import plots

line = np.linspace(-2, 2, 801)
figure, ax = plots.figure(height=2.9)
ax.plot(line, line, color="#8d99ae", marker="", linewidth=1, label="x")
ax.plot(line, 0.4 * quantize(line, 0.4, 3), marker="", linestyle="-", label="on the grid")
ax.axvspan(-2, -1.4, color="#e9ecef", zorder=0)
ax.axvspan(1.4, 2, color="#e9ecef", zorder=0)
ax.set(xlabel="x", ylabel="read back", xlim=(-2, 2))
ax.legend(loc="upper left")
plots.show(
    figure,
    alt="A staircase of seven steps along the diagonal: 3 bits, scale 0.4. In the grey ends, beyond the "
    "last step, "
    "everything is clipped to ±1.2.",
)

# %% [markdown]
# ### The choice of the scale
#
# Now real weights: the last layer of a ResNet18 that we trained on Fashion-MNIST.
# Its card is `weights/01_quantization/CARD.md`; that of the pictures is `data/fashion_mnist/CARD.md`.

# %%
from helix.engineering import trained

network = trained.load("fp32")
W = network.fc.weight.detach().numpy()  # 10 classes × 512 features

# %% [markdown]
# The usual scale for weights lets the largest magnitude just fit: $s = \max|x| \,/\, q_{\max}$.
# But the largest weight need not decide.
# A shorter grid clips the few largest weights and rounds all the others more finely.
# For 4 bits, over the whole matrix, here is the mean squared error for every choice of the last place, split into the part that clipping makes and the part that rounding makes.

# %% tags=["nbval-check-output"]
shares = np.linspace(0.2, 1, 60)
parts = {"clipping": [], "rounding": []}
for share in shares:
    top = share * np.abs(W).max()
    error = (top / 7 * quantize(W, top / 7, bits=4) - W) ** 2
    beyond = np.abs(W) > top
    parts["clipping"].append(error[beyond].sum() / W.size)
    parts["rounding"].append(error[~beyond].sum() / W.size)
total = np.sum(list(parts.values()), axis=0)
best = shares[np.argmin(total)]
print(
    f"least error with the last place at {best:.2f} of the largest weight: {total.min() / total[-1]:.2f} "
    "of the error at 1.00"
)

# %%
figure, ax = plots.figure(height=2.9)
for name, values in parts.items():
    ax.plot(shares, 1e6 * np.array(values), label=name)
ax.plot(shares, 1e6 * total, label="both", color="black", marker="", linestyle="-")
ax.set(
    xlabel="last place of the grid, as a share of the largest |weight|", ylabel="mean squared error (10⁻⁶)"
)
ax.legend()
plots.show(
    figure,
    alt="Error of 4-bit weights against the length of the grid. The clipping error falls to zero as the "
    "grid gets longer, the rounding "
    "error grows with the square of its length; their sum is least in between.",
)

# %% [markdown]
# ### A zero point for numbers that are never negative
#
# What flows between layers is different.
# After a ReLU no number is negative, and a symmetric grid would leave its whole lower half unused.
# An **asymmetric** grid (the literature also says *affine*) shifts: the **zero point** $z$ is the whole number that means 0.
#
# $$q = \mathrm{clip}\!\left(\mathrm{round}\!\left(\frac{x}{s}\right) + z,\; 0,\; 2^b - 1\right), \qquad \hat x = s\,(q - z).$$
#
# $z$ is rounded to a whole number, so that 0 lies exactly on the grid: padding and ReLU make a great many exact zeros.
# (You will write the choice of $s$ and $z$ in the lab.)
# These are the numbers that enter a convolution in the middle of the network, for 64 pictures.

# %%
import torch

from helix.datasets import fashion_mnist
from helix.engineering import quantization, training

torch.set_num_threads(1)
pictures, wanted = training.tensors(fashion_mnist.load("train"))
caught = {}
hook = network.layer2[0].conv2.register_forward_hook(lambda layer, given, made: caught.update(x=given[0]))
training.predict(network, pictures[:64])
hook.remove()
a = caught["x"]

# %% tags=["nbval-check-output"]
for bits in (8, 4):
    grids = {
        "symmetric": quantization.symmetric(a, bits),
        "asymmetric": quantization.asymmetric(a.min(), a.max(), bits),
    }
    errors = {name: (grid.round_trip(a) - a).square().mean().sqrt().item() for name, grid in grids.items()}
    print(
        f"{bits} bits: error of the symmetric grid {errors['symmetric'] / errors['asymmetric']:.2f} times "
        "that of the asymmetric one"
    )

# %% [markdown]
# Twice as many places in the same range halve the error.
# That is one bit won for free, hence the habit in networks of convolutions and ReLU: **weights symmetric, activations asymmetric**.
# (Where numbers have both signs, as in language models, symmetric grids do as well, and libraries use them.)
#
# ### One scale for the tensor, or one for each channel
#
# A convolution has one filter for each output channel, and their sizes differ.
# More so after **folding**: once training is over, a batch norm multiplies each channel by a constant and adds another, and both can go into the convolution before it.
#
# With one scale for all, the small filters get only a few places of the grid.
# With one scale **per channel**, every filter gets all of them, for four more bytes a channel.


# %%
def channel_scales(weight: np.ndarray, bits: int) -> np.ndarray:
    """One scale for each row."""
    return np.abs(weight).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)


# %% tags=["nbval-check-output"]
# the first layer: 64 filters of 7 · 7 numbers
V = quantization.fold(network).conv1.weight.detach().numpy().reshape(64, -1)
for bits in (8, 4):
    scales = {"per tensor": np.abs(V).max() / (2 ** (bits - 1) - 1), "per channel": channel_scales(V, bits)}
    for name, s in scales.items():
        error = np.sqrt(np.mean((s * quantize(V, s, bits) - V) ** 2) / np.mean(V**2))
        print(f"{bits} bits {name:12} relative error {error:.3f}")

# %% [markdown]
# At 4 bits the choice decides whether the error is a quarter of the weights or a tenth.
#
# ### A product of whole numbers
#
# Storing whole numbers makes a file smaller.
# To be faster, the processor has to **compute** with them.
# With $x \approx s_x q_x$ and $w \approx s_w q_w$ the scales come out of the sum:
#
# $$y_j = \sum_i x_i w_{ij} \;\approx\; s_x\, s_w \sum_i q_{x,i}\; q_{w,ij} .$$
#
# The sum holds whole numbers only.
# Two int8 make a product of up to 127² = 16,129, and 512 of those do not fit in 16 bits, so the sum is kept in **int32**.
# Here is the last layer by hand, for 32 pictures, beside the int8 product that PyTorch has for this purpose.

# %%
hook = network.fc.register_forward_hook(lambda layer, given, made: caught.update(features=given[0]))
training.predict(network, pictures[:32])
hook.remove()
X = caught["features"].numpy()  # 32 pictures × 512 features

# %% tags=["nbval-check-output"]
s_x, s_w = np.abs(X).max() / 127, np.abs(W).max() / 127
q_x, q_w = quantize(X, s_x, 8), quantize(W, s_w, 8)
by_hand = q_x.astype(np.int32) @ q_w.astype(np.int32).T
library = torch._int_mm(torch.tensor(q_x), torch.tensor(q_w).T.contiguous())
error = np.abs(s_x * s_w * by_hand - X @ W.T).max() / np.abs(X @ W.T).max()
print("equal to the library's:", np.array_equal(by_hand, library.numpy()), "·", library.dtype)
print("largest sum beyond four times the 32,767 where int16 ends:", bool(np.abs(by_hand).max() > 4 * 32_767))
print("error below 1 % of the largest logit:", bool(error < 0.01))

# %% [markdown]
# Forget the int32 and the sum wraps round without a word.
# That is the classic bug of a first int8 kernel.

# %% tags=["nbval-check-output"]
wrapped = q_x.astype(np.int16) @ q_w.astype(np.int16).T
survive = np.mean(wrapped.argmax(1) == by_hand.argmax(1))
print("most answers survive in int16:", bool(survive > 0.5))

# %% [markdown]
# ### A whole network, after training
#
# **Static post-training quantization** puts all of this together.
# Fold; put the weights on grids, per channel; run a few hundred *training* pictures through and choose a grid for the input of each layer from what they cause (**calibration**).
# Nothing is trained.
# `calibrate` looks at 512 training pictures and tries 36 lengths of the grid for each layer, as you did for the weights above.
# The record holds the answers to all 10,000 test pictures; here are half of them, before and after.

# %%
from helix import measure
from helix.record import results

record = results.load("01_quantization")["figures"]
test, labels = training.tensors(fashion_mnist.load("test"))
labels = labels.numpy()
half = test[:5000]  # of 10,000, to spare time
before = training.predict(network, half)

# %% tags=["nbval-check-output"]
static = quantization.calibrate(
    quantization.quantize(network, weight_bits=8, activation_bits=8), pictures[:512]
)
after = training.predict(static, half, batch=1000)
lost = measure.bootstrap((after == labels[:5000]).astype(int) - (before == labels[:5000]))
recorded = np.array([int(digit) for digit in record["answers"]["static"][:5000]])
assert np.mean(after == recorded) > 0.98
assert -0.005 < lost.low < lost.high < 0.005
print(
    f"accuracy {np.mean(before == labels[:5000]):.2f} in float32, {np.mean(after == labels[:5000]):.2f} in "
    "int8"
)
print(f"bytes: {quantization.size(static) / measure.state_size(network):.2f} of float32")

# %% [markdown]
# A quarter of the bytes and hardly a changed answer.
# Where were the integers?
# Each layer rounds its numbers to the grid and multiplies the rounded numbers in float32, which holds such sums to seven digits.
# That is int8's result at float's speed; real int8 arithmetic comes with the library's compiled program, below.
#
# ### What the claim's line really does
#
# The line's library still runs in our version of PyTorch.
# It says something about itself:

# %% tags=["nbval-check-output"]
import copy
import warnings

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    dynamic = torch.ao.quantization.quantize_dynamic(network, {torch.nn.Linear}, dtype=torch.qint8)
print(next(str(one.message) for one in said if "deprecated" in str(one.message)).splitlines()[0])

# %% [markdown]
# ("Will be removed in 2.10", says 2.13: a warning is no promise either way.)
# Now look at what became of the network.

# %% tags=["nbval-check-output"]
print(f"int8: {W.size:,} of {measure.parameter_count(network):,} parameters")
print(f"bytes: {measure.state_size(network):,} → {measure.state_size(dynamic):,}")
after_line = dynamic.state_dict()
untouched = [
    torch.equal(after_line[name], w) for name, w in network.state_dict().items() if not name.startswith("fc")
]
print("every other number is as it was:", all(untouched))

# %% [markdown]
# A ResNet18 is made of convolutions.
# The line names `Linear` layers, of which there is one, with 0.05 % of the parameters.
# (With 1,000 classes, as in the claim, it is a hundred times as large, and still a small part.)
# And nothing in it trains.
# It is **dynamic** quantization: weights are rounded once, activations at each call.
# That has its place in language models, which are nearly all linear layers; we come to them.

# %%
from helix.record import claim

share = W.size / measure.parameter_count(network)
claim(
    "quantization_aware_training",
    measured=f"{100 * share:.2f} % of the parameters become int8, and nothing is trained.",
    verdict="holds" if share >= 0.5 else "does not hold",
    conditions="ResNet18 with ten classes",
)

# %% [markdown]
# ### Training with the rounding in place
#
# So what is quantization-aware training (QAT)?
# The network is trained further **while** its numbers are rounded, so that the weights can move to where rounding does little harm.
# One thing is in the way: a staircase is flat, so its gradient is zero, and nothing is learned.
# The **straight-through estimator** rounds on the way forward, and on the way back pretends that it had not.
# In code: add a difference that the gradient does not see.


# %%
def straight_through(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Round each output channel to its grid; let the gradient pass as if nothing had happened."""
    q_max = 2 ** (bits - 1) - 1
    scale = weight.detach().abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) / q_max
    on_grid = scale * torch.clamp(torch.round(weight / scale), -q_max, q_max)
    return weight + (on_grid - weight).detach()


# %% tags=["nbval-check-output"]
w = torch.tensor([[0.26, -0.71]], requires_grad=True)
made = straight_through(w, bits=3)
made.sum().backward()
print("on the grid:", [round(value, 3) for value in made[0].tolist()], " gradient:", w.grad[0].tolist())

# %% [markdown]
# A small network, so that you can watch it learn: two convolutions and two linear layers, 57,000 parameters.
# `quantization.quantize` puts the weights of its layers on a grid and lets gradients pass, as `straight_through` does.


# %%
def small(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    relu, flat = torch.nn.ReLU(), torch.nn.Flatten()
    first, second = torch.nn.Conv2d(1, 16, 5, 2), torch.nn.Conv2d(16, 32, 3, 2)
    return torch.nn.Sequential(
        first, relu, second, relu, flat, torch.nn.Linear(800, 64), relu, torch.nn.Linear(64, 10)
    )


# %% [markdown]
# Is it the rounding in training that helps, or only the additional training?
# Whoever compares QAT with the network *before* cannot tell.
# So a control gets the same epoch in float32.
# Rounding to 2 bits leaves −1, 0 and 1 times the scale of each weight's channel.
# Three seeds.

# %%
few, classes = pictures[:5000], wanted[:5000]  # of 10,000, to spare time
rows = {}
for seed in range(3):
    start = small(seed)
    training.fit(start, few, classes, epochs=2, rate=0.1, seed=seed, batch=64)
    longer, aware = copy.deepcopy(start), quantization.quantize(start, 2, None)
    for model in (longer, aware):
        training.fit(model, few, classes, epochs=1, rate=0.02, seed=seed + 10, batch=64)
    models = {
        "float32": start,
        "float32, one epoch more": longer,
        "2 bits": quantization.quantize(start, 2, None),
        "2 bits, after the epoch in float32": quantization.quantize(longer, 2, None),
        "2 bits, after the epoch of QAT": aware,
    }
    rows[f"seed {seed}"] = {
        name: np.mean(training.predict(model, half) == labels[:5000]) for name, model in models.items()
    }

# %%
import pandas as pd

small_ones = pd.DataFrame(rows)
small_ones.round(2)

# %% tags=["nbval-check-output"]
beyond = (
    small_ones.loc["2 bits, after the epoch of QAT"] - small_ones.loc["2 bits, after the epoch in float32"]
)
assert (beyond > 0.05).all()
print("QAT beats rounding after the same epoch in float32 in", int((beyond > 0).sum()), "of 3 seeds")

# %% [markdown]
# One more epoch in float32 does not replace it.
#
# ### The library's way
#
# The successor of the deprecated library is **torchao**: `quantize_` for linear layers, and PT2E (“PyTorch 2 export”) for whole graphs.
# PT2E exports the network, marks what the processor at hand can compute in int8, watches calibration pictures, and converts: four calls, `to_int8` in our package.

# %% tags=["nbval-check-output"]
program = quantization.to_int8(network, pictures[:128])  # 512 in the record; 128 save a few seconds here
matrices = [v for v in program.state_dict().values() if v.ndim > 1]
agree = np.mean(training.predict(program, half[:250]) == after[:250])
print("weights:", {str(v.dtype) for v in matrices}, "in", len(matrices), "layers")
print("agrees with our network on more than 95 % of 250 pictures:", bool(agree > 0.95))

# %% [markdown]
# It is not equal to ours: PT2E chooses the lengths of its grids from histograms.
# It computes in int8 only once `torch.compile` has turned it into a program, for which it needs a C++ compiler.
# So its times come from the record.
#
# ## The measurement
#
# `experiments/01_quantization.py` trained the ResNet18 (its first layers as for ImageNet's larger pictures, 11.18 million parameters) on 58,000 pictures for six epochs, then one epoch more in float32 and on grids, with three seeds each.
# All answers to the 10,000 test pictures are in the record.
# Six variants, one row each.
# Times are CPU time on one thread, all programs interleaved in one run on a processor with AVX-512 VNNI; a dash was not timed.
# "Static" and "QAT" are the library's compiled int8 programs.
# Is it int8 that makes them fast, or the compiler?
# So their time is told twice: against float32 as PyTorch runs it by default, operation by operation ("eager"), and against float32 compiled as well.


# %%
def ratio(one: dict, over: str, batch: str) -> str:
    return f"{one[over][batch]['value']:.2f}" if over in one else "–"


table = pd.DataFrame(
    {
        name: {
            "MB": f"{one['bytes'] / 1e6:.1f}",
            "accuracy": f"{one['accuracy']['value']:.3f} [{one['accuracy']['low']:.3f}, "
            f"{one['accuracy']['high']:.3f}]",
            **{f"time of eager, {batch}": ratio(one, "over_fp32", batch) for batch in ("1", "16")},
            **{f"of compiled, {batch}": ratio(one, "over_fp32_compiled", batch) for batch in ("1", "16")},
        }
        for name, one in record["variants"].items()
    }
).T
table

# %% [markdown]
# (1 and 16 are the pictures read at once.)
# At batch 1 the compiler does most of it.
# With more pictures at once the arithmetic counts, and there int8 takes half of compiled float32's time or less.
# Static and QAT are one program with other numbers in it: the difference between *their* times says how far such ratios may be trusted.
# In the claim below, recorded is the library's program, and this run our own grids.

# %%
size = quantization.size(static) / measure.state_size(network)
met = size <= 0.27 and lost.low > -0.005
claim(
    "int8_is_free",
    measured=f"{100 * size:.0f} % of the size; accuracy {100 * lost.value:+.2f} points "
    f"[{100 * lost.low:+.2f}, {100 * lost.high:+.2f}].",
    verdict="holds if int8 arithmetic is faster on your processor, which was not timed here"
    if met
    else "does not hold",
    conditions="our own grids, 512 calibration pictures, 5,000 test pictures",
)

# %% [markdown]
# And the third claim: does training on the grid beat calibration?
# Here are both, for fewer and fewer bits of weights / activations, beside float32 with the same additional epoch.

# %%
pd.DataFrame(
    {
        bits: {
            "after training": f"{one['before']:.4f}",
            "after one epoch more (3 seeds)": f"{np.mean(one['after_by_seed']):.4f}",
            "gain beyond float32's (points)": f"{100 * one['gain_beyond_the_epoch']['value']:+.1f}",
        }
        for bits, one in record["qat"].items()
    }
).T

# %%
claim(
    "qat_beats_calibration",
    measured=f"2 bits: {100 * beyond.mean():+.0f} points beyond rounding what had the same epoch in float32.",
    verdict="holds if weights have 2 bits" if (beyond > 0.05).all() else "does not hold",
    conditions="the small network, weights only, three seeds",
)

# %% [markdown]
# At 8 bits there is nothing to win back.
# The additional epoch lowers float32 and QAT by the same two tenths of a point: without the control, one would have reported that QAT does harm.
# The coarser the grid, the more QAT matters.
# Read 4 / 4 with care: the record subtracts what the epoch does to float32, and did not, as we did above, quantize the network that had that epoch.
#
# ### Where dynamic quantization belongs
#
# A language model is nearly all linear layers, and writes one token (a word or a piece of one) at a time.
# SmolLM2-135M reads 128 tokens of English here, the description of a data set.
# Its **perplexity** is the exponential of the mean surprise for each token: as many equally likely next tokens would be as surprising.
# Lower is better.

# %%
from helix.assets import models as assets
from helix.engineering import language

smollm2, tokenizer = assets.smollm2()
# the record has 1,024
ids = torch.tensor(tokenizer(language.real_text(), add_special_tokens=False).input_ids[:128])


def perplexity(model) -> float:
    return float(np.exp(language.token_losses(model, ids).mean()))


# %% [markdown]
# The same line as in the claim, now where it belongs; and its successor.
# Both make int8 weights and round the activations at each call.

# %%
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

with warnings.catch_warnings(record=True):  # it says once more that it is deprecated
    legacy = torch.ao.quantization.quantize_dynamic(
        language.twin(smollm2), {torch.nn.Linear}, dtype=torch.qint8, inplace=True
    )
torchao = language.twin(smollm2)
quantize_(torchao, Int8DynamicActivationInt8WeightConfig())

# %% tags=["nbval-check-output"]
read = {
    name: perplexity(model)
    for name, model in (("float32", smollm2), ("legacy", legacy), ("torchao", torchao))
}
assert read["legacy"] > 1.5 * max(read["float32"], read["torchao"])
print(
    "perplexity at least half as large again:",
    {name: value > 1.5 * read["float32"] for name, value in read.items()},
)

# %% [markdown]
# Both are "dynamic int8", and one of them has ruined the model.
# How much does the other one cost?
# A single reading cannot tell: where a number lies half-way between two places, its last digit decides which way it goes, and all layers above follow.
# So the record read 1,024 tokens ten times, each with noise of a **millionth** on the input, about what another processor's order of adding makes:

# %% tags=["nbval-check-output"]
reading = record["language"]
for name in ("fp32", "torchao", "legacy"):
    one = measure.Interval(**reading[name]["ratio"])
    print(
        f"{name:8} perplexity, times that of float32: median {one.value:.3f}, lowest {one.low:.3f}, "
        f"highest {one.high:.3f}"
    )

# %% [markdown]
# float32 does not move.
# After int8 every reading is **one draw**: tell a median and a range, and hang nothing on the third digit.
#
# Why does the old library fail?
# Here is the largest magnitude of each token that enters one layer.

# %%
seen = {}
layer = smollm2.model.layers[11].mlp.down_proj
hook = layer.register_forward_hook(lambda module, given, made: seen.update(x=given[0][0]))
perplexity(smollm2)
hook.remove()
x = seen["x"]  # 127 tokens × 1,536 numbers
reach = x.abs().amax(dim=1).numpy()

# %%
figure, ax = plots.figure(height=2.7)
ax.plot(reach, linestyle="", marker="o", markersize=3, markevery=1)
ax.axhline(reach.max() / 127, color="#595959", linestyle="--", linewidth=1)
ax.text(45, 1.15 * reach.max() / 127, "one step, where 128 places serve all tokens", fontsize=9)
ax.set(yscale="log", xlabel="token", ylabel="largest |input| of the layer")
plots.show(
    figure,
    alt="The largest input to one layer for each of 127 tokens, on a logarithmic axis: the first token "
    "reaches some 2,700, the others about 1.5. "
    "One step of a grid that serves all tokens, the dashed line, is larger than all the others.",
)

# %% [markdown]
# The first token reaches 2,700 and all others stay below 10.
# (Such *massive activations* are known from many language models; see the sources.)
# The old library has **one grid for all tokens** that are read together, and 7 of 8 bits: older processors add two products in 16 bits, which 8 bits could overflow.
# One step of that grid is larger than what most tokens hold: they all become zero.
# torchao has **a grid for each row**.
#
# Which difference counts?
# The record took the two libraries apart: grid of the activations per tensor or per row, grid of the weights per tensor or per channel, 7 bits or 8.

# %%
apart = {name: one for name, one in reading.items() if "/" in name}
labels_of = [f"{n.split('/')[0]}, {n.split('/')[2]} bits; weights per {n.split('/')[1]}" for n in apart]
intervals = [measure.Interval(**one["ratio"]) for one in apart.values()]
figure, ax = plots.figure(height=3.4)
plots.bars(
    ax,
    labels_of,
    intervals,
    xlabel="perplexity, times that of float32 (logarithmic)",
    ylabel="activations per …",
    reference=1.0,
)
ax.set_xscale("log")
ax.set_xticks([1, 1.2, 1.5, 2, 3], ["1", "1.2", "1.5", "2", "3"])
ax.minorticks_off()
plots.show(
    figure,
    alt="Perplexity of eight kinds of dynamic int8, as multiples of float32's, with the range of ten "
    "readings. With activations per tensor one and a half to three times; "
    "with activations per row at most 1.2, and less where weights have a grid per channel.",
)

# %% [markdown]
# It is the rows first.
# With a grid for each row, the weights' grid still counts more than the eighth bit.
#
# One grid for all that is read together has another price, and it is not about accuracy.
# What is read together may come from several people.
# Here is the layer of each library for one token alone, and beside the large one.

# %% tags=["nbval-check-output"]
small_row, large_row = x[100:101], x[:1]
for name, model in (("legacy", legacy), ("torchao", torchao)):
    layer = model.model.layers[11].mlp.down_proj
    with torch.no_grad():
        alone, beside = layer(small_row), layer(torch.cat([small_row, large_row]))[:1]
    print(f"{name:8} of the answer {beside.norm() / alone.norm():.0%} is left beside the large row")

# %% [markdown]
# **With one grid for the batch, an answer depends on who else is asking.**
# No test that sends one request at a time will find it, and the person who gets the odd answer cannot reproduce it.
# Grids per row end that.
#
# They do not end the drawing.
# Here is log p(she) − log p(he) for the word after "The nurse said that" (in nats: natural logarithms), alone and beside another sentence, ten readings with a millionth of noise each:

# %%
pd.DataFrame(
    {
        name: {
            batch: f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
            for batch, one in by_batch.items()
        }
        for name, by_batch in record["leaning"].items()
    }
)

# %% [markdown]
# Under the same noise, company changes nothing with torchao, and something in all ten draws with the old library.
# **An audit holds for the artefact that was audited**, and of a model that rounds, a single answer is no evidence.
#
# The price stands in the claim.
# (The input embedding stays in float32 in both libraries, and is a fifth of the model: hence more than a quarter of the size.
# Times are eager ones on a processor with VNNI; without it torchao's eager product of whole numbers has no fast path.)

# %%
claim(
    "dynamic_int8_language_model",
    measured=f"Perplexity {read['float32']:.0f} in float32, {read['legacy']:.0f} with the old library, "
    f"{read['torchao']:.0f} with torchao: one draw.",
    verdict="holds if each row of the activations has a grid of its own; times were not taken here"
    if read["torchao"] < 1.15 * read["float32"]
    else "does not hold",
    conditions="SmolLM2-135M, 127 tokens predicted; at most 15 % more perplexity, which is more than the "
    "draws differ",
)

# %% [markdown]
# ## The other strand: which classes pay?
#
# Back to the pictures, and to a stronger compression of the ResNet18: weights of **4 bits**, one scale for every 32 neighbours (in the first layer, for every filter), a sixth of the size, nothing trained.
# Suppose that a shop sorts returned articles from a photo, and refunds at once what it recognises.
# A wrong class costs somebody days.
# Overall, the 4-bit network loses about four tenths of a point:


# %% tags=["nbval-check-output"]
def answers(name: str) -> np.ndarray:
    return np.array([int(digit) for digit in record["answers"][name]])


int4 = answers("int4 weights")
change = measure.bootstrap((int4 == labels).astype(int) - (answers("fp32") == labels))
print(
    f"accuracy {np.mean(int4 == labels):.4f}, change {100 * change.value:+.2f} points "
    f"[{100 * change.low:+.2f}, {100 * change.high:+.2f}]"
)

# %% [markdown]
# An average is kind to itself.
# Class by class, with intervals from the same 1,000 pictures before and after, beside the control: float32 after one epoch more, which changes answers, too, without any rounding.

# %%
figure, axes = plots.figure(height=3.4, columns=3, sharey=True, sharex=True)
titles = {
    "fp32, one epoch more": "float32, longer",
    "static": "int8, static",
    "int4 weights": "4-bit weights",
}
for ax, name in zip(axes, titles, strict=True):
    changes = quantization.class_changes(labels, answers("fp32"), answers(name))
    plots.bars(
        ax,
        fashion_mnist.CLASSES,
        list(changes.values()),
        xlabel="change in accuracy",
        ylabel="",
        reference=0.0,
    )
    ax.set_xticks([-0.06, 0, 0.06])
    ax.set_title(titles[name])
axes[0].set_ylabel("class")
plots.show(
    figure,
    alt="Change in accuracy of each class with its 95 % interval. One epoch more of float32 moves classes "
    "by up to a point and a half, int8 none by more than half a point. "
    "With 4-bit weights Pullover loses some six points, T-shirt/top some three, and Shirt gains four.",
)

# %% [markdown]
# Pullovers lose six points, shirts gain four: the 4-bit network has moved the border between them, and the average hides that those who send back pullovers pay for it.
# Nobody decided that.
# Hooker and others found for pruned networks that few classes and few pictures bear what compression costs (see the sources).
# Where classes are groups of people, it is those people.
#
# ### A control
#
# So a smaller model gets a gate of its own.
# It does not look at the average.
# It asks whether any class lost more than a limit, set *before* looking: here two points.


# %%
def loses_nobody(labels: np.ndarray, before: np.ndarray, after: np.ndarray, limit: float = 0.02) -> bool:
    won = pd.Series((after == labels).astype(int) - (before == labels))  # 1 newly right, −1 newly wrong
    return bool((won.groupby(labels).mean() >= -limit).all())


# %% tags=["nbval-check-output"]
for name in ("fp32, one epoch more", "static", "QAT", "int4 weights"):
    print(f"{name:20}", "ship" if loses_nobody(labels, answers("fp32"), answers(name)) else "fix it first")

# %% [markdown]
# **Ship** the int8 network.
# **Fix** the 4-bit one: it spends its bits evenly, and the lab will show that small first layers need more and large late ones fewer.
# **Stop** the language model of the old library, whatever it saves.
# `helix.engineering.class_harm` holds this gate for other chapters; what it cannot see is harm inside a class, or to people whom the test pictures do not show.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# After one epoch of QAT at 8 bits your network is 0.8 points better than the calibrated one.
# What do you report?**
#
# <details><summary>A. QAT gains 0.8 points.</summary>
#
# Not quite.
# The epoch itself may have gained them.
# Without a float32 control that had the same epoch, you cannot tell.
#
# </details>
# <details><summary>B. Nothing yet: first train the float32 network for the same epoch, and compare.</summary>
#
# Right.
# In our record the epoch alone moved float32 and QAT by the same amount at 8 bits.
# At 2 bits QAT gained far more.
#
# </details>
# <details><summary>C. Rounding acts as a regulariser, which explains the gain.</summary>
#
# Not quite.
# It may, but this measurement cannot show it: two things were changed at once.
#
# </details>
#
# **2.
# A service batches requests and quantizes activations with one grid for the whole batch.
# What is the risk that a test of single requests misses?**
#
# <details><summary>A. The batch needs more memory.</summary>
#
# Not quite.
# True or not, that would be seen at once, and harms nobody in silence.
#
# </details>
# <details><summary>B. The scale is computed too slowly.</summary>
#
# Not quite.
# That would be seen in the first test of speed, and harms nobody in silence.
#
# </details>
# <details><summary>C. What one person is answered depends on what others asked in the same moment.</summary>
#
# Right.
# The largest activation of anybody sets the step for everybody.
# A grid for each row ends it.
#
# </details>
#
# **3.
# A 4-bit model loses 0.4 points of accuracy, with an interval from 0.1 to 0.7.
# May it be shipped?**
#
# <details><summary>A. Yes: 0.4 points are within the noise.</summary>
#
# Not quite.
# The interval said that the loss is real, and the average said nothing about who bears it: one class lost six points.
#
# </details>
# <details><summary>B. Look at each class first, and at a limit that was set before.</summary>
#
# Right.
# A gate that knows only the average would have let it pass.
#
# </details>
# <details><summary>C. No: a model may never lose accuracy.</summary>
#
# Not quite.
# A smaller model may reach people whom a larger one would not.
# The loss has to be known, agreed to by those who bear it, and within a limit.
#
# </details>
#
# ## Go on
#
# The lab comes next: its link stands on top and at the end of this page.
#
# Primary sources:
#
# - B. Jacob and others, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018), [arXiv:1712.05877](https://arxiv.org/abs/1712.05877)
# - M. Nagel and others, "A White Paper on Neural Network Quantization" (2021), [arXiv:2106.08295](https://arxiv.org/abs/2106.08295)
# - Y. Bengio, N. Léonard, A. Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation" (2013), [arXiv:1308.3432](https://arxiv.org/abs/1308.3432): the straight-through estimator
# - T. Dettmers and others, "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale" (2022), [arXiv:2208.07339](https://arxiv.org/abs/2208.07339)
# - M. Sun and others, "Massive Activations in Large Language Models" (2024), [arXiv:2402.17762](https://arxiv.org/abs/2402.17762)
# - S. Hooker and others, "What Do Compressed Deep Neural Networks Forget?"
#   (2019), [arXiv:1911.05248](https://arxiv.org/abs/1911.05248)
# - S. Hooker and others, "Characterising Bias in Compressed Models" (2020), [arXiv:2010.03058](https://arxiv.org/abs/2010.03058)
