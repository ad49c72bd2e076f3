"""Pipelines: the cut, the orders, the simulator, the balance, what is saved, and real ranks held against one process."""

from __future__ import annotations

import itertools
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn

from helix.distributed import RankFailed, launch
from helix.distributed.measured.saved import SavedBytes, layer_bytes
from helix.distributed.paper import balance, costs, published, schedules
from helix.distributed.paper.pipeline_plan import GPT, PLAN, plan_for
from helix.distributed.paper.schedules import Event, order, simulate
from helix.distributed.parallel import pipeline_trials as trials
from helix.distributed.parallel import sleepers
from helix.distributed.parallel.gpt2_stages import cut, next_token_loss, small_gpt2
from helix.distributed.parallel.pipeline_parallel import ByTorch, Pipeline, check_divides
from helix.record import results
from lessons import from_chapter
from warmed import warmed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ranks are POSIX processes")
SCHEDULES = ("naive", "gpipe", "1f1b")


@pytest.fixture(scope="module", autouse=True)
def _warm():
    with warmed(__name__, trials.MODULES):
        yield


# The cut


@pytest.mark.parametrize("boundaries", [(), (4,), (1, 7), (2, 4, 6), (1, 2, 3, 4, 5, 6, 7)])
@pytest.mark.parametrize("rematerialise", ["", "early stop", "whole"])
def test_the_stages_one_after_the_other_are_the_model(boundaries, rematerialise):
    model, (x, y) = small_gpt2(3), trials.tokens(3)
    stages = cut(model, boundaries, rematerialise)
    h = x
    for stage in stages:
        h = stage(h)
    assert torch.equal(h, model(x).logits)
    names = [stage.name_in_model(name) for stage in stages for name, _ in stage.named_parameters()]
    assert len(names) == len(set(names))
    assert {*names} - {"lm_head.weight"} == {name for name, _ in model.named_parameters()}
    next_token_loss(h, y).backward()
    ends = [stage.tied for stage in stages if stage.tied is not None]
    assert len(ends) == (0 if not boundaries else 2)
    if ends:
        assert ends[0] is model.transformer.wte.weight
        assert ends[1] is not ends[0]
        assert torch.equal(ends[0], ends[1])


@pytest.mark.parametrize(
    ("boundaries", "says"),
    [
        ((4, 2), r"\[4, 2\] do not rise"),
        ((0, 4), "start at layer 0 and end before layer 0"),
        ((4, 4), "start at layer 4"),
        ((4, 8), "end before layer 8"),
        ((9,), "do not rise from 1 to 7"),
        ((2.5,), "do not rise"),
        (range(1, 9), "8 layers cannot fill 9 stages"),
    ],
)
def test_a_cut_without_sense_is_refused(boundaries, says):
    with pytest.raises(ValueError, match=says):
        cut(small_gpt2(), boundaries)


# Orders and their simulation


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("p", [1, 2, 3, 5])
@pytest.mark.parametrize("m", [1, 2, 4, 9])
def test_orders_are_complete_run_and_hold_what_the_law_says(schedule, p, m):
    events = simulate(schedule, [1.0] * p, [2.0] * p, m)
    assert len(events) == 2 * m * p
    at = {(e.stage, e.kind, e.microbatch): e for e in events}
    for event in events:
        if event.kind == "F" and event.stage:
            assert at[event.stage - 1, "F", event.microbatch].end <= event.start
        if event.kind == "B":
            assert at[event.stage, "F", event.microbatch].end <= event.start
            if event.stage < p - 1:
                assert at[event.stage + 1, "B", event.microbatch].end <= event.start
    for stage in range(p):
        own = [event for event in events if event.stage == stage]
        assert [(event.kind, event.microbatch) for event in own] == order(schedule, p, stage, m)
        assert all(a.end <= b.start for a, b in itertools.pairwise(own))
    assert schedules.held(events) == [schedules.held_by_law(schedule, p, rank, m) for rank in range(p)]
    share = (p - 1) / p if schedule == "naive" else costs.bubble(p, m)
    assert schedules.idle_share(events) == pytest.approx(share)


