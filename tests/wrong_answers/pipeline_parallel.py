"""Plausible wrong answers to the lab of chapter 10, each with a piece of the message that is meant for it."""

import itertools
import os
from dataclasses import replace

import torch
import torch.distributed as dist

from helix.distributed.paper import schedules

cross_entropy = torch.nn.functional.cross_entropy


# order_1f1b


def order_1f1b_not_capped(solution):
    def answer(stages, rank, m):
        order = []
        ahead = stages - 1 - rank
        for i in range(ahead):
            order.append(("F", i))
        for i in range(ahead, m):
            order.append(("F", i))
            order.append(("B", i - ahead))
        for i in range(max(0, m - ahead), m):
            order.append(("B", i))
        return order

    return answer


def order_1f1b_backward_first(solution):
    def answer(stages, rank, m):
        ahead = min(stages - 1 - rank, m)
        order = [("F", i) for i in range(ahead)]
        for i in range(m - ahead):
            order += [("B", i), ("F", ahead + i)]
        return order + [("B", i) for i in range(m - ahead, m)]

    return answer


def order_1f1b_from_one(solution):
    return lambda *case: [(kind, i + 1) for kind, i in solution(*case)]


def order_1f1b_words(solution):
    return lambda *case: " ".join(f"{kind}{i}" for kind, i in solution(*case))


# last_stage


def _last(weight, sent=None, told=None, clear=False, ask=True, send=True, dtype=torch.float64):
    """Be a last stage that weighs each micro-batch so, sends a gradient weighted so, and returns losses weighted so."""
    sent, told = sent or weight, told or weight

    def answer(stage, sizes, targets, width):
        total = 0.0
        for place, (n, y) in enumerate(zip(sizes, targets.split(sizes), strict=True)):
            x = torch.empty(n, width, dtype=dtype)
            dist.recv(x, src=0)
            if ask:
                x.requires_grad_()
            if clear:
                stage.zero_grad()
            mean = cross_entropy(stage(x), y)
            (mean * weight(n, sizes)).backward()
            if send:
                dist.send(x.grad * sent(n, sizes) / weight(n, sizes), dst=0)
            total += mean.item() * (told(n, sizes) if told != "last" else (place == len(sizes) - 1) * n / sum(sizes))
        return total

    return answer


def _share(n, sizes):
    return n / sum(sizes)


def _equal(n, sizes):
    return 1 / len(sizes)


def _one(n, sizes):
    return 1.0


def _samples(n, sizes):
    return float(n)


def last_stage_mean_of_means(solution):
    return _last(_equal)


def last_stage_added(solution):
    return _last(_one)


def last_stage_summed(solution):
    return _last(_samples)


def last_stage_cleared(solution):
    return _last(_share, clear=True)


def last_stage_sent_unweighted(solution):
    return _last(_share, sent=_one)


def last_stage_loss_of_means(solution):
    return _last(_share, told=_equal)


def last_stage_loss_summed(solution):
    return _last(_share, told=_one)


def last_stage_loss_of_the_last(solution):
    return _last(_share, told="last")


def last_stage_did_not_ask(solution):
    return _last(_share, ask=False)


def last_stage_returns_nothing(solution):
    def answer(*given):
        solution(*given)

    return answer


def last_stage_cleared_at_the_end(solution):
    def answer(stage, *given):
        loss = solution(stage, *given)
        stage.zero_grad()
        return loss

    return answer


def last_stage_never_sends(solution):
    return _last(_share, send=False)


def last_stage_receives_once_more(solution):
    def answer(stage, sizes, targets, width):
        dist.recv(torch.empty(1, width, dtype=torch.float64), src=0)
        return solution(stage, sizes, targets, width)

    return answer


def last_stage_is_killed(solution):
    def answer(*given):
        os.kill(os.getpid(), 9)

    return answer


def last_stage_single_precision(solution):
    return _last(_share, dtype=torch.float32)


def last_stage_sends_backwards(solution):
    """Send the gradients in the other order: each belongs to another micro-batch, of another size."""

    def answer(stage, sizes, targets, width):
        total, found = 0.0, []
        for n, y in zip(sizes, targets.split(sizes), strict=True):
            x = torch.empty(n, width, dtype=torch.float64)
            dist.recv(x, src=0)
            x.requires_grad_()
            loss = cross_entropy(stage(x), y) * n / sum(sizes)
            loss.backward()
            found.append(x.grad)
            total += loss.item()
        together = torch.cat(found[::-1]).split(sizes)
        for gradient in together:
            dist.send(gradient.contiguous(), dst=0)
        return total

    return answer


