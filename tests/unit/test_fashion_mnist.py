"""Fashion-MNIST is what its card describes, its splits do not leak, and the card states nothing that they do not show."""

from __future__ import annotations

import gzip
import hashlib
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helix import datasets
from helix.datasets import fashion_mnist

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "fashion_mnist"
OURS = ("train", "validation")
SPLITS = (*OURS, "test")


@pytest.fixture(scope="module")
def facts() -> dict:
    return datasets.card("fashion_mnist")


@pytest.fixture(scope="module")
def splits() -> dict[str, fashion_mnist.Images]:
    return {name: fashion_mnist.load(name) for name in SPLITS}


@pytest.fixture(scope="module")
def make() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(FOLDER / "make.py"))


def as_bytes(images: np.ndarray) -> list[bytes]:
    return [image.tobytes() for image in images]


def test_files_are_those_in_the_card(facts):
    shipped = {path.name: path.read_bytes() for path in FOLDER.glob("*.gz")}
    assert facts["files"] == {
        name: {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "content_sha256": hashlib.sha256(gzip.decompress(content)).hexdigest(),
        }
        for name, content in shipped.items()
    }
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 10_000_000
    for name, sha256 in facts["originals"].items():  # three originals are shipped as they are
        assert (name == fashion_mnist.OFFICIAL_IMAGES) != (name in shipped)
        assert facts["files"].get(name, {"sha256": sha256})["sha256"] == sha256
    assert "Copyright (c) 2017 Zalando SE" in (FOLDER / "LICENSE").read_text()


def test_counts_and_types(facts, splits):
    official = fashion_mnist.official_labels()
    assert facts["pictures"] == {name: len(images) for name, (images, _) in splits.items()} | {
        "official_train": len(official),
        "official_train_without_validation": len(official) - len(splits["validation"].labels),
    }
    for images, labels in splits.values():
        assert images.shape == (len(labels), *facts["size"])
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert images.flags.writeable  # torch.from_numpy warns of arrays that it cannot write to
        assert set(np.bincount(labels, minlength=10)) == {len(labels) // len(fashion_mnist.CLASSES)}


def test_our_splits_are_recomputed_from_the_official_labels(splits):
    official = fashion_mnist.official_labels()
    chosen = fashion_mnist.choose(official)
    assert not set(chosen["train"]) & set(chosen["validation"])
    for name in OURS:
        assert (np.diff(chosen[name]) > 0).all()
        assert (official[chosen[name]] == splits[name].labels).all()
    # By hand, for one class: the seeded hash alone decides.
    bags = np.flatnonzero(official == fashion_mnist.CLASSES.index("Bag"))
    bags = sorted(bags, key=lambda i: hashlib.sha256(f"2026:{i}".encode()).hexdigest())
    assert set(bags[:200]) == set(chosen["validation"]) & set(bags)
    assert set(bags[200:1200]) == set(chosen["train"]) & set(bags)


def test_labels_belong_to_the_pictures(splits):
    """The mean pictures of two splits are alike class by class, and a few features that the names promise are there."""
    means = {
        n: np.stack([images[labels == k].mean(axis=0) for k in range(10)]) for n, (images, labels) in splits.items()
    }
    for name in ("validation", "test"):
        distance = ((means[name][:, None] - means["train"]) ** 2).mean(axis=(2, 3))
        assert (distance.argmin(axis=1) == np.arange(10)).all()
    mean = dict(zip(fashion_mnist.CLASSES, means["train"], strict=True))
    assert mean["Trouser"][20, 13:15].mean() < mean["Trouser"][20, 10:12].mean()  # a gap between the legs
    assert mean["Ankle boot"][5].mean() > 5 * mean["Sneaker"][5].mean()  # the shaft
    assert mean["Pullover"][20, :8].mean() > 2 * mean["T-shirt/top"][20, :8].mean()  # long sleeves


def test_known_problems(facts, splits):
    (images, labels), (test_images, test_labels) = splits["train"], splits["test"]
    assert facts["pixels"] == pytest.approx(
        {
            "mean": (images / 255).mean(),
            "standard_deviation": (images / 255).std(),
            "share_of_zeros": (images == 0).mean(),
        },
        abs=5e-5,
    )
    everything = [picture for split in splits.values() for picture in as_bytes(split.images)]
    assert facts["repeated"] == {"in_all_splits": len(everything) - len(set(everything))}
    outlines = set(as_bytes(images > 0))
    assert facts["near_twins"] == {"test_and_train": sum(o in outlines for o in as_bytes(test_images > 0))}
    touched = {edge: images[at].any(axis=1) for edge, at in EDGES.items()}
    across = (touched["top"] & touched["bottom"]) | (touched["left"] & touched["right"])
    assert facts["cropped"] == pytest.approx({"touches_opposite_edges": across.mean()}, abs=5e-5)

    def features(pictures: np.ndarray) -> np.ndarray:
        return np.hstack([pictures.reshape(len(pictures), -1) / 255, np.ones((len(pictures), 1))])

    x = features(images)
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ np.eye(10)[labels])
    called = (features(test_images) @ weights).argmax(axis=1)
    top, trouser, pullover, coat, shirt = (
        fashion_mnist.CLASSES.index(name) for name in ("T-shirt/top", "Trouser", "Pullover", "Coat", "Shirt")
    )
    measured = {
        "accuracy": (called == test_labels).mean(),
        "trouser_found": (called[test_labels == trouser] == trouser).mean(),
        "shirt_found": (called[test_labels == shirt] == shirt).mean(),
        "shirt_called_t_shirt": (called[test_labels == shirt] == top).mean(),
        "shirt_called_pullover": (called[test_labels == shirt] == pullover).mean(),
        "shirt_called_coat": (called[test_labels == shirt] == coat).mean(),
    }
    assert facts["linear_model"] == pytest.approx(measured, abs=0.002)  # another processor rounds otherwise
    found = [(called[test_labels == label] == label).mean() for label in range(10)]
    assert np.argmin(found) == shirt
    assert np.argmax(found) == trouser