def test_1f1b_as_published():
    # Figure 4 of arXiv:2104.04473, top: p = 4, m = 8, device 2 of 4.
    wanted = "F0 F1 F2 B0 F3 B1 F4 B2 F5 B3 F6 B4 F7 B5 B6 B7"
    assert " ".join(f"{kind}{i}" for kind, i in order("1f1b", 4, 1, 8)) == wanted


@pytest.mark.parametrize("p", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("v", [1, 2, 3])
def test_the_interleaved_schedule_waits_and_holds_what_the_law_says(p, rounds, v):
    m = p * rounds
    events = schedules.simulate_interleaved([1.0] * p, [2.0] * p, m, v)
    assert len({(e.stage, e.kind, e.microbatch, e.chunk) for e in events}) == len(events) == 2 * m * p * v
    assert schedules.idle_share(events) == pytest.approx(costs.bubble(p, m, v))
    if p > 1:
        model = costs.Model(24, 64, 4, 100, 32)
        layout = costs.Layout(pipeline=p, chunks=v, rematerialised=False, fused=False)
        each = costs.layer_activations(model) * model.layers / p
        assert schedules.held(events)[0] / v == pytest.approx(costs.memory(model, layout, m)["activations"] / each)
    ends = {(e.chunk * p + e.stage, e.kind, e.microbatch): e for e in events}
    for (piece, kind, i), event in ends.items():
        if before := ends.get((piece - 1, "F", i) if kind == "F" else (piece + 1, "B", i)):
            assert before.end <= event.start + 1e-9
    if v == 1:
        assert [(e.stage, e.kind, e.microbatch, e.start) for e in events] == [
            (e.stage, e.kind, e.microbatch, e.start) for e in simulate("1f1b", [1.0] * p, [2.0] * p, m)
        ]


def test_interleaved_as_published():
    # Figure 4 of arXiv:2104.04473, bottom: p = 4, v = 2, m = 8; device 4 starts with its first chunk, then has the last one.
    found = schedules.interleaved(4, 3, 8, 2)
    assert found[:5] == [("F", 0, 0), ("F", 1, 0), ("F", 2, 0), ("F", 3, 0), ("F", 0, 1)]
    assert found[5:8] == [("B", 0, 1), ("F", 1, 1), ("B", 1, 1)]
    assert found[-1] == ("B", 7, 0)


def test_unequal_stages_and_the_time_of_passing_on():
    even, uneven = simulate("1f1b", [1, 1], [2, 2], 4), simulate("1f1b", [0.5, 1.5], [1, 3], 4)
    assert schedules.idle_share(uneven) > schedules.idle_share(even)
    assert schedules.span(uneven) == pytest.approx(0.5 + 4 * 4.5 + 1)  # the slow stage never waits again
    one = simulate("gpipe", [1, 1], [2, 2], 1, passing=0.5)
    assert [(e.stage, e.kind, e.start) for e in one] == [(0, "F", 0), (1, "F", 1.5), (1, "B", 2.5), (0, "B", 5)]


def test_what_ends_when_something_starts_is_not_held_any_more():
    events = [Event(0, "F", 0, 0, 1), Event(0, "B", 0, 1, 3), Event(0, "F", 1, 3, 4), Event(0, "B", 1, 4, 6)]
    assert schedules.held(events) == [1]
    assert schedules.held([Event(e.stage, e.kind, e.microbatch, e.start, e.end + 0.1) for e in events]) == [2]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: order("gpipe", 0, 0, 2), "stages must be a whole number"),
        (lambda: order("gpipe", 2, 2, 2), "ranks 0 to 1, not 2"),
        (lambda: order("gpipe", 2, 0, 1.5), "microbatches must be a whole number"),
        (lambda: order("2f2b", 2, 0, 2), "no schedule '2f2b'"),
        (lambda: schedules.interleaved(4, 0, 6, 2), "multiples of 4 stages; got 6"),
        (lambda: schedules.interleaved(2, 2, 2, 2), "ranks 0 to 1, not 2"),
        (lambda: schedules.simulate_interleaved([1, 1], [1], 2, 2), "2 forward and 1 backward"),
        (lambda: simulate("gpipe", [1, 1], [1], 2), "2 forward and 1 backward"),
        (lambda: simulate("gpipe", [1, -1], [1, 1], 2), "0 or more"),
        (lambda: simulate([[("F", 0)]], [1], [1], 1), "stage 0 must hold F and B"),
        (lambda: simulate([[("F", 0), ("B", 0)]], [1, 1], [1, 1], 1), "1 orders for 2 stages"),
        (lambda: simulate([[("B", 0), ("F", 0)]], [1], [1], 1), "stage 0 at B0"),
        (lambda: schedules.span([]), "no events"),
        (lambda: check_divides(8, 5), "5 micro-batches do not divide a batch of 8"),
        (lambda: balance.balance([1, 2], 3), "2 layers cannot fill 3 stages"),
        (lambda: balance.balance([1, float("nan")], 1), "0 or more and finite"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# The balance


def test_the_balance_is_the_best_of_all_cuts():
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        layers = int(torch.randint(1, 10, (), generator=generator))
        stages = int(torch.randint(1, layers + 1, (), generator=generator))
        each = torch.randint(0, 12, (layers,), generator=generator).tolist()
        found = balance.balance(each, stages)
        assert all(a < b for a, b in itertools.pairwise([0, *found, layers]))
        every = itertools.combinations(range(1, layers), stages - 1)
        assert max(balance.stage_costs(each, found)) == min(max(balance.stage_costs(each, c)) for c in every)


def test_layer_costs_are_the_planners_operations():
    model = costs.Model(6, 128, 4, vocabulary=1000, sequence=64)
    assert sum(balance.layer_costs(model, 3)) == sum(costs.operations(model, 3, rematerialised=False).values())


def test_the_labs_plan_breaks_both_limits_and_can_be_mended():
    def full(plan):
        counts = schedules.held(plan.events())
        each = [f + n * a for f, n, a in zip(plan.fixed, counts, plan.activations, strict=True)]
        return max(each) / plan.device, sum(each) / plan.stages / plan.device

    assert PLAN.mfu < 0.36
    assert full(PLAN)[0] > 1
    assert full(PLAN)[1] < 0.75
    assert costs.bubble(4, 16) < 0.2
    again = plan_for(
        GPT, (6, 12, 18), 16, PLAN.device, rematerialised=True
    )  # what the lab shows: waits less, takes longer
    assert schedules.idle_share(again.events()) < schedules.idle_share(PLAN.events())
    assert again.mfu < PLAN.mfu
    mended = plan_for(GPT, (4, 13, 23), 16, PLAN.device)
    assert mended.mfu > 0.45
    assert full(mended)[0] < 0.88
    # An idle share of 0.2 at most would refuse it, and let a slower one pass.
    assert schedules.idle_share(mended.events()) > 0.2


def test_computing_again_is_no_useful_work():
    """Of all cuts that fit, the one with the least idle time computes again, and takes longer than one that keeps everything."""
    plain, again = (
        plan_for(GPT, (4, 13, 23), 16, PLAN.device),
        plan_for(GPT, (8, 16, 23), 16, PLAN.device, rematerialised=True),
    )
    idle, seconds = ([of(plan.events()) for plan in (plain, again)] for of in (schedules.idle_share, schedules.span))
    assert idle[1] < idle[0]
    assert seconds[1] > 1.05 * seconds[0]
    assert again.mfu < plain.mfu
    for plan, time in zip((plain, again), seconds, strict=True):
        useful = costs.useful(GPT, 16)
        assert plan.mfu == pytest.approx(useful / (4 * plan.peak * time))


# What is saved


def test_saved_bytes_are_what_autograd_keeps():
    x = torch.ones(10, requires_grad=True)
    with SavedBytes() as saved:
        y = x.exp()  # keeps its result
        z = y * y  # keeps y twice: one storage
        assert saved.now == saved.peak == 40
        z.sum().backward()
    assert (saved.now, saved.peak) == (0, 40)
    weight = nn.Parameter(torch.ones(10))
    with SavedBytes([weight]) as saved:
        (x * weight).sum().backward()  # keeps x and the weight; the weight is there anyway
    assert saved.peak == 40


def test_a_layer_saves_what_the_book_says():
    layer, x = small_gpt2().transformer.h[0], torch.ones(4, 32, 64, requires_grad=True)
    with SavedBytes(layer.parameters()) as saved:
        layer(x).sum().backward()
    assert saved.peak == pytest.approx(layer_bytes(costs.Model(8, 64, 4, sequence=32), 4), rel=0.02)


def test_recomputation_counts():
    plain = trials.operations()
    # Forward 24 and backward 48 of bsh² in products; the last product of a layer, 8 of them, is what stopping early saves.
    assert trials.operations("whole") * 3 == plain * 4
    assert trials.operations("early stop") * 9 == plain * 11
    model = costs.Model(8, 64, 4, vocabulary=trials.VOCABULARY, sequence=trials.SEQUENCE)
    terms = costs.operations(model, trials.BATCH)
    assert plain == terms["matrices"]
    assert trials.operations(layers_only=False) == terms["matrices"] + terms["logits"]


# Real ranks


@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize(("schedule", "m"), [("naive", 2), ("gpipe", 4), ("1f1b", 2), ("1f1b", 8)])
def test_gradients_are_one_processs(p, schedule, m):
    loss, wanted = trials.one_process(7, double=True)
    found = launch(trials.step_on_rank, schedule, m, 7, True, ranks=p, note=False)
    assert found[-1]["loss"] == pytest.approx(loss, rel=1e-12)
    assert trials.largest_error(found, wanted) < 1e-12
    events = [event for rank in found for event in rank["events"]]
    assert schedules.held(events) == [schedules.held_by_law(schedule, p, rank, m) for rank in range(p)]


@pytest.mark.parametrize(("p", "schedule", "m"), [(2, "gpipe", 4), (2, "1f1b", 4), (4, "gpipe", 2), (4, "1f1b", 4)])
@pytest.mark.parametrize("rematerialise", ["", "early stop"])
def test_pytorchs_schedules_give_the_same(p, schedule, m, rematerialise):
    _, wanted = trials.one_process(7, double=True)
    found = launch(trials.step_on_rank, schedule, m, 7, True, True, rematerialise, ranks=p, note=False)
    assert trials.largest_error(found, wanted) < 1e-12


def test_without_adding_the_ends_the_gradients_are_wrong_and_the_copies_part():
    _, wanted = trials.one_process()
    found = launch(trials.step_on_rank, "gpipe", 4, 0, False, False, "", False)
    assert trials.largest_error(found, wanted) > 0.1
    (_, first), (_, last) = launch(trials.train_on_rank, "gpipe", 4, 5, False)
    assert not torch.equal(first, last)


def test_training_is_one_processs_and_the_copies_stay_the_same():
    (_, first), (losses, last) = launch(trials.train_on_rank, "1f1b", 4, 6)
    alone, weight = trials.train_alone(6)
    assert losses == pytest.approx(alone, abs=1e-5)
    assert torch.equal(first, last)
    torch.testing.assert_close(first, weight, rtol=0, atol=1e-5)


def two_steps_without_clearing(library):
    stage = cut(small_gpt2(), (4,))[dist.get_rank()]
    make = ByTorch if library else Pipeline
    pipeline = make(stage, (8, 32, 64), 2, "gpipe")
    once = [pipeline.step(*trials.tokens()), stage.tied.grad.clone()][1]
    pipeline.step(*trials.tokens())
    return once, stage.tied.grad


@pytest.mark.parametrize("library", [False, True])
def test_gradients_of_several_steps_add_up_at_the_tied_ends_too(library):
    for once, twice in launch(two_steps_without_clearing, library):
        torch.testing.assert_close(twice, 2 * once)


def test_a_missing_gradient_is_named():
    with pytest.raises(ValueError, match=r"No rank has a gradient of .*wpe"):
        trials.largest_error([{"gradients": {}}], trials.one_process()[1])


def test_memory_follows_the_law_and_re_materialisation_holds_less():
    peaks = {
        (schedule, m, how): [
            rank["peak"]
            for rank in launch(trials.step_on_rank, schedule, m, 0, False, False, how, True, 2 * m, ranks=4, note=False)
        ]
        for schedule, m, how in [("gpipe", 1, ""), ("gpipe", 6, ""), ("1f1b", 6, ""), ("1f1b", 6, "whole")]
    }
    one = peaks["gpipe", 1, ""]
    for schedule in ("gpipe", "1f1b"):
        times = [peak / unit for peak, unit in zip(peaks[schedule, 6, ""], one, strict=True)]
        law = [schedules.held_by_law(schedule, 4, rank, 6) for rank in range(4)]
        assert times == pytest.approx(law, rel=0.02)
    assert all(a < b for a, b in zip(peaks["1f1b", 6, "whole"], peaks["1f1b", 6, ""], strict=True))


@pytest.mark.parametrize("library", [False, True])
def test_sleeping_stages_show_the_bubble(library):
    found = launch(sleepers.timed, "gpipe", 4, 8, 0.02, 0.04, 1, library)
    events, idle, _ = sleepers.summary(found)
    assert idle > 1 / 5 - 0.01  # waiting more than the law is what a busy machine does; less would be a mistake
    for stage in range(2):
        own = sorted((event for event in events if event.stage == stage), key=lambda event: event.start)
        assert [(event.kind, event.microbatch) for event in own] == order("gpipe", 2, stage, 4)


# Padding, and what is frozen


def padded(library, schedule, lengths):
    """Train two stages on batches of which only the first targets count; return loss and gradients, and one process's."""
    torch.manual_seed(0)
    embedding, head = nn.Embedding(5, 4).double(), nn.Linear(4, 5).double()
    x, y = torch.randint(0, 5, (2, len(lengths), 4))
    for row, length in zip(y, lengths, strict=True):
        row[length:] = -100
    alone = next_token_loss(head(embedding(x)), y)
    alone.backward()
    wanted = (alone.item(), embedding.weight.grad.clone(), head.weight.grad.clone())
    embedding.zero_grad(), head.zero_grad()
    stage = head if dist.get_rank() else embedding
    step = (ByTorch if library else Pipeline)(stage, (len(lengths), 4, 4), len(lengths), schedule).step(x, y)
    return (step.loss, stage.weight.grad), (wanted[0], wanted[1 + dist.get_rank()])


@pytest.mark.parametrize("lengths", [(4, 4), (1, 4), (4, 0), (3, 1, 0, 4)])
@pytest.mark.parametrize(("library", "schedule"), [(False, "gpipe"), (False, "1f1b"), (True, "1f1b")])
def test_targets_that_do_not_count_weigh_nothing(library, schedule, lengths):
    first, last = launch(padded, library, schedule, lengths)
    assert last[0][0] == pytest.approx(last[1][0])
    for (_, found), (_, wanted) in (first, last):
        torch.testing.assert_close(found, wanted)


def nothing_counts():
    padded(False, "gpipe", (0, 0))


def around_a_frozen_stage(which):
    """Train three stages of which one is frozen; return the gradient of this rank's, and one process's."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3))).double()
    model[which].requires_grad_(False)
    x, y = torch.randn(2, 8, 4, dtype=torch.float64)
    nn.functional.mse_loss(model(x), y).backward()
    stage = model[dist.get_rank()]
    wanted = stage.weight.grad
    stage.zero_grad()
    Pipeline(stage, (8, 4), 4, loss=nn.functional.mse_loss).step(x, y)
    return stage.weight.grad, wanted


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_frozen_stage_is_passed_through(which):
    for rank, (found, wanted) in enumerate(launch(around_a_frozen_stage, which, ranks=3, note=False)):
        assert (found is None) == (wanted is None) == (rank == which)
        if found is not None:
            torch.testing.assert_close(found, wanted)


# Bad input on ranks: each ends with a sentence


def raises_in_the_middle():
    count = []

    def loss(scores, targets):
        count.append(1)
        if len(count) == 2:
            raise ArithmeticError("in the second micro-batch")
        return next_token_loss(scores, targets)

    Pipeline(cut(small_gpt2(), (4,))[dist.get_rank()], (8, 32, 64), 4, loss=loss).step(*trials.tokens())


def receives_what_nobody_sends():
    if dist.get_rank():
        dist.recv(torch.empty(3), src=0)


def other_shapes():
    Pipeline(nn.Linear(4, 4), (8, 4 + dist.get_rank()), 2)


def puts_out_another_shape():
    Pipeline(nn.Linear(4, 5), (8, 4), 2, loss=nn.functional.mse_loss).step(torch.ones(8, 4), torch.ones(8, 5))


def batch_of_another_size():
    Pipeline(nn.Linear(4, 4), (8, 4), 2).step(torch.ones(6, 4))


def no_batch():
    Pipeline(nn.Linear(4, 4), (8, 4), 2).step()


def does_not_divide():
    Pipeline(nn.Linear(4, 4), (8, 4), 3)


def naive_by_pytorch():
    ByTorch(nn.Linear(4, 4), (8, 4), 2, "naive")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (raises_in_the_middle, r"Rank 1 of 2 raised ArithmeticError: in the second micro-batch[\s\S]*Traceback"),
        (receives_what_nobody_sends, "all were stopped.*rank 0 had returned; rank 1 was at line"),
        (other_shapes, r"The stages do not agree: stage 0 has \(\(4, 4\).*stage 1 has \(\(4, 5\)"),
        (puts_out_another_shape, r"Stage 0 puts out the shape \(4, 5\), and stage 1 waits for \(4, 4\)"),
        (batch_of_another_size, "Stage 0 needs a batch of 8 samples; it was given 6 samples"),
        (no_batch, r"Stage [01] needs a batch of 8 samples; it was given nothing"),
        (does_not_divide, "3 micro-batches do not divide a batch of 8"),
        (naive_by_pytorch, "not 'naive'"),
        (nothing_counts, "Rank 1 of 2 raised ValueError: No target of this batch counts"),
    ],
)
def test_ranks_that_fail_say_why(function, says):
    with pytest.raises(RankFailed, match=says):
        launch(function, timeout=5)


def test_more_ranks_than_cores_work(capsys):
    _, wanted = trials.one_process()
    found = launch(trials.step_on_rank, "1f1b", 4, ranks=4)
    assert trials.largest_error(found, wanted) < 1e-5
    if found.oversubscribed:
        assert "results hold, times do not" in capsys.readouterr().out


# What the chapter writes out


def chapters_gpipe(p_boundaries, m, double):
    names = {"torch": torch, "dist": dist, "next_token_loss": next_token_loss}
    names["receive"] = from_chapter("10", "receive", torch=torch, dist=dist)
    by_hand = from_chapter("10", "gpipe", **names)
    stage = cut(small_gpt2(2), p_boundaries)[dist.get_rank()]
    x, y = trials.tokens(2)
    loss = by_hand(stage, x.chunk(m), y.chunk(m), (8 // m, 32, 64))
    mine = {name: parameter.grad for name, parameter in stage.named_parameters()}
    other = cut(small_gpt2(2), p_boundaries)[dist.get_rank()]
    theirs = Pipeline(other, (8, 32, 64), m, "gpipe", add_ends=False).step(x, y)
    same = all(torch.equal(mine[name], parameter.grad) for name, parameter in other.named_parameters())
    return same, loss, theirs.loss


@pytest.mark.parametrize(("boundaries", "m"), [((4,), 4), ((2, 4, 6), 2)])
def test_the_chapters_gpipe_is_the_packages(boundaries, m):
    found = launch(chapters_gpipe, boundaries, m, False, ranks=len(boundaries) + 1, note=False)
    assert all(same for same, _, _ in found)
    assert found[-1][1] == pytest.approx(found[-1][2])


# What the chapter says of its record


def test_the_law_of_waiting_is_right_within_an_eighth_up_to_8_and_half_off_at_16():
    found = results.load("10_pipeline_parallel")["figures"]["bubble"]
    above = [
        (m, p, idle / law - 1) for m, p, idle, law in zip(*(found[k] for k in ("m", "p", "idle", "law")), strict=True)
    ]
    assert min(share for *_, share in above) >= 0
    assert max(share for m, _, share in above if m <= 8) < 1 / 8
    assert 0.5 < max(share for m, p, share in above if (m, p) == (16, 2)) < 0.55


def test_a_trillion_parameters_wait_for_the_hours_that_the_chapter_names():
    run = published.TABLE_1[9]
    hours = 3072 * 84 * 24
    idle = [costs.bubble(run.layout.pipeline, run.layout.microbatches(run.batch), v) * hours for v in (1, 2)]
    assert idle == pytest.approx([678_554, 358_941], abs=1)
    assert [round(each / 4 / 8766) for each in idle] == [19, 10]  # years of four cards
    assert [round(idle[1] / 1e6, 1), round(4 * idle[0] / 1e6, 1)] == [0.4, 2.7]  # million dollars
