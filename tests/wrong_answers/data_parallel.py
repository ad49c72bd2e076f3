"""Plausible wrong answers to the lab of chapter 09, each with a piece of the message that is meant for it."""

import math
import os
import signal
from dataclasses import replace

import torch
import torch.distributed as dist

from helix.distributed.measured import run_record

# 1. All-reduce by doubling ---------------------------------------------------------------------------------


def _power_only(inner):
    """Refuse other numbers of ranks, as the solution does."""

    def answer(tensor):
        if dist.get_world_size() & (dist.get_world_size() - 1):
            raise ValueError("a power of two")
        return inner(tensor)

    return answer


def _swap(value, partner):
    arrived = torch.empty_like(value)
    sending = dist.isend(value, partner)
    dist.recv(arrived, partner)
    sending.wait()
    return arrived


def _distances():
    distance = 1
    while distance < dist.get_world_size():
        yield distance
        distance *= 2


def doubling_sends_the_first_value(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        for distance in _distances():
            total += _swap(tensor, dist.get_rank() ^ distance)
        return total

    return answer


def doubling_once(solution):
    return _power_only(lambda tensor: tensor + _swap(tensor, dist.get_rank() ^ 1))


def doubling_mean(solution):
    return lambda tensor: solution(tensor) / dist.get_world_size()


def doubling_replaces(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        for distance in _distances():
            total = _swap(total, dist.get_rank() ^ distance)
        return total

    return answer


def doubling_on_rank_0(solution):
    def answer(tensor):
        total = solution(tensor)
        return total if dist.get_rank() == 0 else None

    return answer


def doubling_in_place(solution):
    @_power_only
    def answer(tensor):
        for distance in _distances():
            tensor += _swap(tensor, dist.get_rank() ^ distance)
        return tensor

    return answer


def doubling_by_all_reduce(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    return answer


def doubling_asks_everybody(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        for other in range(1, dist.get_world_size()):
            total += _swap(tensor, dist.get_rank() ^ other)
        return total

    return answer


def doubling_any_number(solution):
    def answer(tensor):
        total = tensor.clone()
        for distance in _distances():
            if dist.get_rank() ^ distance < dist.get_world_size():
                total += _swap(total, dist.get_rank() ^ distance)
        return total

    return answer


def doubling_refuses_odd_numbers(solution):
    def answer(tensor):
        if dist.get_world_size() % 2:
            raise ValueError("a power of two")
        total = tensor.clone()
        for distance in _distances():
            total += _swap(total.clone(), dist.get_rank() ^ distance)  # six ranks: rank 2 has no third partner
        return total

    return answer


def doubling_among_eight_only(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        for distance in (1, 2, 4):
            total = total + _swap(total, dist.get_rank() ^ distance)
        return total

    return answer


def doubling_distances_1_2_3(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        for distance in (1, 2, 3):
            total = total + _swap(total, dist.get_rank() ^ distance)
        return total

    return answer


def doubling_waits_for_ever(solution):
    @_power_only
    def answer(tensor):
        total = tensor.clone()
        for distance in _distances():
            arrived = torch.empty_like(total)
            dist.recv(arrived, dist.get_rank() ^ distance)  # both receive first
            dist.send(total, dist.get_rank() ^ distance)
            total += arrived
        return total

    return answer


def doubling_is_killed(solution):
    def answer(tensor):
        if dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return solution(tensor)

    return answer


# 2. Everybody counts once ----------------------------------------------------------------------------------


def _reduced(*numbers):
    counts = torch.tensor([float(number) for number in numbers], dtype=torch.float64)
    dist.all_reduce(counts)
    return counts.tolist()


def _right(model, X, y, own):
    return float((model(X[own]).argmax(1) == y[own]).sum())


def _own():
    return slice(dist.get_rank(), None, dist.get_world_size())


def evaluate_all_of_it(solution):
    return lambda model, X, y: _right(model, X, y, slice(None)) / len(y)


def evaluate_filled_up(solution):
    def answer(model, X, y):
        from torch.utils.data import DistributedSampler

        own = list(DistributedSampler(range(len(y)), shuffle=False))
        right, n = _reduced(_right(model, X, y, own), len(own))
        return right / n

    return answer


def evaluate_drops_the_rest(solution):
    def answer(model, X, y):
        size = len(y) // dist.get_world_size()
        own = slice(dist.get_rank() * size, (dist.get_rank() + 1) * size)
        right, n = _reduced(_right(model, X, y, own), size)
        return right / n if n else 0.0

    return answer


def evaluate_last_takes_the_rest(solution):
    def answer(model, X, y):
        rank, world = dist.get_rank(), dist.get_world_size()
        size = len(y) // world
        own = slice(rank * size, len(y) if rank == world - 1 else (rank + 1) * size)
        right, n = _reduced(_right(model, X, y, own), len(y[own]))
        return right / n

    return answer


def evaluate_mean_of_means(solution):
    def answer(model, X, y):
        own = _own()
        (mean,) = _reduced(_right(model, X, y, own) / max(1, len(y[own])))
        return mean / dist.get_world_size()

    return answer


def evaluate_own_share(solution):
    return lambda model, X, y: _right(model, X, y, _own()) / max(1, len(y[_own()]))


def evaluate_own_count(solution):
    return lambda model, X, y: _reduced(_right(model, X, y, _own()))[0] / max(1, len(y[_own()]))


def evaluate_counts(solution):
    return lambda model, X, y: _reduced(_right(model, X, y, _own()))[0]


def evaluate_in_chunks(solution):
    def answer(model, X, y):
        rank, world = dist.get_rank(), dist.get_world_size()
        parts = list(torch.arange(len(y)).chunk(world))  # 13 samples: 5, 5 and 3
        own = parts[rank] if rank < len(parts) else torch.arange(0)
        right, n = _reduced(_right(model, X, y, own), len(own))
        return right / n

    return answer


def evaluate_reduced_to_rank_0(solution):
    def answer(model, X, y):
        counts = torch.tensor([_right(model, X, y, _own()), float(len(y[_own()]))])
        dist.reduce(counts, dst=0)
        return (counts[0] / counts[1]).item() if dist.get_rank() == 0 else 0.0

    return answer


def evaluate_counts_the_wrong_ones(solution):
    return lambda model, X, y: 1 - solution(model, X, y)


def evaluate_skips_the_empty(solution):
    def answer(model, X, y):
        if len(y[_own()]) == 0:
            return 0.0
        return solution(model, X, y)

    return answer


# 3. The norm of shards --------------------------------------------------------------------------------------


def clip_by_own_norm(solution):
    return lambda shard, most: shard * min(1.0, most / max(float(shard.norm()), 1e-30))


def clip_by_sum_of_norms(solution):
    return lambda shard, most: shard * min(1.0, most / max(_reduced(shard.norm())[0], 1e-30))


def clip_without_root(solution):
    return lambda shard, most: shard * min(1.0, most / max(_reduced(shard.square().sum())[0], 1e-30))


def clip_entries(solution):
    return lambda shard, most: shard.clamp(-most, most)


def clip_lengthens(solution):
    return lambda shard, most: shard * most / max(_reduced(shard.square().sum())[0] ** 0.5, 1e-30)


def clip_to_norm_1(solution):
    """Forget `most`."""
    return lambda shard, most: shard / max(_reduced(shard.square().sum())[0] ** 0.5, 1e-30)


def clip_in_place(solution):
    def answer(shard, most):
        shard *= min(1.0, most / max(_reduced(shard.square().sum())[0] ** 0.5, 1e-30))
        return shard

    return answer


def clip_divides_by_zero(solution):
    def answer(shard, most):
        norm = torch.tensor(_reduced(shard.square().sum())[0]).sqrt()
        return shard / norm * torch.minimum(norm, torch.tensor(most))

    return answer


def clip_skips_the_empty(solution):
    return lambda shard, most: solution(shard, most) if len(shard) else shard


# 4. How many ranks --------------------------------------------------------------------------------------------


def ranks_cheapest(solution):
    def answer(seconds, share, law, budget):
        prices = {}
        for ranks in seconds:
            steps = law[0] * (1 + law[1] / (ranks * share))
            prices[ranks] = ranks * steps * seconds[ranks]
        if min(prices.values()) > budget:
            raise ValueError("The budget pays for no number of ranks.")
        return min(prices, key=prices.get)

    return answer


def _first_of(order, within=lambda price, budget: price <= budget, rounded=float):
    """Choose as the solution does, but for one thing."""

    def answer(seconds, share, law, budget):
        found = []
        for ranks, each in seconds.items():
            time = rounded(law[0] * (1 + law[1] / (ranks * share))) * each
            if within(ranks * time, budget):
                found.append((time, ranks))
        if not found:
            raise ValueError("The budget pays for no number of ranks.")
        return min(found, key=order)[1]

    return answer


def ranks_more_of_equal(solution):
    return _first_of(lambda pair: (pair[0], -pair[1]))


def ranks_below(solution):
    return _first_of(lambda pair: pair, within=lambda price, budget: price < budget)


def ranks_rounds_up(solution):
    return _first_of(lambda pair: pair, rounded=math.ceil)


def ranks_rounds(solution):
    return _first_of(lambda pair: pair, rounded=round)


def ranks_time(solution):
    def answer(seconds, share, law, budget):
        ranks = solution(seconds, share, law, budget)
        return law[0] * (1 + law[1] / (ranks * share)) * seconds[ranks]

    return answer


def ranks_never_refuses(solution):
    def answer(seconds, share, law, budget):
        try:
            return solution(seconds, share, law, budget)
        except ValueError:
            return min(seconds)

    return answer


# 5. The decision ----------------------------------------------------------------------------------------------


def _changed(**changes):
    return lambda solution: lambda: replace(solution(), **changes)


decide_by_hash = _changed(
    control=lambda record, repetition: record.get("weights_sha256") == repetition.get("weights_sha256")
)
decide_complete = _changed(control=lambda record, repetition: not run_record.missing(record))
decide_same_inputs = _changed(
    control=lambda record, repetition: (
        not run_record.differences(record, repetition) and record["weights_sha256"] == repetition["weights_sha256"]
    )
)
decide_first_only = _changed(
    control=lambda record, repetition: (
        not run_record.missing(record) and record["weights_sha256"] == repetition.get("weights_sha256")
    )
)
decide_trusts_the_repetition = _changed(
    control=lambda record, repetition: (
        not run_record.missing(record)
        and not run_record.differences(record, repetition)
        and record["weights_sha256"] == repetition.get("weights_sha256")
    )
)
decide_forgets_the_settings = _changed(
    control=lambda record, repetition: (
        not run_record.missing(record)
        and not run_record.missing(repetition)
        and all(record[name] == repetition[name] for name in run_record.NEEDED if name != "settings")
    )
)
decide_truthy = _changed(control=lambda record, repetition: all(record.values()) and record == repetition)
decide_ships = _changed(choice="ship")
decide_one_affected = _changed(affected=["people whose goods are sorted"])

for _ends_badly in (doubling_waits_for_ever, doubling_is_killed, evaluate_skips_the_empty, clip_skips_the_empty):
    _ends_badly.isolated = True  # judged in a process of its own only, and on fewer seeds

# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "all_reduce_by_doubling": [
        (doubling_sends_the_first_value, "send the running sum"),
        (doubling_once, "the sum with one neighbour"),
        (doubling_mean, "This is the mean"),
        (doubling_replaces, "replaced your sum"),
        (doubling_on_rank_0, "on rank 0 only"),
        (doubling_in_place, "changed in place"),
        (doubling_by_all_reduce, "alone; you called "),
        (doubling_asks_everybody, "more messages than doubling needs"),
        (doubling_any_number, "not always a partner"),
        (doubling_refuses_odd_numbers, "not always a partner"),
        (doubling_distances_1_2_3, "not the sum over all ranks"),
        (doubling_among_eight_only, "killed by signal 11"),
        (doubling_waits_for_ever, "all were stopped"),
        (doubling_is_killed, "killed"),
    ],
    "evaluate": [
        (evaluate_all_of_it, "three times the work"),
        (evaluate_filled_up, "count somebody double"),
        (evaluate_drops_the_rest, "the rest of the division was dropped"),
        (evaluate_last_takes_the_rest, "differ by more than one sample"),
        (evaluate_in_chunks, "differ by more than one sample"),
        (evaluate_reduced_to_rank_0, "right on rank 0 only"),
        (evaluate_counts_the_wrong_ones, "not the accuracy over all samples"),
        (evaluate_mean_of_means, "mean of the ranks' accuracies"),
        (evaluate_own_share, "accuracy of its own share"),
        (evaluate_own_count, "both numbers have to be summed"),
        (evaluate_counts, "how many are right"),
        (evaluate_skips_the_empty, "all were stopped"),
    ],
    "clip_shards": [
        (clip_by_own_norm, "the norm of its own shard"),
        (clip_by_sum_of_norms, "Norms were added"),
        (clip_without_root, "The root is missing"),
        (clip_entries, "clips each entry"),
        (clip_to_norm_1, "does not have the norm `most` now"),
        (clip_in_place, "changed in place"),
        (clip_lengthens, "the factor is at most 1"),
        (clip_divides_by_zero, "NaN of all weights"),
        (clip_skips_the_empty, "all were stopped"),
    ],
    "choose_ranks": [
        (ranks_cheapest, "This is the cheapest"),
        (ranks_time, "not the number of ranks with the shortest"),
        (ranks_rounds_up, "Do not round the steps"),
        (ranks_rounds, "Do not round the steps"),
        (ranks_more_of_equal, "take the fewest ranks"),
        (ranks_below, "`<=`"),
        (ranks_never_refuses, "Raise a ValueError"),
    ],
    "decide": [
        (decide_by_hash, "Your control lets"),
        (decide_complete, "Your control lets"),
        (decide_same_inputs, "our control"),
        (decide_first_only, "Your control lets"),
        (decide_trusts_the_repetition, "Your control lets"),
        (decide_truthy, "Your control"),
        (decide_forgets_the_settings, "Your control lets"),
        (decide_ships, "any number of ranks"),
        (decide_one_affected, "Name at least two"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "clip_shards": {
        "return shard * (most / norm) if norm >= most else shard": "where the norm is just `most`, the factor is 1",
    },
}
