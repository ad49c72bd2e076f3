"""What is measured of a language model is counted by hand on toy models; dynamic quantization does what it says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from helix.engineering import compensation, language
from helix.engineering.language import DynamicLinear


class ToyTokenizer:
    """One token for each word, spaces in front included; a token in front of all where special tokens are wanted."""

    def __init__(self) -> None:
        self.known = {"<start>": 0}

    def __call__(self, text, add_special_tokens=True, return_tensors=None):
        words = text.replace(" ", "\n ").strip("\n").split("\n")
        ids = [self.known.setdefault(word, len(self.known)) for word in words]
        ids = [0, *ids] if add_special_tokens else ids
        return SimpleNamespace(input_ids=torch.tensor([ids]) if return_tensors == "pt" else ids)


class ToyModel(nn.Module):
    """What it expects is the sum of one row for each token read so far: it depends on all of its context."""

    def __init__(self, tokens: int = 60, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.rows = nn.Parameter(torch.randn(tokens, tokens))

    def forward(self, ids):
        return SimpleNamespace(logits=self.rows[ids].cumsum(1))

    def generate(self, ids, attention_mask, max_new_tokens, min_new_tokens, do_sample, pad_token_id):
        assert attention_mask.shape == ids.shape
        assert attention_mask.all()
        assert max_new_tokens == min_new_tokens
        assert not do_sample
        for _ in range(max_new_tokens):
            ids = torch.cat([ids, self(ids).logits[:, -1].argmax(-1, keepdim=True)], 1)
        return ids


# What a model expects ------------------------------------------------------------------------------------


def by_hand(model: ToyModel, windows: list[list[int]]) -> list[float]:
    """The surprise at every token but the first of a window, one by one."""
    rows, found = model.rows.detach().double().numpy(), []
    for window in windows:
        for place in range(1, len(window)):
            said = sum(rows[token] for token in window[:place])
            found.append(np.log(np.exp(said).sum()) - said[window[place]])
    return found


@pytest.mark.parametrize(
    ("window", "windows"),
    [
        (4, [[5, 3, 9, 3], [1, 0, 7, 2], [8]]),  # one token is left over: nothing to predict
        (3, [[5, 3, 9], [3, 1, 0], [7, 2, 8]]),
        (7, [[5, 3, 9, 3, 1, 0, 7], [2, 8]]),
        (256, [[5, 3, 9, 3, 1, 0, 7, 2, 8]]),
    ],
)
def test_surprise_is_counted_window_by_window(window, windows):
    model = ToyModel()
    losses = language.token_losses(model, torch.tensor([5, 3, 9, 3, 1, 0, 7, 2, 8]), window)
    assert losses.dtype == np.float64
    assert losses == pytest.approx(np.array(by_hand(model, windows)), rel=1e-5)


def test_window_is_256_tokens_if_not_said():
    for tokens, predicted in ((256, 255), (257, 255), (258, 256)):
        assert len(language.token_losses(ToyModel(), torch.arange(tokens) % 60)) == predicted


def test_a_model_that_knows_nothing_is_as_surprised_as_a_die():
    model = ToyModel()
    nn.init.zeros_(model.rows)
    assert np.exp(language.token_losses(model, torch.tensor([1, 2, 3])).mean()) == pytest.approx(60)


class Embedded(nn.Module):
    """A model that says of each token what its embedding says."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(torch.tensor([[0.0, 1.0, 1000.0], [-2.0, 3.0, 1e-3]]))

    def get_input_embeddings(self):
        return self.table

    def forward(self, ids):
        return self.table(ids)


def test_jitter_is_a_relative_error_of_its_size_and_leaves_nothing_behind():
    model, ids = Embedded(), torch.arange(2).repeat(500)
    exact = model(ids)
    with language.jitter(model, seed=3, size=1e-3):
        off = model(ids)
    relative = (off - exact)[exact != 0] / exact[exact != 0]
    assert (off[exact == 0] == 0).all()
    assert relative.std().item() == pytest.approx(1e-3, rel=0.1)
    assert abs(relative.mean().item()) < 1e-4
    assert torch.equal(model(ids), exact)


