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
#
# ## The claim
#
# A network that was trained in float32 spends four bytes on each of its numbers.
# Most of them need not be that exact.
# To <dfn title="量化">quantize</dfn> a network is to put each of its numbers on one of a few places, so that fewer bits are enough to name it.
# Files become smaller, less goes between memory and processor, and arithmetic can become cheaper.
# Here the places are evenly spaced; a table below has others.
#
# The articles that this course grew from ("AI大时代要懂的2种核心能力:技术驾驭与伦理决策", JC, 18 September 2025, and chapters 28 to 30 of a Chinese tutorial series on generative AI) show it in one line, and call it *quantization-aware training*:
#
# ```python
# model = torchvision.models.resnet18(pretrained=True)
# quantized = torch.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
# ```
#
# Whoever believes that line ships a model that is as large and as slow as before.
# We test it, and three common beliefs beside it:
#
# > 1. Quantization-aware training is `quantize_dynamic(resnet18, {Linear}, dtype=qint8)`.
# > 2. Int8 is free: a quarter of the size, faster, and as accurate.
# > 3. Quantization-aware training gives a more accurate network than calibration after training.
# > 4. Dynamic int8 makes a language model smaller and faster and leaves its perplexity as it was.
#
# Those who pay if one of them is false are the people behind the examples that the smaller model newly gets wrong.
# So the last question of this chapter is not *how much* accuracy is lost, but *whose*.
#
# ## The idea, built up
#
# ### One number
#
# A **grid** is a row of evenly spaced numbers.
# The <dfn title="缩放因子">scale</dfn> $s$ of a grid is the distance between neighbours.
# A number $x$ is stored as the whole number $q$ of the nearest place, and read back as $\hat x$:
#
# $$q = \mathrm{clip}\!\left(\mathrm{round}\!\left(\frac{x}{s}\right),\, -q_{\max},\, q_{\max}\right), \qquad \hat x = s\,q, \qquad q_{\max} = 2^{\,b-1} - 1 .$$
#
# With $b = 8$ bits $q$ runs from −127 to 127, with 3 bits from −3 to 3.
# (One of the $2^b$ whole numbers is left unused, so that the grid is symmetric.)

# %% tags=["nbval-check-output"]
import numpy as np


def quantize(x: np.ndarray, scale: np.ndarray | float, bits: int) -> np.ndarray:
    q_max = 2 ** (bits - 1) - 1
    return np.clip(np.round(x / scale), -q_max, q_max).astype(np.int8)


x = np.array([-1.3, -0.2, 0.0, 0.06, 0.49, 0.9, 2.0])
q = quantize(x, scale=0.4, bits=3)
print("x  ", x)
print("q  ", q)
print("x̂  ", np.round(0.4 * q, 2))

# %% [markdown]
# Numbers between two places were **rounded**, by half a scale at the most.
# The 2.0 was **clipped**: it lies beyond the last place, and lost 0.8.

# %% tags=["hide-input"]
from helix import plots

line = np.linspace(-2, 2, 801)
figure, ax = plots.figure(height=2.9)
for ends in ((-2, -1.4), (1.4, 2)):
    ax.axvspan(*ends, color="#e9ecef", zorder=0)
    ax.text(
        np.mean(ends),
        0.0,
        "off by more than\nhalf a scale",
        ha="center",
        va="center",
        rotation=90,
        fontsize=9,
    )
