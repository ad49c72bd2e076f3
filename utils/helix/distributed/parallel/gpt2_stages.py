"""A small GPT-2 of `transformers`, cut by its layers into the stages of a pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

Rematerialise = Literal["", "early stop", "whole"]


def small_gpt2(seed: int = 0, layers: int = 8, hidden: int = 64, heads: int = 4, vocabulary: int = 512) -> Any:
    """Make a GPT-2 of `transformers` with random weights, without dropout, for sequences of up to 64 tokens."""
    from helix.notices import without_notices

    with without_notices():
        from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(seed)
    none: dict[str, Any] = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    settings: dict[str, Any] = {
        "vocab_size": vocabulary,
        "n_embd": hidden,
        "n_layer": layers,
        "n_head": heads,
        "n_positions": 64,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "activation_function": "gelu_pytorch_tanh",
        "use_cache": False,
    }
    return GPT2LMHeadModel(GPT2Config(**settings, **none))


IGNORED = -100  # what PyTorch's losses call a target that does not count, such as padding


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy over the tokens that count: logits of shape (b, s, V), targets (b, s), -100 where none is wanted."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def counting(targets: Tensor) -> int:
    """Return how many targets a mean loss is a mean of: class numbers other than -100; of other targets every element."""
    return targets.numel() if targets.is_floating_point() else int((targets != IGNORED).sum())


class Stage(nn.Module):
    """Some layers of a GPT-2, with the embeddings if it is the first stage, with norm and output layer if it is the last.

    Its parameters have the names that they have in the model, without ``transformer.``.
    """

    def __init__(self, model: Any, layers: range, rematerialise: Rematerialise = "") -> None:
        super().__init__()
        whole_model, first, last = model.transformer, layers.start == 0, layers.stop == len(model.transformer.h)
        self.wte = whole_model.wte if first else None
        self.wpe = whole_model.wpe if first else None
        self.h = nn.ModuleDict({str(number): whole_model.h[number] for number in layers})
        self.ln_f = whole_model.ln_f if last else None
        self.lm_head = model.lm_head if last else None
        self._shares = first and last
        if last and not first:  # another process: a weight cannot be shared with it, so this end gets a copy
            weight = model.lm_head.weight.detach().clone()
            self.lm_head = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            self.lm_head.weight = nn.Parameter(weight)
        self.rematerialise = rematerialise

    @staticmethod
    def name_in_model(name: str) -> str:
        """Return what a parameter of a stage is called in the model; the output layer's copy keeps a name of its own."""
        return name if name.startswith("lm_head") else f"transformer.{name}"

    @property
    def tied(self) -> nn.Parameter | None:
        """The embedding (first stage) or its copy in the output layer (last), where these stand in two stages."""
        if self._shares:
            return None
        module = self.wte if self.wte is not None else self.lm_head
        return module.weight if module is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """Take tokens, shape (b, s), or the stage before's output, (b, s, h); return (b, s, h), or logits (b, s, V)."""
        if self.wte is not None:
            assert self.wpe is not None
            x = self.wte(x) + self.wpe(torch.arange(x.shape[1], device=x.device))
        for layer in self.h.values():
            if self.rematerialise and torch.is_grad_enabled():
                from torch.utils.checkpoint import checkpoint

                x = checkpoint(layer, x, use_reentrant=self.rematerialise == "whole")
            else:
                x = layer(x)
        if self.lm_head is not None:
            assert self.ln_f is not None
            x = self.lm_head(self.ln_f(x))
        return x


def cut(model: Any, boundaries: Sequence[int], rematerialise: Rematerialise = "") -> list[Stage]:
    """Cut a GPT-2 into stages.

    Parameters
    ----------
    model : GPT2LMHeadModel
        The stages share its parameters, but for the output layer's copy of the embedding.
    boundaries : sequence of int
        The first layer of every stage but the first, rising: ``(3, 6)`` makes three stages of eight layers, 0–2, 3–5 and 6–7.
    rematerialise : {"", "early stop", "whole"}
        Keep only each layer's input, and compute the layer again for its backward pass: as PyTorch recommends it, which stops
        when it has what it needs, or the whole layer (whose tensors `saved.SavedBytes` can count).

    Returns
    -------
    list of Stage

    Raises
    ------
    ValueError
        If there are more stages than layers, or a boundary is out of order or outside of the model.
    """
    layers, places = len(model.transformer.h), list(boundaries)
    if len(places) + 1 > layers:
        raise ValueError(f"{layers} layers cannot fill {len(places) + 1} stages: each needs at least one layer.")
    ends = [0, *places, layers]
    for before, after in itertools.pairwise(ends):
        if isinstance(after, bool) or not isinstance(after, int) or not before < after:
            raise ValueError(
                f"The boundaries {places} do not rise from 1 to {layers - 1}: a stage would start at layer {before} and end "
                f"before layer {after!r}."
            )
    return [Stage(model, range(a, b), rematerialise) for a, b in itertools.pairwise(ends)]
