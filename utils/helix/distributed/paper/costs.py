"""What training a GPT costs: parameters, operations, memory of a GPU, pipeline bubble, traffic. Formulas, no measurement.

Letters as in the papers: l layers, h hidden size, a heads, s sequence length, V vocabulary; B sequences in a batch, b in a
micro-batch, m micro-batches in a pipeline; t tensor-, p pipeline-, d data-parallel size, v chunks of layers on a GPU.

References
----------
[1] D. Narayanan et al. (2021), Efficient large-scale language model training on GPU clusters using Megatron-LM, arXiv:2104.04473.
[2] S. Rajbhandari et al. (2020), ZeRO: memory optimizations toward training trillion parameter models, arXiv:1910.02054.
[3] V. Korthikanti et al. (2022), Reducing activation recomputation in large transformer models, arXiv:2205.05198.
[4] Y. Huang et al. (2019), GPipe, arXiv:1811.06965.
[5] T. Dao et al. (2022), FlashAttention, arXiv:2205.14135.
[6] A. Chowdhery et al. (2022), PaLM, arXiv:2204.02311, appendix B: model FLOPs utilisation, MFU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from helix.distributed.whole import whole

HALF = 2  # bytes of a parameter, gradient or activation in float16 or bfloat16
# Bytes that training keeps for each parameter: mixed precision with Adam, [2] section 3.1; 16 in all.
STATES = {"parameters": 2, "gradients": 2, "master copy": 4, "momentum": 4, "variance": 4}
BYTES_PER_PARAMETER = sum(STATES.values())
# From which ZeRO stage on a state is split over the data-parallel GPUs, [2] section 5.
SPLIT_FROM = {"parameters": 3, "gradients": 2, "master copy": 1, "momentum": 1, "variance": 1}


@dataclass(frozen=True)
class Model:
    """A GPT: learned positions, biases, a feed-forward block of 4h, output layer tied to the embedding.

    Raises
    ------
    ValueError
        If a size is no whole number of at least 1, or the heads do not divide the hidden size.
    """

    layers: int
    hidden: int
    heads: int
    vocabulary: int = 51_200
    sequence: int = 2_048

    def __post_init__(self) -> None:
        whole(**vars(self))
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the hidden size {self.hidden}.")

    @property
    def parameters(self) -> int:
        """Number of parameters, 12lh² + 13lh + (V + s)h: equation 2 of [1]. The last layer norm (2h) is left out there too."""
        return self.layers * self.hidden * (12 * self.hidden + 13) + (self.vocabulary + self.sequence) * self.hidden


@dataclass(frozen=True)
class Layout:
    """How a training run is spread over t·p·d GPUs.

    Parameters
    ----------
    tensor, pipeline, data : int
        Parallel sizes t, p and d.
    microbatch : int
        Sequences in a micro-batch, b.
    rematerialised : bool
        Whether only the input of each layer is kept, and the layer computed again before its backward pass.
    zero : int
        ZeRO stage: 1 splits the optimiser's states over the d replicas, 2 the gradients too, 3 the parameters too.
    chunks : int
        Groups of layers on a GPU in the interleaved schedule, v; 1 is the plain one.
    sequence : bool
        Sequence parallelism: the t GPUs share the tokens where tensor parallelism leaves whole tensors on each ([3], section 4.2.2).
    fused : bool
        Whether attention is fused and keeps no scores ([5]), as in every library today; runs of 2021 kept them.

    Raises
    ------
    ValueError
        If a size is no whole number of at least 1, the stage is not 0 to 3, chunks are wanted without a pipeline, or sequence parallelism
        without tensor parallelism.
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    microbatch: int = 1
    rematerialised: bool = True
    zero: int = 0
    chunks: int = 1
    sequence: bool = False
    fused: bool = True

    def __post_init__(self) -> None:
        sizes = ("tensor", "pipeline", "data", "microbatch", "chunks")
        whole(**{name: getattr(self, name) for name in sizes})
        if self.zero not in (0, 1, 2, 3):
            raise ValueError(f"ZeRO has the stages 0 to 3, not {self.zero!r}.")
        if self.chunks > 1 and self.pipeline == 1:
            raise ValueError("Chunks of layers need a pipeline of at least 2 stages.")
        if self.sequence and self.tensor == 1:
            raise ValueError("Sequence parallelism shares tokens among the t GPUs of tensor parallelism; here t is 1.")

    @property
    def gpus(self) -> int:
        """Number of GPUs, t·p·d."""
        return self.tensor * self.pipeline * self.data

    def microbatches(self, batch: int) -> int:
        """Return m, the micro-batches that one pipeline works through in a batch of `batch` sequences.

        Raises
        ------
        ValueError
            If d·b does not divide the batch.
        """
        whole(batch=batch)
        if batch % (self.data * self.microbatch):
            raise ValueError(f"A batch of {batch} is not a multiple of d·b = {self.data}·{self.microbatch}.")
        return batch // (self.data * self.microbatch)


