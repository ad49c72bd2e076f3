"""Pipeline schedules as lists: in which order a stage works, when that happens, who waits, and how much is held.

Pure functions, no torch. A stage works on one thing at a time, in its order; F is a forward and B a backward pass of a micro-batch.

References
----------
Y. Huang et al. (2019), GPipe, arXiv:1811.06965, section 2.3. D. Narayanan et al. (2021), arXiv:2104.04473, section 2.2 (1F1B with a
flush at the end of the batch, there called PipeDream-Flush, and 2.2.2: the interleaved schedule).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

from helix.distributed.whole import whole

Schedule = Literal["naive", "gpipe", "1f1b"]
Action = tuple[str, int]
Piece = tuple[str, int, int]


@dataclass(frozen=True)
class Event:
    """What a stage did: ``kind`` F or B of a micro-batch, from ``start`` to ``end`` in seconds; of which of its chunks of layers."""

    stage: int
    kind: str
    microbatch: int
    start: float
    end: float
    chunk: int = 0


def order(schedule: Schedule, stages: int, rank: int, microbatches: int) -> list[Action]:
    """Return what a stage does, in its order.

    Parameters
    ----------
    schedule : {"naive", "gpipe", "1f1b"}
        ``naive`` finishes a micro-batch on all stages before the next; ``gpipe`` does all forward passes first; ``1f1b`` does
        p − 1 − rank of them, then one forward and one backward pass in turn.
    stages, rank, microbatches : int
        p, which of the stages, and m.

    Returns
    -------
    list of (kind, microbatch)
        2m actions; ``order("gpipe", 2, 0, 2)`` is ``[("F", 0), ("F", 1), ("B", 0), ("B", 1)]``.

    Raises
    ------
    ValueError
        If a number is not whole or too small, there is no such rank, or the schedule is unknown.
    """
    whole(stages=stages, microbatches=microbatches)
    _check_rank(rank, stages)
    if schedule not in get_args(Schedule):
        raise ValueError(f"There is no schedule {schedule!r}; there are {', '.join(get_args(Schedule))}.")
    ahead = {"naive": 0, "gpipe": microbatches, "1f1b": min(stages - 1 - rank, microbatches)}[schedule]
    forward: list[Action] = [("F", i) for i in range(microbatches)]
    backward: list[Action] = [("B", i) for i in range(microbatches)]
    steady = [action for i in range(microbatches - ahead) for action in (forward[ahead + i], backward[i])]
    return forward[:ahead] + steady + backward[microbatches - ahead :]


def interleaved(stages: int, rank: int, microbatches: int, chunks: int) -> list[Piece]:
    """Return what a device does in the interleaved 1F1B schedule, where it holds several chunks of layers, not one.

    Chunk c of device r is the (c·p + r)-th of the model's v·p pieces, so a micro-batch goes round the devices v times. Each wait at the two
    ends is for a piece, a v-th of a stage: the bubble is a v-th, and messages are v times as many.

    Parameters
    ----------
    stages, rank, microbatches, chunks : int
        p, which of the devices, m (a multiple of p), and v.

    Returns
    -------
    list of (kind, microbatch, chunk)
        2mv passes.

    Raises
    ------
    ValueError
        If a number is not whole or too small, there is no such rank, or p does not divide m.
    """
    whole(stages=stages, microbatches=microbatches, chunks=chunks)
    _check_rank(rank, stages)
    if microbatches % stages:
        raise ValueError(
            f"The interleaved schedule needs micro-batches in multiples of {stages} stages; got {microbatches}."
        )
    passes = [
        (k // (stages * chunks) * stages + k % stages, k // stages % chunks) for k in range(microbatches * chunks)
    ]
    forward: list[Piece] = [("F", i, chunk) for i, chunk in passes]
    backward: list[Piece] = [("B", i, chunks - 1 - chunk) for i, chunk in passes]
    ahead = stages - 1 - rank  # with one chunk it is 1F1B
    if chunks > 1:
        ahead = min(2 * ahead + (chunks - 1) * stages, len(passes))
    steady = [piece for k in range(len(passes) - ahead) for piece in (forward[ahead + k], backward[k])]
    return forward[:ahead] + steady + backward[len(passes) - ahead :]


def simulate(
    schedule: Schedule | Sequence[Sequence[Action]],
    forward: Sequence[float],
    backward: Sequence[float],
    microbatches: int,
    passing: float = 0.0,
) -> list[Event]:
    """Compute when each stage does what, if it starts as early as its order and its neighbours allow.

    Parameters
    ----------
    schedule : str, or a list of actions for each stage
        As `order` knows them, or orders of one's own.
    forward, backward : sequence of float
        Seconds that each stage takes for one micro-batch; they may be unequal.
    microbatches : int
        m.
    passing : float
        Seconds from the end of a pass to its neighbour's having the result.

    Returns
    -------
    list of Event
        Sorted by start.

    Raises
    ------
    ValueError
        If times are negative or of different lengths, an order lacks a pass or has one twice, or all stages wait for each other.
    """
    p = len(forward)
    whole(stages=p, microbatches=microbatches)
    if isinstance(schedule, str):
        todo = [order(schedule, p, rank, microbatches) for rank in range(p)]
    else:
        todo = [list(actions) for actions in schedule]
        wanted = sorted((kind, i) for kind in "FB" for i in range(microbatches))
        for rank, actions in enumerate(todo):
            if sorted(actions) != wanted:
                raise ValueError(
                    f"The order of stage {rank} must hold F and B of the micro-batches 0 to {microbatches - 1}, each once."
                )
        if len(todo) != p:
            raise ValueError(f"There are {len(todo)} orders for {p} stages.")
    return _played([[(kind, i, 0) for kind, i in actions] for actions in todo], forward, backward, passing)


def simulate_interleaved(
    forward: Sequence[float], backward: Sequence[float], microbatches: int, chunks: int, passing: float = 0.0
) -> list[Event]:
    """Compute the same for `interleaved`; a device's times are those of all its chunks together, which share them equally."""
    p = len(forward)
    whole(stages=p, microbatches=microbatches, chunks=chunks)
    todo = [interleaved(p, rank, microbatches, chunks) for rank in range(p)]
    return _played(todo, [each / chunks for each in forward], [each / chunks for each in backward], passing)


