"""The real assets do what their loaders say. Without them these tests are skipped: `python3 kit.py setup --all-groups`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from helix.assets import manifest, models, store, tables

SPLITS = ("train", "validation", "test")


ABSENT = "The asset {} is not here: python3 kit.py setup --all-groups fetches all."


def asset(name: str) -> pytest.MarkDecorator:
    """Skip a test where an asset that it reads is not here."""
    lacking = store.lacks(manifest.get(name)) or store.state(name) != "ready"
    return pytest.mark.skipif(bool(lacking), reason=ABSENT.format(name))


@pytest.fixture(autouse=True)
def only_its_assets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test read no asset but those it names, so that a forgotten one is seen also where all are here."""
    reasons = {mark.kwargs["reason"] for mark in request.node.iter_markers("skipif")}
    named = [name for name in manifest.load() if ABSENT.format(name) in reasons]
    monkeypatch.setenv("HELIX_LESSON_ASSETS", " ".join(named))


@asset("fico")
def test_a_test_that_reads_an_asset_which_it_does_not_name_is_refused():
    assert store.folder("fico")
    with pytest.raises(manifest.AssetError, match="reads the asset compas, which its entry .* does not name"):
        store.folder("compas")


@pytest.mark.parametrize("name", list(manifest.load()))
def test_every_asset_is_what_was_installed(name):
    if store.state(name) == "missing":
        pytest.skip(ABSENT.format(name))
    assert store.state(name, thorough=True) == "ready"
    expected = manifest.get(name).prepared or manifest.get(name).unpacked
    assert store.size(name) == pytest.approx(expected, rel=0.02, abs=10_000)  # the libraries' versions decide the rest


def printed(call: str) -> tuple[int, str, str]:
    """Load in a process of its own; return its status and what it printed."""
    program = f"from helix.assets import models; {call}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def language_model():
    return models.smollm2()


