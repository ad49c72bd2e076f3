"""Pipeline schedules as lists: in which order a stage works, when that happens, who waits, and how much is held.

Pure functions, no torch. A stage works on one thing at a time, in its order; F is a forward and B a backward pass of a micro-batch.

References
----------
Y. Huang et al. (2019), GPipe, arXiv:1811.06965, section 2.3. D. Narayanan et al. (2021), arXiv:2104.04473, section 2.2 (1F1B with a
flush at the end of the batch, there called PipeDream-Flush).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from helix.distributed.whole import whole

Schedule = Literal["naive", "gpipe", "1f1b"]
Action = tuple[str, int]


@dataclass(frozen=True)
class Event:
    """What a stage did: ``kind`` F or B of a micro-batch, from ``start`` to ``end`` in seconds."""

    stage: int
    kind: str
    microbatch: int
    start: float
    end: float


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
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank < stages:
        raise ValueError(f"There are the ranks 0 to {stages - 1}, not {rank!r}.")
    if schedule not in get_args(Schedule):
        raise ValueError(f"There is no schedule {schedule!r}; there are {', '.join(get_args(Schedule))}.")
    ahead = {"naive": 0, "gpipe": microbatches, "1f1b": min(stages - 1 - rank, microbatches)}[schedule]
    forward: list[Action] = [("F", i) for i in range(microbatches)]
    backward: list[Action] = [("B", i) for i in range(microbatches)]
    steady = [action for i in range(microbatches - ahead) for action in (forward[ahead + i], backward[i])]
    return forward[:ahead] + steady + backward[microbatches - ahead :]


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
    if len(backward) != p:
        raise ValueError(f"There are {p} forward and {len(backward)} backward times; each stage needs one of both.")
    if min(*forward, *backward, passing) < 0:
        raise ValueError("Times must be 0 or more.")
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
    done: dict[tuple[int, str, int], float] = {}
    free, at, events = [0.0] * p, [0] * p, []
    while sum(at) < 2 * microbatches * p:
        before = sum(at)
        for stage in range(p):
            while at[stage] < 2 * microbatches:
                kind, i = todo[stage][at[stage]]
                needs = _needs(stage, kind, i, p)
                if not all(need in done for need in needs):
                    break
                ready = [done[need] + (passing if need[0] != stage else 0.0) for need in needs]
                start = max([free[stage], *ready])
                end = start + (forward if kind == "F" else backward)[stage]
                done[stage, kind, i] = free[stage] = end
                events.append(Event(stage, kind, i, start, end))
                at[stage] += 1
        if sum(at) == before:
            waiting = "; ".join(f"stage {s} at {''.join(map(str, todo[s][n]))}" for s, n in enumerate(at) if n < 2 * microbatches)  # fmt: skip
            raise ValueError(f"With these orders all stages wait for each other: {waiting}.")
    return sorted(events, key=lambda event: (event.start, event.stage))


def _needs(stage: int, kind: str, i: int, p: int) -> list[tuple[int, str, int]]:
    """Return the passes that must have ended before this one."""
    if kind == "F":
        return [(stage - 1, "F", i)] if stage else []
    return [(stage, "F", i), *([(stage + 1, "B", i)] if stage < p - 1 else [])]


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
    """Return for each stage the most micro-batches that are between the start of their F and the end of their B."""
    found = []
    for stage in range(1 + max(event.stage for event in events)):
        # What ends at the moment when something starts is gone before.
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