def operations(model: Model, batch: int, rematerialised: bool = True) -> dict[str, int]:
    """Count the floating-point operations of one iteration, by term.

    Matrix products only, a multiplication and an addition as two operations; the backward pass takes twice the forward
    pass. With re-materialisation the sum is equation 3 of [1], F = 96Bslh²(1 + s/(6h) + V/(16lh)).

    Returns
    -------
    dict
        "matrices" (weights of the layers, 72Bslh²), "attention" (scores and their use, 12Bs²lh), "logits" (6BshV) and
        "recomputed" (the layers' forward pass once more, or 0), in operations. PyTorch's checkpoint stops before a layer's last
        product, whose result nobody needs, and recomputes 8Bslh² fewer.
    """
    whole(batch=batch)
    tokens, l, h, s = batch * model.sequence, model.layers, model.hidden, model.sequence  # noqa: E741
    forward = {"matrices": 24 * tokens * l * h**2, "attention": 4 * tokens * s * l * h}
    terms = {name: 3 * value for name, value in forward.items()}
    terms["logits"] = 6 * tokens * h * model.vocabulary
    terms["recomputed"] = sum(forward.values()) if rematerialised else 0
    return terms


def useful(model: Model, batch: int) -> int:
    """Count the operations that the model itself asks for in one iteration: `operations` without what is computed again."""
    return sum(operations(model, batch, rematerialised=False).values())


def utilisation(operations: float, gpus: int, peak: float, seconds: float) -> float:
    """Return operations over those that `gpus` of a `peak` could have done in the time.

    With `useful` operations it is the model FLOPs utilisation, MFU [6]: what is computed again counts no more than waiting does. With all
    operations it is the hardware FLOPs utilisation, HFU, which can rise while the same training takes longer.

    Raises
    ------
    ValueError
        If a number is not positive.
    """
    whole(gpus=gpus)
    for name, value in {"operations": operations, "peak": peak, "seconds": seconds}.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive; got {value!r}.")
    return operations / (gpus * peak * seconds)


def parameters_per_gpu(model: Model, layout: Layout) -> float:
    """Count the parameters on a GPU of the fullest stage, the first: l/p layers and both embeddings.

    Matrices, their first biases and the word embedding are split by t; layer norms, the biases after row-parallel products
    (6h a layer) and the position embedding stand on every GPU.
    """
    h, t = model.hidden, layout.tensor
    layer = (12 * h**2 + 7 * h) / t + 6 * h
    return model.layers / layout.pipeline * layer + model.vocabulary * h / t + model.sequence * h


def states(parameters: float, data: int = 1, zero: int = 0) -> dict[str, float]:
    """Bytes that parameters, gradients and Adam keep on a GPU which holds `parameters`, with ZeRO over `data` replicas.

    2 + 2 + (4 + 4 + 4) bytes a parameter; (4 + 12/d), (2 + 14/d) and 16/d with stages 1, 2 and 3: sections 3.1 and 5 of [2].
    """
    return {name: n * parameters / (data if zero >= SPLIT_FROM[name] else 1) for name, n in STATES.items()}


def layer_activations(
    model: Model, microbatch: int = 1, tensor: int = 1, *, sequence: bool = False, fused: bool = False
) -> float:
    """Bytes one layer keeps of a micro-batch for its backward pass: sbh(10 + 24/t + 5as/(ht)), equation 2 of [3].

    16-bit activations and dropout masks of one byte. With `sequence` parallelism all of it is cut, sbh(34 + 5as/h)/t (section 4.2.2). `fused`
    attention keeps a number of 4 bytes a head and token instead of the scores, their softmax and its dropout mask, 5as²b ([5], section 3.1).
    """
    s, h, a = model.sequence, model.hidden, model.heads
    scores = 4 * a / h if fused else 5 * a * s / h
    return s * microbatch * h * (10 / (tensor if sequence else 1) + (24 + scores) / tensor)


