"""Distributed training on one machine: `launch` runs a function on several ranks from a cell, `context` under ``torchrun`` too.

What chapters need of the launcher stands here. `parallel` runs on ranks, `paper` computes and runs nothing, `measured` counts
and records, `launching` carries `launch`.
"""

from helix.distributed.launching.failure import RankFailed
from helix.distributed.launching.launcher import Results, launch
from helix.distributed.launching.scripts import written
from helix.distributed.launching.surroundings import Context, context
from helix.distributed.launching.warmth import close, warm
from helix.distributed.measured.counting import Call, counted, total

__all__ = [
    "Call",
    "Context",
    "RankFailed",
    "Results",
    "close",
    "context",
    "counted",
    "launch",
    "total",
    "warm",
    "written",
]
