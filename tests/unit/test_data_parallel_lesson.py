"""What chapter 09 needs beside the ring and DDP by hand: shares of a batch, the critical batch, memory of a rank, the record of a run."""

from __future__ import annotations

import copy
import itertools
import math
import sys

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from helix.distributed import RankFailed, launch
from helix.distributed.measured import critical_batch, memory_per_rank, run_record
from helix.distributed.parallel import batches, data_parallel, ring
from lessons import from_chapter
from warmed import warmed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ranks are POSIX processes")


@pytest.fixture(scope="module", autouse=True)
def _warm():
    with warmed(__name__):
        yield


# What the chapter writes out ---------------------------------------------------------------------------------


def test_the_chapters_ring_is_the_production_ring():
    pass_on = from_chapter("09", "pass_on", torch=torch, dist=dist)
    by_hand = from_chapter("09", "ring_all_reduce", dist=dist, pass_on=pass_on)

    def both(by_hand):
        mine = torch.arange(12.0) * (dist.get_rank() + 1)
        theirs = mine.clone()
        return by_hand(mine), ring.all_reduce(theirs), torch.equal(mine, theirs), mine.tolist()

    for world in (2, 3, 4):
        for sent, theirs, equal, summed in launch(both, by_hand, ranks=world, note=False):
            assert equal
            assert sent == theirs == 2 * (world - 1) * 12 * 4 // world
            assert summed == (torch.arange(12.0) * sum(range(1, world + 1))).tolist()


def test_the_chapters_data_parallel_is_the_production_one():
    by_hand = from_chapter("09", "ByHand", torch=torch, dist=dist)

    def both(by_hand):
        gradients = []
        for wrap in (by_hand, data_parallel.DataParallel):
            torch.manual_seed(dist.get_rank())
            model = wrap(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
            model(torch.full((2, 3), dist.get_rank() + 1.0)).square().mean().backward()
            gradients.append([p.grad.tolist() for p in model.parameters()])
        return gradients

    found = launch(both, by_hand, ranks=3, note=False)
    for mine, theirs in found:
        assert mine == found[0][0]  # the same on all ranks
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(torch.tensor(a), torch.tensor(b))


def test_the_picture_of_the_ring_is_what_the_ring_does():
    after = from_chapter("09", "after", np=__import__("numpy"))
    assert after(0).tolist() == [[1] * 4] * 4
    assert after(6).tolist() == [[4] * 4] * 4
    middle = after(3)
    for rank in range(
        4
    ):  # after reduce-scatter rank r holds the sum of chunk (r + 1) mod N, as `ring.reduce_scatter` says
        assert middle[rank].tolist().index(4) == (rank + 1) % 4
        assert sorted(middle[rank].tolist()) == [1, 2, 3, 4]


# Shares of a batch ---------------------------------------------------------------------------------------------


def weights(counts):
    return batches.loss_weight(counts[dist.get_rank()])


def test_loss_weights_average_to_one_over_samples():
    assert list(launch(weights, [6, 2])) == [1.5, 0.5]
    assert list(launch(weights, [5, 5, 5], ranks=3, note=False)) == [1.0] * 3
    assert list(launch(weights, [4, 0])) == [2.0, 0.0]
    assert list(launch(weights, np.array([6, 2]))) == [1.5, 0.5]


@pytest.mark.parametrize("counts", [[0, 0], [3, -1], [True, 2], [2.0, 2]])
def test_loss_weight_refuses_what_is_no_number_of_samples(counts):
    with pytest.raises(RankFailed, match=r"No rank has a sample|whole number, 0 or more"):
        launch(weights, counts, timeout=10)


def gradients_of(counts, mend):
    """The gradient of shares, and of the whole, for a network with BatchNorm over two axes of samples."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 5, 1), nn.BatchNorm1d(5), nn.ReLU(), nn.Flatten(), nn.Linear(15, 2)).double()
    alone, x = copy.deepcopy(model), torch.randn(sum(counts), 2, 3, dtype=torch.float64)
    rank = dist.get_rank()
    own = x[sum(counts[:rank]) : sum(counts[: rank + 1])]
    weight = 1.0
    if mend:
        batches.synchronised(model)
        weight = batches.loss_weight(len(own))
    (weight * data_parallel.DataParallel(model, broadcast_buffers=False)(own).square().mean()).backward()
    alone(x).square().mean().backward()
    pairs = zip(model.parameters(), alone.parameters(), strict=True)
    buffers = zip(model.buffers(), alone.buffers(), strict=True)
    return (
        max((a.grad - b.grad).abs().max().item() for a, b in pairs),
        max((a - b).abs().max().item() for a, b in buffers),
        type(model[1]).__module__,
    )


@pytest.mark.parametrize("counts", [[4, 4], [6, 2], [5, 3, 1]])
def test_batch_norm_over_all_ranks_is_batch_norm_of_the_whole(counts):
    for gradient, buffers, module in launch(gradients_of, counts, True, ranks=len(counts), note=False):
        assert gradient < 1e-13
        assert buffers < 1e-13
        assert module == "helix.distributed.parallel.batches"
    assert all(gradient > 1e-3 for gradient, *_ in launch(gradients_of, counts, False, ranks=len(counts), note=False))


def norms_alone():
    """In a world of one, and in evaluation, it is PyTorch's."""
    torch.manual_seed(0)
    x = torch.randn(6, 4)
    theirs, mine = nn.BatchNorm1d(4), batches.BatchNorm(4)
    same = [torch.allclose(theirs(x), mine(x), atol=1e-6)]
    theirs.eval(), mine.eval()
    same += [torch.allclose(theirs(x), mine(x), atol=1e-6)]
    plain = batches.BatchNorm(4, affine=False)
    same += [torch.allclose(nn.BatchNorm1d(4, affine=False)(x), plain(x), atol=1e-6)]
    return same


def test_batch_norm_in_a_world_of_one():
    assert launch(norms_alone, ranks=1)[0] == [True] * 3


def norm_of(shape):
    batches.BatchNorm(4)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "says"), [((4,), "needs shape"), ((2, 3), "4 channels"), ((1, 4), "more than one value")]
)
def test_batch_norm_refuses_bad_shapes(shape, says):
    with pytest.raises(RankFailed, match=says):
        launch(norm_of, shape, ranks=1)