@asset("smollm2")
class TestSmolLM2:
    def test_is_the_model_that_it_says(self, language_model):
        import torch

        model, tokenizer = language_model
        assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
        assert (model.dtype, model.training) == (torch.float32, False)
        assert (tokenizer.model_max_length, len(tokenizer)) == (8192, 49_152)
        assert not hasattr(model.config, "quantization_config")

    def test_knows_a_capital(self, language_model):
        model, tokenizer = language_model
        words = tokenizer("The capital of France is", return_tensors="pt")
        answer = model.generate(**words, max_new_tokens=1, do_sample=False)
        assert tokenizer.decode(answer[0]) == "The capital of France is Paris"

    def test_follows_its_chat_template(self, language_model):
        model, tokenizer = language_model
        question = [{"role": "user", "content": "What is the capital of France? One word."}]
        prompt = tokenizer.apply_chat_template(
            question, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        answer = model.generate(**prompt, max_new_tokens=8, do_sample=False)
        assert "Paris" in tokenizer.decode(answer[0][prompt["input_ids"].shape[1] :])

    def test_weights_are_those_of_the_file_in_four_bits(self, language_model):
        """A column of 32 weights of a Q4_1 block takes at most 16 values, evenly spaced; float16 keeps them apart."""
        model, _ = language_model
        blocks = model.model.layers[3].mlp.down_proj.weight.detach()[:50].reshape(-1, 32)
        for block in blocks[:200]:
            values = block.unique()
            assert 2 <= len(values) <= 16
            steps = values.diff() / values.diff().min()
            assert (steps - steps.round()).abs().max() < 0.05

    def test_is_what_its_docstring_warns_of(self, language_model):
        model, tokenizer = language_model
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert tokenizer("Paris")["input_ids"] == tokenizer("Paris", add_special_tokens=False)["input_ids"]
        assert sum(one.numel() * one.element_size() for one in model.parameters()) / 1e9 == pytest.approx(
            0.54, abs=0.01
        )

    def test_loads_in_the_type_asked_for(self):
        import torch

        assert models.smollm2(torch.bfloat16)[0].dtype == torch.bfloat16

    def test_says_nothing_on_stderr(self):
        assert printed("models.smollm2()") == (0, "", "")


@pytest.fixture(scope="module")
def encoder():
    return models.minilm()


@asset("minilm")
class TestMiniLM:
    def test_similar_sentences_are_near(self, encoder):
        cat, kitten, stock = encoder.encode(
            ["A cat sits on the mat.", "A kitten is on the rug.", "The stock market fell."]
        )
        assert cat @ kitten > 0.5
        assert cat @ stock < 0.2

    def test_shape_type_and_length(self, encoder):
        vectors = encoder.encode(["one", "two words", ""], batch=2)
        assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
        assert encoder.encode([]).shape == (0, 384)

    def test_company_changes_nothing(self, encoder):
        alone, padded = encoder.encode(["short"])[0], encoder.encode(["short", "long " * 200, ""])[0]
        np.testing.assert_allclose(alone, padded, atol=1e-6)

    def test_int8_is_how_weights_are_stored_not_how_they_are_multiplied(self):
        onnx = pytest.importorskip("onnx", reason="onnx is of the group compilation.")
        graph = onnx.load(str(store.where("minilm") / "model.onnx")).graph
        assert {onnx.TensorProto.INT8} <= {one.data_type for one in graph.initializer}
        assert not {node.op_type for node in graph.node} & {"MatMulInteger", "QLinearMatMul", "DynamicQuantizeLinear"}

    def test_what_comes_after_256_word_pieces_is_not_read(self, encoder):
        start = "word " * 254
        np.testing.assert_array_equal(encoder.encode([start + "cat"]), encoder.encode([start + "stock market"]))
        assert not np.array_equal(encoder.encode(["word " * 253 + "cat"]), encoder.encode([start]))

    def test_one_text_is_no_list(self, encoder):
        with pytest.raises(TypeError, match=r"takes a list of texts; for one, write encode\(\[text\]\)"):
            encoder.encode("one text")


@pytest.fixture(scope="module")
def vectors():
    return models.glove()


@asset("glove")
class TestGlove:
    def test_words_and_vectors_fit(self, vectors):
        assert vectors.vectors.shape == (400_000, 50) == (len(vectors), 50)
        assert vectors.words[:3] == ("the", ",", ".")
        assert len(set(vectors.words)) == 400_000

    @pytest.mark.parametrize(("word", "near"), [("nurse", "nurses"), ("monday", "tuesday")])
    def test_neighbours_are_sensible(self, vectors, word, near):
        unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
        nearest = [vectors.words[i] for i in np.argsort(-(unit @ unit[vectors.words.index(word)]))[1:6]]
        assert near in nearest

    def test_missing_words_are_named(self, vectors):
        assert "nurse" in vectors
        assert vectors.words.index("latonya") > 250_000  # a cut by frequency would leave such names out
        assert "lashandra" not in vectors
        assert vectors.of(["he", "she"]).shape == (2, 50)
        with pytest.raises(KeyError, match="These words have no vector: lashandra, tameisha"):
            vectors.of(["he", "lashandra", "tameisha"])


@asset("efficientnet_lite0")
class TestEfficientNet:
    @pytest.mark.parametrize(
        ("picture", "label"), [("coffee", "espresso"), ("camera", "tripod"), ("chelsea", "tiger cat")]
    )
    def test_sees_what_is_there(self, picture, label):
        import torch

        from helix.assets.efficientnet import preprocess

        data = pytest.importorskip("skimage.data", reason="Its pictures come with scikit-image, of the group trust.")
        pixels = torch.as_tensor(getattr(data, picture)())
        pixels = pixels if pixels.ndim == 3 else pixels[..., None].expand(-1, -1, 3)
        model, labels = models.efficientnet_lite0()
        with torch.no_grad():
            logits = model(preprocess(pixels))
        assert (logits.shape, len(labels)) == ((1, 1000), 1000)
        assert labels[int(logits.argmax())] == label

    def test_size(self):
        model, _ = models.efficientnet_lite0()
        assert sum(parameter.numel() for parameter in model.parameters()) == 4_652_008

    def test_other_pictures_are_refused(self):
        import torch

        from helix.assets.efficientnet import preprocess

        assert preprocess(torch.zeros(10, 300, 3, dtype=torch.uint8)).shape == (1, 3, 224, 224)
        for wrong in (
            torch.zeros(3, 224, 224, dtype=torch.uint8),
            torch.zeros(9, 9, 3),
            torch.zeros(9, 9, dtype=torch.uint8),
        ):
            with pytest.raises(ValueError, match=r"A picture is uint8 of shape \(height, width, 3\); this is "):
                preprocess(wrong)


@asset("spacy_english")
def test_spacy_finds_names_places_and_dates():
    pytest.importorskip("spacy", reason="spaCy is of the group generative.")
    found = {
        one.text: one.label_
        for one in models.spacy_english()("Ada Lovelace was born in London on 10 December 1815.").ents
    }
    assert found == {"Ada Lovelace": "PERSON", "London": "GPE", "10 December 1815": "DATE"}
    assert "parser" not in models.spacy_english(exclude=["parser"]).pipe_names


@asset("spacy_english")
def test_spacy_says_nothing_on_stderr():
    pytest.importorskip("spacy", reason="spaCy is of the group generative.")
    assert printed("models.spacy_english()") == (0, "", "")


@pytest.fixture(scope="module")
def splits() -> dict[str, pd.DataFrame]:
    return {split: tables.compas(split) for split in SPLITS}


@asset("compas")
class TestCompas:
    def test_counts_are_those_of_the_analysis(self, splits):
        assert {split: len(frame) for split, frame in splits.items()} == {
            "train": 3704,
            "validation": 1234,
            "test": 1234,
        }
        everyone = pd.concat(splits.values())
        assert (len(everyone), everyone["id"].nunique()) == (6172, 6172)  # as ProPublica reports
        assert everyone[tables.COMPAS_LABEL].mean() == pytest.approx(0.4551, abs=5e-5)
        assert everyone["race"].value_counts()[["African-American", "Caucasian"]].tolist() == [3175, 2103]
        assert everyone["decile_score"].between(1, 10).all()
        assert {*tables.COMPAS_FEATURES, *tables.COMPAS_SENSITIVE, tables.COMPAS_LABEL} < set(everyone.columns)
        assert everyone[list(tables.COMPAS_FEATURES)].notna().all(axis=None)

    def test_splits_have_the_same_shares(self, splits):
        groups = ["race", "sex", tables.COMPAS_LABEL]
        share = {split: frame.groupby(groups).size() for split, frame in splits.items()}
        for part, fifths in (("validation", 1), ("test", 1), ("train", 3)):
            wanted = sum(one.reindex(share["train"].index, fill_value=0) for one in share.values()) * fifths / 5
            assert (share[part].reindex(wanted.index, fill_value=0) - wanted).abs().max() <= 2

    def test_nobody_can_be_named(self, splits):
        columns = set(splits["train"].columns)
        assert not columns & {"name", "first", "last", "dob"}
        assert not [column for column in columns if "case_number" in column or column.endswith(".1")]
        text = (store.where("compas") / "compas.csv").read_text()
        assert "miguel hernandez" not in text.lower()  # the first row's name, in the original
        assert [path.name for path in store.where("compas").iterdir() if path.name != store.RECORD] == ["compas.csv"]

    def test_splits_do_not_move(self, splits):
        ids = json.dumps({split: frame["id"].tolist() for split, frame in splits.items()})
        assert hashlib.sha256(ids.encode()).hexdigest()[:16] == "2d06176d8dbed9b6"

    def test_followed_are_those_of_whom_both_outcomes_are_known(self, splits):
        """Of the people whom ProPublica's file holds for later screenings every single one was arrested again."""
        everyone = pd.concat(splits.values())
        followed = pd.concat(tables.compas(split, followed=True) for split in SPLITS)
        assert len(followed) == 5304
        assert followed[tables.COMPAS_LABEL].mean() == pytest.approx(0.3660, abs=5e-5)
        others = everyone[~everyone["id"].isin(followed["id"])]
        assert (len(others), set(others[tables.COMPAS_LABEL])) == (868, {1})
        assert others["compas_screening_date"].min() > tables.LAST_FOLLOWED
        dates = pd.to_datetime(everyone["compas_screening_date"])
        assert set(dates.dt.strftime("%Y-%m-%d")) == set(
            everyone["compas_screening_date"]
        )  # so they can be compared as text

    def test_unknown_split(self):
        with pytest.raises(ValueError, match="'train', 'validation' and 'test'; got 'dev'"):
            tables.compas("dev")


@asset("fico")
def test_fico_shares():
    fico = tables.fico()
    assert fico.people.sum() == 174_047
    groups = ["Non-Hispanic white", "Black", "Hispanic", "Asian"]
    assert list(fico.at_most.columns) == list(fico.defaulted.columns) == list(fico.people.index) == groups
    assert fico.at_most.index.equals(fico.defaulted.index)
    assert (fico.at_most.diff().dropna() >= 0).all(axis=None)  # cumulative
    assert (fico.at_most.loc[100] == 100).all()
    assert (fico.defaulted.loc[100] < 1).all()
    assert (fico.defaulted.loc[0] > 90).all()