def test_jitter_follows_its_seed_and_is_a_millionth_if_not_said():
    model, ids, made = Embedded(), torch.arange(2).repeat(500), []
    for seed in (0, 0, 1):
        with language.jitter(model, seed):
            made.append(model(ids))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert 1e-7 < ((made[0] - model(ids)) / 1000).abs().max() < 1e-5


def test_jitter_ends_with_an_error_too():
    model = Embedded()
    with pytest.raises(RuntimeError, match="stop"), language.jitter(model, seed=0):
        raise RuntimeError("stop")
    assert not model.table._forward_hooks


def test_pronoun_gap_of_the_neutral_word_is_zero():
    gaps = language.pronoun_gaps(ToyModel(), ToyTokenizer(), [language.NEUTRAL, "nurse"])
    assert gaps.shape == (2, len(language.TEMPLATES))
    assert (gaps[0] == 0).all()
    assert (gaps[1] != 0).all()


def test_pronoun_gaps_are_differences_of_log_probabilities():
    model, tokenizer = ToyModel(), ToyTokenizer()
    she, he = (tokenizer(word, add_special_tokens=False).input_ids[0] for word in (" she", " he"))

    def lean(sentence):
        ids = tokenizer(sentence, add_special_tokens=False, return_tensors="pt").input_ids
        said = torch.log_softmax(model(ids).logits[0, -1].detach().double(), -1)
        return float(said[she] - said[he])

    templates = ("The {} said", "I met the {} once. Then")
    found = language.pronoun_gaps(model, tokenizer, ["nurse", "guard"], templates)
    wanted = [[lean(t.format(word)) - lean(t.format("person")) for t in templates] for word in ("nurse", "guard")]
    assert found == pytest.approx(np.array(wanted), abs=1e-4)


def test_a_model_that_expects_she_after_a_word_has_a_gap_above_zero():
    model, tokenizer = ToyModel(), ToyTokenizer()
    she, he, nurse = (tokenizer(word, add_special_tokens=False).input_ids[0] for word in (" she", " he", " nurse"))
    nn.init.zeros_(model.rows)
    with torch.no_grad():
        model.rows[nurse, she] = 1.5
        model.rows[nurse, he] = -0.5
    gaps = language.pronoun_gaps(model, tokenizer, ["nurse", "guard"])
    assert gaps == pytest.approx(np.repeat([[2.0], [0.0]], len(language.TEMPLATES), 1))


def test_occupations_and_templates():
    assert len(language.OCCUPATIONS) == len(set(language.OCCUPATIONS)) == 40
    assert language.NEUTRAL not in language.OCCUPATIONS
    assert all(template.count("{}") == 1 for template in language.TEMPLATES)


def test_real_text_is_prose_and_long():
    text = language.real_text()
    assert len(text) > 5_000
    for mark in (">>>", "===", "---", "`", "**", ":class:", "  "):
        assert mark not in text
    assert min(len(paragraph.split()) for paragraph in text.split("\n")) > 20
    assert "Face Verification" in text
    assert text == language.real_text()


def test_real_text_leaves_out_what_is_no_prose(tmp_path, monkeypatch):
    words = "word " * 40
    paragraphs = [
        f"The :func:`first`\n and **one** {words}",
        f">>> {words}",
        f"{words}\n====\n",
        f"{words}\n----",
        f".. note:: {words}",
        f"  * {words}",
        f"- {words}",
        f"12. {words}",
        "word " * 29,
        f"The last 3. one - {words}",
    ]
    for name in language._PROSE:
        (tmp_path / f"{name}.rst").write_text("\n  \n".join(paragraphs))
    monkeypatch.setattr(language.resources, "files", lambda package: tmp_path)
    kept = [f"The first and one {words}".strip(), f"The last 3. one - {words}".strip()]
    assert language.real_text().split("\n") == kept * len(language._PROSE)


