"""Tensor parallelism held against the whole layer, in output, gradients and bytes, on 1, 2 and 4 ranks."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import gelu

from helix.distributed import RankFailed, counted, launch
from helix.distributed.measured import memory_per_rank
from helix.distributed.measured.saved import SavedBytes
from helix.distributed.paper import costs, planner, published
from helix.distributed.paper.clusters import selene
from helix.distributed.paper.costs import Layout, Model
from helix.distributed.parallel.parallel_block import Block, ParallelAttention, ParallelBlock, ParallelMLP, qkv_share
from helix.distributed.parallel.tensor_parallel import ColumnParallelLinear, RowParallelLinear, f, g, gathered, share_of
from helix.labs import tensor_parallel as lab
from helix.record import results
from lessons import from_chapter
from warmed import warmed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ranks are POSIX processes")
HIDDEN, HEADS, BATCH, POSITIONS = 16, 4, 2, 5


@pytest.fixture(scope="module", autouse=True)
def _warm():
    with warmed(__name__):
        yield


# The two operators


def operators(f, g):
    """Forward and backward of both on ones times rank + 1."""
    mine = torch.full((3,), dist.get_rank() + 1.0)
    found = []
    for operator in (f, g):
        x = mine.clone().requires_grad_()
        out = operator(x)
        out.backward(mine)
        found.append((out.tolist(), x.grad.tolist()))
    return found, mine.tolist()


def test_f_and_g_are_conjugate():
    for rank, ((first, second), mine) in enumerate(launch(operators, f, g, ranks=3, note=False)):
        assert first == ([rank + 1.0] * 3, [6.0] * 3)  # nothing, then the sum
        assert second == ([6.0] * 3, [rank + 1.0] * 3)  # the sum, then nothing
        assert mine == [rank + 1.0] * 3  # neither input nor gradient was changed in place


def test_the_chapters_operators_are_these():
    names = {"torch": torch, "dist": dist}
    by_hand = [from_chapter("11", name, **names) for name in ("F", "G")]
    for mine, theirs in zip(
        launch(operators, by_hand[0].apply, by_hand[1].apply, ranks=2),
        launch(operators, f, g, ranks=2),
        strict=True,
    ):
        assert mine == theirs


# Linear layers


def column(gather, bias):
    torch.manual_seed(0)
    dense, x = nn.Linear(6, 8, bias=bias).double(), torch.randn(3, 2, 6, dtype=torch.float64)
    whole, part = x.clone().requires_grad_(), x.clone().requires_grad_()
    layer = ColumnParallelLinear(dense, gather=gather)
    out = layer(part)
    wanted = dense(whole)
    own = share_of(8, "outputs")
    torch.testing.assert_close(out, wanted if gather else wanted[..., own], rtol=0, atol=1e-13)
    weight = torch.randn(8, dtype=torch.float64)
    (wanted.square() * weight).sum().backward()
    (out.square() * (weight if gather else weight[own])).sum().backward()
    torch.testing.assert_close(part.grad, whole.grad, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.weight.grad, dense.weight.grad[own], rtol=0, atol=1e-12)
    if bias:
        torch.testing.assert_close(layer.bias.grad, dense.bias.grad[own], rtol=0, atol=1e-12)
    return tuple(layer.weight.shape)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize(("gather", "bias"), [(False, True), (True, True), (True, False)])
def test_column_parallel_is_the_dense_layer(ranks, gather, bias):
    assert list(launch(column, gather, bias, ranks=ranks, note=False)) == [(8 // ranks, 6)] * ranks


def row(bias):
    torch.manual_seed(0)
    dense, x = nn.Linear(8, 6, bias=bias).double(), torch.randn(3, 8, dtype=torch.float64)
    own = share_of(8, "inputs")
    whole, part = x.clone().requires_grad_(), x[:, own].clone().requires_grad_()
    layer = RowParallelLinear(dense)
    out, wanted = layer(part), dense(whole)
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-13)
    out.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(part.grad, whole.grad[:, own], rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.weight.grad, dense.weight.grad[:, own], rtol=0, atol=1e-12)
    if bias:
        torch.testing.assert_close(layer.bias.grad, dense.bias.grad, rtol=0, atol=1e-12)  # once, and whole
    return tuple(layer.weight.shape)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_row_parallel_is_the_dense_layer_and_adds_its_bias_once(ranks, bias):
    assert list(launch(row, bias, ranks=ranks, note=False)) == [(6, 8 // ranks)] * ranks


def gather_of():
    mine = torch.full((2, 1), dist.get_rank() + 1.0, requires_grad=True)
    out = gathered(mine)
    (out * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    return out.tolist(), mine.grad.tolist()


def test_gathered_gives_back_each_ranks_own_gradient():
    for rank, (out, gradient) in enumerate(launch(gather_of, ranks=3, note=False)):
        assert out == [[1.0, 2.0, 3.0]] * 2
        assert gradient == [[10.0**rank]] * 2


# Blocks


def block(dtype):
    torch.manual_seed(0)
    dense = Block(HIDDEN, HEADS).to(dtype)
    with torch.no_grad():
        for parameter in dense.parameters():  # no bias is 0, no norm is 1: each must be in its place
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(BATCH, POSITIONS, HIDDEN, dtype=dtype)
    whole, part = x.clone().requires_grad_(), x.clone().requires_grad_()
    split = ParallelBlock(dense)
    before = [(name, (mine - wanted).abs().max().item()) for name, mine, wanted in split.parts_of(dense)]
    wanted = dense(whole)
    with counted() as forward:
        out = split(part)
    wanted.square().sum().backward()
    with counted() as backward:
        out.square().sum().backward()
    pairs = [
        ("out", out.detach(), wanted.detach()),
        ("x", part.grad, whole.grad),
        *split.parts_of(dense, gradients=True),
    ]
    errors = {name: ((mine - other).abs().max() / other.abs().max()).item() for name, mine, other in pairs}
    calls = [[(call.name, call.bytes) for call in each] for each in (forward, backward)]
    return before, errors, calls, sum(p.numel() for p in split.parameters()), sum(p.numel() for p in dense.parameters())


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-13), (torch.float32, 2e-6)])
def test_the_block_is_the_dense_block(ranks, dtype, most):
    for before, errors, calls, mine, whole in launch(block, dtype, ranks=ranks, note=False):
        assert all(error == 0 for _, error in before)
        assert len(errors) == 14  # output, input, twelve parameters
        assert max(errors.values()) < most, errors
        message = ("all_reduce", BATCH * POSITIONS * HIDDEN * dtype.itemsize)
        assert calls == [[message] * 2] * 2  # two forward, two backward, of bsh each
        shared = 4 * HIDDEN + 2 * HIDDEN  # two norms, two biases after row-parallel products
        assert mine == (whole - shared) // ranks + shared


def halves():
    """The blocks one by one, as a chapter builds them up."""
    torch.manual_seed(0)
    up, down = nn.Linear(HIDDEN, 4 * HIDDEN).double(), nn.Linear(4 * HIDDEN, HIDDEN).double()
    x = torch.randn(BATCH, POSITIONS, HIDDEN, dtype=torch.float64)
    mlp = (ParallelMLP(up, down)(x) - down(gelu(up(x)))).abs().max().item()
    block = Block(HIDDEN, HEADS).double()
    from helix.distributed.parallel.parallel_block import attended

    wanted = block.out(attended(block.qkv(x), HEADS))
    attention = (ParallelAttention(block.qkv, block.out, HEADS)(x) - wanted).abs().max().item()
    return mlp, attention


def test_mlp_and_attention_alone():
    assert all(max(errors) < 1e-13 for errors in launch(halves, ranks=4, note=False))


def frozen():
    block, linear, half = Block(8, 2).requires_grad_(False), nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 4)
    half.bias.requires_grad_(False)
    made = (ColumnParallelLinear(linear), RowParallelLinear(linear), ParallelBlock(block), ColumnParallelLinear(half))
    return [[each.requires_grad for each in layer.parameters()] for layer in made]


def test_what_is_frozen_stays_frozen():
    for column, row, block, half in launch(frozen):
        assert not any(column + row + block)
        assert half == [True, False]


def fused():
    weight = torch.arange(12)[:, None].repeat(1, 2)  # 3 · 4 rows: two heads of width 2
    return qkv_share(weight, 2)[:, 0].tolist(), qkv_share(weight[:, 0], 2).tolist()


def test_a_fused_projection_is_cut_by_heads():
    found = launch(fused)
    assert found[0] == ([0, 1, 4, 5, 8, 9],) * 2
    assert found[1] == ([2, 3, 6, 7, 10, 11],) * 2


# PyTorch's own


def by_pytorch():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    torch.manual_seed(0)
    up, down = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
    ours = ParallelMLP(up, down)
    theirs = nn.Sequential(up, nn.GELU(), down)
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    parallelize_module(theirs, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    x, found = torch.randn(3, HIDDEN), []
    for model in (ours, theirs):
        one = x.clone().requires_grad_()
        with counted() as forward:
            out = model(one)
        with counted() as backward:
            out.square().sum().backward()
        found.append(
            (out.detach(), one.grad, [[(c.name, c.bytes, c.ranks) for c in each] for each in (forward, backward)])
        )
    weight = (ours.up.weight.grad - theirs[0].weight.grad.to_local()).abs().max().item()
    return (
        [(a - b).abs().max().item() for a, b in zip(found[0][:2], found[1][:2], strict=True)] + [weight],
        found[0][2],
        found[1][2],
    )


@pytest.mark.parametrize("ranks", [2, 4])
def test_parallelize_module_does_the_same_with_the_same_bytes(ranks):
    for errors, ours, theirs in launch(by_pytorch, ranks=ranks, note=False):
        assert max(errors) < 1e-5
        assert ours == theirs == [[("all_reduce", 3 * HIDDEN * 4, ranks)]] * 2  # functional collectives are counted too


def functional():
    """Call functional collectives, as DTensor does, on 3 rows of 4 numbers; return what was counted."""
    import torch.distributed._functional_collectives as funcol

    group, x = dist.group.WORLD, torch.ones(4, 3)
    with counted() as calls:
        for one in (
            funcol.all_reduce(x, "sum", group),
            funcol.all_gather_tensor(x, 0, group),
            funcol.reduce_scatter_tensor(x, "sum", 0, group),
            funcol.all_to_all_single(x, None, None, group),
            funcol.all_gather_tensor_autograd(x, 0, group),
        ):
            one.sum()  # waits
    return [(call.name, call.bytes, call.ranks, call.ring_bytes) for call in calls]


def test_functional_collectives_are_counted_by_what_a_rank_puts_in():
    n = 4 * 3 * 4
    wanted = [("all_reduce", n), ("all_gather", n), ("reduce_scatter", n), ("all_to_all", n), ("all_gather", n)]
    for calls in launch(functional):
        assert [call[:2] for call in calls] == wanted
        assert {call[2] for call in calls} == {2}
        assert [call[3] for call in calls] == [n, n, n / 2, n / 2, n]


def one_group_of_two():
    import torch.distributed._functional_collectives as funcol

    groups = [dist.new_group([0, 1]), dist.new_group([2, 3])]
    with counted() as calls:
        total = funcol.all_reduce(torch.full((2,), dist.get_rank() + 1.0), "sum", groups[dist.get_rank() // 2])
        total = total.tolist()
    return total, [(call.name, call.bytes, call.ranks) for call in calls]


def test_a_functional_collective_counts_the_ranks_of_its_group():
    for rank, (total, calls) in enumerate(launch(one_group_of_two, ranks=4, note=False)):
        assert total == [3.0 if rank < 2 else 7.0] * 2
        assert calls == [("all_reduce", 8, 2)]


def by_positions():
    """PyTorch's plan with activations cut by positions between the layers (sequence parallelism)."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    torch.manual_seed(0)
    up, down = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
    x = torch.randn(8, HIDDEN)
    whole = x.clone().requires_grad_()
    wanted = down(gelu(up(whole)))
    wanted.square().sum().backward()
    mesh, model = init_device_mesh("cpu", (dist.get_world_size(),)), nn.Sequential(up, nn.GELU(), down)
    layouts = {"0": ColwiseParallel(input_layouts=Shard(0)), "2": RowwiseParallel(output_layouts=Shard(0))}
    parallelize_module(model, mesh, layouts)
    own = share_of(8, "positions")
    part = x[own].clone().requires_grad_()
    with counted() as forward:
        out = model(part)
    with counted() as backward:
        out.square().sum().backward()
    errors = [(out - wanted[own]).abs().max().item(), (part.grad - whole.grad[own]).abs().max().item()]
    return errors, *([(call.name, call.bytes, call.ring_bytes) for call in each] for each in (forward, backward))