def test_synchronised_goes_into_modules_and_keeps_statistics():
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3)), nn.BatchNorm1d(3, track_running_stats=False)
    )
    model[0](torch.randn(2, 1, 2, 2))
    kept = model[0][1].running_var.clone()
    batches.synchronised(model.eval())
    assert isinstance(model[0][1], batches.BatchNorm)
    assert not model[0][1].training
    assert torch.equal(model[0][1].running_var, kept)
    assert isinstance(model[1], batches.BatchNorm)
    assert model[1].running_mean is None


def test_synchronised_keeps_what_it_replaces():
    """Frozen stays frozen, an optimiser made before still trains it, a shared layer stays shared, and the top is replaced too."""
    alone = batches.synchronised(nn.BatchNorm1d(2))
    assert isinstance(alone, batches.BatchNorm)
    net = nn.Sequential(nn.BatchNorm1d(2))
    optimiser = torch.optim.SGD(net.parameters(), 1.0)
    net.append(net[0])
    batches.synchronised(net)
    assert optimiser.param_groups[0]["params"][0] is net[0].weight
    assert net[0] is net[1]
    assert isinstance(net[1], batches.BatchNorm)
    frozen = batches.synchronised(nn.Sequential(nn.BatchNorm1d(2)).requires_grad_(False))
    assert not any(each.requires_grad for each in frozen.parameters())


def like_torch(momentum, keeps, dtype, of):
    """Train PyTorch's layer and ours on a rank on the same batches; return outputs, statistics, and the output's type."""
    torch.manual_seed(0)
    layers = [
        kind(3, momentum=momentum, track_running_stats=keeps).to(dtype[1])
        for kind in (nn.BatchNorm1d, batches.BatchNorm)
    ]
    outputs = []
    for scale in (1.0, 2.0, 6.0):
        x = (torch.randn(5, 3) * scale + of).to(dtype[0])
        outputs.append([layer(x) for layer in layers])
    kept = [[one.double() for one in layer.buffers()] for layer in layers]
    return [[one.double().detach() for one in pair] for pair in outputs], kept, outputs[0][1].dtype


@pytest.mark.parametrize("momentum", [0.0, 0.3, None])
@pytest.mark.parametrize("keeps", [True, False])
def test_momentum_and_statistics_are_pytorchs(momentum, keeps):
    outputs, kept, _ = launch(like_torch, momentum, keeps, (torch.float64, torch.float64), 3.0, ranks=1)[0]
    for theirs, ours in (*outputs, *zip(*kept, strict=True)):
        torch.testing.assert_close(ours, theirs)
    assert len(kept[0]) == (3 if keeps else 0)


