"""Stages whose work is a sleep: they show a schedule's time honestly on any machine, as sleeping needs no core."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from helix.distributed.paper.schedules import Event, Schedule, idle_share, span
from helix.distributed.parallel.pipeline_parallel import ByTorch, Pipeline

WIDTH = 16


class Sleeper(nn.Module):
    """A linear layer that sleeps a while for each sample, forward and backward, and writes down when.

    Parameters
    ----------
    forward_seconds, backward_seconds : float
        For one sample.
    """

    def __init__(self, forward_seconds: float, backward_seconds: float) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.seconds = (forward_seconds, backward_seconds)
        self.events: list[Event] = []

    def forward(self, x: Tensor) -> Tensor:
        """Pass x, shape (samples, 16), on."""
        slept: Tensor = _Sleep.apply(self.linear(x), self)
        return slept

    def sleep(self, kind: str, samples: int) -> None:
        """Sleep for these samples, and record it; micro-batches are numbered as they come."""
        number = sum(event.kind == kind for event in self.events)
        start = time.perf_counter()
        time.sleep(self.seconds[kind == "B"] * samples)
        self.events.append(Event(dist.get_rank(), kind, number, start, time.perf_counter()))


class _Sleep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, module: Sleeper) -> Tensor:
        ctx.module = module
        module.sleep("F", len(x))
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.module.sleep("B", len(gradient))
        return gradient, None


def timed(
    schedule: Schedule,
    microbatches: int,
    batch: int = 32,
    forward: float | Sequence[float] = 0.008,
    backward: float | Sequence[float] = 0.016,
    steps: int = 1,
    library: bool = False,
) -> list[list[Event]]:
    """Run on a rank: the events of this stage in each of some steps, after one that does not count.

    Parameters
    ----------
    schedule : str
        As `schedules.order` knows them.
    microbatches, batch : int
        m, and the samples of a batch.
    forward, backward : float, or a sequence with one for each stage
        Seconds for a sample.
    steps : int
        How many.
    library : bool
        Let `torch.distributed.pipelining` do it.
    """
    rank, p = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(rank)
    stage = Sleeper(0.0, 0.0)
    x, y = torch.ones(batch, WIDTH), torch.zeros(batch, WIDTH)
    inputs, targets = (x if rank == 0 else None), (y if rank == p - 1 else None)
    make = ByTorch if library else Pipeline
    pipeline = make(stage, (batch, WIDTH), microbatches, schedule, loss=nn.functional.mse_loss)
    pipeline.step(inputs, targets)
    stage.seconds = (_of(forward, rank), _of(backward, rank))
    found = []
    for _ in range(steps):
        stage.events = []
        dist.barrier()
        pipeline.step(inputs, targets)
        found.append(stage.events)
    return found


def _of(seconds: float | Sequence[float], rank: int) -> float:
    return seconds[rank] if isinstance(seconds, Sequence) else seconds


def summary(by_rank: list[list[list[Event]]]) -> tuple[list[Event], float, float]:
    """Return of the step whose span is the median: its events from 0 s on, its idle share, and its span in seconds."""
    steps = [[event for events in step for event in events] for step in zip(*by_rank, strict=True)]
    chosen = sorted(steps, key=span)[len(steps) // 2]
    zero = min(event.start for event in chosen)
    moved = [Event(e.stage, e.kind, e.microbatch, e.start - zero, e.end - zero) for e in chosen]
    return moved, idle_share(moved), span(moved)
