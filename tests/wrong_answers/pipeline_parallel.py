"""Plausible wrong answers to the lab of chapter 10, each with a piece of the message that is meant for it."""

import itertools
import os
from dataclasses import replace

import torch
import torch.distributed as dist

from helix.distributed.paper import schedules

cross_entropy = torch.nn.functional.cross_entropy


# order_1f1b


def _with_ahead(ahead, first="F"):
    def answer(stages, rank, microbatches):
        n = max(0, min(ahead(stages, rank), microbatches))
        order = [("F", i) for i in range(n)]
        for i in range(microbatches - n):
            pair = [("F", n + i), ("B", i)]
            order += pair if first == "F" else pair[::-1]
        return order + [("B", i) for i in range(microbatches - n, microbatches)]

    return answer


def order_1f1b_gpipe(solution):
    return _with_ahead(lambda stages, rank: 10**6)


def order_1f1b_naive(solution):
    return _with_ahead(lambda stages, rank: 0)


def order_1f1b_same_everywhere(solution):
    return _with_ahead(lambda stages, rank: stages - 1)


def order_1f1b_mirrored(solution):
    return _with_ahead(lambda stages, rank: rank)


def order_1f1b_one_more(solution):
    return _with_ahead(lambda stages, rank: stages - rank)


def order_1f1b_one_less(solution):
    return _with_ahead(lambda stages, rank: stages - 2 - rank)


def order_1f1b_backward_first(solution):
    return _with_ahead(lambda stages, rank: stages - 1 - rank, "B")


def order_1f1b_no_drain(solution):
    return lambda stages, rank, m: solution(stages, rank, m)[: 2 * m - min(stages - 1 - rank, m)]


def order_1f1b_not_capped(solution):
    def answer(stages, rank, m):
        ahead = stages - 1 - rank
        order = [("F", i) for i in range(ahead)]
        for i in range(m - ahead):
            order += [("F", ahead + i), ("B", i)]
        return order + [("B", i) for i in range(max(0, m - ahead), m)]

    return answer


def order_1f1b_from_one(solution):
    return lambda *case: [(kind, i + 1) for kind, i in solution(*case)]


def order_1f1b_reversed_drain(solution):
    def answer(stages, rank, m):
        order, n = solution(stages, rank, m), min(stages - 1 - rank, m)
        return order[: 2 * m - n] + order[2 * m - n :][::-1]

    return answer


def order_1f1b_words(solution):
    return lambda *case: " ".join(f"{kind}{i}" for kind, i in solution(*case))


# fewest_microbatches


def _first(good):
    return lambda p, batch, limit: next((m for m in range(1, batch + 1) if good(p, m, batch, limit)), None)


def fewest_microbatches_any(solution):
    return _first(lambda p, m, batch, limit: (p - 1) / (m + p - 1) <= limit)


def fewest_microbatches_strict(solution):
    return _first(lambda p, m, batch, limit: batch % m == 0 and (p - 1) / (m + p - 1) < limit)


def fewest_microbatches_of_ideal(solution):
    return _first(lambda p, m, batch, limit: batch % m == 0 and (p - 1) / m <= limit)


def fewest_microbatches_all_stages(solution):
    return _first(lambda p, m, batch, limit: batch % m == 0 and p / (m + p) <= limit)


def fewest_microbatches_most(solution):
    return lambda p, batch, limit: batch if (p - 1) / (batch + p - 1) <= limit else None


def fewest_microbatches_batch(solution):
    return lambda p, batch, limit: solution(p, batch, limit) or batch


def fewest_microbatches_zero(solution):
    return lambda p, batch, limit: solution(p, batch, limit) or 0


def fewest_microbatches_turned(solution):
    return _first(lambda p, m, batch, limit: batch % m == 0 and (p - 1) / (m + p - 1) >= limit)


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


def balance_stages_by_number(solution):
    return lambda costs, stages: [round(k * len(costs) / stages) for k in range(1, stages)]


