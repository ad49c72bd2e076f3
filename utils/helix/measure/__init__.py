"""The yardstick of every chapter: time, intervals, memory, size, operations and the machine itself.

Nothing heavy is imported until a function needs it; in particular torch is never imported for timing alone.
"""

from helix.measure.intervals import (
    Interval,
    bootstrap,
    bootstrap_difference,
    difference_of_proportions,
    paired_difference,
    ratio_of_proportions,
    wilson,
)
from helix.measure.machine import hardware
from helix.measure.memory import MemoryUse, high_water, peak_memory
from helix.measure.size import flops, parameter_count, size_on_disk, state_size
from helix.measure.timing import CLOCKS, Timing, compare

__all__ = [
    "CLOCKS",
    "Interval",
    "MemoryUse",
    "Timing",
    "bootstrap",
    "bootstrap_difference",
    "compare",
    "difference_of_proportions",
    "flops",
    "hardware",
    "high_water",
    "paired_difference",
    "parameter_count",
    "peak_memory",
    "ratio_of_proportions",
    "size_on_disk",
    "state_size",
    "wilson",
]
