"""The schedules that train a model cut into stages: by hand over send and recv, and by PyTorch.

References
----------
Y. Huang et al. (2019), GPipe, arXiv:1811.06965. D. Narayanan et al. (2021), arXiv:2104.04473, section 2.2. PyTorch 2.13,
torch.distributed.pipelining.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from helix.distributed.paper import schedules
from helix.distributed.paper.schedules import Event, Schedule
from helix.distributed.parallel.gpt2_stages import counting, next_token_loss
from helix.distributed.whole import whole

Loss = Callable[[Tensor, Tensor], Tensor]
Count = Callable[[Tensor], int]


@dataclass
class Step:
    """What one training step gave on a rank: the mean loss (NaN on all but the last stage) and its events."""

    loss: float
    events: list[Event]


class Pipeline:
    """One stage of a pipeline on each rank of the default group; to be made on all ranks at once.

    Parameters
    ----------
    stage : nn.Module
        This rank's. If it has a parameter ``tied``, its gradient is summed over the first and the last rank.
    shape : tuple of int
        What passes between stages for the whole batch: (batch, …).
    microbatches : int
        m; they have to divide the batch.
    schedule : {"naive", "gpipe", "1f1b"}
        See `schedules.order`.
    loss : callable
        Mean loss of outputs and targets, on the last stage.
    count : callable
        How many targets that is a mean of. Micro-batches are weighed by it: with padding they have different numbers, and a mean of
        means is not the mean.
    add_ends : bool
        False leaves the gradients of the two copies as they are: a mistake, for showing it.

    Raises
    ------
    ValueError
        On all ranks: if m does not divide the batch, or the ranks do not agree on shape, type, m or schedule. By `step`: if a
        stage puts out another shape than was agreed, the batch is missing or of another size, or no target counts.

    Notes
    -----
    A frozen stage is passed through. What trains before it still gets its gradients.
    """

    def __init__(
        self,
        stage: nn.Module,
        shape: tuple[int, ...],
        microbatches: int,
        schedule: Schedule = "1f1b",
        loss: Loss = next_token_loss,
        add_ends: bool = True,
        count: Count = counting,
    ) -> None:
        self.rank, self.p = dist.get_rank(), dist.get_world_size()
        self.stage, self.loss, self.count, self.m = stage, loss, count, microbatches
        self.batch, self.shape = shape[0], (check_divides(shape[0], microbatches), *shape[1:])
        self.order = schedules.order(schedule, self.p, self.rank, microbatches)
        self.dtype = next((each.dtype for each in stage.parameters()), torch.float32)
        told: list[Any] = [None] * self.p
        dist.all_gather_object(told, (self.shape, str(self.dtype), microbatches, schedule))
        if any(each != told[0] for each in told):
            raise ValueError("The stages do not agree: " + "; ".join(f"stage {r} has {t}" for r, t in enumerate(told)))
        self.ends = dist.new_group([0, self.p - 1]) if add_ends and self.p > 1 else None

    def step(self, batch: Tensor | None = None, targets: Tensor | None = None) -> Step:
        """Add the gradients of the mean loss over the batch to the stage's parameters.

        Parameters
        ----------
        batch, targets : Tensor
            Needed on the first and on the last stage; elsewhere they are not looked at.
        """
        first, last = self.rank == 0, self.rank == self.p - 1
        inputs, wanted = (self._pieces(each, need) for each, need in ((batch, first), (targets, last)))
        kept: dict[int, tuple[Tensor, Tensor]] = {}
        sending: list[tuple[Any, Tensor]] = []
        events, total = [], 0.0
        counted = _counted(wanted, self.count) if last else 0
        tied = _Tied(self.stage)
        for kind, i in self.order:
            if kind == "F":
                x = inputs[i] if first else self._receive(self.rank - 1).requires_grad_()
                start = time.perf_counter()
                y = self.stage(x)
                if last:
                    y = _weighed(self.loss, y, wanted[i], self.count(wanted[i]) / counted)
                    total += y.item()
                kept[i] = x, y
            else:
                gradient = None if last else self._receive(self.rank + 1)
                x, y = kept.pop(i)
                start = time.perf_counter()
                if y.requires_grad:
                    torch.autograd.backward(y, gradient)
            events.append(Event(self.rank, kind, i, start, time.perf_counter()))
            if kind == "F" and not last:
                sending.append(self._send(y.detach(), self.rank + 1))
            if kind == "B" and not first:
                sending.append(self._send(torch.zeros_like(x) if x.grad is None else x.grad, self.rank - 1))
        for handle, _ in sending:
            handle.wait()
        tied.add(self.ends)
        return Step(total if last else float("nan"), events)

    def _pieces(self, tensor: Tensor | None, needed: bool) -> tuple[Tensor, ...]:
        if not needed:
            return ()
        if tensor is None or len(tensor) != self.batch:
            given = "nothing" if tensor is None else f"{len(tensor)} samples"
            raise ValueError(f"Stage {self.rank} needs a batch of {self.batch} samples; it was given {given}.")
        return tensor.chunk(self.m)

    def _receive(self, source: int) -> Tensor:
        tensor = torch.empty(self.shape, dtype=self.dtype)
        dist.recv(tensor, src=source)
        return tensor

    def _send(self, tensor: Tensor, to: int) -> tuple[Any, Tensor]:
        """Send without waiting: with 1F1B both neighbours may be sending, and would wait for each other for ever."""
        if tensor.shape != self.shape:
            raise ValueError(
                f"Stage {self.rank} puts out the shape {tuple(tensor.shape)}, and stage {to} waits for {self.shape}."
            )
        tensor = tensor.contiguous()
        return dist.isend(tensor, dst=to), tensor


def _counted(wanted: Sequence[Tensor], count: Count) -> int:
    """Return how many targets of all micro-batches count."""
    if not (found := sum(count(each) for each in wanted)):
        raise ValueError(
            "No target of this batch counts: there is no mean to train on. Leave the batch out, on all stages."
        )
    return found


def _weighed(loss: Loss, outputs: Tensor, targets: Tensor, share: float) -> Tensor:
    """Return the mean loss times its share; 0 where nothing counts, as a mean of nothing is NaN, and 0 · NaN is too."""
    return loss(outputs, targets) * share if share else outputs.sum() * 0


class _Tied:
    """The copy of a tied weight in this stage, if there is one: only what one step adds to its gradient is summed over both ends."""

    def __init__(self, stage: nn.Module) -> None:
        tied: nn.Parameter | None = getattr(stage, "tied", None)
        self.weight = tied if tied is not None and tied.requires_grad else None
        if self.weight is not None:
            self.before, self.weight.grad = self.weight.grad, None

    def add(self, ends: Any) -> None:
        if self.weight is None:
            return
        gradient = self.weight.grad
        assert gradient is not None
        if ends is not None:
            dist.all_reduce(gradient, group=ends)
        if self.before is not None:
            gradient += self.before


def check_divides(batch: int, microbatches: int) -> int:
    """Return the samples of a micro-batch.

    Raises
    ------
    ValueError
        If m does not divide the batch.
    """
    whole(batch=batch, microbatches=microbatches)
    if batch % microbatches:
        raise ValueError(f"{microbatches} micro-batches do not divide a batch of {batch}.")
    return batch // microbatches


class ByTorch:
    """The same as `Pipeline`, by `torch.distributed.pipelining`; ``gpipe`` or ``1f1b`` (which wants m ≥ p).

    Tied copies are its caller's affair there too, so the ends are added here. Events are not recorded.
    """

    def __init__(
        self,
        stage: nn.Module,
        shape: tuple[int, ...],
        microbatches: int,
        schedule: Schedule = "1f1b",
        loss: Loss = next_token_loss,
        count: Count = counting,
    ) -> None:
        from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

        self.rank, self.p, self.module = dist.get_rank(), dist.get_world_size(), stage
        check_divides(shape[0], microbatches)
        made = PipelineStage(stage, self.rank, self.p, torch.device("cpu"))
        kinds: dict[str, Any] = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B}
        if schedule not in kinds:
            raise ValueError(f"ByTorch knows the schedules gpipe and 1f1b, not {schedule!r}.")
        self.loss, self.count, self.m = loss, count, microbatches
        self.counted = 0
        self.schedule = kinds[schedule](made, n_microbatches=microbatches, loss_fn=self._share_of_loss)
        self.ends = dist.new_group([0, self.p - 1]) if self.p > 1 else None

    def step(self, batch: Tensor | None = None, targets: Tensor | None = None) -> Step:
        """Add the gradients of the mean loss over the batch; see `Pipeline.step`."""
        losses: list[Tensor] = []
        if self.rank == self.p - 1 and targets is not None:
            self.counted = _counted([targets], self.count)
        given = {"target": targets, "losses": losses} if self.rank == self.p - 1 else {}
        tied = _Tied(self.module)
        self.schedule.step(*([batch] if self.rank == 0 else []), **given)
        tied.add(self.ends)
        return Step(torch.stack(losses).detach().mean().item() if losses else float("nan"), [])

    def _share_of_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return _weighed(
            self.loss, outputs, targets, self.m * self.count(targets) / self.counted
        )  # PyTorch divides by m