def _filled(over):
    def answer(costs, stages):
        mean, cuts, now = sum(costs) / stages, [], 0.0
        for place, cost in enumerate(costs):
            full = now >= mean if over else now + cost > mean
            begun = place > (cuts[-1] if cuts else 0)
            short = len(costs) - place <= stages - 1 - len(cuts)
            if begun and len(cuts) < stages - 1 and (full or short):
                cuts.append(place)
                now = 0.0
            now += cost
        return cuts

    return answer


def balance_stages_filled_over(solution):
    return _filled(True)


def balance_stages_filled_up_to(solution):
    return _filled(False)


def _sums(costs, cuts):
    return [sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)])]


def _best(key):
    return lambda costs, stages: list(
        min(itertools.combinations(range(1, len(costs)), stages - 1), key=lambda cuts: key(_sums(costs, cuts)))
    )


def balance_stages_worst(solution):
    return _best(lambda sums: -max(sums))


def balance_stages_lightest(solution):
    return _best(min)


def balance_stages_ends(solution):
    return lambda costs, stages: [*solution(costs, stages), len(costs)]


def balance_stages_empty(solution):
    return lambda costs, stages: [len(costs)] * (stages - 1)


def balance_stages_number(solution):
    return lambda costs, stages: max(_sums(costs, solution(costs, stages)))


# peak_bytes


def _held(begin=lambda f, b: f.start, until=lambda f, b: b.end, tie=False):
    def answer(events, bytes_each):
        found = []
        for stage, size in enumerate(bytes_each):
            own = {(e.kind, e.microbatch): e for e in events if e.stage == stage}
            spans = [
                (begin(own["F", i], own["B", i]), until(own["F", i], own["B", i])) for kind, i in own if kind == "F"
            ]
            found.append(size * max(sum(a <= t < b or (tie and a <= t == b) for a, b in spans) for t, _ in spans))
        return found

    return answer


def peak_bytes_all(solution):
    def answer(events, bytes_each):
        m = sum(e.stage == 0 and e.kind == "F" for e in events)
        return [m * size for size in bytes_each]

    return answer


def peak_bytes_released_early(solution):
    return _held(until=lambda f, b: b.start)


def peak_bytes_taken_late(solution):
    return _held(begin=lambda f, b: f.end)


def peak_bytes_ties(solution):
    return _held(tie=True)


def peak_bytes_running(solution):
    def answer(events, bytes_each):
        found = []
        for stage, size in enumerate(bytes_each):
            own = [e for e in events if e.stage == stage]
            found.append(size * max(sum(e.start <= one.start < e.end for e in own) for one in own))
        return found

    return answer


def peak_bytes_counts(solution):
    return lambda events, bytes_each: solution(events, [1] * len(bytes_each))


def peak_bytes_largest(solution):
    return lambda *given: max(solution(*given))


def peak_bytes_total(solution):
    return lambda *given: sum(solution(*given))


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
    return schedules.idle_share(plan.events()) <= 0.2


def _law(plan):
    return (plan.stages - 1) / (plan.microbatches + plan.stages - 1) <= 0.2


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_control_open(solution):
    return _control(solution, lambda plan: True)


def decide_control_shut(solution):
    return _control(solution, lambda plan: False)


def decide_control_law(solution):
    return _control(solution, lambda plan: _law(plan) and _fits(plan))


def decide_control_mean_memory(solution):
    return _control(solution, lambda plan: _busy(plan) and sum(_need(plan)) / plan.stages <= 0.9 * plan.device)


def decide_control_idle_only(solution):
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


def decide_control_words(solution):
    return _control(solution, lambda plan: "pass")


def decide_contradicts_evidence(solution):
    return lambda: replace(solution(), evidence={"idle_share": "<= 0.2", "fullest_device": "> 0.9"})


def decide_one_number(solution):
    return lambda: replace(solution(), evidence={"idle_share": "> 0.2"})


