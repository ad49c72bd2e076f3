"""How pieces become what the loaders read: one function an asset, named after it, run once at set-up.

Each takes the folder that holds the verified pieces and leaves in it what is to be kept. Nothing here runs code that
came in a package. Whoever changes a function raises the `recipe` of its asset in ``assets.lock``.

Run as ``python -m helix.assets.prepare NAME FOLDER``, in a process of its own: what the libraries print and the memory
they take end with it.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

# Names, birth dates and the numbers of court cases: nothing that a fairness audit needs.
IDENTIFYING = ("name", "first", "last", "dob", "c_case_number", "r_case_number", "vr_case_number")


def smollm2(folder: Path) -> None:
    """Turn the 4-bit GGUF file into a folder that transformers loads at once: 16-bit safetensors and a tokenizer.

    Reading GGUF takes some 20 s each time. The weights come from 4 bits (8 for the embedding), and float16 holds what they
    unpack to seven times closer than bfloat16 does: their range is small.
    """
    import torch
    from transformers import AutoTokenizer, GgufConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    file = folder / "model.gguf"
    model = LlamaForCausalLM.from_pretrained(
        folder, gguf_file=file.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file.name)
    tokenizer.model_max_length = model.config.max_position_embeddings
    file.unlink()
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def glove(folder: Path) -> None:
    """Lay the vectors out word by word, not dimension by dimension, and the words beside them, one a line."""
    import numpy as np
    import pyarrow.parquet

    index, vectors = folder / "index.parquet", folder / "vectors.npy"
    words = pyarrow.parquet.read_table(index)["index"].to_pylist()
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    # Row by row, a few words are a few pages of the file: the loader maps it and reads no more than is used.
    np.save(vectors, np.ascontiguousarray(np.load(vectors, allow_pickle=False)))
    index.unlink()


def compas(folder: Path) -> None:
    """Drop the columns that name somebody or a case, so that they do not stay on a learner's disk."""
    raw = folder / "raw.csv"
    with raw.open(newline="", encoding="utf-8") as source:
        header, *rows = csv.reader(source)
    keep = [i for i, column in enumerate(header) if column not in IDENTIFYING]
    with (folder / "compas.csv").open("w", newline="", encoding="utf-8") as goal:
        writer = csv.writer(goal, lineterminator="\n")
        writer.writerows([row[i] for i in keep] for row in [header, *rows])
    raw.unlink()


def efficientnet_lite0(folder: Path) -> None:
    """Turn the pickled weights, read as weights only, into safetensors, under the names of our own layers."""
    import torch
    from safetensors.torch import save_file

    from helix.assets.efficientnet import EfficientNetLite0, rename

    pickled = folder / "weights.pth"
    found = torch.load(pickled, map_location="cpu", weights_only=True)
    weights = {rename(name): value.contiguous() for name, value in found.items()}
    EfficientNetLite0().load_state_dict(weights)  # strict: every weight has its place
    save_file(weights, folder / "model.safetensors")
    pickled.unlink()
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    (folder / "labels.json").write_text(json.dumps([labels[str(i)] for i in range(1000)], indent=0), encoding="utf-8")


def minilm(folder: Path) -> None:
    """Take the fixed padding out of the tokenizer and let it keep 256 word pieces, as the model was published."""
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    tokenizer["padding"]["strategy"] = "BatchLongest"
    tokenizer["truncation"]["max_length"] = 256
    file.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