@pytest.mark.parametrize(
    "dtype", [(torch.float16, torch.float16), (torch.bfloat16, torch.float32), (torch.float32, torch.float32)]
)
def test_half_precision_is_pytorchs(dtype):
    outputs, _, kind = launch(like_torch, 0.1, True, dtype, 30_000.0, ranks=1)[0]  # sums of five pass 65,504
    assert kind == dtype[0]
    for theirs, ours in outputs:
        assert torch.isfinite(ours).all()
        if dtype[0] == torch.float32:
            torch.testing.assert_close(ours, theirs, atol=2e-2, rtol=0)


# The critical batch ----------------------------------------------------------------------------------------------


def test_the_law_is_found_again():
    law = critical_batch.fit({batch: 150 * (1 + 64 / batch) for batch in (8, 32, 128, 1024)})
    assert law.least_steps == pytest.approx(150)
    assert law.batch == pytest.approx(64)
    assert law.steps(64) == pytest.approx(300)  # at the critical batch twice the fewest steps
    assert law.samples(64) == pytest.approx(2 * 150 * 64)  # and twice the fewest samples, S_min · B_crit


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ({8: 100, 16: 60}, "at least three"),
        ({8: 100, 16: 60, 0: 5}, "batch must be positive"),
        ({8: 100, 16: math.inf, 32: 5}, "steps must be positive"),
        ({8: 100, 16: 110, 32: 120}, "no line"),
        ({8: 800, 16: 300, 32: 100}, "no line"),
    ],
)
def test_the_fit_refuses(steps, says):
    with pytest.raises(ValueError, match=says):
        critical_batch.fit(steps)


def test_the_noise_scale_is_that_of_known_noise():
    generator = torch.Generator().manual_seed(0)
    mean, spread, small, large = 2.0, 6.0, 4, 64  # one dimension: tr(Σ)/|G|² = 36/4 = 9
    squares = {}
    for size in (small, large):
        draws = mean + spread / math.sqrt(size) * torch.randn(400_000, generator=generator, dtype=torch.float64)
        squares[size] = draws.square().mean().item()
    assert critical_batch.noise_scale(squares[small], squares[large], small, large) == pytest.approx(9, rel=0.03)


def test_the_noise_scale_at_its_ends():
    assert critical_batch.noise_scale(1.0, 1.0, 2, 8) == 0  # no noise
    assert critical_batch.noise_scale(4.0, 1.0, 2, 8) == math.inf  # nothing but noise: 4/1 = 8/2
    with pytest.raises(ValueError, match="smaller one"):
        critical_batch.noise_scale(1.0, 1.0, 8, 8)
    with pytest.raises(ValueError, match="positive"):
        critical_batch.noise_scale(0.0, 1.0, 2, 8)


# Memory ----------------------------------------------------------------------------------------------------------


def states_of(kind):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = nn.Linear(8, 8, bias=False)
    if kind == "sharded":
        fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    optimiser = torch.optim.Adam(model.parameters())
    empty = memory_per_rank.held(model, optimiser)
    model(torch.ones(2, 8)).sum().backward()
    optimiser.step()
    return empty, memory_per_rank.held(model, optimiser)