# balance_stages


def balance_stages_filled(solution):
    def answer(costs, stages):
        mean = sum(costs) / stages
        cuts, now = [], 0
        for place, cost in enumerate(costs[:-1]):
            now += cost
            if now >= mean and len(cuts) < stages - 1:
                cuts.append(place + 1)
                now = 0
        while len(cuts) < stages - 1:
            cuts.append(cuts[-1] + 1 if cuts else 1)
        return cuts

    return answer


def _sums(costs, cuts):
    return [sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)])]


def balance_stages_as_equal_as_can_be(solution):
    """Minimise the sum of the squares."""

    def answer(costs, stages):
        cuts = itertools.combinations(range(1, len(costs)), stages - 1)
        return list(min(cuts, key=lambda cut: sum(each**2 for each in _sums(costs, cut))))

    return answer


def balance_stages_last_layers(solution):
    return lambda costs, stages: [cut - 1 for cut in solution(costs, stages)]


def balance_stages_number(solution):
    return lambda costs, stages: max(_sums(costs, solution(costs, stages)))


def balance_stages_fewest(solution):
    """Find the least pace at which `stages` are enough, then fill: cheap stages leave none for the last ones."""

    def filled(costs, pace):
        cuts, now = [], 0
        for place, cost in enumerate(costs):
            if now + cost > pace:
                cuts.append(place)
                now = 0
            now += cost
        return cuts

    def answer(costs, stages):
        pace = max(costs)
        while len(filled(costs, pace)) > stages - 1:
            pace += 1
        return filled(costs, pace)

    return answer


# peak_bytes


def peak_bytes_released_early(solution):
    def answer(events, bytes_each):
        peaks = []
        for stage, size in enumerate(bytes_each):
            held = most = 0
            for event in sorted((e for e in events if e.stage == stage), key=lambda e: (e.start, e.kind)):
                held += 1 if event.kind == "F" else -1
                most = max(most, held)
            peaks.append(most * size)
        return peaks

    return answer


def peak_bytes_largest(solution):
    return lambda *given: max(solution(*given))


def peak_bytes_of_the_first(solution):
    return lambda *given: [solution(*given)[0]] * len(given[1])


# decide


def _control(solution, control):
    return lambda: replace(solution(), control=control)


def _need(plan, counts=None, fixed=True):
    counts = counts or schedules.held(plan.events())
    return [fixed * f + n * a for f, n, a in zip(plan.fixed, counts, plan.activations, strict=True)]


def _fits(plan):
    return max(_need(plan)) <= 0.9 * plan.device


def _busy(plan):
    return plan.mfu >= 0.4


def _law(plan):
    return (plan.stages - 1) / (plan.microbatches + plan.stages - 1) <= 0.4


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_control_law(solution):
    return _control(solution, lambda plan: _law(plan) and _fits(plan))


def decide_control_mean_memory(solution):
    return _control(solution, lambda plan: _busy(plan) and sum(_need(plan)) / plan.stages <= 0.9 * plan.device)


def decide_control_idle_share(solution):
    return _control(solution, lambda plan: schedules.idle_share(plan.events()) <= 0.2 and _fits(plan))


def decide_control_waits_or_computes_again(solution):
    def control(plan):
        again = max(b / f for f, b in zip(plan.forward, plan.backward, strict=True)) > 2.5
        return bool(_busy(plan) and not again and _fits(plan))

    return _control(solution, control)


def decide_control_of_all_operations(solution):
    """Take what is computed again for work: HFU."""

    def control(plan):
        events = plan.events()
        done = sum(event.end - event.start for event in events) / sum(plan.forward) / plan.microbatches / 3
        return bool(plan.mfu * done >= 0.4 and _fits(plan))

    return _control(solution, control)


def decide_control_mfu_only(solution):
    return _control(solution, _busy)


def decide_control_memory_only(solution):
    return _control(solution, _fits)


def decide_control_first_stage(solution):
    return _control(solution, lambda plan: _busy(plan) and _need(plan)[0] <= 0.9 * plan.device)


def decide_control_ends(solution):
    return _control(solution, lambda plan: _busy(plan) and max(_need(plan)[0], _need(plan)[-1]) <= 0.9 * plan.device)


def decide_control_activations_only(solution):
    return _control(solution, lambda plan: _busy(plan) and max(_need(plan, fixed=False)) <= 0.9 * plan.device)


