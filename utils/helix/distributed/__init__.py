"""Distributed training on one machine: `launch` runs a function on several ranks from a cell, `context` under ``torchrun`` too."""

from helix.distributed.context import Context, context
from helix.distributed.counting import Call, counted, total
from helix.distributed.failure import RankFailed
from helix.distributed.launcher import Results, launch
from helix.distributed.scripts import written
from helix.distributed.warmth import close, warm

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
