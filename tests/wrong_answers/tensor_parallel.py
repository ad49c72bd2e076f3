"""Plausible wrong answers to the lab of chapter 11, each with a piece of the message that is meant for it."""

import os
import signal
from dataclasses import replace
from datetime import date, timedelta

import torch
import torch.distributed as dist

# 1. An embedding, cut by words ------------------------------------------------------------------------------


def _local(tokens, part):
    local = tokens - dist.get_rank() * len(part)
    return local, (local >= 0) & (local < len(part))


def _summed(tensor):
    total = tensor.clone()
    dist.all_reduce(total)
    return total


def embed_without_mask(solution):
    return lambda tokens, part: _summed(part[_local(tokens, part)[0].clamp(0, len(part) - 1)])


def embed_own_only(solution):
    def answer(tokens, part):
        local, mine = _local(tokens, part)
        return part[local.clamp(0, len(part) - 1)] * mine[:, None]

    return answer


def embed_negative_index(solution):
    def answer(tokens, part):
        local, _ = _local(tokens, part)
        mine = (local >= -len(part)) & (local < len(part))  # Python accepts the first of these
        return _summed(part[local.clamp(-len(part), len(part) - 1)] * mine[:, None])

    return answer


def embed_without_offset(solution):
    return lambda tokens, part: _summed(part[tokens.clamp(0, len(part) - 1)] * (tokens < len(part))[:, None])


def embed_largest(solution):
    def answer(tokens, part):
        local, mine = _local(tokens, part)
        found = part[local.clamp(0, len(part) - 1)] * mine[:, None]
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return found

    return answer


def embed_moves_the_table(solution):
    def answer(tokens, part):
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part)
        dist.all_gather(parts, part)  # and once more: the next layer asked for it too
        return torch.cat(parts)[tokens]

    return answer


def embed_out_of_range(solution):
    return lambda tokens, part: _summed(part[_local(tokens, part)[0]])


def embed_skips_without_tokens(solution):
    def answer(tokens, part):
        if not _local(tokens, part)[1].any():
            return torch.zeros(len(tokens), part.shape[1], dtype=part.dtype)
        return solution(tokens, part)

    return answer


def embed_is_killed(solution):
    def answer(tokens, part):
        if dist.get_rank() == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return solution(tokens, part)

    return answer


# 2. A loss over a vocabulary that is cut ----------------------------------------------------------------------


def _loss(top="all", target="summed", sums="summed", reduce="mean", shift_target=True):
    def made(solution):
        def answer(logits, targets):
            largest = logits.max(dim=1).values
            if top == "all":
                dist.all_reduce(largest, op=dist.ReduceOp.MAX)
            elif top == "none":
                largest = torch.zeros_like(largest)
            shifted = logits - largest[:, None]
            local, mine = targets - dist.get_rank() * logits.shape[1], None
            mine = (local >= 0) & (local < logits.shape[1])
            of = shifted if shift_target else logits
            right = of[torch.arange(len(of)), local.clamp(0, logits.shape[1] - 1)] * mine
            total = shifted.exp().sum(dim=1)
            total = _summed(total) if sums == "summed" else total
            right = _summed(right) if target == "summed" else right
            return getattr(total.log() - right, reduce)().item()

        return answer

    return made


def loss_with_one_largest(solution):
    def answer(logits, targets):
        largest = logits.max()
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        shifted = logits - largest  # one for all tokens
        local = targets - dist.get_rank() * logits.shape[1]
        mine = (local >= 0) & (local < logits.shape[1])
        right = _summed(shifted[torch.arange(len(local)), local.clamp(0, logits.shape[1] - 1)] * mine)
        return (_summed(shifted.exp().sum(dim=1)).log() - right).mean().item()

    return answer


loss_of_own_words = _loss(sums="own", top="none")
loss_without_largest = _loss(top="none")
loss_with_own_largest = _loss(top="own")
loss_without_target = _loss(target="own")
loss_of_sum = _loss(reduce="sum")
loss_target_not_shifted = _loss(shift_target=False)


def loss_gathers_the_logits(solution):
    def answer(logits, targets):
        parts = [torch.empty_like(logits) for _ in range(dist.get_world_size())]
        for _ in range(3):  # for the largest, for the sum, for the target
            dist.all_gather(parts, logits)
        return torch.nn.functional.cross_entropy(torch.cat(parts, dim=1), targets).item()

    return answer


