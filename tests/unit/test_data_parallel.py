"""The ring and data parallelism by hand, held against PyTorch's own and against one process."""

from __future__ import annotations

import contextlib
import copy
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from helix import distributed
from helix.distributed import RankFailed, launch
from helix.distributed.parallel import data_parallel, ring
from warmed import warmed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ranks are POSIX processes")


@pytest.fixture(scope="module", autouse=True)
def _warm():
    with warmed(__name__):
        yield


# The ring

SHAPES = [(), (1,), (2,), (7,), (12,), (5, 3), (1000,), (0,)]


def both_sums(dtype):
    """For each shape: the ring's result, PyTorch's, and the bytes that this rank sent."""
    found = []
    for number, shape in enumerate(SHAPES):
        generator = torch.Generator().manual_seed(100 * number + dist.get_rank())
        tensor = (torch.rand(shape, generator=generator) * 100).to(dtype)
        theirs = tensor.clone()
        dist.all_reduce(theirs)
        sent = ring.all_reduce(tensor)
        found.append((tensor, theirs, sent))
    return found


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_the_ring_sums_as_all_reduce_does_and_sends_what_the_bound_says(ranks, dtype):
    by_rank = launch(both_sums, dtype, ranks=ranks, note=False)
    for number, shape in enumerate(SHAPES):
        results = [found[number] for found in by_rank]
        elements, size = results[0][0].numel(), results[0][0].element_size()
        for rank, (mine, theirs, sent) in enumerate(results):
            assert mine.shape == torch.Size(shape)
            assert torch.equal(mine, results[0][0])  # the same bits on all ranks
            torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=0)
            assert sent == ring.traffic(elements, ranks, rank, size)
            assert abs(sent - ring.bound(elements * size, ranks)) < 2 * size
        assert sum(sent for *_, sent in results) == 2 * (ranks - 1) * elements * size


def not_contiguous():
    whole = torch.arange(12.0).view(3, 4) + dist.get_rank()
    sent = ring.all_reduce(whole.T[1:3])
    return whole, sent


def test_a_view_that_is_not_contiguous_is_summed_in_place():
    expected = torch.arange(12.0).view(3, 4)
    expected[:, 1:3] = expected[:, 1:3] * 2 + 1
    for rank, (whole, sent) in enumerate(launch(not_contiguous)):
        assert torch.equal(whole[:, 1:3], expected[:, 1:3])
        assert torch.equal(whole[:, 0], expected[:, 0] + rank)
        assert sent == 24


def one_sum(elements):
    ring.all_reduce(torch.ones(elements))


def test_its_count_is_what_was_handed_to_pytorch():
    for rank, calls in enumerate(launch(one_sum, 10, ranks=3, count=True, note=False).calls):
        assert distributed.total(calls, "send") == ring.traffic(10, 3, rank)
        assert {call.name for call in calls} == {"send", "recv"}
        assert {call.peer for call in calls if call.name == "send"} == {(rank + 1) % 3}


def large():
    tensor = torch.ones(4_000_000)
    ring.all_reduce(tensor)
    return bool((tensor == 2).all())


def test_large_tensors_do_not_block():
    assert launch(large, timeout=20) == [True, True]


def shapes_differ():
    ring.all_reduce(torch.ones(4 + dist.get_rank()), check=True)


def types_differ():
    ring.all_reduce(torch.ones(4, dtype=torch.float64 if dist.get_rank() else torch.float32), check=True)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (shapes_differ, r"rank 0 has 4 of torch\.float32; rank 1 has 5 of torch\.float32"),
        (types_differ, r"rank 0 has 4 of torch\.float32; rank 1 has 4 of torch\.float64"),
    ],
)
def test_tensors_that_differ_are_refused_when_checked(function, says):
    with pytest.raises(RankFailed, match=says) as failed:
        launch(function, timeout=10)
    assert failed.value.error == "ValueError"


# Data parallelism


def network(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)


def batches(steps, size=12):
    generator = torch.Generator().manual_seed(5)
    return [
        (torch.randn(size, 6, generator=generator), torch.randint(3, (size,), generator=generator))
        for _ in range(steps)
    ]