EDGES = {"top": np.s_[:, 0], "bottom": np.s_[:, -1], "left": np.s_[:, :, 0], "right": np.s_[:, :, -1]}


def test_sentences_of_the_card_repeat_its_facts(facts, splits):
    text = " ".join((FOLDER / "CARD.md").read_text().split("```")[2].split())
    model, worn = facts["linear_model"], facts["worn"]
    assert f"finds {model['trouser_found']:.0%}".rstrip("%") + " of 100 trousers" in text
    assert f"only {model['shirt_found']:.0%}".rstrip("%") + " of 100 shirts" in text
    called = [round(100 * model[f"shirt_called_{name}"]) for name in ("t_shirt", "pullover", "coat")]
    assert "it calls {} of them T-shirt, {} pullover and {} coat".format(*called) in text
    assert f"({facts['cropped']['touches_opposite_edges']:.0%}".replace("%", " %)") in text
    assert {5: "five test pictures"}[facts["near_twins"]["test_and_train"]] in text
    assert f"at least {sum(map(len, worn.values()))} of ours" in text
    assert list(worn) == list(SPLITS)
    for name, places in worn.items():
        assert sorted(set(places)) == places
        assert places[0] >= 0
        assert places[-1] < len(splits[name].images)


def test_scaled(splits):
    images = splits["validation"].images[:50]
    pictures = fashion_mnist.scaled(images)
    assert pictures.shape == (50, 1, 28, 28)
    assert pictures.dtype == np.float32
    assert pictures.min() == 0
    assert pictures.max() == 1
    assert (np.rint(pictures[:, 0] * 255) == images).all()


def test_unknown_split():
    with pytest.raises(ValueError, match="'train', 'validation' and 'test'; got 'dev'"):
        fashion_mnist.load("dev")


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    shutil.copytree(FOLDER, tmp_path / "data" / "fashion_mnist")
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    return tmp_path / "data" / "fashion_mnist"