ax.plot(line, line, color="#8d99ae", marker="", linestyle="--", linewidth=1, label="x itself")
ax.plot(line, 0.4 * quantize(line, 0.4, 3), marker="", linestyle="-", label="x on the grid")
ax.set(xlabel="x", ylabel="what is read back", xlim=(-2, 2))
ax.legend(loc="lower right", bbox_to_anchor=(0.84, 0.02))
plots.show(
    figure,
    alt="A staircase of seven steps along the diagonal: 3 bits, scale 0.4. From ±1.0 on it is flat at ±1.2; in the grey ends, beyond ±1.4, "
    "a number is off by more than half a scale.",
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

# %% tags=["hide-input"]
figure, ax = plots.figure(height=2.9)
for name, values in parts.items():
    ax.plot(shares, 1e6 * np.array(values), label=name)
ax.plot(shares, 1e6 * total, label="both", color="black", marker="", linestyle="-")
ax.plot(best, 1e6 * total.min(), color="black", marker="o", linestyle="")
ax.annotate(
    "least",
    (best, 1e6 * total.min()),
    (best, 3.2e6 * total.min()),
    ha="center",
    arrowprops={"arrowstyle": "->"},
)
ax.set(
    xlabel="last place of the grid, as a share of the largest |weight|", ylabel="mean squared error (10⁻⁶)"
)
ax.legend()
plots.show(
    figure,
    alt="Error of 4-bit weights against the length of the grid. The clipping error falls to zero as the grid gets longer, the rounding error "
    "grows with the square of its length; their sum is least in between, at about half of the largest weight.",
)

# %% [markdown]
# ### A zero point for numbers that are never negative
#
# What flows between layers is different.
# After a ReLU no number is negative, and a symmetric grid would leave its whole lower half unused.
# An **asymmetric** grid (the literature also says *affine*) is shifted.
# The <dfn title="零点">zero point</dfn> $z$ of a grid is the whole number that means 0.
#
# $$q = \mathrm{clip}\!\left(\mathrm{round}\!\left(\frac{x}{s}\right) + z,\; 0,\; 2^b - 1\right), \qquad \hat x = s\,(q - z).$$
#
# $z$ is rounded to a whole number, so that 0 lies exactly on the grid: padding and ReLU make a great many exact zeros.
# These are the numbers that enter a convolution in the middle of the network, for 64 pictures.

# %% tags=["nbval-check-output"]
import torch

from helix.datasets import fashion_mnist
from helix.display import table
from helix.engineering import quantization, training

torch.set_num_threads(1)
pictures, wanted = training.tensors(fashion_mnist.load("train"))
caught = {}
hook = network.layer2[0].conv2.register_forward_hook(lambda layer, given, made: caught.update(x=given[0]))
training.predict(network, pictures[:64])
hook.remove()
a = caught["x"]

rows = []
for bits in (8, 4):
    grids = {
        "symmetric": quantization.symmetric(a, bits),
        "asymmetric": quantization.asymmetric(a.min(), a.max(), bits),
    }
    errors = {name: (grid.round_trip(a) - a).square().mean().sqrt().item() for name, grid in grids.items()}
    rows.append({"bits": bits, "symmetric ÷ asymmetric": errors["symmetric"] / errors["asymmetric"]})
table(rows, caption="Root mean square errors of two grids for activations.", formats=".2f")

# %% [markdown]
# Twice as many places in the same range halve the error: one bit won for free, where numbers have one sign.
# Hence the habit in networks of convolutions and ReLU: **weights symmetric, activations asymmetric**.
# Where numbers have both signs, as in language models, there is nothing to win, and libraries such as torchao and TensorRT take symmetric grids for activations, too.
#
# ### One scale for the tensor, or one for each channel
#
# A convolution has one filter for each output channel, and their sizes differ.
# More so after <dfn title="折叠">folding</dfn>, which moves a batch norm into the convolution before it.
# Once training is over, a batch norm only multiplies each channel by a constant and adds another, and both can become part of the weights and the bias.
#
# With one scale for all, the small filters get only a few places of the grid.
# With one scale **per channel**, every filter gets all of them, for four more bytes a channel.


# %% tags=["nbval-check-output"]
def channel_scales(weight: np.ndarray, bits: int) -> np.ndarray:
    """One scale for each row."""
    return np.abs(weight).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)


# the first layer: 64 filters of 7 · 7 numbers
V = quantization.fold(network).conv1.weight.detach().numpy().reshape(64, -1)
rows = []
for bits in (8, 4):
    ways = {"tensor": np.abs(V).max() / (2 ** (bits - 1) - 1), "channel": channel_scales(V, bits)}
    for name, s in ways.items():
        error = np.sqrt(np.mean((s * quantize(V, s, bits) - V) ** 2) / np.mean(V**2))
        rows.append({"bits": bits, "one scale for each": name, "error, as a share of the weights": error})
table(rows, caption="Rounding the first layer.")

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

# %% tags=["nbval-check-output"]
hook = network.fc.register_forward_hook(lambda layer, given, made: caught.update(features=given[0]))
training.predict(network, pictures[:32])
hook.remove()
X = caught["features"].numpy()  # 32 pictures × 512 features

s_x, s_w = np.abs(X).max() / 127, np.abs(W).max() / 127
q_x, q_w = quantize(X, s_x, 8), quantize(W, s_w, 8)
by_hand = q_x.astype(np.int32) @ q_w.astype(np.int32).T
library = torch._int_mm(torch.tensor(q_x), torch.tensor(q_w).T.contiguous())
error = np.abs(s_x * s_w * by_hand - X @ W.T).max() / np.abs(X @ W.T).max()
print("equal to the library's:", np.array_equal(by_hand, library.numpy()), "·", library.dtype)
print("largest sum beyond four times the 32,767 where int16 ends:", bool(np.abs(by_hand).max() > 4 * 32_767))
print("error below 1 % of the largest logit:", bool(error < 0.01))
wrapped = q_x.astype(np.int16) @ q_w.astype(np.int16).T
print("most answers survive in int16:", bool(np.mean(wrapped.argmax(1) == by_hand.argmax(1)) > 0.5))

# %% [markdown]
# Forget the int32, as in the last two lines, and the sum wraps round without a word: the classic bug of a first int8 kernel.
#
# One step is missing.
# The sums are int32, and the next layer wants int8 on a grid of its own, with scale $s_y$.
# <dfn title="重量化">Requantization</dfn> turns the int32 sums of one layer into the few bits that the next layer takes:
#
# $$q_y = \mathrm{clip}\bigl(\mathrm{round}(M \cdot \text{sum})\bigr), \qquad M = \frac{s_x\, s_w}{s_y} .$$
#
# $M$ is known before the network runs.
# So it is stored as a whole number and a shift, and no floating-point number is needed while it runs (Jacob and others 2018, section 2.2).