def memory(
    model: Model, layout: Layout, microbatches: int, schedule: Literal["1f1b", "gpipe"] = "1f1b"
) -> dict[str, float]:
    """Bytes on the fullest GPU, by term; their sum is what has to fit.

    GPipe keeps the activations of all m micro-batches, 1F1B of min(p, m) (section 2.2.1 of [1]), interleaved 1F1B
    of min(p + (p − 1)/v, m) ([3], section 4.2.3). Re-materialised, a layer keeps its input, 2sbh (2sbh/t with sequence
    parallelism), and one layer at a time is whole. Not counted: buffers of the communication library, fragments, dropout after the embedding.

    Returns
    -------
    dict
        The five states of `STATES`, "activations", "one layer" (being recomputed, or gathered by ZeRO 3) and, without a
        pipeline, "logits" (4sbV/t, float32).
    """
    whole(microbatches=microbatches)
    t, p, b = layout.tensor, layout.pipeline, layout.microbatch
    held = states(parameters_per_gpu(model, layout), layout.data, layout.zero)
    most = p if layout.chunks == 1 else p + (p - 1) / layout.chunks
    flying = microbatches if schedule == "gpipe" else min(most, microbatches)
    full = layer_activations(model, b, t, sequence=layout.sequence, fused=layout.fused)
    whole_input = HALF * model.sequence * b * model.hidden / (t if layout.sequence else 1)
    kept = whole_input if layout.rematerialised else full
    held["activations"] = flying * model.layers / p * kept
    held["one layer"] = (full if layout.rematerialised else 0.0) + (
        HALF * 12 * model.hidden**2 / t if layout.zero == 3 else 0.0
    )
    held["logits"] = 4 * model.sequence * b * model.vocabulary / t if p == 1 else 0.0
    return held


def bubble(pipeline: int, microbatches: int, chunks: int = 1) -> float:
    """Share of a pipeline's time in which a GPU waits: (p − 1)/(vm + p − 1), for v = 1 GPipe's (p − 1)/(m + p − 1) [4].

    [1] (section 2.2) divides the same wait by the ideal time instead of the whole: (p − 1)/(vm), see `bubble_of_ideal`. That
    number is larger and can pass 1; one is x/(1 + x) of the other.
    """
    x = bubble_of_ideal(pipeline, microbatches, chunks)
    return x / (1 + x)


def bubble_of_ideal(pipeline: int, microbatches: int, chunks: int = 1) -> float:
    """Time a GPU waits in a pipeline over the time it would take without waiting: (p − 1)/(vm), section 2.2 of [1]."""
    whole(pipeline=pipeline, microbatches=microbatches, chunks=chunks)
    return (pipeline - 1) / (chunks * microbatches)


def traffic(model: Model, layout: Layout, batch: int) -> dict[str, float]:
    """Bytes a GPU sends in one iteration; it receives as many.

    "data": ring all-reduce of 16-bit gradients, 2(d − 1)/d of their bytes. ZeRO 2 scatters gradients with every micro-batch and
    gathers parameters once, ZeRO 3 gathers parameters twice a micro-batch: for m = 1 twice and three times the
    parameters, section 7 of [2]. "tensor": 2 all-reduces a layer and micro-batch in the forward pass and 2 in the
    backward pass, 8bsh(t − 1)/t elements (section 3.2 of [1]); re-materialisation repeats the forward ones, 12bsh. Sequence
    parallelism makes a reduce-scatter and an all-gather of each, the same bytes, and gathers both inputs of the columns once more
    in the backward pass, 2bsh ([3], section 4.2.2). "pipeline":
    bsh to the next stage and bsh back for each micro-batch and chunk, 1/t of it with the scatter/gather of section 4.1.
    Not counted: the tied embedding's gradient, summed between first and last stage.
    """
    m, t, d = layout.microbatches(batch), layout.tensor, layout.data
    parameters = HALF * parameters_per_gpu(model, layout)
    rounds = data_rounds(layout, m)
    passed = HALF * layout.microbatch * model.sequence * model.hidden
    return {
        "data": rounds * (d - 1) / d * parameters,
        "tensor": m * model.layers / layout.pipeline * reductions(layout) * 2 * (t - 1) / t * passed,
        "pipeline": 2 * m * layout.chunks * passed / t if layout.pipeline > 1 else 0.0,
    }


def reductions(layout: Layout) -> int:
    """Return how many all-reduces a layer makes of a micro-batch's bsh elements; two gathers count as one. See `traffic`."""
    return 4 + (2 if layout.rematerialised else 0) + (1 if layout.sequence else 0)


def data_rounds(layout: Layout, microbatches: int) -> int:
    """Return how often a data-parallel step passes the parameters' bytes round: an all-reduce is 2 times, a gather or a scatter 1."""
    return {0: 2, 1: 2, 2: microbatches + 1, 3: 3 * microbatches}[layout.zero]
