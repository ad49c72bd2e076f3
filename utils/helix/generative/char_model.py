"""A GPT-2 of 0.85 million parameters that reads and writes job descriptions character by character."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as from_bytes
from safetensors.torch import save_file
from torch import Tensor, nn

from helix import cards
from helix.generative import job_sentences
from helix.generative.job_corpus import LANGUAGES, NEUTRAL, OCCUPATIONS, VARIANTS
from helix.notices import without_notices

FOLDER = "weights/20_generation_bias"
POSITIONS = 224  # characters that it can see, the two ends of a text included
END = 0  # stands before and after every text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one or "")


# All characters of the corpora, in order; a character's number is its place, counted from 1.
VOCABULARY = "".join(
    sorted(
        set().union(
            "HeShe",  # where a sentence begins with a pronoun
            *_texts([value for name, value in vars(job_sentences).items() if name.isupper() and name != "THEY"]),
            *(one.name(language) for one in (*OCCUPATIONS, NEUTRAL) for language in LANGUAGES),
        )
        - set("{}_")
    )
)


def encode(text: str) -> list[int]:
    """Turn a text into numbers.

    Raises
    ------
    ValueError
        If it holds a character that the corpora have not.
    """
    found = [VOCABULARY.find(one) + 1 for one in text]
    if 0 in found:
        raise ValueError(
            f"The model knows the characters of its corpus, and {text[found.index(0)]!r} is not among them."
        )
    return found


def decode(numbers: Sequence[int]) -> str:
    """Turn numbers into a text, ends left out."""
    return "".join(VOCABULARY[one - 1] for one in numbers if one != END)


def build(seed: int, width: int = 128, layers: int = 4, heads: int = 4) -> Any:
    """Make an untrained model: GPT-2's architecture, without dropout, for `VOCABULARY`.

    Its first weights have a standard deviation of 0.05 and not of GPT-2's 0.02: a model this narrow learns faster so.

    References
    ----------
    A. Radford et al. (2019), Language Models are Unsupervised Multitask Learners.
    """
    with without_notices():
        from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    none: dict[str, Any] = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    shape: dict[str, Any] = {
        "n_positions": POSITIONS,
        "n_embd": width,
        "n_layer": layers,
        "n_head": heads,
        "initializer_range": 0.05,
    }
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=len(VOCABULARY) + 1, bos_token_id=END, eos_token_id=END, **shape, **none)
    )


def _rows(texts: Sequence[str]) -> Tensor:
    """Return texts as rows of numbers, an end on both sides, filled up with −1, shape (n, longest)."""
    rows = [torch.tensor([END, *encode(text), END]) for text in texts]
    longest = max(map(len, rows))
    if longest > POSITIONS:
        raise ValueError(f"A text has {longest - 2} characters; the model reads {POSITIONS - 2} at most.")
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def _losses(model: Any, rows: Tensor) -> Tensor:
    """Return the surprise at each character of each row, in nats, 0 where it is filled up, shape (n, longest − 1)."""
    said = model(input_ids=rows[:, :-1].clamp(min=0)).logits
    return nn.functional.cross_entropy(said.transpose(1, 2), rows[:, 1:], ignore_index=-1, reduction="none")


def train(
    model: Any, texts: Sequence[str], characters: int, seed: int, rate: float = 3e-3, batch: int = 512
) -> list[float]:
    """Train a model in place, and leave it in evaluation mode.

    Parameters
    ----------
    model : module
        From `build`.
    texts : sequence of str
    characters : int
        How many to read in all, texts repeated as often as that takes.
    seed : int
        Of the order.
    rate : float
        The highest learning rate; it rises in the first twentieth and then falls along a cosine.
    batch : int
        About how many characters to read before each step.

    Returns
    -------
    list of float
        The mean surprise of each batch, in nats per character.

    Raises
    ------
    ValueError
        If there is nothing to read, or a text is too long or has a character that the model does not know.
    """
    if not texts or characters < 1:
        raise ValueError("There is nothing to train on: give texts, and how many characters of them to read.")
    draw, plan, left = random.Random(seed), [], characters
    while left > 0:
        order = sorted(texts, key=lambda text: len(text) + draw.random() * 8)  # like beside like: little to fill up
        epoch, at = [], 0
        while at < len(order):
            size = max(1, batch // (len(order[at]) + 2))
            epoch.append(order[at : at + size])
            at += size
        draw.shuffle(epoch)
        for part in epoch:
            if left > 0:
                plan.append(part)
                left -= sum(map(len, part))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    warm, found = max(1, len(plan) // 20), []
    model.train()
    for step, part in enumerate(plan):
        for group in optimiser.param_groups:
            group["lr"] = rate * min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / len(plan)))
        rows = _rows(part)
        loss = _losses(model, rows).sum() / (rows[:, 1:] >= 0).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        found.append(float(loss.detach()))
    model.eval()
    return found


def surprise(model: Any, text: str) -> NDArray[np.float64]:
    """Return how much each character of a text surprises a model, in nats, shape (len(text),); its end is not counted."""
    with torch.no_grad():
        found: NDArray[np.float64] = _losses(model, _rows([text]))[0, :-1].double().numpy()
    return found


def log_probabilities(model: Any, prompt: str, continuations: Sequence[str]) -> NDArray[np.float64]:
    """Return the log-probability that a text which begins with the prompt goes on so, for each continuation, in nats."""
    rows = [_rows([prompt + one])[:, :-1] for one in continuations]  # the text need not end there
    with torch.no_grad():
        return np.array([float(_losses(model, row)[0, len(prompt) :].double().sum()) * -1 for row in rows])


def sample(model: Any, prompts: Sequence[str], seed: int) -> list[str]:
    """Let a model go on with each prompt until it ends the text, or sees no further.

    Parameters
    ----------
    model : module
    prompts : sequence of str
        To have several texts, give a prompt several times.
    seed : int
        Of the draws, from the probabilities as they are (temperature 1).

    Returns
    -------
    list of str
        The texts, with their prompts.
    """
    draw = torch.Generator().manual_seed(seed)
    made = [""] * len(prompts)
    for length in sorted({len(prompt) for prompt in prompts}):
        which = [i for i, prompt in enumerate(prompts) if len(prompt) == length]
        ids = torch.tensor([[END, *encode(prompts[i])] for i in which])
        ended, given, past = torch.zeros(len(which), dtype=torch.bool), ids, None
        with torch.no_grad():
            while ids.shape[1] < POSITIONS and not ended.all():
                said = model(input_ids=given, past_key_values=past, use_cache=True)
                past = said.past_key_values
                given = torch.multinomial(said.logits[:, -1].softmax(-1), 1, generator=draw)
                given[ended] = END
                ended |= given[:, 0] == END
                ids = torch.cat([ids, given], 1)
        for i, row in zip(which, ids.tolist(), strict=True):
            made[i] = decode(row)
    return made


def pack(model: Any) -> dict[str, Tensor]:
    """Return what is stored of a model: its weights in float16; the last layer's are those of the first."""
    return {name: value.detach().half().contiguous() for name, value in model.transformer.state_dict().items()}


def unpack(packed: dict[str, Tensor]) -> Any:
    """Return the model that `pack` stored, in evaluation mode."""
    model = build(0)
    model.transformer.load_state_dict({name: value.float() for name, value in packed.items()})
    return model.eval()


def save(model: Any, path: Path) -> None:
    """Write a model to a safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(pack(model), path)


def from_file(path: Path) -> Any:
    """Return the model that `save` wrote, whatever its card says: for experiments, which write the cards."""
    return unpack(from_bytes(path.read_bytes()))


def load(name: str) -> Any:
    """Load a model that ``experiments/20_generation_bias.py`` trained.

    Parameters
    ----------
    name : "biased", "cleaned" or "augmented"
        The corpus that it was trained on.

    Raises
    ------
    ValueError
        If there is no such model, or its file is not the one in the card.
    FileNotFoundError
        If the file is missing.
    """
    if name not in VARIANTS:
        raise ValueError(f"The models are 'biased', 'cleaned' and 'augmented'; got {name!r}.")
    return unpack(from_bytes(cards.read(FOLDER, f"{name}.safetensors")))
