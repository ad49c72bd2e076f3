"""A schedule as a Gantt chart: one row a stage, one bar a pass, so that waiting is what is white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helix.distributed.paper.schedules import Event, idle_share, span
from helix.plots import COLOURS


def draw(ax: Any, events: Sequence[Event], title: str) -> None:
    """Draw events: forward passes blue with their micro-batch's number, backward passes orange and hatched.

    Parameters
    ----------
    ax : Axes
        Of `plots.figure`; stage 0 comes on top.
    events : sequence of Event
        Predicted or recorded; the axis starts at the first of them.
    title : str
        The idle share is put behind it.
    """
    zero, end = min(event.start for event in events), span(events)
    stages = 1 + max(event.stage for event in events)
    for event in events:
        forward = event.kind == "F"
        colour, hatch = (COLOURS["blue"], "") if forward else (COLOURS["orange"], "///")
        bar = (event.start - zero, event.end - event.start)
        ax.broken_barh([bar], (event.stage - 0.4, 0.8), facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.6)
        if bar[1] > end / 45:
            place = (bar[0] + bar[1] / 2, event.stage)
            box = None if forward else {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            ink = "white" if forward else "black"
            ax.annotate(str(event.microbatch), place, ha="center", va="center", fontsize=7, color=ink, bbox=box)
    ax.set_title(f"{title}: idle {idle_share(events):.2f}", loc="left", fontsize=10)
    ax.set(yticks=range(stages), ylim=(stages - 0.4, -0.6), xlim=(0, end), ylabel="stage")
    ax.grid(visible=False)