def decide_both_sides(solution):
    return lambda: replace(solution(), evidence={"idle_share": "> 0.1", "fullest_device": "> 0.9"})


def decide_no_dissent(solution):
    return lambda: replace(solution(), dissent="...")


def decide_no_decision(solution):
    return lambda: "fix"


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "order_1f1b": [
        (order_1f1b_gpipe, "This is GPipe's order"),
        (order_1f1b_naive, "naive order"),
        (order_1f1b_same_everywhere, "Every stage does p − 1"),
        (order_1f1b_mirrored, "counted from the other end"),
        (order_1f1b_one_more, "one forward pass more than needed"),
        (order_1f1b_one_less, "one forward pass too few"),
        (order_1f1b_backward_first, "You begin with a B"),
        (order_1f1b_no_drain, "last backward passes are missing"),
        (order_1f1b_not_capped, "that do not exist"),
        (order_1f1b_from_one, "numbered from 0"),
        (order_1f1b_reversed_drain, "not the order of 1F1B"),
        (order_1f1b_words, "list of pairs"),
    ],
    "fewest_microbatches": [
        (fewest_microbatches_any, "does not divide the batch"),
        (fewest_microbatches_strict, "exactly the limit"),
        (fewest_microbatches_of_ideal, "*ideal* time"),
        (fewest_microbatches_all_stages, "not p"),
        (fewest_microbatches_most, "This is the most"),
        (fewest_microbatches_batch, "not the batch"),
        (fewest_microbatches_zero, "0 micro-batches"),
        (fewest_microbatches_turned, "not the fewest"),
    ],
    "last_stage": [
        (last_stage_mean_of_means, "mean of the micro-batches' means. They differ"),
        (last_stage_added, "each that of a *mean*"),
        (last_stage_summed, "gradients of the summed loss"),
        (last_stage_cleared, "only the last micro-batch is left"),
        (last_stage_sent_unweighted, "not weighted in the same way"),
        (last_stage_loss_of_means, "the loss needs the same weights"),
        (last_stage_loss_summed, "sum of the micro-batches' means"),
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
        (balance_stages_by_number, "equally many layers"),
        (balance_stages_filled_over, "one stage after the other"),
        (balance_stages_filled_up_to, "one stage after the other"),
        (balance_stages_worst, "*slowest* slowest"),
        (balance_stages_lightest, "whose slowest stage is faster"),
        (balance_stages_ends, "boundaries: the first layer"),
        (balance_stages_empty, "a stage would have no layer"),
        (balance_stages_number, "Return a list of the boundaries"),
    ],
    "peak_bytes": [
        (peak_bytes_all, "as if none were ever released"),
        (peak_bytes_released_early, "when its B *starts*"),
        (peak_bytes_taken_late, "only when its F has ended"),
        (peak_bytes_ties, "you count both"),
        (peak_bytes_running, "passes that run at the same time"),
        (peak_bytes_counts, "numbers of micro-batches"),
        (peak_bytes_largest, "This is one number"),
        (peak_bytes_total, "This is one number"),
        (peak_bytes_of_the_first, "not the peaks"),
    ],
    "decide": [
        (decide_ships, "One of the two has to change"),
        (decide_control_open, "lets a plan pass"),
        (decide_control_shut, "stops a plan whose"),
        (decide_control_law, "lets a plan pass"),
        (decide_control_mean_memory, "lets a plan pass"),
        (decide_control_idle_only, "lets a plan pass"),
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
        (decide_control_words, "True (let it pass) or False"),
        (decide_contradicts_evidence, "idle_share"),
        (decide_one_number, "does not say what it makes of `fullest_device`"),
        (decide_both_sides, "could be said on both sides"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_no_decision, "must return a `Decision"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "last_stage": {
        "for n, y in zip(sizes, targets.split(sizes), strict=False):": "both have one item for each micro-batch",
    },
}