def _played(
    todo: Sequence[Sequence[Piece]], forward: Sequence[float], backward: Sequence[float], passing: float
) -> list[Event]:
    p = len(todo)
    if len(backward) != p:
        raise ValueError(f"There are {p} forward and {len(backward)} backward times; each stage needs one of both.")
    if min(*forward, *backward, passing) < 0:
        raise ValueError("Times must be 0 or more.")
    last = p * (1 + max(chunk for pieces in todo for *_, chunk in pieces)) - 1
    done: dict[tuple[int, str, int], float] = {}  # when a piece of the model ended its pass of a micro-batch
    free, at, events = [0.0] * p, [0] * p, []
    while any(n < len(pieces) for n, pieces in zip(at, todo, strict=True)):
        before = sum(at)
        for stage in range(p):
            while at[stage] < len(todo[stage]):
                kind, i, chunk = todo[stage][at[stage]]
                piece = chunk * p + stage
                needs = _needs(piece, kind, i, last)
                if not all(need in done for need in needs):
                    break
                ready = [done[need] + (passing if need[0] != piece else 0.0) for need in needs]
                start = max([free[stage], *ready])
                end = start + (forward if kind == "F" else backward)[stage]
                done[piece, kind, i] = free[stage] = end
                events.append(Event(stage, kind, i, start, end, chunk))
                at[stage] += 1
        if sum(at) == before:
            waiting = "; ".join(
                f"stage {s} at {todo[s][n][0]}{todo[s][n][1]}" for s, n in enumerate(at) if n < len(todo[s])
            )
            raise ValueError(f"With these orders all stages wait for each other: {waiting}.")
    return sorted(events, key=lambda event: (event.start, event.stage))


def _needs(piece: int, kind: str, i: int, last: int) -> list[tuple[int, str, int]]:
    """Return the passes that must have ended before this one, by piece of the model."""
    if kind == "F":
        return [(piece - 1, "F", i)] if piece else []
    return [(piece, "F", i), *([(piece + 1, "B", i)] if piece < last else [])]


def _check_rank(rank: int, stages: int) -> None:
    if isinstance(rank, bool) or not isinstance(rank, Integral) or not 0 <= rank < stages:
        raise ValueError(f"There are the ranks 0 to {stages - 1}, not {rank!r}.")


def span(events: Sequence[Event]) -> float:
    """Return the seconds from the first start to the last end.

    Raises
    ------
    ValueError
        If there are no events.
    """
    if not events:
        raise ValueError("There are no events.")
    return max(event.end for event in events) - min(event.start for event in events)


def idle(events: Sequence[Event]) -> list[float]:
    """Return the share of the span in which each stage does nothing, from stage 0 on."""
    whole_span, stages = span(events), 1 + max(event.stage for event in events)
    busy = [sum(event.end - event.start for event in events if event.stage == stage) for stage in range(stages)]
    return [1 - each / whole_span for each in busy]


def idle_share(events: Sequence[Event]) -> float:
    """Return the mean of `idle` over the stages: the bubble, as a share of all device time."""
    each = idle(events)
    return sum(each) / len(each)


def held(events: Sequence[Event]) -> list[int]:
    """Return for each stage the most micro-batches that are between the start of their F and the end of their B.

    In the interleaved schedule a micro-batch counts once for each chunk that holds it: each is a v-th of the stage's activations.
    """
    found = []
    for stage in range(1 + max(event.stage for event in events)):
        # Where one pass ends as another starts, the one that ends is let go first.
        steps = sorted(
            (event.end, 0, -1) if event.kind == "B" else (event.start, 1, 1) for event in events if event.stage == stage
        )
        now, most = 0, 0
        for _, _, change in steps:
            now += change
            most = max(most, now)
        found.append(most)
    return found


def held_by_law(schedule: Schedule, stages: int, rank: int, microbatches: int) -> int:
    """Return the micro-batches that a stage holds at most: 1, m, or min(m, p − rank) with 1F1B."""
    return {"naive": 1, "gpipe": microbatches, "1f1b": min(microbatches, stages - rank)}[schedule]
