"""A plan for a pipeline, stage by stage: what a run will wait and hold, before anybody pays for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from helix.distributed.paper import balance, costs
from helix.distributed.paper.clusters import EFFICIENCY
from helix.distributed.paper.schedules import Event, Schedule, simulate, span

GB = 1e9


@dataclass(frozen=True)
class PipelinePlan:
    """A pipeline that somebody wants to run.

    Attributes
    ----------
    schedule : {"gpipe", "1f1b"}
        As `schedules.order` knows them.
    microbatches : int
        m.
    forward, backward : sequence of float
        Seconds of each stage for one micro-batch.
    activations : sequence of float
        Bytes that each stage keeps of one micro-batch for its backward pass.
    fixed : sequence of float
        Bytes that each stage keeps always: parameters, gradients, the optimiser's states.
    device : float
        Bytes of a device; all are alike.
    operations : float
        Operations that the model asks for in one micro-batch, forward and backward, over all stages; what is computed again is not
        counted again.
    peak : float
        Operations a second that a device could do.
    """

    schedule: Schedule
    microbatches: int
    forward: Sequence[float]
    backward: Sequence[float]
    activations: Sequence[float]
    fixed: Sequence[float]
    device: float
    operations: float
    peak: float

    @property
    def stages(self) -> int:
        """Number of stages, p."""
        return len(self.forward)

    def events(self) -> list[Event]:
        """Return one step as `schedules.simulate` predicts it."""
        return simulate(self.schedule, self.forward, self.backward, self.microbatches)

    @property
    def mfu(self) -> float:
        """Model FLOPs utilisation of one step, as predicted: neither waiting nor computing again counts. See `costs.utilisation`."""
        return costs.utilisation(self.microbatches * self.operations, self.stages, self.peak, span(self.events()))


def plan_for(
    model: costs.Model,
    boundaries: Sequence[int],
    microbatches: int,
    device: float,
    speed: float = 1e14,
    peak: float = 1e14 / EFFICIENCY,
    schedule: Schedule = "1f1b",
    rematerialised: bool = False,
) -> PipelinePlan:
    """Make the plan of a GPT with one sequence in a micro-batch, by the formulas of `helix.distributed.paper.costs`.

    Parameters
    ----------
    model : Model
        Its two embeddings stand at both ends: the output layer's copy costs memory and operations of the last stage.
    boundaries : sequence of int
        The first layer of each stage but the first.
    microbatches : int
        m.
    device, speed, peak : float
        Bytes of a device, and operations a second that it reaches in matrix products, and that it could.
    schedule : str
        As `schedules.order` knows them.
    rematerialised : bool
        Keep a layer's input only and compute the layer again: its forward pass once more before its backward pass, and one whole
        layer at a time in memory.
    """
    operations, layers = balance.layer_costs(model), [0, *boundaries, model.layers]
    sizes = [b - a for a, b in itertools.pairwise(layers)]
    work = balance.stage_costs(operations, boundaries)
    forward = [each / 3 / speed for each in work]
    again = operations[0] / 3 if rematerialised else 0.0
    backward = [2 * one + n * again / speed for one, n in zip(forward, sizes, strict=True)]
    full = costs.layer_activations(model)
    each = costs.HALF * model.sequence * model.hidden if rematerialised else full
    activations = [n * each for n in sizes]
    activations[-1] += 4.0 * model.sequence * model.vocabulary  # logits, float32
    of_layer, embedding = 12 * model.hidden**2 + 13 * model.hidden, model.vocabulary * model.hidden
    parameters = [float(n * of_layer) for n in sizes]
    parameters[0] += embedding + model.sequence * model.hidden
    parameters[-1] += embedding if len(sizes) > 1 else 0
    fixed = [costs.BYTES_PER_PARAMETER * n + (full if rematerialised else 0.0) for n in parameters]
    return PipelinePlan(schedule, microbatches, forward, backward, activations, fixed, device, sum(operations), peak)


# 1.7 billion parameters with a vocabulary for many languages, on four cards of 24 GB: the plan that the lab decides on.
GPT = costs.Model(layers=24, hidden=2048, heads=16, vocabulary=256_000, sequence=2048)
PLAN = plan_for(GPT, (6, 12, 18), microbatches=16, device=24 * GB)
