"""A schedule as a Gantt chart: one row a stage, one bar a pass, so that waiting is what is white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helix.distributed.paper.schedules import Event, idle_share, span
from helix.plots import COLOURS


def draw(ax: Any, events: Sequence[Event], title: str, legend: bool = False) -> None:
    """Draw events: forward passes blue with their micro-batch's number, backward passes orange and hatched; later chunks paler.

    Parameters
    ----------
    ax : Axes
        Of `plots.figure`; stage 0 comes on top.
    events : sequence of Event
        Predicted or recorded; the axis starts at the first of them.
    title : str
        The idle share is put behind it.
    legend : bool
        Say below the axis which is which.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    zero, end = min(event.start for event in events), span(events)
    stages, chunks = (1 + max(getattr(event, name) for event in events) for name in ("stage", "chunk"))
    for event in events:
        forward = event.kind == "F"
        colour, hatch = (COLOURS["blue"], "") if forward else (COLOURS["orange"], "///")
        bar = (event.start - zero, event.end - event.start)
        paler = 1 - 0.5 * event.chunk / max(1, chunks - 1)
        face = to_rgba(colour, paler)
        ax.broken_barh([bar], (event.stage - 0.4, 0.8), facecolor=face, hatch=hatch, edgecolor="white", linewidth=0.6)
        if bar[1] > end / 60:
            place = (bar[0] + bar[1] / 2, event.stage)
            box = None if forward else {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            ink = "white" if forward and paler > 0.7 else "black"
            ax.annotate(str(event.microbatch), place, ha="center", va="center", fontsize=7, color=ink, bbox=box)
    ax.set_title(f"{title}: idle {idle_share(events):.2f}", loc="left", fontsize=10)
    ax.set(yticks=range(stages), ylim=(stages - 0.4, -0.6), xlim=(0, end), ylabel="stage")
    ax.grid(visible=False)
    if legend:
        shown = [Patch(facecolor=COLOURS["blue"], label="forward pass")]
        shown += [Patch(facecolor=COLOURS["orange"], hatch="///", edgecolor="white", label="backward pass")]
        shown += [Patch(facecolor="white", edgecolor="grey", label="idle")]
        ax.legend(handles=shown, loc="upper left", bbox_to_anchor=(0, -0.25), ncols=3, frameon=False, fontsize=8)