def test_a_shard_is_counted_as_a_shard():
    for kind, share in (("replicated", 1), ("sharded", 4)):
        for empty, full in launch(states_of, kind, ranks=4, note=False):
            assert empty == {"parameters": 256 // share, "gradients": 0, "optimiser": 0}
            assert full == {"parameters": 256 // share, "gradients": 256 // share, "optimiser": 512 // share}


def resident_after_freeing(returned):
    if returned:
        assert memory_per_rank.return_freed_pages()
    taught = torch.ones(2**20)  # 4 MB; freeing it teaches glibc to take blocks of this size from its heap
    del taught
    kept, pins = [], []
    for _ in range(20):
        kept.append(torch.ones(2**20))
        pins.append(torch.ones(100_000))  # lies above, so that the heap cannot shrink
    del kept
    from pathlib import Path

    assert len(pins) == 20
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_pages_are_returned():
    kept, returned = (launch(resident_after_freeing, flag, ranks=1)[0] for flag in (False, True))
    assert returned < kept - 40e6  # of 84 MB that were freed


# The record of a run -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole():
    kept = run_record.record(
        seed=1,
        world_size=2,
        batch_per_rank=4,
        steps=3,
        sampler="in order",
        data=[torch.zeros(3)],
        weights=[torch.ones(2, requires_grad=True)],
        settings=run_record.settings(),
    )
    return kept | {"commit": "a" * 40, "clean": True}


def test_a_whole_record_lacks_nothing(whole):
    assert set(whole) == set(run_record.NEEDED)
    assert run_record.missing(whole) == []
    assert run_record.differences(whole, dict(whole)) == []


@pytest.mark.parametrize("name", run_record.NEEDED)
def test_whatever_is_left_out_is_missed(whole, name):
    for gap in ({}, {name: None}, {name: "unknown"}, {name: " "}):
        record = {key: value for key, value in whole.items() if key != name} | gap
        faults = run_record.missing(record)
        assert len(faults) == 1
        assert name in faults[0] or (name == "clean" and "changed after the commit" in faults[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": -1}, "at least 0"),
        ({"world_size": 0}, "at least 1"),
        ({"world_size": True}, "whole number"),
        ({"steps": 2.5}, "whole number"),
        ({"commit": "main"}, "40 hexadecimal"),
        ({"commit": "A" * 40}, "40 hexadecimal"),
        ({"data_sha256": "a" * 63}, "64 hexadecimal"),
        ({"clean": False}, "changed after the commit"),
        ({"clean": "yes"}, "changed after the commit"),
        ({"versions": {}}, "each part"),
        ({"versions": {"torch": ""}}, "each part"),
        ({"hardware": "a laptop"}, "each part"),
        ({"sampler": 3}, "in words"),
        ({"settings": {}}, "device, threads, deterministic, benchmark, matmul precision, environment"),
        ({"settings": run_record.settings() | {"threads": 0}}, "settings must name threads"),
        ({"settings": run_record.settings() | {"deterministic": "yes"}}, "settings must name deterministic"),
        ({"settings": run_record.settings() | {"device": " "}}, "settings must name device"),
    ],
)
def test_values_that_say_nothing_are_faults(whole, change, says):
    (fault,) = run_record.missing(whole | change)
    assert says in fault


def test_no_record_at_all():
    assert "mapping" in run_record.missing(None)[0]
    assert len(run_record.missing({})) == len(run_record.NEEDED)


def test_differences_are_of_inputs_only(whole):
    assert run_record.differences(whole, whole | {"weights_sha256": "b" * 64}) == []
    (told,) = run_record.differences(whole, whole | {"world_size": 4})
    assert "world_size" in told
    assert "2 and 4" in told
    assert "order in which gradients are summed" in told


def trained_with(threads):
    """Train two steps on a rank with so many threads; return the weights' hash and the settings."""
    torch.set_num_threads(threads if isinstance(threads, int) else threads[dist.get_rank()])
    settings = run_record.settings()
    torch.manual_seed(0)
    net = data_parallel.DataParallel(nn.Sequential(nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 8)))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(dist.get_rank())
    for _ in range(2):
        optimiser.zero_grad()
        net(torch.randn(960, 256, generator=generator)).square().mean().backward()
        optimiser.step()
    return run_record.sha256(each.detach() for each in net.parameters()), settings


def test_the_same_record_means_the_same_bits(whole):
    """Threads move the bits, on most processors, so they move the record: never the same record with other bits."""
    runs = [launch(trained_with, threads)[0] for threads in (1, 1, 2, 2)]
    records = [whole | {"weights_sha256": bits, "settings": settings} for bits, settings in runs]
    for one, other in itertools.combinations(records, 2):
        same = run_record.differences(one, other) == []
        assert same == (one["settings"]["threads"] == other["settings"]["threads"])
        assert not same or one["weights_sha256"] == other["weights_sha256"]
    (told,) = run_record.differences(records[0], records[2])
    assert told.endswith("threads 1 and threads 2")


def test_ranks_with_other_settings_have_no_record():
    with pytest.raises(RankFailed, match="Give all the same"):
        launch(trained_with, [1, 2])


def test_variables_that_choose_kernels_are_recorded(monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert launch(run_record.settings)[0]["environment"]["MKL_CBWR"] == "COMPATIBLE"


def test_hashes_tell_type_shape_order_and_value():
    a, b = torch.arange(6.0), torch.arange(6.0) + 1
    hashes = [
        run_record.sha256(each)
        for each in ([a], [a.double()], [a.view(2, 3)], [b], [a, b], [b, a], [a.view(2, 3).T.contiguous()], [])
    ]
    assert len(set(hashes)) == len(hashes)
    assert run_record.sha256([a.view(2, 3).T]) == run_record.sha256([a.view(2, 3).T.contiguous()])
    assert run_record.sha256([a]) == run_record.sha256([a.numpy()])
