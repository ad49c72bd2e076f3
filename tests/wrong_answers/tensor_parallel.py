"""Wrong answers to the lab of chapter 11, as a learner would type them, each with a piece of the message that is meant for it."""

import os
import signal
from dataclasses import replace

import torch
import torch.distributed as dist


def _local(tokens, words):
    local = tokens - dist.get_rank() * words
    return local, (local >= 0) & (local < words)


def _summed(tensor):
    total = tensor.clone()
    dist.all_reduce(total)
    return total


def _own_rows(tokens, part):
    local, mine = _local(tokens, len(part))
    return part[local.clamp(0, len(part) - 1)] * mine[:, None]


def embed_without_mask(solution):
    return lambda tokens, part: _summed(part[_local(tokens, len(part))[0].clamp(0, len(part) - 1)])


def embed_own_only(solution):
    return _own_rows


def embed_negative_index(solution):
    def answer(tokens, part):
        local, _ = _local(tokens, len(part))
        found = torch.zeros(len(tokens), part.shape[1], dtype=part.dtype)
        for place, word in enumerate(local):
            try:
                found[place] = part[word]
            except IndexError:
                pass  # a word of another rank
        return _summed(found)

    return answer


def embed_without_offset(solution):
    return lambda tokens, part: _summed(part[tokens.clamp(0, len(part) - 1)] * (tokens < len(part))[:, None])


def embed_largest(solution):
    def answer(tokens, part):
        found = _own_rows(tokens, part)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return found

    return answer


def embed_without_the_first_word(solution):
    def answer(tokens, part):
        local = tokens - dist.get_rank() * len(part)
        mine = (local > 0) & (local < len(part))
        return _summed(part[local.clamp(0, len(part) - 1)] * mine[:, None])

    return answer


def embed_moves_the_table(solution):
    def answer(tokens, part):
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part)
        return torch.cat(parts)[tokens]

    return answer


def embed_out_of_range(solution):
    return lambda tokens, part: _summed(part[_local(tokens, len(part))[0]])


def embed_skips_without_tokens(solution):
    def answer(tokens, part):
        if not _local(tokens, len(part))[1].any():
            return torch.zeros(len(tokens), part.shape[1], dtype=part.dtype)
        return solution(tokens, part)

    return answer


def embed_is_killed(solution):
    def answer(tokens, part):
        if dist.get_rank() == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return solution(tokens, part)

    return answer


def _loss(top="all", target="summed", sums="summed", reduce="mean", shift_target=True):
    def made(solution):
        def answer(logits, targets):
            n, words = logits.shape
            largest = logits.max(dim=1).values
            if top == "one":
                largest = logits.max().repeat(n)
            if top in ("all", "one"):
                dist.all_reduce(largest, op=dist.ReduceOp.MAX)
            elif top == "none":
                largest = torch.zeros_like(largest)
            shifted = logits - largest[:, None]
            local, mine = _local(targets, words)
            right = (shifted if shift_target else logits)[torch.arange(n), local.clamp(0, words - 1)] * mine
            total = shifted.exp().sum(dim=1)
            total = _summed(total) if sums == "summed" else total
            right = _summed(right) if target == "summed" else right
            return getattr(total.log() - right, reduce)().item()

        return answer

    return made


loss_without_largest = _loss(top="none")
loss_with_one_largest = _loss(top="one")
loss_with_own_largest = _loss(top="own")
loss_without_target = _loss(target="own")
loss_of_sum = _loss(reduce="sum")
loss_target_not_shifted = _loss(shift_target=False)


def loss_of_own_words(solution):
    def answer(logits, targets):
        logarithms = logits.log_softmax(dim=1)
        local, mine = _local(targets, logits.shape[1])
        right = logarithms.gather(1, local.clamp(0, logits.shape[1] - 1)[:, None])[:, 0] * mine
        return -_summed(right).mean().item()

    return answer


def loss_target_of_every_rank(solution):
    def answer(logits, targets):
        n, words = logits.shape
        right = logits[torch.arange(n), targets % words]
        return (_summed(logits.exp().sum(dim=1)).log() - _summed(right)).mean().item()

    return answer


def loss_gathers_the_logits(solution):
    def answer(logits, targets):
        parts = [torch.empty_like(logits) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, logits)
        return torch.nn.functional.cross_entropy(torch.cat(parts, dim=1), targets).item()

    return answer


def loss_skips_without_targets(solution):
    return lambda logits, targets: solution(logits, targets) if dist.get_rank() else 0.0


def loss_third_sum_on_one_rank(solution):
    def answer(logits, targets):
        found = solution(logits, targets)
        if dist.get_rank() == 0:
            dist.all_reduce(torch.zeros(len(targets)))
        return found

    return answer


def _own(tensor, rank=None):
    return tensor.chunk(dist.get_world_size())[dist.get_rank() if rank is None else rank].clone()


def positions_of_own_summand(solution):
    return _own


def positions_whole_sum(solution):
    return _summed


def positions_by_width(solution):
    return lambda summand: _summed(summand).chunk(dist.get_world_size(), dim=1)[dist.get_rank()]


def positions_mean(solution):
    return lambda summand: solution(summand) / dist.get_world_size()


def positions_in_turns(solution):
    return lambda summand: _summed(summand)[dist.get_rank() :: dist.get_world_size()]


def positions_of_neighbour(solution):
    return lambda summand: _own(_summed(summand), (dist.get_rank() + 1) % dist.get_world_size())


def positions_by_all_reduce(solution):
    return lambda summand: _own(_summed(summand))


def positions_in_place(solution):
    def answer(summand):
        own = solution(summand)
        summand.chunk(dist.get_world_size())[dist.get_rank()].copy_(own)
        return own

    return answer