@pytest.mark.parametrize("ranks", [2, 4])
def test_cut_by_positions_an_all_reduce_becomes_two_halves_of_the_same_bytes(ranks):
    n = 8 * HIDDEN * 4
    for errors, forward, backward in launch(by_positions, ranks=ranks, note=False):
        assert max(errors) < 1e-5
        for calls in (forward, backward):
            assert {name: size for name, size, _ in calls} == {"all_gather": n // ranks, "reduce_scatter": n}
            assert sum(ring for *_, ring in calls) == 2 * (ranks - 1) / ranks * n  # of one all-reduce


# Memory


def held_by_a_rank():
    split = ParallelBlock(Block(HIDDEN, HEADS))
    optimiser = torch.optim.Adam(split.parameters())
    with SavedBytes(split.parameters()) as saved:
        out = split(torch.randn(BATCH, POSITIONS, HIDDEN, requires_grad=True))
        kept = saved.now
        out.square().sum().backward()
    optimiser.step()
    return {**memory_per_rank.held(split, optimiser), "saved": kept}


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_a_rank_holds_what_the_costs_say(ranks):
    model, at = Model(1, HIDDEN, HEADS, 100, POSITIONS), Layout(tensor=ranks)
    layer = costs.parameters_per_gpu(model, at) - 100 * HIDDEN / ranks - POSITIONS * HIDDEN  # without the embeddings
    for found in launch(held_by_a_rank, ranks=ranks, note=False):
        assert found["parameters"] == found["gradients"] == 4 * layer
        assert found["optimiser"] == 8 * layer  # momentum and variance
        # sbh(4 + 12/t) numbers: no dropout, attention that keeps no scores; beside it four of the norms and one of each head a position.
        book, rest = HIDDEN * (4 + 12 / ranks), 4 + HEADS / ranks
        assert book <= found["saved"] / (4 * BATCH * POSITIONS) <= book + rest


# Bad input


def build(what):
    dense = nn.Linear(6, 6)
    if what == "columns":
        ColumnParallelLinear(dense)
    elif what == "rows":
        RowParallelLinear(dense)
    elif what == "heads":
        ParallelBlock(Block(18, 3))
    else:
        qkv_share(torch.zeros(10, 2), 2)


@pytest.mark.parametrize(
    ("what", "says"),
    [("columns", "6 outputs do not divide by 4"), ("rows", "6 inputs"), ("heads", "3 heads"), ("fused", "has 10")],
)
def test_what_does_not_divide_is_refused(what, says):
    with pytest.raises(RankFailed, match=says):
        launch(build, what, ranks=4, note=False)


def other_input():
    torch.manual_seed(0)
    layer = RowParallelLinear(nn.Linear(8, 4))
    return layer(torch.ones(2 + dist.get_rank(), 4))


def test_inputs_of_other_shapes_are_found():
    with pytest.raises(RankFailed, match="ranks do not do the same"):
        launch(other_input, careful=True, timeout=20)


# Groups: tensor parallel inside, data parallel across


def two_by_two():
    """Four ranks as two replicas of two: each pair shares a layer, and sees another share of the batch."""
    groups = [dist.new_group([0, 1]), dist.new_group([2, 3])]
    replica = dist.get_rank() // 2
    torch.manual_seed(0)
    dense = Block(HIDDEN, HEADS).double()
    x = torch.randn(4, POSITIONS, HIDDEN, dtype=torch.float64)[replica::2]
    whole, part = x.clone().requires_grad_(), x.clone().requires_grad_()
    split = ParallelBlock(dense, groups[replica])
    with counted() as calls:
        out = split(part)
        out.square().sum().backward()
    wanted = dense(whole)
    wanted.square().sum().backward()
    pairs = [
        ("out", out.detach(), wanted.detach()),
        ("x", part.grad, whole.grad),
        *split.parts_of(dense, gradients=True),
    ]
    return max(((a - b).abs().max() / b.abs().max()).item() for _, a, b in pairs), [(c.name, c.ranks) for c in calls]


def test_a_layer_is_shared_within_its_group_only():
    for error, calls in launch(two_by_two, ranks=4, note=False):
        assert error < 1e-13
        assert calls == [("all_reduce", 2)] * 4


# What both layers share is held against the formula


def test_attention_is_causal_softmax_by_heads():
    from helix.distributed.parallel.parallel_block import attended

    torch.manual_seed(0)
    qkv, heads, width = torch.randn(2, 5, 24, dtype=torch.float64), 2, 4
    q, k, v = qkv.split(8, dim=-1)
    wanted = torch.zeros(2, 5, 8, dtype=torch.float64)
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = q[..., own] @ k[..., own].transpose(1, 2) / width**0.5
        scores = scores.masked_fill(torch.triu(torch.ones(5, 5, dtype=torch.bool), 1), -torch.inf)
        wanted[..., own] = scores.softmax(-1) @ v[..., own]
    torch.testing.assert_close(attended(qkv, heads), wanted, rtol=0, atol=1e-13)


# Chance


def with_dropout(alike):
    """Dropout on the replicated output of the block, seeded alike or by rank; is the output still one tensor?"""
    torch.manual_seed(0)
    split, x = ParallelBlock(Block(HIDDEN, HEADS)), torch.randn(BATCH, POSITIONS, HIDDEN)
    torch.manual_seed(0 if alike else dist.get_rank())
    return split(torch.nn.functional.dropout(split(x), 0.5)).tolist()


def test_replicated_dropout_must_be_seeded_alike():
    one, other = launch(with_dropout, True)
    assert one == other
    one, other = launch(with_dropout, False)
    assert one != other  # the copies have drifted apart, and nothing was raised


def with_dropout_inside(alike):
    """Dropout between columns and rows, on each rank's own part; return the error against the whole layer, and the masks."""
    torch.manual_seed(0)
    up, down = nn.Linear(HIDDEN, 4 * HIDDEN).double(), nn.Linear(4 * HIDDEN, HIDDEN).double()
    x = torch.randn(3, HIDDEN, dtype=torch.float64)
    split = ParallelMLP(up, down)
    torch.manual_seed(7 if alike else 7 + dist.get_rank())
    mask = nn.functional.dropout(torch.ones(3, split.up.weight.shape[0], dtype=torch.float64), 0.5)
    out = split.down(gelu(split.up(x)) * mask)
    masks = gathered(mask)
    return (out - down(gelu(up(x)) * masks)).abs().max().item(), mask.tolist()


def test_dropout_inside_a_split_layer_must_be_seeded_by_rank():
    for alike in (True, False):
        (error, one), (_, other) = launch(with_dropout_inside, alike)
        assert error < 1e-13  # as the whole layer with both masks side by side ...
        assert (one == other) is alike  # ... which repeats itself where ranks are seeded alike: half the chance


# What chapter and lab say


def test_columns_alone_send_what_the_chapter_counts_on_paper():
    found = results.load("11_tensor_parallel")["figures"]
    assert found["gathering_sends"] == [15 / 4] * 2
    assert found["scattering_sends"] == [11 / 4] * 2


def test_the_labs_budget_holds_in_the_middle_and_breaks_at_the_high_end():
    found = lab._estimates()
    assert 0.5 * lab.BUDGET < found["train_kwh"] < 0.9 * lab.BUDGET
    assert found["train_high_kwh"] > 2 * lab.BUDGET
    assert found["tune_high_kwh"] < 0.01 * lab.BUDGET


def test_the_chapters_example_needs_neither_tensor_nor_pipeline_parallelism_and_the_large_one_both():
    small = planner.plan(Model(36, 4096, 32), selene(64), 512).fitting[0]
    assert (small.layout.tensor, small.layout.pipeline, small.layout.zero) == (1, 1, 1)
    assert 0.38 < small.mfu / 1.5 < 0.43  # half as many hours again is what Llama 3 reached
    run = published.TABLE_1[6]
    large = planner.plan(run.model, selene(run.layout.gpus), run.batch).fitting
    assert min(large[0].layout.tensor, large[0].layout.pipeline, large[0].layout.data) > 1
    for one in large:
        if min(one.layout.tensor, one.layout.pipeline) == 1:
            assert one.time > 1.5 * large[0].time