# %% tags=["nbval-check-output"]
s_y = np.abs(X @ W.T).max() / 127
m = round(s_x * s_w / s_y * 2**31)  # M = m / 2³¹
q_y = (by_hand.astype(np.int64) * m + 2**30) >> 31  # a shift by 31 bits divides; 2³⁰ makes it round
through_float = quantize(s_x * s_w * by_hand, s_y, 8)
print("all within one place of the way through float:", bool(np.abs(q_y - through_float).max() <= 1))
print("and at least 99 % equal:", bool(np.mean(q_y == through_float) >= 0.99))

# %% [markdown]
# ### A whole network, after training
#
# **Static post-training quantization** puts all of this together: fold, put the weights on grids per channel, and calibrate.
# <dfn title="校准">Calibration</dfn> runs some training examples through a network and chooses the grid of each layer's input from what they cause.
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
found = {"float32": (before, measure.state_size(network)), "int8": (after, quantization.size(static))}
table(
    [
        {"numbers": name, "accuracy": np.mean(given == labels[:5000]), "MB": size / 1e6}
        for name, (given, size) in found.items()
    ],
    caption="5,000 test pictures, before and after.",
    formats={"accuracy": ".2f", "MB": ".1f"},
)

# %% [markdown]
# A quarter of the bytes, and the accuracy hardly moved.
# Where were the integers?
# Each layer rounds its numbers to the grid and multiplies the rounded numbers in float32, which holds such sums to seven digits.
# That gives what int8 would, at float's speed; real int8 arithmetic comes with the library's compiled program, below.
#
# ### What the claim's line really does
#
# We give the line the network that it names; counts and bytes do not ask whether anybody has trained it.
# The line's library still runs in our version of PyTorch, and says something about itself:

# %% tags=["nbval-check-output"]
import copy
import warnings

from helix.engineering.resnet import resnet18

quoted = resnet18(classes=1000).eval()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    dynamic = torch.ao.quantization.quantize_dynamic(quoted, {torch.nn.Linear}, dtype=torch.qint8)
print(next(str(one.message) for one in said if "deprecated" in str(one.message)).splitlines()[0])

state, weight = dynamic.state_dict(), dynamic.fc.weight()  # the second is packed: whole numbers and a scale
untouched = all(torch.equal(state[name], w) for name, w in quoted.state_dict().items() if "fc." not in name)
nearest = bool((weight.dequantize() - quoted.fc.weight).abs().max() <= weight.q_scale() / 2 * 1.001)
share = weight.numel() / measure.parameter_count(quoted)
print(f"int8: {weight.numel():,} of {measure.parameter_count(quoted):,} parameters, {share:.1%}")
print(f"bytes: {measure.state_size(quoted):,} → {measure.state_size(dynamic):,}")
print("these are the old weights, rounded:", nearest, "· all others are as they were:", untouched)

# %% [markdown]
# A ResNet18 is made of convolutions.
# The line names `Linear` layers, of which there is one, with 4 % of the parameters; in our network for ten classes it has 0.05 %.
# And nothing in it trains: no number became anything but its own rounding.
# It is **dynamic** quantization: weights are rounded once, activations at each call.

# %%
from helix.record import claim

claim(
    "quantization_aware_training",
    measured=f"{100 * share:.1f} % of the parameters become int8, and nothing is trained.",
    verdict="does not hold" if nearest and untouched else "holds",
    conditions="the ResNet18 of the line, 1,000 classes",
)

# %% [markdown]
# ### Training with the rounding in place
#
# <dfn title="量化感知训练">Quantization-aware training</dfn> (QAT) trains a network further while its numbers are rounded, so that the weights can move to where rounding does little harm.
# One thing is in the way: a staircase is flat, so its gradient is zero, and nothing is learned.
# The <dfn title="直通估计器">straight-through estimator</dfn> rounds on the way forward, and on the way back pretends that it had not.
# In code: add a difference that the gradient does not see.