def test_decoding_returns_the_likeliest_tokens_and_only_the_new_ones():
    model = ToyModel()
    ids, wanted = [4, 2], []
    for _ in range(5):
        said = model.rows.detach()[ids].sum(0)
        wanted.append(int(said.argmax()))
        ids = [*ids, wanted[-1]]
    assert language.decode(model, torch.tensor([4, 2]), 5).tolist() == wanted


# Dynamic quantization ------------------------------------------------------------------------------------


@pytest.fixture
def layer() -> nn.Linear:
    torch.manual_seed(0)
    made = nn.Linear(12, 5)
    with torch.no_grad():
        made.weight[0] *= 20  # one row of the weight much larger than the others
    return made


@pytest.fixture
def rows() -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(6, 12, generator=draw) + 0.5


def answer(x: np.ndarray, layer: nn.Linear, steps: int, per_row: bool, per_channel: bool) -> np.ndarray:
    """What a dynamic layer should say, in numpy and in float64."""
    weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    size = np.abs(weight).max(axis=1, keepdims=True) if per_channel else np.abs(weight).max()
    weight = np.round(weight / (size / 127)) * (size / 127)
    axis = {"axis": -1, "keepdims": True} if per_row else {}
    low, high = np.minimum(x.min(**axis), 0), np.maximum(x.max(**axis), 0)
    scale = (high - low) / steps
    zero = np.round(-low / scale)
    return (np.clip(np.round(x / scale) + zero, 0, steps) - zero) * scale @ weight.T + bias


@pytest.mark.parametrize("per_row", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(("bits", "steps"), [(8, 255), (7, 127), (4, 15)])
def test_dynamic_layer_by_hand(layer, rows, per_row, per_channel, bits, steps):
    for x in (rows, rows.abs() + 1, -rows.abs() - 1):  # a grid always holds 0
        with torch.no_grad():
            found = DynamicLinear(layer, per_row, per_channel, bits)(x)
        wanted = answer(x.double().numpy(), layer, steps, per_row, per_channel)
        assert found.numpy() == pytest.approx(wanted, abs=1e-4)


def test_a_grid_has_no_place_beyond_its_last_one():
    layer = nn.Linear(2, 2, bias=False)
    nn.init.eye_(layer.weight)
    with torch.no_grad():  # both ends are ties, and four steps would be needed
        assert DynamicLinear(layer, True, True, 2)(torch.tensor([[-1.5, 1.5]])).tolist() == [[-2, 1]]


def test_a_row_of_its_own_grid_does_not_depend_on_the_others(layer, rows):
    other = rows.clone()
    other[1:] *= 50
    for per_row in (True, False):
        dynamic = DynamicLinear(layer, per_row, True, 8)
        with torch.no_grad():
            alike = torch.allclose(dynamic(rows)[0], dynamic(other)[0], atol=1e-6)
        assert alike == per_row


def test_shape_of_a_batch_of_sentences_is_kept(layer, rows):
    dynamic = DynamicLinear(layer, True, True, 8)
    with torch.no_grad():
        assert dynamic(rows.reshape(2, 3, 12)).shape == (2, 3, 5)
        torch.testing.assert_close(dynamic(rows.reshape(2, 3, 12)).reshape(6, 5), dynamic(rows))


def test_more_bits_and_finer_grids_come_closer(layer):
    rows = torch.randn(2000, 12, generator=torch.Generator().manual_seed(2))

    def error(*options):
        """Of the input's grid alone: the weights are rounded on both sides."""
        dynamic = DynamicLinear(layer, *options)
        with torch.no_grad():
            return float((dynamic(rows) - nn.functional.linear(rows, dynamic.weight, layer.bias)).pow(2).mean())

    assert error(True, True, 8) < error(True, True, 7) / 3
    assert error(True, True, 8) < error(False, True, 8) / 2
    off = [(DynamicLinear(layer, True, fine, 8).weight - layer.weight)[1:].norm() for fine in (True, False)]
    assert off[0] < off[1] / 5  # the large row no longer spoils the grid of the others


def test_rows_of_zeros_and_of_one_sign_are_held(layer):
    dynamic = DynamicLinear(layer, True, True, 8)
    with torch.no_grad():
        assert torch.equal(dynamic(torch.zeros(2, 12)), layer.bias.expand(2, 5))
        for x in (torch.full((1, 12), 3.0), torch.full((1, 12), -3.0)):
            torch.testing.assert_close(dynamic(x), nn.functional.linear(x, dynamic.weight, layer.bias))


def test_dynamic_replaces_every_linear_layer_of_a_copy(rows):
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {"body": nn.Sequential(nn.Linear(12, 12), nn.ReLU()), "lm_head": nn.Linear(12, 4, bias=False)}
    )
    made = language.dynamic(model, False, True, 7)
    assert isinstance(model["lm_head"], nn.Linear)
    layers = [made["body"][0], made["lm_head"]]
    assert all(isinstance(one, DynamicLinear) for one in layers)
    assert all((one.per_row, one.steps) == (False, 127) for one in layers)
    assert isinstance(made["body"][1], nn.ReLU)
    with torch.no_grad():
        assert torch.equal(layers[0](rows), DynamicLinear(model["body"][0], False, True, 7)(rows))
        assert torch.equal(layers[1](rows), DynamicLinear(model["lm_head"], False, True, 7)(rows))