def loss_skips_without_targets(solution):
    def answer(logits, targets):
        if dist.get_rank() == 0:
            return 0.0
        return solution(logits, targets)

    return answer


# 3. Keys and values for fewer heads ------------------------------------------------------------------------------


def _refusing(inner):
    def made(solution):
        def answer(rank, ranks, heads, kv):
            solution(rank, ranks, heads, kv)  # raises where it has to
            return inner(rank, ranks, heads, kv)

        return answer

    return made


kv_dealt_out = _refusing(lambda rank, ranks, heads, kv: list(range(rank * kv // ranks, (rank + 1) * kv // ranks)))
kv_modulo = _refusing(
    lambda rank, ranks, heads, kv: sorted(
        {head % kv for head in range(rank * heads // ranks, (rank + 1) * heads // ranks)}
    )
)
kv_ends = _refusing(
    lambda rank, ranks, heads, kv: sorted(
        {head // (heads // kv) for head in (rank * heads // ranks, (rank + 1) * heads // ranks - 1)}
    )
)
kv_all = _refusing(lambda rank, ranks, heads, kv: list(range(kv)))
kv_repeated = _refusing(
    lambda rank, ranks, heads, kv: [
        head // (heads // kv) for head in range(rank * heads // ranks, (rank + 1) * heads // ranks)
    ]
)


def kv_never_refuses(solution):
    def answer(rank, ranks, heads, kv):
        each = heads // ranks
        return sorted({head // (heads // kv) for head in range(rank * each, (rank + 1) * each)})

    return answer


# 4. Half an all-reduce ----------------------------------------------------------------------------------------------


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
    def answer(summand):
        if dist.get_rank() == 0:
            return _own(summand)
        return solution(summand)

    return answer


# 5. A layout ----------------------------------------------------------------------------------------------------------


def _layout(rules=("node", "heads", "layers", "memory"), by="time"):
    def made(solution):
        def answer(gpus, per_node, layers, heads, memory, usable, time):
            found = []
            for t in range(1, gpus + 1):
                for p in range(1, gpus + 1):
                    if gpus % (t * p):
                        continue
                    keeps = {
                        "node": per_node % t == 0,
                        "heads": heads % t == 0,
                        "layers": layers % p == 0,
                        "memory": memory(t, p, gpus // (t * p)) <= usable,
                    }
                    if all(keeps[rule] for rule in rules):
                        found.append((t, p, gpus // (t * p)))
            if not found or usable <= 1.0:
                raise ValueError("nothing")
            sign = -1 if by == "slowest" else 1
            return min(found, key=lambda each: memory(*each) if by == "memory" else sign * time(*each))

        return answer

    return made


layout_beyond_memory = _layout(("node", "heads", "layers"))
layout_beyond_heads = _layout(("node", "layers", "memory"))
layout_beyond_node = _layout(("heads", "layers", "memory"))
layout_beyond_layers = _layout(("node", "heads", "memory"))
layout_leanest = _layout(by="memory")
layout_slowest = _layout(by="slowest")


def layout_leaves_gpus(solution):
    def answer(gpus, per_node, layers, heads, memory, usable, time):
        found = [
            (t, p, gpus // (t * p))
            for t in range(1, per_node + 1)
            for p in range(1, layers + 1)
            if per_node % t == 0 and heads % t == 0 and layers % p == 0 and t * p <= gpus
        ]
        found = [each for each in found if memory(*each) <= usable]
        if not found:
            raise ValueError("nothing")
        return min(found, key=lambda each: time(*each))

    return answer


def layout_below(solution):
    def answer(gpus, per_node, layers, heads, memory, usable, time):
        return solution(gpus, per_node, layers, heads, lambda *at: memory(*at) * (1 + 1e-9), usable, time)

    return answer


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


# 6. The decision --------------------------------------------------------------------------------------------------------


def _changed(**changes):
    return lambda solution: lambda: replace(solution(), **changes)


decide_open = _changed(control=lambda estimated, budget: True)
decide_shut = _changed(control=lambda estimated, budget: False)
decide_by_value = _changed(control=lambda estimated, budget: estimated.kwh.value <= budget and not estimated.assumed)
decide_by_high = _changed(control=lambda estimated, budget: estimated.kwh.high <= budget)
decide_by_sources = _changed(control=lambda estimated, budget: not estimated.assumed)
decide_by_low = _changed(control=lambda estimated, budget: estimated.kwh.low <= budget and not estimated.assumed)
decide_below = _changed(control=lambda estimated, budget: estimated.kwh.high < budget and not estimated.assumed)
decide_ships = _changed(choice="ship: train")
decide_denies = _changed(evidence={"train_high_kwh": "<= 6000", "tune_high_kwh": "<= 6000", "train_kwh": "< 6000"})
decide_one_affected = _changed(affected=["readers"])
decide_no_dissent = _changed(dissent="")
decide_too_late = _changed(review_date=date.today() - timedelta(days=1))

# exercise: [(wrong answer, a piece of its message)]; three at least for each exercise, the decision included
WRONG = {
    "embed": [
        (embed_without_mask, "set them to 0 before the sum"),
        (embed_own_only, "Sum over the ranks"),
        (embed_negative_index, "a negative index is valid"),
        (embed_without_offset, "without subtracting"),
        (embed_largest, "Rows may be negative"),
        (embed_moves_the_table, "The table stays where it is"),
        (embed_out_of_range, "out of bounds"),
        (embed_skips_without_tokens, "all were stopped"),
        (embed_is_killed, "killed"),
    ],
    "vocabulary_loss": [
        (loss_of_own_words, "a softmax of its own words"),
        (loss_without_largest, "exp(1000) is infinite"),
        (loss_with_one_largest, "for each token"),
        (loss_with_own_largest, "the largest of its own words"),
        (loss_without_target, "logit is missing"),
        (loss_of_sum, "The mean is asked for"),
        (loss_target_not_shifted, "not from the target's logit"),
        (loss_gathers_the_logits, "The logits stay where they are"),
        (loss_skips_without_targets, "all were stopped"),
    ],
    "kv_heads": [
        (kv_dealt_out, "copies are needed"),
        (kv_modulo, "not i modulo kv"),
        (kv_ends, "not the key-value heads"),
        (kv_all, "Every rank got all of them"),
        (kv_repeated, "Each is asked for once"),
        (kv_never_refuses, "Raise a ValueError"),
    ],
    "sum_of_own_positions": [
        (positions_of_own_summand, "other ranks' summands are missing"),
        (positions_whole_sum, "This is the whole sum"),
        (positions_by_width, "The width was cut"),
        (positions_mean, "This is the mean"),
        (positions_in_turns, "dealt out in turns"),
        (positions_of_neighbour, "of its neighbour"),
        (positions_by_all_reduce, "A reduce-scatter sends half"),
        (positions_in_place, "changed in place"),
        (positions_waits, "all were stopped"),
    ],
    "choose_layout": [
        (layout_beyond_memory, "does not fit into the memory"),
        (layout_beyond_heads, "does not divide the heads"),
        (layout_beyond_node, "over the network"),
        (layout_beyond_layers, "does not divide the layers"),
        (layout_leanest, "the least memory"),
        (layout_slowest, "the slowest"),
        (layout_leaves_gpus, "some stand unused"),
        (layout_below, "`<=`"),
        (layout_of_fractions, "whole numbers"),
        (layout_never_refuses, "Raise a ValueError"),
    ],
    "decide": [
        (decide_open, "Your control lets"),
        (decide_shut, "Your control stops"),
        (decide_by_value, "Your control lets"),
        (decide_by_high, "Your control lets"),
        (decide_by_sources, "Your control lets"),
        (decide_by_low, "Your control lets"),
        (decide_below, "Your control stops"),
        (decide_ships, "One of the two has to change"),
        (decide_denies, "`train_high_kwh` is <= 6000, but"),
        (decide_one_affected, "Name at least two"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_too_late, "`review_date`"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "kv_heads": {
        "each, group = (heads // ranks, heads / kv)": "kv divides heads, and whole floats are equal to whole numbers",
    },
    "choose_layout": {
        "if divides and memory(t, p, gpus / (t * p)) <= usable:": "t·p divides the GPUs here, and a whole float is the same key",
    },
    "sum_of_own_positions": {
        "own = torch.empty_like(parts[1])": "all parts have one shape",
    },
}