def positions_waits(solution):
    return lambda summand: solution(summand) if dist.get_rank() else _own(summand)


def layout_leaves_gpus(solution):
    def answer(gpus, per_node, layers, heads, memory, usable, time):
        best = None
        for t in range(1, per_node + 1):
            for p in range(1, layers + 1):
                if per_node % t or heads % t or layers % p or t * p > gpus:
                    continue
                layout = t, p, gpus // (t * p)
                if memory(*layout) <= usable and (best is None or time(*layout) < time(*best)):
                    best = layout
        if best is None:
            raise ValueError("nothing fits")
        return best

    return answer


def layout_powers_of_two(solution):
    def answer(gpus, per_node, layers, heads, memory, usable, time):
        times = {}
        for t in (1, 2, 4, 8):
            for p in range(1, layers + 1):
                if per_node % t == heads % t == layers % p == gpus % (t * p) == 0:
                    layout = t, p, gpus // (t * p)
                    if memory(*layout) <= usable:
                        times[layout] = time(*layout)
        if not times:
            raise ValueError("nothing fits")
        return min(times, key=times.get)

    return answer


def layout_before_the_ends(solution):
    def answer(gpus, per_node, layers, heads, memory, usable, time):
        found = [
            (t, p, gpus // (t * p))
            for t in range(1, per_node)
            for p in range(1, layers)
            if per_node % t == heads % t == layers % p == gpus % (t * p) == 0
        ]
        found = [layout for layout in found if memory(*layout) <= usable]
        if not found:
            raise ValueError("nothing fits")
        return min(found, key=lambda layout: time(*layout))

    return answer


def layout_slowest(solution):
    return lambda *given: solution(*given[:-1], lambda *layout: -given[-1](*layout))


def layout_below(solution):
    return lambda *given: solution(*given[:4], lambda *layout: given[4](*layout) * (1 + 1e-9), *given[5:])


def layout_of_fractions(solution):
    def answer(*given):
        t, p, d = solution(*given)
        return t, p, d / 1

    return answer


def layout_never_refuses(solution):
    def answer(*given):
        try:
            return solution(*given)
        except ValueError:
            return (1, 1, given[0])

    return answer


def _changed(**changes):
    return lambda solution: lambda: replace(solution(), **changes)


decide_by_value = _changed(control=lambda estimated, budget: estimated.kwh.value <= budget and not estimated.assumed)
decide_by_high = _changed(control=lambda estimated, budget: estimated.kwh.high <= budget)
decide_by_sources = _changed(control=lambda estimated, budget: not estimated.assumed)
decide_by_low = _changed(control=lambda estimated, budget: estimated.kwh.low <= budget and not estimated.assumed)
decide_below = _changed(control=lambda estimated, budget: estimated.kwh.high < budget and not estimated.assumed)
decide_ships = _changed(choice="ship: train")
decide_one_affected = _changed(affected=["readers"])

# exercise: [(wrong answer, a piece of its message)]; mistakes on ranks are programs of one process, so each is typed here too
WRONG = {
    "embed": [
        (embed_without_mask, "set them to 0 before the sum"),
        (embed_own_only, "Sum over the ranks"),
        (embed_negative_index, "a negative index is valid"),
        (embed_without_offset, "without subtracting"),
        (embed_largest, "Rows may be negative"),
        (embed_without_the_first_word, "not the rows of the whole table"),
        (embed_moves_the_table, "The table stays where it is"),
        (embed_out_of_range, "out of bounds"),
        (embed_skips_without_tokens, "all were stopped"),
        (embed_is_killed, "killed"),
    ],
    "vocabulary_loss": [
        (loss_of_own_words, "Only the exponentials of one rank's words were summed"),
        (loss_without_largest, "exp(1000) is infinite"),
        (loss_with_one_largest, "for each token"),
        (loss_with_own_largest, "the largest of its own words"),
        (loss_without_target, "logit is missing"),
        (loss_of_sum, "The mean is asked for"),
        (loss_target_not_shifted, "not from the target's logit"),
        (loss_target_of_every_rank, "not the mean cross-entropy"),
        (loss_gathers_the_logits, "The logits stay where they are"),
        (loss_skips_without_targets, "all were stopped"),
        (loss_third_sum_on_one_rank, "all were stopped"),
    ],
    "sum_of_own_positions": [
        (positions_of_own_summand, "other ranks' summands are missing"),
        (positions_whole_sum, "This is the whole sum"),
        (positions_by_width, "The width was cut"),
        (positions_mean, "This is the mean"),
        (positions_in_turns, "dealt out in turns"),
        (positions_of_neighbour, "not the sum over all ranks"),
        (positions_by_all_reduce, "A reduce-scatter sends half"),
        (positions_in_place, "changed in place"),
        (positions_waits, "all were stopped"),
    ],
    "choose_layout": [
        (layout_leaves_gpus, "some would stand unused"),
        (layout_powers_of_two, "Only powers of two"),
        (layout_before_the_ends, "both ends belong"),
        (layout_slowest, "not the fastest"),
        (layout_below, "`<=`"),
        (layout_of_fractions, "whole numbers"),
        (layout_never_refuses, "Raise a ValueError"),
    ],
    "decide": [
        (decide_by_value, "Your control lets"),
        (decide_by_high, "Your control lets"),
        (decide_by_sources, "Your control lets"),
        (decide_by_low, "Your control lets"),
        (decide_below, "Your control stops"),
        (decide_ships, "One of the two has to change"),
        (decide_one_affected, "Name at least two"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "choose_layout": {
        "if divides and memory(t, p, gpus / (t * p)) <= usable:": "t·p divides the GPUs here, and a whole float is the same key",
    },
    "sum_of_own_positions": {
        "own = torch.empty_like(parts[1])": "all parts have one shape",
    },
}