@pytest.mark.parametrize(
    ("file", "split"),
    [
        (fashion_mnist.FILES["train"], "train"),
        (fashion_mnist.FILES["validation"], "validation"),
        (fashion_mnist.FILES["test"], "test"),
        (fashion_mnist.OFFICIAL_LABELS, "train"),
        (fashion_mnist.TEST_LABELS, "test"),
    ],
)
def test_every_file_is_verified(copy, file, split):
    packed = copy / file
    packed.write_bytes(packed.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=rf"{file} is damaged: .* Bring it back"):
        fashion_mnist.load(split)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """Files like the originals, with fewer pictures, each of which holds its own number."""
    folder = tmp_path_factory.mktemp("originals")
    for name, count in (("train", 12_500), ("t10k", 20)):
        numbers = np.arange(count)
        pictures = np.zeros((count, 28, 28), np.uint8)
        pictures[:, 0, 0], pictures[:, 0, 1] = numbers % 256, numbers // 256
        for kind, axes, values in (("labels", 1, (numbers % 10).astype(np.uint8)), ("images", 3, pictures)):
            header = bytes([0, 0, 8, axes]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
            packed = gzip.compress(header + values.tobytes(), 1, mtime=0)
            (folder / f"{name}-{kind}-idx{axes}-ubyte.gz").write_bytes(packed)
    return folder


@pytest.fixture
def hashes(originals, facts) -> dict[str, str]:
    return {name: hashlib.sha256((originals / name).read_bytes()).hexdigest() for name in facts["originals"]}


def numbers_in(images: np.ndarray) -> list[int]:
    return (images[:, 0, 0] + 256 * images[:, 0, 1].astype(int)).tolist()


def test_make_is_deterministic_and_keeps_what_was_chosen(make, originals, hashes, facts, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make.make(originals, tmp_path / name, hashes)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert first == second
    assert set(first) == set(facts["files"])
    for name in set(first) & set(hashes):
        assert first[name] == (originals / name).read_bytes()
    chosen = fashion_mnist.choose(np.arange(12_500) % 10)
    for split in OURS:
        images = fashion_mnist.read_idx(first[fashion_mnist.FILES[split]])
        assert images.shape == (facts["pictures"][split], 28, 28)
        assert first[fashion_mnist.FILES[split]][4:8] == bytes(4)  # gzip's time stamp
        assert numbers_in(images) == chosen[split].tolist()


def test_make_refuses_other_originals(make, originals, facts, tmp_path):
    with pytest.raises(SystemExit, match=r"train-images-idx3-ubyte.gz in .* is not the original file"):
        make.make(originals, tmp_path, facts["originals"])
    assert not list(tmp_path.iterdir())


def test_official_training_set_without_validation(originals, hashes, monkeypatch, facts):
    labels = fashion_mnist.read_idx((originals / fashion_mnist.OFFICIAL_LABELS).read_bytes())
    monkeypatch.setattr(fashion_mnist, "official_labels", lambda: labels)
    monkeypatch.setattr(datasets, "card", lambda name: facts | {"originals": hashes})
    images, kept = fashion_mnist.load_official(originals)
    held_out = set(fashion_mnist.choose(labels)["validation"].tolist())
    assert numbers_in(images) == [i for i in range(12_500) if i not in held_out]
    assert kept.tolist() == [i % 10 for i in numbers_in(images)]
    assert kept.dtype == np.int64


def test_official_training_set_is_verified_and_says_where_to_get_it(originals, tmp_path):
    get = r"apt-get install dataset-fashion-mnist puts the original into /usr/share/datasets/fashion-mnist"
    with pytest.raises(FileNotFoundError, match=rf"no train-images-idx3-ubyte.gz in .*{tmp_path.name}\. .*{get}"):
        fashion_mnist.load_official(tmp_path)
    with pytest.raises(ValueError, match=rf"train-images-idx3-ubyte.gz is not the original file: .*{get}"):
        fashion_mnist.load_official(originals)
