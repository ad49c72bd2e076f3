"""Fashion-MNIST: grey pictures of 70,000 articles from Zalando's shop, 28 pixels wide and high, in ten classes.

The repository holds 10,000 of them for training, 2,000 for validation, and the whole official test set. Where they
come from, what is wrong with them and who could be harmed by careless use: ``data/fashion_mnist/CARD.md``.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from helix import datasets

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FILES = {  # each split's images, as the card lists them
    "train": "train-images-10000-idx3-ubyte.gz",
    "validation": "validation-images-2000-idx3-ubyte.gz",
    "test": "t10k-images-idx3-ubyte.gz",
}
OFFICIAL_IMAGES = "train-images-idx3-ubyte.gz"  # all 60,000: too big for the repository
OFFICIAL_LABELS = "train-labels-idx1-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
SEED = 2026


class Images(NamedTuple):
    """Pictures and what they show.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 28, 28)
        From 0, the background, to 255.
    labels : ndarray of int64, shape (n,)
        Places in ``CLASSES``.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load(split: Literal["train", "validation", "test"] = "train") -> Images:
    """Load one split of Fashion-MNIST.

    ``test`` is the official one. ``train`` and ``validation`` are parts of the official training set, with the same
    number of pictures in each class. Every split is in its original order.

    Parameters
    ----------
    split : "train", "validation" or "test"
        10,000, 2,000 and 10,000 pictures.

    Returns
    -------
    Images
        The arrays ``images`` and ``labels``.

    Raises
    ------
    ValueError
        If there is no such split, or a data file is damaged.
    FileNotFoundError
        If a data file is missing.

    References
    ----------
    H. Xiao, K. Rasul and R. Vollgraf (2017), Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms, arXiv:1708.07747, MIT licence.
    """
    if split not in FILES:
        raise ValueError(f"Fashion-MNIST has the splits 'train', 'validation' and 'test'; got {split!r}.")
    images = read_idx(datasets.read("fashion_mnist", FILES[split]))
    if split == "test":
        labels = read_idx(datasets.read("fashion_mnist", TEST_LABELS))
    else:
        labels = official_labels()
        labels = labels[choose(labels)[split]]
    return Images(images, labels.astype(np.int64))


def load_official(originals: Path) -> Images:
    """Load the official training set, without the 2,000 pictures of ``validation``.

    Our ``train`` is inside it; ``validation`` and ``test`` are not, so whatever is trained on it may be judged on them.

    Parameters
    ----------
    originals : Path
        A folder that holds ``train-images-idx3-ubyte.gz``. Debian's package ``dataset-fashion-mnist`` puts it in
        ``/usr/share/datasets/fashion-mnist``.

    Returns
    -------
    Images
        58,000 pictures in their original order; `load` says more.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says how to get it.
    ValueError
        If it is not the original file, or a data file of the repository is damaged.
    """
    mend = (
        "On Debian, apt-get install dataset-fashion-mnist puts the original into "
        "/usr/share/datasets/fashion-mnist; pass that folder."
    )
    path = Path(originals) / OFFICIAL_IMAGES
    if not path.is_file():
        raise FileNotFoundError(f"There is no {OFFICIAL_IMAGES} in {originals}. {mend}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != datasets.card("fashion_mnist")["originals"][OFFICIAL_IMAGES]:
        raise ValueError(f"{path} is not the original file: its SHA-256 is not the one in the card. {mend}")
    labels = official_labels()
    kept = np.setdiff1d(np.arange(len(labels)), choose(labels)["validation"])
    return Images(read_idx(content)[kept], labels[kept].astype(np.int64))


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bring pictures into the form that networks take.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28)

    Returns
    -------
    ndarray of float32, shape (n, 1, 28, 28)
        From 0 to 1, with an axis for the one channel.
    """
    return images[:, None].astype(np.float32) / np.float32(255)


def choose(labels: NDArray[np.uint8], train: int = 1_000, validation: int = 200) -> dict[str, NDArray[np.int64]]:
    """Choose as many pictures of each class for training and for validation.

    The order is that of a seeded hash and not of a random generator, so that no version of Python or a library can
    change the splits.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        The labels of the official training set.
    train, validation : int
        Pictures of each class.

    Returns
    -------
    dict of str to ndarray of int64
        The places in `labels` of ``train`` and of ``validation``, ascending.
    """
    shuffle = [hashlib.sha256(f"{SEED}:{i}".encode()).digest() for i in range(len(labels))]
    classes = [sorted(np.flatnonzero(labels == label).tolist(), key=shuffle.__getitem__) for label in np.unique(labels)]
    return {
        "train": np.sort([i for members in classes for i in members[validation : validation + train]]),
        "validation": np.sort([i for members in classes for i in members[:validation]]),
    }


def official_labels() -> NDArray[np.uint8]:
    """Read the labels of all 60,000 pictures in the official training set."""
    return read_idx(datasets.read("fashion_mnist", OFFICIAL_LABELS))


def read_idx(packed: bytes) -> NDArray[np.uint8]:
    """Read bytes in the gzipped IDX format of MNIST: two zeros, type 8, the number of axes, their lengths, the values."""
    content = gzip.decompress(packed)
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()  # a copy may be written to