def trained(model, steps=4, rank=0, world=1, accumulate=1):
    """Train by SGD with momentum on this rank's share of each batch; return parameters and last gradients."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for step, (x, y) in enumerate(batches(steps)):
        last = (step + 1) % accumulate == 0
        with contextlib.nullcontext() if last or world == 1 else model.no_sync():
            loss = nn.functional.cross_entropy(model(x[rank::world]), y[rank::world]) / accumulate
            loss.backward()
        if last:
            optimiser.step()
            gradients = [parameter.grad.clone() for parameter in model.parameters()]
            optimiser.zero_grad()
    return [parameter.detach() for parameter in model.parameters()], gradients


def trains_both(bucket_mb, by_ring, accumulate):
    rank, world = dist.get_rank(), dist.get_world_size()
    reduce = ring.all_reduce if by_ring else None
    # Another start on each rank: the broadcast has to mend it.
    mine = trained(
        data_parallel.DataParallel(network(rank), bucket_mb=bucket_mb, reduce=reduce), 4, rank, world, accumulate
    )
    theirs = trained(DistributedDataParallel(network(rank), bucket_cap_mb=bucket_mb), 4, rank, world, accumulate)
    return mine, theirs


@pytest.mark.parametrize(
    ("ranks", "bucket_mb", "by_ring", "accumulate"),
    [(2, 25.0, False, 1), (2, 1e-4, False, 1), (2, 1e-4, False, 2), (2, 3e-4, True, 2), (3, 1e-4, True, 1)],
)
def test_by_hand_is_pytorchs_and_is_one_process(ranks, bucket_mb, by_ring, accumulate):
    alone = trained(network(0), 4, accumulate=accumulate)
    results = launch(trains_both, bucket_mb, by_ring, accumulate, ranks=ranks, note=False)
    for mine, theirs in results:
        for what in (0, 1):  # parameters, gradients
            for a, b, c, first in zip(mine[what], theirs[what], alone[what], results[0][0][what], strict=True):
                assert (a - b).abs().max() <= 1e-6
                assert (a - c).abs().max() <= 1e-6
                assert torch.equal(a, first)  # the same bits on all ranks


def messages(bucket_mb):
    model = data_parallel.DataParallel(network(), bucket_mb=bucket_mb)
    x, y = batches(1)[0]
    with distributed.counted() as calls:
        nn.functional.cross_entropy(model(x), y).backward()
    with distributed.counted() as quiet, model.no_sync():
        nn.functional.cross_entropy(model(x), y).backward()
    return [call.bytes for call in calls], len(quiet)


def test_buckets_decide_how_many_messages_and_no_sync_sends_none():
    size = sum(parameter.numel() for parameter in network().parameters()) * 4
    assert launch(messages, 25.0) == [([size], 0)] * 2
    one_each = [parameter.numel() * 4 for parameter in reversed(list(network().parameters()))]
    assert launch(messages, 1e-9) == [(one_each, 0)] * 2


def overlap():
    """Note at which parameters the first message left: before backward was through."""
    model, log = network(), []

    def reduce(flat):
        log.append(f"send {flat.numel()}")
        return dist.all_reduce(flat, async_op=True)

    wrapped = data_parallel.DataParallel(model, bucket_mb=1e-9, reduce=reduce)
    model[0].weight.register_post_accumulate_grad_hook(lambda _: log.append("first layer"))
    x, y = batches(1)[0]
    nn.functional.cross_entropy(wrapped(x), y).backward()
    return log


def test_messages_leave_while_backward_goes_on():
    for log in launch(overlap):
        assert log.index("send 24") < log.index("first layer")  # the last layer's weight


def buffers(broadcast):
    torch.manual_seed(dist.get_rank())
    model = data_parallel.DataParallel(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)), broadcast_buffers=broadcast)
    for _ in range(2):
        model(torch.randn(8, 6)).sum().backward()
    before = model.module[1].running_mean.clone()
    model(torch.randn(8, 6))
    model.eval()
    model(torch.randn(8, 6))
    return before, model.module[1].running_mean


def theirs_buffers():
    torch.manual_seed(dist.get_rank())
    model = DistributedDataParallel(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)))
    for _ in range(2):
        model(torch.randn(8, 6)).sum().backward()
    return model.module[1].running_mean.clone()


def test_buffers_are_rank_0s_as_in_pytorch():
    mine, theirs = launch(buffers, True), launch(theirs_buffers)
    for (before, _), other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(before, other)
    apart = launch(buffers, False)
    assert not torch.equal(apart[1][0], mine[1][0])


def unused():
    model = network()
    model.extra = nn.Linear(2, 2)
    wrapped = data_parallel.DataParallel(model)
    model.forward = lambda x: nn.Sequential.forward(nn.Sequential(*list(model)[:5]), x)
    wrapped(torch.ones(2, 6)).sum().backward()


def frozen():
    model = network()
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    wrapped = data_parallel.DataParallel(copy.deepcopy(model))
    wrapped(torch.ones(2, 6)).sum().backward()
    return [parameter.grad is None for parameter in wrapped.parameters()]


def test_unused_parameters_are_named_and_frozen_ones_left_alone():
    with pytest.raises(RankFailed, match=r"did not reach extra\.bias, extra\.weight"):
        launch(unused, timeout=20)
    assert launch(frozen) == [[True, True, False, False, False, False]] * 2


def nothing_to_train():
    data_parallel.DataParallel(nn.ReLU())


def no_bucket():
    data_parallel.DataParallel(network(), bucket_mb=0)


@pytest.mark.parametrize(
    ("function", "says"), [(nothing_to_train, "nothing to train"), (no_bucket, "bucket_mb must be above 0")]
)
def test_what_cannot_be_wrapped_is_refused(function, says):
    with pytest.raises(RankFailed, match=says):
        launch(function)


def raises_once():
    model = data_parallel.DataParallel(network())
    x, y = batches(1)[0]

    def refuse(_):
        raise ArithmeticError

    handle = model.module[0].bias.register_hook(refuse)
    with contextlib.suppress(ArithmeticError):
        nn.functional.cross_entropy(model(x), y).backward()
    handle.remove()
    model.zero_grad()
    share = slice(dist.get_rank(), None, 2)
    nn.functional.cross_entropy(model(x[share]), y[share]).backward()
    return model.module[0].bias.grad


def test_a_backward_pass_that_raised_does_not_spoil_the_next():
    first, second = launch(raises_once)
    assert torch.equal(first, second)


# Modules as others build them


def with_gaps():
    """Weights that lie in memory with gaps, in another order, or over each other; each rank has its own before."""
    torch.manual_seed(dist.get_rank())
    views = [
        torch.randn(2, 6)[:, ::2],
        torch.randn(3, 2).T,
        torch.randn(2, 1).expand(2, 3).clone().T.T,
        torch.randn(4, 3)[1:3],
    ]
    model = nn.ModuleList(nn.Linear(3, 2, bias=False) for _ in views)
    for layer, view in zip(model, views, strict=True):
        layer.weight = nn.Parameter(view)
    model.register_buffer("kept", torch.randn(4, 4)[:, 1::2])
    data_parallel.DataParallel(model)
    return [tensor.tolist() for tensor in (*model.parameters(), *model.buffers())]


def test_rank_0s_weights_arrive_however_they_lie_in_memory():
    first, second = launch(with_gaps)
    assert first == second
    torch.manual_seed(0)
    assert first[0] == torch.randn(2, 6)[:, ::2].tolist()


def of_another_type():
    data_parallel.DataParallel(nn.Linear(2, 1, dtype=(torch.float32, torch.float64)[dist.get_rank()]))


def of_another_shape():
    data_parallel.DataParallel(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1 + dist.get_rank())))


def one_layer_more():
    data_parallel.DataParallel(nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(1 + dist.get_rank()))))


def frozen_on_one():
    data_parallel.DataParallel(nn.Sequential(nn.Linear(2, 2).requires_grad_(dist.get_rank() == 0), nn.Linear(2, 2)))


def other_buffers():
    data_parallel.DataParallel(
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=dist.get_rank() == 0))
    )


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (of_another_type, r"rank 0 has weight \(1, 2\) float32, rank 1 has weight \(1, 2\) float64"),
        (of_another_shape, r"rank 0 has 1\.weight \(1, 2\) float32, rank 1 has 1\.weight \(2, 2\) float32"),
        (one_layer_more, r"rank 0 has nothing more, rank 1 has 1\.weight"),
        (frozen_on_one, r"rank 0 has 0\.weight \(2, 2\) float32, rank 1 has 0\.weight \(2, 2\) float32 not trained"),
        (other_buffers, r"rank 0 has 1\.running_mean .*, rank 1 has nothing more"),
    ],
)
def test_modules_that_differ_between_ranks_are_refused(function, says):
    with pytest.raises(RankFailed, match=says):
        launch(function, timeout=20)


def changed_after_wrapping(trained):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(not trained)
    wrapped = data_parallel.DataParallel(model)
    model[0].requires_grad_(trained)
    with torch.no_grad():
        wrapped(torch.ones(1, 2))  # nothing is averaged here
    wrapped(torch.ones(1, 2)).sum().backward()


@pytest.mark.parametrize("trained", [True, False])
def test_what_is_frozen_after_wrapping_is_told(trained):
    with pytest.raises(RankFailed, match=r"0\.bias, 0\.weight: frozen or unfrozen after .* Wrap the module again"):
        launch(changed_after_wrapping, trained, timeout=20)


def sparse():
    data_parallel.DataParallel(nn.Embedding(5, 2, sparse=True))(torch.tensor([dist.get_rank()])).sum().backward()


def test_a_sparse_gradient_is_told():
    with pytest.raises(RankFailed, match="The gradient of weight is sparse.*sparse=False"):
        launch(sparse, timeout=20)
