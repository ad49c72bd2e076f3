"""Loaders of the models among the assets, each with a format that can hold no code.

Every loader raises `helix.assets.manifest.AssetError`, with the command that mends it, if its asset is missing or damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from helix.assets.store import folder
from helix.notices import without_notices

if TYPE_CHECKING:
    import torch
    from spacy.language import Language
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from helix.assets.efficientnet import EfficientNetLite0


def smollm2(dtype: torch.dtype | None = None) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Load SmolLM2-135M-Instruct, an English language model of 134.5 million parameters, and its tokenizer.

    **Its weights have been quantized before**: linear layers to 4 bits in blocks of 32 along the input (GGUF's Q4_1), the
    embedding to 8. They are unpacked to float16 here. So float32 is no untouched baseline, and rounding to 4 bits in the
    same blocks once more changes nothing: it measures this file, not quantization.

    It is tuned to follow instructions, so plain prose surprises it more than it would the base model. The tokenizer
    adds no token at the beginning, and the chat template adds a system prompt. Input embedding and ``lm_head`` are one
    weight. The context is 8,192 tokens. In float32 it takes 0.54 GB.

    Parameters
    ----------
    dtype : torch.dtype, optional
        Of the weights in memory; float32 if not given.

    Returns
    -------
    model, tokenizer
        The model in evaluation mode.

    References
    ----------
    L. Ben Allal et al. (2025), SmolLM2: When Smol Goes Big, arXiv:2502.02737.
    """
    import torch

    with without_notices():
        from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
        from transformers.utils.logging import disable_progress_bar, enable_progress_bar

    place = folder("smollm2")
    disable_progress_bar()  # its seconds would differ in every run of a notebook
    try:
        model = LlamaForCausalLM.from_pretrained(
            place, dtype=dtype or torch.float32, use_safetensors=True, local_files_only=True
        )
    finally:
        enable_progress_bar()
    return model.eval(), PreTrainedTokenizerFast.from_pretrained(place, local_files_only=True)


class SentenceEncoder:
    """all-MiniLM-L6-v2: English sentences to vectors whose scalar product is their cosine similarity.

    Its weights are stored in int8 and unpacked; the arithmetic is float32. It shows what int8 saves in size, not in time.

    References
    ----------
    N. Reimers and I. Gurevych (2019), Sentence-BERT, arXiv:1908.10084.
    """

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        place = folder("minilm")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        self._session = onnxruntime.InferenceSession(
            str(place / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {wanted.name for wanted in self._session.get_inputs()}

    def encode(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float32]:
        """Encode texts.

        Parameters
        ----------
        texts : sequence of str
            What comes after 256 word pieces, the two that mark the ends included, is not read.
        batch : int
            How many to run at once.

        Returns
        -------
        ndarray, shape (len(texts), 384)
            The mean of each text's token vectors, of length 1.
        """
        if isinstance(texts, str):
            raise TypeError("encode takes a list of texts; for one, write encode([text]).")
        rows = [np.empty((0, 384), np.float32)]
        for start in range(0, len(texts), batch):
            encoded = self._tokenizer.encode_batch(list(texts[start : start + batch]))
            mask = np.array([one.attention_mask for one in encoded], np.int64)
            feed = {"input_ids": np.array([one.ids for one in encoded], np.int64), "attention_mask": mask}
            feed["token_type_ids"] = np.zeros_like(mask)
            (tokens, *_) = self._session.run(None, {name: feed[name] for name in self._inputs})
            total = (tokens * mask[:, :, None]).sum(axis=1)
            rows.append((total / np.linalg.norm(total, axis=1, keepdims=True)).astype(np.float32))
        return np.concatenate(rows)


def minilm() -> SentenceEncoder:
    """Load the encoder of English sentences."""
    return SentenceEncoder()


@dataclass(frozen=True)
class WordVectors:
    """Words, most frequent first, and their vectors.

    Attributes
    ----------
    words : tuple of str
        All in lower case.
    vectors : ndarray, shape (len(words), dimensions), float32
        As published, not of length 1. They stay on the disk, and only the rows that are used are read.
    """

    words: tuple[str, ...]
    vectors: NDArray[np.float32]
    _rows: dict[str, int]

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def __len__(self) -> int:
        return len(self.words)

    def of(self, words: Iterable[str]) -> NDArray[np.float32]:
        """Return the vectors of words, shape (n, dimensions).

        Raises
        ------
        KeyError
            If some have none; the message names them all. Who is missing is a finding: say it with your result.
        """
        words = list(words)
        if missing := [word for word in words if word not in self._rows]:
            raise KeyError(f"These words have no vector: {', '.join(missing)}.")
        return np.array(self.vectors[[self._rows[word] for word in words]])


def glove() -> WordVectors:
    """Load GloVe's vectors of 400,000 words, 50 dimensions each.

    References
    ----------
    J. Pennington, R. Socher and C. D. Manning (2014), GloVe, doi:10.3115/v1/D14-1162.
    """
    place = folder("glove")
    words = tuple((place / "words.txt").read_text(encoding="utf-8").split("\n")[:-1])
    vectors = np.load(place / "vectors.npy", mmap_mode="r", allow_pickle=False)
    return WordVectors(words, vectors, {word: row for row, word in enumerate(words)})


def efficientnet_lite0() -> tuple[EfficientNetLite0, tuple[str, ...]]:
    """Load EfficientNet-Lite0 in evaluation mode, and the names of ImageNet's 1,000 classes in order.

    `helix.assets.efficientnet.preprocess` makes a picture into its input.
    """
    from safetensors.torch import load_file

    from helix.assets.efficientnet import EfficientNetLite0

    place = folder("efficientnet_lite0")
    model = EfficientNetLite0()
    model.load_state_dict(load_file(place / "model.safetensors"))
    return model.eval(), tuple(json.loads((place / "labels.json").read_text(encoding="utf-8")))


def spacy_english(exclude: Sequence[str] = ()) -> Language:
    """Load spaCy's small English pipeline (tagger, parser, lemmatizer, named entities).

    Parameters
    ----------
    exclude : sequence of str
        Components to leave out, such as "parser" where only names are wanted.
    """
    with without_notices():
        import spacy

        return spacy.load(folder("spacy_english"), exclude=list(exclude))