def test_a_text_that_predicts_nothing_is_refused():
    with pytest.raises(ValueError, match="fewer than two tokens"):
        language.token_losses(None, torch.tensor([1]))


def test_a_twin_shares_its_numbers_until_they_are_replaced():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    twin = language.twin(model)
    assert twin[0] is not model[0]
    assert twin[0].weight is model[0].weight
    assert twin[1].running_mean is model[1].running_mean
    twin[0].weight = torch.nn.Parameter(torch.zeros(2, 3))
    twin[1] = torch.nn.Identity()
    assert model[0].weight.abs().sum() > 0
    assert isinstance(model[1], torch.nn.BatchNorm1d)


# Weights alone, and smoothing -----------------------------------------------------------------------------


def tiny_llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2, vocab_size=30, tie_word_embeddings=True))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + torch.rand_like(weight))
    return model.eval()


def test_other_weights_leave_the_original_and_its_tied_embedding():
    model = tiny_llama()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = language.with_weights(model, lambda name, weight: 0 * weight if name == "lm_head" else 2 * weight)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (made.lm_head.weight == 0).all()
    assert torch.equal(made.model.embed_tokens.weight, model.model.embed_tokens.weight)
    assert torch.equal(made.model.layers[1].mlp.up_proj.weight, 2 * model.model.layers[1].mlp.up_proj.weight)


def test_a_smoothed_model_answers_the_same_and_its_inputs_are_smaller():
    model, ids = tiny_llama(), torch.tensor([[1, 5, 7, 29, 3]])
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[3] *= 500  # one input of down_proj is huge
        reach = compensation.reaches(model, lambda: model(ids))
        made = language.smoothed(model, reach, power=0.7)
        torch.testing.assert_close(made(ids).logits, model(ids).logits, rtol=1e-3, atol=1e-4)
        after = compensation.reaches(made, lambda: made(ids))
    name = "model.layers.0.mlp.down_proj"
    assert reach[name].max() / reach[name].median() > 20 * after[name].max() / after[name].median()
    assert torch.equal(
        after["model.layers.0.self_attn.o_proj"].round(decimals=4),
        reach["model.layers.0.self_attn.o_proj"].round(decimals=4),
    )