# %% tags=["nbval-check-output"]
def straight_through(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Round each output channel to its grid; let the gradient pass as if nothing had happened."""
    q_max = 2 ** (bits - 1) - 1
    scale = weight.detach().abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) / q_max
    on_grid = scale * torch.clamp(torch.round(weight / scale), -q_max, q_max)
    return weight + (on_grid - weight).detach()


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
beyond = (
    small_ones.loc["2 bits, after the epoch of QAT"] - small_ones.loc["2 bits, after the epoch in float32"]
)
assert (beyond > 0.05).all()  # in each of the three seeds
table(small_ones, caption="Accuracy on 5,000 test pictures.", formats=".2f")

# %% [markdown]
# At 2 bits one more epoch in float32 does not replace QAT, here.
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
# `experiments/01_quantization.py` trained the ResNet18 on 58,000 pictures for six epochs, then one epoch more in float32 and on grids, with three seeds each.
# All answers to the 10,000 test pictures are in the record.
# Times are CPU time on one thread, all programs interleaved in one run; a dash was not timed.
# "Dynamic" is the claim's line; "static" and "QAT" are the library's compiled int8 programs; "eager" means not compiled.
# Every time is a share of *compiled* float32's, or int8 would be praised for what the compiler did.
# VNNI are the instructions that multiply int8 in AVX-512; "AVX2" is the same kind of processor, held to that older set.

# %% tags=["hide-input"]
rows = []
for name, one in record["variants"].items():
    times = {batch: found["value"] for batch, found in one.get("over_fp32_compiled", {}).items()}
    older = (
        {batch: found["static"]["value"] for batch, found in record["latency_avx2"].items()}
        if name == "static"
        else {}
    )
    interval = one["accuracy"]
    rows.append(
        {
            "network": {"fp32": "float32, eager", "fp32, one epoch more": "float32, one epoch more"}.get(
                name, name
            ),
            "MB": one["bytes"] / 1e6,
            "accuracy": f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]",
            **{f"VNNI, {batch}": times.get(batch) for batch in ("1", "16")},
            **{f"AVX2, {batch}": older.get(batch) for batch in ("1", "16")},
        }
    )
table(
    rows,
    caption="Size, accuracy, and time as a share of compiled float32's, for 1 picture and for 16 at once.",
    formats={"MB": ".1f"} | {name: ".2f" for name in rows[0] if name.startswith(("VNNI", "AVX2"))},
)

# %% [markdown]
# At batch 1 the compiler does most of it; with more pictures at once the arithmetic counts, and int8 gains more, on both sets of instructions.
# Static and QAT are one program with other numbers: how far *their* times differ says how far such ratios may be trusted.

# %%
size = quantization.size(static) / measure.state_size(network)
met = size <= 0.27 and lost.low > -0.005
claim(
    "int8_is_free",
    measured=f"{100 * size:.0f} % of the size; accuracy {100 * lost.value:+.2f} points "
    f"[{100 * lost.low:+.2f}, {100 * lost.high:+.2f}].",
    verdict="holds if int8 is faster on your processor, which was not timed here" if met else "does not hold",
    conditions="our own grids, 5,000 test pictures; recorded is the library's program",
)

# %% [markdown]
# The third claim: does training on the grid beat calibration?
# QAT had an epoch more.
# So its opponent is the float32 network **that had the same epoch**, calibrated afterwards, and it may choose its grids: to the largest weight, or clipped where the squared error is least, or with 8 bits for the first and the last layer, which costs 4 kB.


# %% tags=["hide-input"]
def points(one: dict) -> str:
    return f"{100 * one['value']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]"


said = {
    "largest": "to the largest weight",
    "clipped": "clipped",
    "clipped, ends of 8": "clipped, ends at 8 bits",
}
rows = []
for bits in ("8/8", "4/4", "2/4"):
    one = record["qat"][bits]
    ways = {
        f"calibrated, {words}": one["calibrated"][key]
        for key, words in said.items()
        if key in one["calibrated"]
    }
    ways["QAT"] = {"accuracy": one["qat"], "missing": one["qat_missing"]}
    for way, found in ways.items():
        rows.append(
            {
                "weights/activations": bits,
                "way": way,
                "accuracy": np.mean(found["accuracy"]),
                "change from float32 (points)": points(found["missing"]),
                "QAT gains (points)": points(found["qat_gains"]) if "qat_gains" in found else None,
            }
        )
table(
    rows,
    caption="After the same epoch more, means of three seeds; float32 is the network that was trained as long.",
    formats={"accuracy": ".4f"},
)

# %%
claim(
    "qat_beats_calibration",
    measured=f"2 bits: {100 * beyond.mean():+.0f} points beyond rounding what had the same epoch in float32.",
    verdict="holds if weights have 2 bits" if (beyond > 0.05).all() else "does not hold",
    conditions="the small network, weights only, three seeds",
)

# %% [markdown]
# At 8 bits there is nothing to win back.
# The additional epoch lowers float32 and QAT alike, by nearly two tenths of a point: without the control, one would have reported that QAT does harm.
# At 4 bits it depends on the seed: in two of three QAT and plain calibration of the equally trained network are equal, and in the third calibration loses most of a point while QAT does not.
# So it may be a safeguard there; three trainings cannot tell more.
# (With grids to the largest weight and ends at 8 bits, calibration of seed 0 has 0.9159, QAT 0.9148.)
# At 2 bits QAT wins by forty points over clipped grids, and by seventy-five over grids to the largest weight: give your opponent the cleverness that you would use yourself.
#
# ### A language model
#
# A language model is nearly all linear layers, and writes one token (a word or a piece of one) at a time.
# What makes it slow depends on what it does.
# To **read** 128 tokens at once, it uses each weight 128 times: arithmetic is what takes time.
# To **write** one token, it fetches every weight from memory and uses it once: memory is what takes time, and an int8 weight is a quarter of a float32 one to fetch.
# So there are two kinds of int8.
# **Weight-only** quantization stores whole numbers and multiplies in float; it is meant for writing.
# **Dynamic** quantization rounds the activations too, at each call, and multiplies whole numbers; it is meant for reading.
#
# SmolLM2-135M reads 128 tokens of English here, the description of a data set.
# The <dfn title="困惑度">perplexity</dfn> of a language model is the exponential of the mean of $-\log p$ over a text, $p$ being the probability that it gave to each token: a blind choice among 35 tokens has 35.
# Lower is better.

# %%
from helix.assets import models as assets
from helix.engineering import language

smollm2, tokenizer = assets.smollm2()
ids = torch.tensor(tokenizer(language.real_text(), add_special_tokens=False).input_ids)
text, other_text = ids[:128], ids[1024:2048]  # the record reads 1,024 tokens


def perplexity(model) -> float:
    return float(np.exp(language.token_losses(model, text).mean()))


# %% [markdown]
# The same line as in the claim, now where it belongs; its successor; and weights alone.

# %% tags=["nbval-check-output"]
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

with warnings.catch_warnings(record=True):  # it says once more that it is deprecated
    legacy = torch.ao.quantization.quantize_dynamic(
        language.twin(smollm2), {torch.nn.Linear}, dtype=torch.qint8, inplace=True
    )
torchao, weights_alone = language.twin(smollm2), language.twin(smollm2)
quantize_(torchao, Int8DynamicActivationInt8WeightConfig())
quantize_(weights_alone, Int8WeightOnlyConfig())

models = {
    "float32": smollm2,
    "old library": legacy,
    "torchao": torchao,
    "torchao, weights alone": weights_alone,
}
read = {name: perplexity(model) for name, model in models.items()}
assert read["old library"] > 1.5 * max(read["float32"], read["torchao"])
assert read["torchao, weights alone"] < 1.05 * read["float32"]
print("half as perplexed again:", [name for name, value in read.items() if value > 1.5 * read["float32"]])

# %% [markdown]
# Two are "dynamic int8", and one of them has ruined the model.
# How much does the other one cost?
# A single reading cannot tell: where a number lies half-way between two places, its last digit decides which way it goes, and all layers above follow.
# So the record read 1,024 tokens ten times, each with noise of a **millionth** on the input, about what another processor's order of adding makes:

# %% tags=["nbval-check-output"]
reading = record["language"]["dynamic"]
rows = []
for name, key in (("float32", "fp32"), ("torchao", "torchao"), ("old library", "legacy")):
    one = reading[key]["ratio"]
    rows.append({"model": name, "median": one["value"], "lowest": one["low"], "highest": one["high"]})
    passages = reading[key]["ratio_over_passages"]
    rows[-1]["any of 4 passages"] = f"{passages['low']:.2f} to {passages['high']:.2f}"
table(rows, caption="Perplexity, as a multiple of float32's: ten readings.")

# %% [markdown]
# float32 does not move, and a passage of 256 tokens can lie far from the whole.
# After int8 activations every reading is **one draw**: tell a median and a range, and hang nothing on the third digit.
#
# And time?
# The record holds all against float32 *compiled*, on a processor with VNNI; held to AVX2 they were not timed.

# %% tags=["hide-input"]
speed = {what: by["all"]["over_fp32_compiled"] for what, by in record["language"]["speed"].items()}
names = {
    "fp32": "float32",
    "int8 weights": "int8 weights alone",
    "int8 rows": "int8 weights and rows (torchao)",
    "legacy": "the old library",
}
programs = {
    f"{name}, {how.strip() or 'eager'}": key + how for key, name in names.items() for how in ("", " compiled")
}
table(
    [
        {"model": name} | {what: speed[what][key]["value"] for what in ("reading", "writing")}
        for name, key in programs.items()
        if key in speed["reading"]
    ],
    caption="Time to read 128 tokens at once, and to write one, as multiples of compiled float32's.",
    formats=".2f",
)

# %% [markdown]
# With a grid for each row, compiled, int8 takes a third of compiled float32's time, in reading and in writing.
# Run operation by operation, as `quantize_` leaves it, it writes several times more slowly than float32: choosing the grids takes longer than the product saves, and only the compiler makes one piece of it.
# Weights alone save memory and no time here.
# To gain what fetching costs, a program has to unpack the weights while it multiplies; the one that the compiler makes of them for this processor gains nothing.
#
# ### What goes wrong, and cures
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

# %% tags=["hide-input"]
figure, ax = plots.figure(height=2.7)
ax.plot(reach, linestyle="", marker="o", markersize=3, markevery=1)
ax.axhline(reach.max() / 127, color="#595959", linestyle="--", linewidth=1)
ax.text(45, 1.15 * reach.max() / 127, "one step, where 128 places serve all tokens", fontsize=9)
ax.set(yscale="log", xlabel="token", ylabel="largest |input| of the layer")
plots.show(
    figure,
    alt="The largest input to one layer for each of 127 tokens, on a logarithmic axis: the first token reaches some 2,700, the others about 1.5. "
    "One step of a grid that serves all tokens, the dashed line, is larger than all the others.",
)

# %% [markdown]
# The first token reaches 2,700 and all others stay below 10.
# (*Massive activations*: see the sources.)
# The old library has **one grid for all tokens** that are read together, and 7 of 8 bits: without VNNI, processors add two products of 8-bit numbers in 16 bits, which could overflow.
# Half a step of that grid is larger than every number of the other tokens: these all become zero.
# torchao has **a grid for each row**.
#
# Which difference counts?
# The record took the two libraries apart:

# %% tags=["hide-input"]
figure, axes = plots.figure(height=2.8, columns=2, sharey=True)
for ax, rows_of in zip(axes, ("tensor", "row"), strict=True):
    apart = {name: one for name, one in reading.items() if name.startswith(f"{rows_of}/")}
    labels_of = [f"{n.split('/')[1]}, {n.split('/')[2]} bits" for n in apart]
    plots.bars(
        ax,
        labels_of,
        [measure.Interval(**one["ratio"]) for one in apart.values()],
        xlabel="perplexity ÷ float32's",
        ylabel="",
        reference=1.0,
    )
    ax.set_title(f"activations per {rows_of}")
axes[0].set_ylabel("weights per …")
axes[0].set_xlim(0.9, 3.2)
axes[1].set_xlim(0.99, 1.21)
plots.show(
    figure,
    alt="Perplexity of eight kinds of dynamic int8, as multiples of float32's, with the range of ten readings; the two halves have axes of their own. "
    "With one grid for all tokens one and a half to three times; with a grid for each row 1.03 and 1.06 where weights have a grid per channel, and 1.1 to 1.2 where they do not.",
)

# %% [markdown]
# The rows come first; with them, the weights' grid counts more than the eighth bit, and without them less.
#
# One grid for all that is read together has another price, and it is not about accuracy.
# What is read together may come from several people.
# Here is the layer of each library for one token alone, and beside the large one.

# %% tags=["nbval-check-output"]
small_row, large_row = x[100:101], x[:1]
for name, model in (("old library", legacy), ("torchao", torchao)):
    down = model.model.layers[11].mlp.down_proj
    with torch.no_grad():
        alone, beside = down(small_row), down(torch.cat([small_row, large_row]))[:1]
    print(f"{name:11} {beside.norm() / alone.norm():.0%} of the answer is left beside the large row")

# %% [markdown]
# **With one grid for the batch, an answer depends on who else is asking.**
# No test that sends one request at a time will find it, and the person who gets the odd answer cannot reproduce it.
# Grids per row end that.
#
# A grid for each row has to be computed while the model runs, and not every chip can.
# <dfn title="平滑量化">SmoothQuant</dfn> divides each input of a layer by a number of its own and multiplies the input's column of weights by the same number.
# The product stays what it was, and what was too large moves to where there is room.

# %% tags=["nbval-check-output"]
w = layer.weight.detach()
d = x.abs().amax(dim=0).clamp(min=1e-5) ** 0.7 / w.abs().amax(dim=0) ** 0.3  # one number for each input
print(f"largest input: {x.abs().max():,.0f} before, below 100 after: {bool((x / d).abs().max() < 100)}")
print("the answer stays:", torch.allclose((x / d) @ (w * d).T, x @ w.T, rtol=1e-3, atol=1e-2))

# %% [markdown]
# With one grid of 8 bits for all, the record's perplexity is 1.5 to 1.6 times float32's, and 1.04 times after smoothing the whole model (1.15 with a power of 0.5, not 0.7).
# Two others: LLM.int8() keeps the few large inputs in 16 bits, and QuaRot turns all inputs by a rotation that spreads them.
#
# ### Four bits: rounding that looks at the inputs
#
# Fewer bits are less to fetch for each token that is written, and 4 are usual.
# Rounding each weight to the nearest place costs more now: with a scale for 32 neighbours the perplexity of 1,024 tokens is 1.30 times float32's, where 8 bits for the weights alone cost 0.2 %.
# Two ideas make it cheaper, and both ask what the layer's **inputs** are.
# The sum of $x x^{\top}$ over many tokens says it all; we take it from one text and measure the error of the layer's answers on another.

# %%
up = smollm2.model.layers[11].mlp.up_proj
w = up.weight.detach()  # 1,536 outputs × 576 inputs
hook = up.register_forward_hook(lambda module, given, made: seen.update(x=given[0].flatten(0, 1)))
inputs = []
for part in (other_text, text):
    with torch.no_grad():
        smollm2(part[None])
    inputs.append(seen["x"])
hook.remove()
moment, new = inputs[0].T @ inputs[0], inputs[1]

# %% [markdown]
# <dfn title="GPTQ（误差反馈量化）">GPTQ</dfn> rounds a layer's weights one input after the other, and lets the inputs that are still to come make up for the error.
# How much each can do so stands in the inverse of that sum.
# The paper sums over 262,144 tokens; we have 1,024, and so trust them less: a tenth of the mean is added to the diagonal.


# %%
def fed_back(w: torch.Tensor, moment: torch.Tensor, bits: int) -> torch.Tensor:
    damped = moment + 0.1 * moment.diagonal().mean() * torch.eye(len(moment))  # the paper: 0.01
    upper = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
    scale, q_max = w.abs().amax(dim=1) / (2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1
    left, made = w.clone(), torch.zeros_like(w)
    for i in range(w.shape[1]):
        made[:, i] = scale * torch.clamp(torch.round(left[:, i] / scale), -q_max, q_max)
        left[:, i:] -= torch.outer((left[:, i] - made[:, i]) / upper[i, i], upper[i, i:])
    return made


# %% [markdown]
# <dfn title="AWQ（激活感知权重量化）">AWQ</dfn> multiplies the columns of large inputs before rounding and divides them afterwards, so that their weights get finer steps.
# How far to go is tried out.


# %%
def off(made: torch.Tensor, moment: torch.Tensor) -> float:
    return float((((w - made) @ moment) * (w - made)).sum())


def scaled(w: torch.Tensor, moment: torch.Tensor, bits: int) -> torch.Tensor:
    size = moment.diagonal().sqrt()
    tried = [quantization.on_grid(w * size**power, bits) / size**power for power in torch.linspace(0, 1, 11)]
    return min(tried, key=lambda made: off(made, moment))


# %%
new_moment = new.T @ new
whole = float(((w @ new_moment) * w).sum())
ways = {
    "to the nearest": lambda bits: quantization.on_grid(w, bits),
    "scaled (AWQ)": lambda bits: scaled(w, moment, bits),
    "fed back (GPTQ)": lambda bits: fed_back(w, moment, bits),
}
rows = [
    {"way": name} | {f"{bits} bits": (off(way(bits), new_moment) / whole) ** 0.5 for bits in (4, 3)}
    for name, way in ways.items()
]
assert rows[2]["4 bits"] < 0.9 * rows[0]["4 bits"]
assert rows[2]["3 bits"] < 0.9 * rows[0]["3 bits"]
table(rows, caption="Error of the layer's answers to a text that was not used, as a share of the answers.")

# %% [markdown]
# Both are for weights alone; `helix.engineering.compensation` has them with groups of neighbours that share a scale.
# The places need not be evenly spaced either:
#
# | format | bits a number | places | one scale for | where |
# |---|---|---|---|---|
# | int8, int4 | 8, 4 | evenly spaced | a tensor, a channel, 32 to 128 neighbours | this chapter |
# | fp8 (E4M3, E5M2) | 8 | closer near 0; up to 448 and 57,344 | a tensor | [Micikevicius 2022](https://arxiv.org/abs/2209.05433) |
# | MXFP4 | 4.25 | 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives | 32 neighbours, a power of 2 | [OCP 2023](https://arxiv.org/abs/2310.10537) |
# | NVFP4 | 4.5 | the same | 16 neighbours, in fp8 | [NVIDIA 2025](https://arxiv.org/abs/2509.25149) |
# | NF4 | 4.5 | 16 quantiles of a normal distribution | 64 neighbours | [QLoRA 2023](https://arxiv.org/abs/2305.14314) |
#
# What is kept of earlier tokens while a model writes, the key–value cache, can be quantized too; we did not.

# %%
claim(
    "dynamic_int8_language_model",
    measured=f"Perplexity {read['float32']:.0f} in float32, {read['old library']:.0f} with the old library, "
    f"{read['torchao']:.0f} with torchao: one draw.",
    verdict="holds if each row of the activations has a grid of its own; times were not taken here"
    if read["torchao"] < 1.15 * read["float32"]
    else "does not hold",
    conditions="SmolLM2-135M, 127 tokens predicted; at most 15 % more perplexity, more than the draws differ",
)

# %% [markdown]
# ## The other strand: which classes pay?
#
# Back to the pictures, and to weights of **4 bits**, nothing trained.
# Suppose that a shop sorts returned articles from a photo, and refunds at once what it recognises.
# A wrong class costs somebody days.
# First, what do bytes count?
# In the last stage of this ResNet18 a picture of 28 pixels has shrunk to one place: of most 3×3 filters only the middle meets it.
# 62 % of all weights never meet a picture, and need no bits at all.
# So they are cut away before anything is counted, and 16.9 MB are left; no answer changes.
# Here are eight ways to 4 bits.


# %% tags=["hide-input"]
def answers(text: str) -> np.ndarray:
    return np.array([int(digit) for digit in text])


float32 = answers(record["answers"]["fp32"])
updates = [answers(text) for text in record["updates"]]  # one epoch more in float32, three seeds

rows = []
for one in record["four_bits"]:
    changes = quantization.class_changes(labels, float32, answers(one["answers"]))
    worst = min(changes, key=lambda label: changes[label].value)
    rows.append(
        {
            "one scale for": f"{one['group']} neighbours" if one["group"] else "a filter",
            "grid": "clipped" if one["clip"] else "to the largest",
            "first and last layer": f"{one['ends']} bits",
            "MB": one["bytes"] / 1e6,
            "accuracy": one["accuracy"]["value"],
            "pays most": fashion_mnist.CLASSES[worst],
            "points": f"{100 * changes[worst].value:+.1f} [{100 * changes[worst].low:+.1f}, {100 * changes[worst].high:+.1f}]",
        }
    )
table(
    rows,
    caption="4 bits in eight ways, and the class whose accuracy falls most; float32 has 0.9207 on average.",
    formats={"MB": ".2f", "accuracy": ".4f"},
)

# %% [markdown]
# Who pays is drawn by the way of rounding: T-shirts, coats or pullovers lose four to six points in the four ways with 4 bits everywhere, while their averages lie within three tenths of each other.
# With 8 bits for the first and the last layer, 4 kB more, and a scale for 32 neighbours, no class loses a whole point.
#
# Class by class, with intervals from the same 1,000 pictures before and after, and with the control: float32 after one epoch more.


# %% tags=["hide-input"]
def find(group: int | None, clip: bool, ends: int) -> np.ndarray:
    same = [
        one for one in record["four_bits"] if (one["group"], one["clip"], one["ends"]) == (group, clip, ends)
    ]
    return answers(same[0]["answers"])


panels = {
    "float32, longer": updates[0],
    "4 bits everywhere": find(32, False, 4),
    "4 bits, ends at 8": find(32, False, 8),
}
churn = [
    one.value for update in updates for one in quantization.class_changes(labels, float32, update).values()
]
figure, axes = plots.figure(height=3.4, columns=3, sharey=True, sharex=True)
for ax, (title, given) in zip(axes, panels.items(), strict=True):
    changes = quantization.class_changes(labels, float32, given).values()
    ax.axvspan(100 * min(churn), 100 * max(churn), color="#e9ecef", zorder=0)
    scaled_changes = [
        measure.Interval(*(100 * end for end in (one.value, one.low, one.high))) for one in changes
    ]
    plots.bars(ax, fashion_mnist.CLASSES, scaled_changes, xlabel="points", ylabel="", reference=0.0)
    ax.set_title(title)
axes[0].set_ylabel("class")
plots.show(
    figure,
    alt="Change in accuracy of each class in points, with its 95 % interval; the grey band is all that three updates of float32 did to a class, "
    "from 1.4 down to 0.7 up. With 4 bits everywhere Pullover loses six points, T-shirt/top three, and Shirt gains four; with the first and the last "
    "layer at 8 bits every class stays within the band.",
)

# %% [markdown]
# Here pullovers lose six points and shirts gain four: the average hides that those who send back pullovers pay.
# A change within the grey band is no evidence against rounding: an ordinary update makes such changes, too.
# Hooker and others found for *pruned* networks that few classes and few pictures bear what compression costs (see the sources); for weights of 4 bits the evidence here is one network.
# Where classes are groups of people, it is those people who pay.
#
# ### A control
#
# So a smaller model gets a gate of its own.
# It asks not for the average, but whether any class lost more than a limit.
# The limit is set *before* looking at the smaller model, and from what an ordinary update does: a gate that would stop the same network after one more epoch in float32 says nothing about size.


# %%
def loses_nobody(labels: np.ndarray, before: np.ndarray, after: np.ndarray, limit: float = 0.02) -> bool:
    won = pd.Series((after == labels).astype(int) - (before == labels))  # 1 newly right, −1 newly wrong
    return bool((won.groupby(labels).mean() >= -limit).all())


# %% tags=["nbval-check-output"]
falls = [
    -min(quantization.class_changes(labels, float32, one).values(), key=lambda c: c.value).value
    for one in updates
]
print("largest fall of a class in each of three updates:", [round(fall, 3) for fall in falls])
assert all(loses_nobody(labels, float32, update) for update in updates)
candidates = {name: answers(record["answers"][name]) for name in ("static", "QAT")} | {
    "4 bits everywhere": find(32, False, 4),
    "4 bits, ends at 8": find(32, False, 8),
}
for name, given in candidates.items():
    print(f"{name:18}", "ship" if loses_nobody(labels, float32, given) else "fix it first")

# %% [markdown]
# **Ship** the int8 network.
# **Fix** the one with 4 bits everywhere, and the table says how.
# **Stop** the language model of the old library, whatever it saves.
# What the gate cannot see is harm inside a class, or to people whom the test pictures do not show.
# The lab's gate is stricter.
#
# ## Check yourself
#
# Decide first, then open the option.
#
# **1.
# After one epoch of QAT at 4 bits your network is 0.7 points better than the calibrated one that you had before.
# What do you report?**
#
# <details><summary>A. QAT gains 0.7 points.</summary>
#
# Not quite.
# The epoch itself may have gained them.
#
# </details>
# <details><summary>B. Nothing yet: first train the float32 network for the same epoch, calibrate that one, and compare.</summary>
#
# Right.
# In our record the calibrated network was then as good as QAT at 8 bits, at 4 bits in two seeds of three, and far worse at 2.
#
# </details>
# <details><summary>C. QAT's gain, less what the epoch gives in float32.</summary>
#
# Not quite.
# That assumes that what the epoch gives in float32 is left after rounding, and nobody has measured it.
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
# That would be seen at once.
#
# </details>
# <details><summary>B. The scale is computed too slowly.</summary>
#
# Not quite.
# That would be seen in the first test of speed.
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
# The interval said that the loss is real, and the average says nothing about who bears it: in our table one class lost six points.
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
# - B. Jacob and others (2018), integer arithmetic from end to end, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877); M. Nagel and others, "A White Paper on Neural Network Quantization" (2021), [arXiv:2106.08295](https://arxiv.org/abs/2106.08295)
# - Y. Bengio, N. Léonard, A. Courville (2013), the straight-through estimator, [arXiv:1308.3432](https://arxiv.org/abs/1308.3432)
# - T. Dettmers and others, "LLM.int8()" (2022), [arXiv:2208.07339](https://arxiv.org/abs/2208.07339); M. Sun and others, "Massive Activations in Large Language Models" (2024), [arXiv:2402.17762](https://arxiv.org/abs/2402.17762)
# - G. Xiao and others, "SmoothQuant" (2022), [arXiv:2211.10438](https://arxiv.org/abs/2211.10438); S. Ashkboos and others, "QuaRot" (2024), [arXiv:2404.00456](https://arxiv.org/abs/2404.00456)
# - E. Frantar and others, "GPTQ" (2022), [arXiv:2210.17323](https://arxiv.org/abs/2210.17323); J. Lin and others, "AWQ" (2023), [arXiv:2306.00978](https://arxiv.org/abs/2306.00978)
# - S. Hooker and others, on pruned networks: (2019), [arXiv:1911.05248](https://arxiv.org/abs/1911.05248), and (2020), [arXiv:2010.03058](https://arxiv.org/abs/2010.03058)
