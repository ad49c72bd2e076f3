"""A small language model before and after quantization: how well it predicts, how fast, and which pronoun it expects."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from helix.engineering import compensation
from helix.engineering.quantization import symmetric

# The occupations of WinoBias: J. Zhao et al. (2018), Gender Bias in Coreference Resolution, arXiv:1804.06876.
OCCUPATIONS = (
    *("carpenter", "mechanician", "construction worker", "laborer", "driver", "sheriff", "mover", "developer"),
    *("farmer", "guard", "chief", "janitor", "lawyer", "cook", "physician", "CEO", "analyst", "manager"),
    *("supervisor", "salesperson", "editor", "designer", "accountant", "auditor", "writer", "baker", "clerk"),
    *("cashier", "counselor", "attendant", "teacher", "sewer", "librarian", "assistant", "cleaner"),
    *("housekeeper", "nurse", "receptionist", "hairdresser", "secretary"),
)
TEMPLATES = (
    "The {} said that",
    "The {} was tired because",
    "The {} asked the visitor if",
    "The {} walked into the room and sat down. Then",
    "I met the {} yesterday, and",
)
NEUTRAL = "person"
_PROSE = ("lfw", "kddcup99", "rcv1", "olivetti_faces", "species_distributions", "covtype", "twenty_newsgroups")


def real_text() -> str:
    """Return English prose that no one wrote for this course: how scikit-learn describes some of its data sets.

    It comes with the installed package (BSD licence); tables, code and short lines are left out.
    """
    folder, kept = resources.files("sklearn.datasets.descr"), []
    for name in _PROSE:
        text = folder.joinpath(f"{name}.rst").read_text(encoding="utf-8")
        for paragraph in re.split(r"\n\s*\n", text):
            words = paragraph.split()
            if len(words) >= 30 and not re.search(r">>>|===|---|^\s*(?:\.\.|\*|-|\d+\.)", paragraph, re.MULTILINE):
                kept.append(re.sub(r":\w+:|[`*]+", "", " ".join(words)))
    return "\n".join(kept)


def token_losses(model: Any, ids: Tensor, window: int = 256) -> NDArray[np.float64]:
    """Return how much each token surprised the model, in nats; the exponential of the mean is the perplexity.

    Parameters
    ----------
    model : module
        A causal language model of transformers.
    ids : Tensor, shape (n,)
        The tokens of the text.
    window : int
        How many tokens are read at once; the first of each window is not predicted.

    Returns
    -------
    ndarray
        One number for each predicted token.

    Raises
    ------
    ValueError
        If there are fewer than two tokens, so that none is predicted.
    """
    if len(ids) < 2:
        raise ValueError("A text of fewer than two tokens predicts nothing.")
    losses = []
    with torch.no_grad():
        for part in ids.split(window):
            if len(part) > 1:
                said = model(part[None, :-1]).logits[0].float()
                losses.append(torch.nn.functional.cross_entropy(said, part[1:], reduction="none"))
    found: NDArray[np.float64] = torch.cat(losses).double().numpy()
    return found


@contextmanager
def jitter(model: Any, seed: int, size: float = 1e-6) -> Iterator[None]:
    """Disturb what the embedding says of each token by a relative error, while the context is open.

    The default is about what another processor's order of adding makes of a float32 number. A measurement that moves with
    it is one draw, and is told by the median and the range of many.

    Parameters
    ----------
    model : module
        A language model of transformers; it is left as it was.
    seed : int
        Of the error.
    size : float
        Its standard deviation, as a share of each number.
    """
    draw = torch.Generator().manual_seed(seed)
    hook = model.get_input_embeddings().register_forward_hook(
        lambda layer, given, made: made * (1 + size * torch.randn(made.shape, generator=draw))
    )
    try:
        yield
    finally:
        hook.remove()


def pronoun_gaps(
    model: Any, tokenizer: Any, words: Sequence[str] = OCCUPATIONS, templates: Sequence[str] = TEMPLATES
) -> NDArray[np.float64]:
    """Return how much more the model expects “she” than “he” after each word, against the neutral word “person”.

    It is log p(she) − log p(he) after the sentence with the word, minus the same after the sentence with “person”: 0 means
    that the word shifts nothing. Each sentence is read alone. It says what the model expects in five sentences, and
    nothing about people.

    Parameters
    ----------
    model, tokenizer
        From `helix.assets.models.smollm2`.
    words, templates : sequences of str

    Returns
    -------
    ndarray, shape (len(words), len(templates))
        In nats.
    """
    she, he = (tokenizer(pronoun, add_special_tokens=False).input_ids[0] for pronoun in (" she", " he"))

    def lean(sentence: str) -> float:
        ids = tokenizer(sentence, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.no_grad():
            said = model(ids).logits[0, -1]
        return float(said[she] - said[he])

    neutral = [lean(template.format(NEUTRAL)) for template in templates]
    return np.array(
        [
            [lean(template.format(word)) - zero for template, zero in zip(templates, neutral, strict=True)]
            for word in words
        ]
    )


class DynamicLinear(nn.Module):
    """A linear layer that rounds its weights once, and its input to a grid chosen anew for each call (“dynamic”).

    It takes apart what distinguishes two libraries: ``torch.ao.quantization.quantize_dynamic`` has one grid for all rows of
    the input, 7 of 8 bits (``reduce_range``, so that older processors cannot overflow), and one grid for the weight;
    ``torchao.quantization.Int8DynamicActivationInt8WeightConfig`` has 8 bits and a symmetric grid for each row of both. The
    input's grid here is asymmetric in every case, so that nothing else differs.

    Parameters
    ----------
    layer : Linear
    per_row : bool
        Give every row of the input (every token) a grid of its own; else all that is read together shares one.
    per_channel : bool
        Give every row of the weight a grid of its own.
    activation_bits : int
        Of the input; weights have 8.
    """

    def __init__(self, layer: nn.Linear, per_row: bool, per_channel: bool, activation_bits: int) -> None:
        super().__init__()
        self.per_row, self.steps, self.bias = per_row, 2**activation_bits - 1, layer.bias
        weight = layer.weight.detach()
        self.weight = symmetric(weight, axis=0 if per_channel else None).round_trip(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        axes = {"dim": -1, "keepdim": True} if self.per_row else {}
        low, high = x.amin(**axes).clamp(max=0), x.amax(**axes).clamp(min=0)
        scale = ((high - low) / self.steps).clamp(min=1e-12)
        zero_point = torch.round(-low / scale)
        q = (torch.round(x / scale) + zero_point).clamp(0, self.steps)
        return nn.functional.linear((q - zero_point) * scale, self.weight, self.bias)


def twin(model: Any) -> Any:
    """Return a copy of a model that shares its numbers with it: for those who will replace them.

    Replacing a layer or a parameter of the copy leaves the original as it is; changing numbers in place would not.
    """
    return copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})


def dynamic(model: Any, per_row: bool, per_channel: bool, activation_bits: int) -> Any:
    """Return a copy of a model whose linear layers, the last one included, are `DynamicLinear`."""
    model = twin(model)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear):
            model.set_submodule(name, DynamicLinear(layer, per_row, per_channel, activation_bits))
    return model


def with_weights(model: Any, rounded: Callable[[str, Tensor], Tensor]) -> Any:
    """Return a copy of a model whose linear layers, the last one included, hold other weights: what `rounded` makes of name and weight.

    Activations stay in float32 (“weight-only”), and so do the numbers that the weights are: nothing becomes smaller or faster.
    """
    model = twin(model)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(rounded(name, layer.weight.detach()), requires_grad=False)
    return model


def smoothed(model: Any, reach: Mapping[str, Tensor], power: float = 0.5) -> Any:
    """Return a copy of a model in Llama's manner that answers the same, with large inputs of its layers divided and their weights multiplied.

    What divides goes into what stands before: the norm before attention and before the MLP, and the rows of ``up_proj`` before
    ``down_proj``. The attention's last layer, ``o_proj``, stays as it is.

    Parameters
    ----------
    model : module
        Of transformers, with ``model.layers`` as in Llama.
    reach : mapping of str to Tensor
        The largest magnitude of each input of each linear layer: see `compensation.reaches`.
    power : float
        See `compensation.smoothing`.
    """
    model = copy.deepcopy(model)
    with torch.no_grad():
        for number, block in enumerate(model.model.layers):
            attention, mlp = block.self_attn, block.mlp
            for before, after, name in (
                (block.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj), "self_attn.q_proj"),
                (block.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj), "mlp.up_proj"),
                (mlp.up_proj, (mlp.down_proj,), "mlp.down_proj"),
            ):
                weights = torch.cat([layer.weight for layer in after])
                divisor = compensation.smoothing(reach[f"model.layers.{number}.{name}"], weights, power)
                before.weight /= divisor.reshape(-1, *[1] * (before.weight.ndim - 1))
                for layer in after:
                    layer.weight *= divisor
    return model


def decode(model: Any, ids: Tensor, tokens: int) -> Tensor:
    """Write so many tokens one by one, always the likeliest, and return them, shape (tokens,)."""
    attention = torch.ones_like(ids[None])
    with torch.no_grad():
        made = model.generate(
            ids[None],
            attention_mask=attention,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
    return made[0, len(ids) :]
