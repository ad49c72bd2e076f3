"""What chapter 10 and its experiment run on ranks: a step of a cut GPT-2, some training, and the same in one process."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from helix.distributed.measured.saved import SavedBytes
from helix.distributed.paper.schedules import Schedule
from helix.distributed.parallel.gpt2_stages import Rematerialise, cut, next_token_loss, small_gpt2
from helix.distributed.parallel.pipeline_parallel import ByTorch, Pipeline

CUTS: dict[int, tuple[int, ...]] = {1: (), 2: (4,), 4: (2, 4, 6)}
BATCH, SEQUENCE, HIDDEN, VOCABULARY = 8, 32, 64, 512
MODULES = "transformers.models.gpt2.modeling_gpt2"  # for `warm`: transformers imports it only when it is used


def tokens(seed: int = 0, batch: int = BATCH) -> tuple[Tensor, Tensor]:
    """Draw random tokens; return the inputs and the next tokens, both of shape (batch, 32)."""
    drawn = torch.randint(VOCABULARY, (batch, SEQUENCE + 1), generator=torch.Generator().manual_seed(1000 + seed))
    return drawn[:, :-1], drawn[:, 1:]


def one_process(seed: int = 0, double: bool = False) -> tuple[float, dict[str, Tensor]]:
    """Return loss and gradients of the whole model in this process, by parameter."""
    model = small_gpt2(seed).to(torch.float64 if double else torch.float32)
    x, y = tokens(seed)
    loss = next_token_loss(model(x).logits, y)
    loss.backward()
    return loss.item(), {name: parameter.grad for name, parameter in model.named_parameters()}


def step_on_rank(
    schedule: Schedule,
    microbatches: int,
    seed: int = 0,
    double: bool = False,
    library: bool = False,
    rematerialise: Rematerialise = "",
    add_ends: bool = True,
    batch: int = BATCH,
) -> dict[str, Any]:
    """Run one step of this rank's stage.

    Returns
    -------
    dict
        "loss" (NaN but on the last), "gradients" by the model's names (the output layer's copy is ``lm_head.weight``), "peak"
        (bytes saved for backward) and "events".
    """
    model = small_gpt2(seed).to(torch.float64 if double else torch.float32)
    stage = cut(model, CUTS[dist.get_world_size()], rematerialise)[dist.get_rank()]
    shape, (x, y) = (batch, SEQUENCE, HIDDEN), tokens(seed, batch)
    if library:
        pipeline: Any = ByTorch(stage, shape, microbatches, schedule)
    else:
        pipeline = Pipeline(stage, shape, microbatches, schedule, add_ends=add_ends)
    with SavedBytes(stage.parameters()) as saved:
        done = pipeline.step(x, y)
    gradients = {stage.name_in_model(name): parameter.grad for name, parameter in stage.named_parameters()}
    return {"loss": done.loss, "gradients": gradients, "peak": saved.peak, "events": done.events}


def largest_error(by_rank: list[dict[str, Any]], wanted: dict[str, Tensor]) -> float:
    """Return the largest distance of any gradient from one process's, over the largest entry of that gradient.

    Raises
    ------
    ValueError
        If a parameter of the model has no gradient on any rank.
    """
    wanted = {**wanted, "lm_head.weight": wanted["transformer.wte.weight"]}
    found = [pair for rank in by_rank for pair in rank["gradients"].items()]
    if missing := set(wanted) - {name for name, _ in found} - {"lm_head.weight"}:
        raise ValueError(f"No rank has a gradient of {', '.join(sorted(missing))}.")
    return max(((mine - wanted[name]).abs().max() / wanted[name].abs().max()).item() for name, mine in found)


def train_on_rank(
    schedule: Schedule, microbatches: int, steps: int, add_ends: bool = True, seed: int = 0, rate: float = 0.3
) -> tuple[list[float], Tensor | None]:
    """Train this rank's stage by SGD; return the losses (NaN but on the last) and its copy of the tied weight."""
    stage = cut(small_gpt2(seed), CUTS[dist.get_world_size()])[dist.get_rank()]
    pipeline = Pipeline(stage, (BATCH, SEQUENCE, HIDDEN), microbatches, schedule, add_ends=add_ends)
    optimiser = torch.optim.SGD(stage.parameters(), lr=rate)
    losses = []
    for step in range(steps):
        losses.append(pipeline.step(*tokens(seed + step % 4)).loss)
        optimiser.step()
        optimiser.zero_grad()
    return losses, None if stage.tied is None else stage.tied.detach()


def train_alone(steps: int, seed: int = 0, rate: float = 0.3) -> tuple[list[float], Tensor]:
    """Do the same in one process."""
    model = small_gpt2(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    losses = []
    for step in range(steps):
        x, y = tokens(seed + step % 4)
        loss = next_token_loss(model(x).logits, y)
        loss.backward()
        losses.append(loss.item())
        optimiser.step()
        optimiser.zero_grad()
    return losses, model.transformer.wte.weight.detach()


def operations(rematerialise: Rematerialise = "", layers_only: bool = True) -> int:
    """Count the operations of matrix products in a step of the model, or of its layers alone, as PyTorch does it.

    `torch.utils.flop_counter` counts a multiplication and an addition as two and does not see fused attention on a CPU.
    """
    from torch.utils.flop_counter import FlopCounterMode

    stage = cut(small_gpt2(), (), rematerialise)[0]
    x, y = tokens()
    if layers_only:
        stage.wte = stage.wpe = stage.ln_f = stage.lm_head = None
    with FlopCounterMode(display=False) as counter:
        if layers_only:
            stage(torch.ones(BATCH, SEQUENCE, HIDDEN, requires_grad=True)).sum().backward()
        else:
            next_token_loss(stage(x), y).backward()
    return int(counter.get_total_flops())
