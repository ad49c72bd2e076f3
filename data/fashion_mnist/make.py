"""Make the files of this folder from the four original files of Fashion-MNIST.

    python data/fashion_mnist/make.py SOURCE

SOURCE is a folder that holds the four files, such as ``/usr/share/datasets/fashion-mnist``, where Debian's package
``dataset-fashion-mnist`` puts them. Three are copied as they are. Of the training images, which are too big for the
repository, those that `helix.datasets.fashion_mnist.choose` names are kept. The same originals always give the same
bytes before compression.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from helix import datasets
from helix.datasets import fashion_mnist

HERE = Path(__file__).resolve().parent


def idx(images: NDArray[np.uint8]) -> bytes:
    """Write images in the IDX format of MNIST, not yet compressed."""
    shape = np.array(images.shape, ">u4")
    return bytes([0, 0, 8, images.ndim]) + shape.tobytes() + images.tobytes()


def make(source: Path, target: Path, expected: dict[str, str]) -> None:
    """Check the originals in `source` against the `expected` SHA-256, then write the files of `target`."""
    originals = {}
    for name, sha256 in expected.items():
        originals[name] = (source / name).read_bytes()
        if hashlib.sha256(originals[name]).hexdigest() != sha256:
            raise SystemExit(f"{name} in {source} is not the original file: its SHA-256 is not {sha256}.")
    images = fashion_mnist.read_idx(originals[fashion_mnist.OFFICIAL_IMAGES])
    chosen = fashion_mnist.choose(fashion_mnist.read_idx(originals[fashion_mnist.OFFICIAL_LABELS]))
    for name, content in originals.items():
        if name != fashion_mnist.OFFICIAL_IMAGES:
            (target / name).write_bytes(content)
    for split, places in chosen.items():
        content = idx(images[places])
        path = target / fashion_mnist.FILES[split]
        with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.write(content)
        print(f"{path.name}: {path.stat().st_size} bytes")
        print(f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
        print(f"sha256 of the content {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    make(Path(sys.argv[1]), HERE, datasets.card("fashion_mnist")["originals"])
