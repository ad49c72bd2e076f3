"""The map of the course as a picture: two strands, tied by one rung a chapter."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from helix.plots import COLOURS, INK, SOFT, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Status = Literal["done", "open", "planned"]
STATUS_NAMES: dict[Status, str] = {"done": "done", "open": "open", "planned": "planned"}
STRANDS = {"engineering": COLOURS["blue"], "ethics": COLOURS["orange"]}
_RUNGS = 6  # at most between two crossings
_PITCH, _HEADING, _BREAK = 0.25, 0.46, 0.05  # inches for a rung, a heading, a crossing inside a part
_RADIUS, _LEAD = 0.4, 0.3  # inches of the helix, and of its open ends


@dataclass(frozen=True)
class Rung:
    """One chapter on the map: its number, short title, the title of its part, and its status."""

    number: int
    title: str
    part: str
    status: Status


def double_helix(rungs: Sequence[Rung]) -> Figure:
    """Draw the map of the course: two strands, engineering and ethics, tied by one rung a chapter.

    Parameters
    ----------
    rungs : sequence of Rung
        In reading order; the chapters of a part stand together. A map of more than 20 has two columns.

    Returns
    -------
    Figure
        Without labelled axes; for `show` or `save_svg`.

    Raises
    ------
    ValueError
        If there is no rung, or a status is unknown.
    """
    if not rungs or {rung.status for rung in rungs} - set(STATUS_NAMES):
        raise ValueError("The map needs at least one rung, each 'done', 'open' or 'planned'.")
    parts = [list(group) for _, group in itertools.groupby(rungs, key=lambda rung: rung.part)]
    columns = _columns(parts) if len(rungs) > 20 else [parts]
    height = 1.3 + 2 * _LEAD + max(map(_length, columns))
    width = 3.65 * len(columns)
    fig, ax = figure(width, height)
    fig.set_layout_engine("none")
    ax.set_position((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    for number, column in enumerate(columns):
        _draw_column(ax, column, left=0.16 + 3.4 * number, top=0.5, bottom=height - 0.57)
    for number, (status, name) in enumerate(STATUS_NAMES.items()):
        x = width / 2 + 1.1 * (number - 1.3)
        _mark(ax, x, height - 0.25, status)
        ax.text(x + 0.14, height - 0.25, name, va="center_baseline", fontsize=9.5, color=INK)
    return fig


def in_words(rungs: Sequence[Rung]) -> str:
    """Return what the map shows, for people who cannot see it: strands, parts, the chapters that are done or open, how many are planned."""
    counts = [f"{part} ({len(list(group))})" for part, group in itertools.groupby(rungs, key=lambda rung: rung.part)]
    sentences = [
        "The course as a double helix: two strands, engineering and ethics, tied by one rung a chapter.",
        f"From top to bottom, with the number of chapters: {', '.join(counts)}.",
    ]
    for status, name in STATUS_NAMES.items():
        titles = [f"{rung.number:02d} {rung.title}" for rung in rungs if rung.status == status]
        if titles:
            sentences.append(
                f"{name.capitalize()}: {f'{len(titles)} more' if status == 'planned' else ', '.join(titles)}."
            )
    return " ".join(sentences)


def _columns(parts: list[list[Rung]]) -> list[list[list[Rung]]]:
    """Cut the parts in two, where the longer column is shortest."""
    cuts = [(parts[:k], parts[k:]) for k in range(1, len(parts))] or [(parts, [])]
    return [column for column in min(cuts, key=lambda cut: max(map(_length, cut))) if column]


def _length(parts: list[list[Rung]]) -> float:
    return sum(_HEADING + _PITCH * len(part) + _BREAK * ((len(part) - 1) // _RUNGS) for part in parts)


def _draw_column(ax: Axes, parts: list[list[Rung]], left: float, top: float, bottom: float) -> None:
    """Draw one helix and its list. The strands cross at headings and at most every six rungs, between two."""
    from scipy.interpolate import PchipInterpolator

    middle, words, y = left + 0.68, left + 1.26, top + _LEAD / 2
    crossings, places = [], []
    for part in parts:
        heading = "\n".join(textwrap.wrap(part[0].part, 32))
        ax.text(words, y + _HEADING * 0.55, heading, va="center", fontsize=9.5, weight="bold", color=INK)
        crossings.append(y + _HEADING / 2)
        y += _HEADING
        for chunk in np.array_split(np.arange(len(part)), math.ceil(len(part) / _RUNGS)):
            if chunk[0]:
                y += _BREAK
                crossings.append(y - _BREAK / 2)
            places += [(y + _PITCH * (k + 0.5), part[i]) for k, i in enumerate(chunk)]
            y += _PITCH * len(chunk)
    crossings.append(y + _HEADING / 2)
    # The angle grows by π from crossing to crossing, and half of that outside: the ends are wide open.
    knots = [top, *crossings, bottom]
    phase = PchipInterpolator(knots, np.pi * np.array([-0.5, *range(len(crossings)), len(crossings) - 0.5]))
    _draw_strands(ax, middle, np.linspace(knots[0], knots[-1], 30 * len(knots)), phase)
    for y, rung in places:
        reach = _RADIUS * float(np.sin(phase(y)))
        _draw_rung(ax, middle, y, reach, rung.status)
        _line(ax, [middle + abs(reach) + 0.08, words - 0.06], [y, y], color="#c4c4c4", lw=0.7, ls=":", zorder=0)
        _mark(ax, words + 0.03, y, rung.status)
        colour = "#595959" if rung.status == "planned" else INK
        ax.text(words + 0.17, y, f"{rung.number:02d}", va="center_baseline", fontsize=9, color=SOFT)
        ax.text(words + 0.43, y, rung.title, va="center_baseline", fontsize=9.5, color=colour)


def _draw_strands(ax: Axes, middle: float, y: Any, phase: Any) -> None:
    turn = phase(y)
    for side, (name, colour) in zip((1, -1), STRANDS.items(), strict=True):
        points = np.column_stack([middle + side * _RADIUS * np.sin(turn), y])
        depth = np.round(side * np.cos(turn) * 8) / 8  # 1 is nearest to the reader, -1 farthest
        ends = [0, *(np.flatnonzero(np.diff(depth)) + 1), len(depth) - 1]
        for start, end in itertools.pairwise(ends):
            x, d, near = points[start : end + 1], depth[start], depth[start] > 0
            if d > 0.9:  # a white edge, where this strand passes over the other
                _line(ax, *x.T, color="white", lw=8.5, zorder=3)
            look = {"color": _tint(colour, 0.74 + 0.26 * d), "lw": 4.6 + 1.2 * d, "zorder": 4 if near else 1}
            _line(ax, *x.T, solid_capstyle="round", **look)
        edge, align = (middle + 0.12, "right") if side == 1 else (middle + 0.24, "left")
        ax.text(edge, y[0] - 0.2, name, ha=align, fontsize=9.5, weight="bold", color=_tint(colour, 1, 0.68))


def _draw_rung(ax: Axes, middle: float, y: float, reach: float, status: Status) -> None:
    """Draw a base pair: thick when done, thin when open, dotted when planned."""
    look: dict[Status, dict[str, Any]] = {
        "done": {"lw": 4.2},
        "open": {"lw": 1.6},
        "planned": {"lw": 1.3, "ls": (0, (1, 1.4)), "color": "#999999"},
    }
    for side, colour in zip((1, -1), STRANDS.values(), strict=True):
        _line(ax, [middle, middle + side * reach], [y, y], **{"color": colour, "zorder": 2} | look[status])


def _mark(ax: Axes, x: float, y: float, status: Status) -> None:
    fill, size = {"done": (INK, 6.5), "open": ("white", 6.5), "planned": (SOFT, 2.5)}[status]
    edge = SOFT if status == "planned" else INK
    _line(ax, [x], [y], marker="o", ms=size, mfc=fill, mec=edge, mew=1.1, zorder=5)


def _line(ax: Axes, x: Any, y: Any, **look: Any) -> None:
    """Add a line past the axes' cycle of colours and markers."""
    from matplotlib.lines import Line2D

    ax.add_line(Line2D(x, y, **{"solid_capstyle": "butt"} | look))


def _tint(colour: str, strength: float, shade: float = 1.0) -> tuple[float, ...]:
    """Mix a colour with white (strength below 1) and with black (shade below 1)."""
    from matplotlib.colors import to_rgb

    return tuple(shade * (1 - (1 - x) * strength) for x in to_rgb(colour))