def decide_control_always_1f1b(solution):
    def control(plan):
        counts = [min(plan.microbatches, plan.stages - rank) for rank in range(plan.stages)]
        return bool(_busy(plan) and max(_need(plan, counts)) <= 0.9 * plan.device)

    return _control(solution, control)


def decide_control_always_gpipe(solution):
    def control(plan):
        return bool(_busy(plan) and max(_need(plan, [plan.microbatches] * plan.stages)) <= 0.9 * plan.device)

    return _control(solution, control)


def decide_control_p_everywhere(solution):
    def control(plan):
        most = plan.microbatches if plan.schedule == "gpipe" else min(plan.stages, plan.microbatches)
        return bool(_busy(plan) and max(_need(plan, [most] * plan.stages)) <= 0.9 * plan.device)

    return _control(solution, control)


def decide_control_forward_only(solution):
    def control(plan):
        even = max(plan.forward) <= 1.2 * min(plan.forward)
        return bool(_law(plan) and even and _fits(plan))

    return _control(solution, control)


def decide_control_exactly_even(solution):
    def control(plan):
        even = len(set(plan.forward)) == len(set(plan.backward)) == 1
        return bool(_law(plan) and even and _fits(plan))

    return _control(solution, control)


def decide_control_full_device(solution):
    return _control(solution, lambda plan: _busy(plan) and max(_need(plan)) <= 0.8 * sum(plan.fixed) / plan.stages)


for _ends_badly in (last_stage_never_sends, last_stage_is_killed):
    _ends_badly.isolated = True  # judged in a process of its own only, and on fewer seeds

# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "order_1f1b": [
        (order_1f1b_not_capped, "that do not exist"),
        (order_1f1b_backward_first, "You are one off"),
        (order_1f1b_from_one, "not the order of 1F1B"),
        (order_1f1b_words, "a list is expected"),
    ],
    "last_stage": [
        (last_stage_mean_of_means, "mean of the micro-batches' means. They differ"),
        (last_stage_added, "each that of a *mean*"),
        (last_stage_summed, "gradients of the summed loss"),
        (last_stage_cleared, "only the last micro-batch is left"),
        (last_stage_sent_unweighted, "not weighted in the same way"),
        (last_stage_loss_of_means, "sum or the mean of"),
        (last_stage_loss_summed, "sum or the mean of"),
        (last_stage_loss_of_the_last, "loss of the last micro-batch only"),
        (last_stage_did_not_ask, "NoneType"),
        (last_stage_returns_nothing, "The gradients are right; the loss"),
        (last_stage_cleared_at_the_end, "nobody may clear it"),
        (last_stage_sends_backwards, "not those of one process"),
        (last_stage_never_sends, "all were stopped"),
        (last_stage_receives_once_more, "tensors of different sizes"),
        (last_stage_is_killed, "was killed by signal 9"),
        (last_stage_single_precision, "tensors of different sizes"),
    ],
    "balance_stages": [
        (balance_stages_filled, "There is a cut"),
        (balance_stages_as_equal_as_can_be, "as equal as can be"),
        (balance_stages_last_layers, "its form is not"),
        (balance_stages_number, "a list is expected"),
        (balance_stages_fewest, "none may be without a layer"),
    ],
    "peak_bytes": [
        (peak_bytes_released_early, "let it go earlier"),
        (peak_bytes_largest, "a list is expected"),
        (peak_bytes_of_the_first, "not the peaks"),
    ],
    "decide": [
        (decide_ships, "One of the two has to change"),
        (decide_control_law, "lets a plan pass"),
        (decide_control_mean_memory, "lets a plan pass"),
        (decide_control_idle_share, "lets a plan pass"),
        (decide_control_waits_or_computes_again, "stops a plan whose"),
        (decide_control_of_all_operations, "lets a plan pass"),
        (decide_control_mfu_only, "lets a plan pass"),
        (decide_control_memory_only, "lets a plan pass"),
        (decide_control_first_stage, "lets a plan pass"),
        (decide_control_ends, "lets a plan pass"),
        (decide_control_activations_only, "lets a plan pass"),
        (decide_control_always_1f1b, "lets a plan pass"),
        (decide_control_always_gpipe, "stops a plan whose"),
        (decide_control_p_everywhere, "stops a plan whose"),
        (decide_control_forward_only, "lets a plan pass"),
        (decide_control_exactly_even, "stops a plan whose"),
        (decide_control_full_device, "stops a plan whose"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "last_stage": {
        "for n, y in zip(sizes, targets.split(sizes), strict=False):": "both have one item for each micro-batch",
    },
}
