"""The house style of every figure: readable in colour, in grey, in a dark notebook, and by ear.

Nothing here changes matplotlib's global settings or needs pyplot: a learner's own style survives, and a
figure that is never shown is simply forgotten.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from helix import display

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from helix.measure import Interval

# The colours of Okabe and Ito as printed in B. Wong (2011), Nature Methods 8, 441, doi:10.1038/nmeth.1618,
# without the yellow, which is hardly visible on white. Neighbours here differ in lightness, so in grey too.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "sky": "#56B4E9",
    "vermilion": "#D55E00",
    "black": "#000000",
    "purple": "#CC79A7",
}
CYCLE = tuple(COLOURS.values())
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "ooo", "---")
WIDTH = 6.5  # inches, about the text width of a notebook
_DPI = 130
INK, SOFT, _GRID = "#222222", "#666666", "#dddddd"


def figure(
    width: float = WIDTH,
    height: float | None = None,
    columns: int = 1,
    rows: int = 1,
    **subplots: Any,
) -> tuple[Figure, Any]:
    """Make a figure in the house style.

    Parameters
    ----------
    width, height : float
        Inches. Without a height, every row gets 3.2 inches.
    columns, rows : int
        Grid of axes.
    **subplots
        Passed to `Figure.subplots`, such as ``sharey=True`` or ``width_ratios=[2, 1]``.

    Returns
    -------
    figure, axes
        As `matplotlib.pyplot.subplots` gives them: one Axes, or an array of them. Lines cycle through colour,
        marker and dashes together; for bars use `HATCHES` beside the colours.
    """
    from cycler import cycler
    from matplotlib.figure import Figure

    with _style():
        fig = Figure(figsize=(width, height or 3.2 * rows), layout="constrained", facecolor="white")
        axes = fig.subplots(rows, columns, **subplots)
    for ax in fig.axes:  # what matplotlib looks up only when something is drawn is fixed on the axes
        ax.set_prop_cycle(
            cycler(color=CYCLE, marker=MARKERS, linestyle=LINES)
            * cycler(linewidth=[1.8], markersize=[5], markevery=[0.08])
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9, color=SOFT, labelcolor=INK)
        ax.grid(axis="y", color=_GRID, linewidth=0.7)
        ax.set_axisbelow(True)
    return fig, axes


def show(fig: Figure, alt: str, caption: str | None = None, *, photo: bool | None = None) -> None:
    """Display a figure with words that say the same.

    In a notebook: one piece of HTML, picture and caption, whose plain-text form is `alt`. Elsewhere only the words are
    printed.

    Parameters
    ----------
    fig : Figure
        Displayed once and closed.
    alt : str
        What a reader who cannot see the figure needs to know: what is drawn, and what it shows. Without a caption
        everybody reads it below the figure.
    caption : str, optional
        What everybody reads below the figure, where `alt` is too long for that: one short sentence.
    photo : bool, optional
        Whether the figure shows pictures whose colours have to stay as they are in a dark theme. Without an answer,
        whether it holds an image of more than 64 x 64 pixels.

    Raises
    ------
    ValueError
        If `alt` is empty or the same as the caption, or axes that hold data lack an x or y label and are not switched
        off. A label that is shared with a neighbour, or stands for the whole figure, counts.
    """
    _require_labels(fig)
    png = _png(fig)
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(fig)  # or the notebook draws a pyplot figure a second time
    size = round(fig.get_figwidth() * 96), round(fig.get_figheight() * 96)
    display.picture(png, alt, caption, photo=_has_pictures(fig) if photo is None else photo, size=size)


def save_svg(fig: Figure, path: str | os.PathLike[str], alt: str) -> None:
    """Write a figure as SVG that has the same bytes every time: no date, no version, no random ids.

    Parameters
    ----------
    fig : Figure
        What to write.
    path : path
        Where to.
    alt : str
        The line of text that says the same; it becomes the title inside the file.
    """
    with _style({"svg.hashsalt": "helix"}):
        fig.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Title": alt})


def _png(fig: Figure) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    with _style():
        fig.draw_without_rendering()  # the layout of square cells settles at the second drawing
        fig.savefig(target, format="png", dpi=_DPI, metadata={"Software": None})  # else: matplotlib's version
    if _has_pictures(fig):
        return target.getvalue()  # photographs keep their colours; for lines and letters 256 colours are enough
    small = io.BytesIO()
    Image.open(target).convert("RGB").quantize(256).save(small, "png", optimize=True)
    return small.getvalue()


def _has_pictures(fig: Figure) -> bool:
    return any(image.get_size()[0] * image.get_size()[1] > 4096 for ax in fig.axes for image in ax.images)


def _style(extra: dict[str, Any] | None = None) -> AbstractContextManager[None]:
    """Set the house style for the length of a `with` block, whatever the learner's own settings are."""
    from matplotlib import style

    house = {"axes.titlesize": 11, "axes.labelsize": 10, "axes.edgecolor": SOFT}
    return style.context(["default", house | (extra or {})])


def _require_labels(fig: Figure) -> None:
    for number, ax in enumerate(fig.axes, start=1):
        if not (ax.has_data() and ax.axison and ax.get_visible()) or ax.get_label() == "<colorbar>":
            continue
        shared = {"x": ax.get_shared_x_axes(), "y": ax.get_shared_y_axes()}
        whole = {"x": fig.get_supxlabel(), "y": fig.get_supylabel()}
        for axis in ("x", "y"):
            labels = [getattr(a, f"get_{axis}label")() for a in shared[axis].get_siblings(ax)]
            if not any(labels) and not whole[axis]:
                title = f" ({ax.get_title()})" if ax.get_title() else ""
                raise ValueError(
                    f"Axes {number}{title} has no {axis} label. Say what is drawn and in which unit: "
                    f"ax.set_{axis}label('time (ms)'); or switch the axes off with ax.set_axis_off()."
                )


def bars(
    ax: Axes,
    labels: Sequence[str],
    intervals: Sequence[Interval],
    *,
    xlabel: str,
    ylabel: str,
    reference: float | None = None,
) -> None:
    """Draw one horizontal line a label: the interval as a bar, the value as a point; the first one on top.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    labels, intervals
        Names and their `helix.measure.Interval`.
    xlabel, ylabel : str
        What is measured, with its unit, and what the names are.
    reference : float, optional
        A value to compare with, such as 0 or a threshold, drawn as a dashed line.

    Raises
    ------
    ValueError
        If there are not as many labels as intervals.
    """
    if len(labels) != len(intervals):
        raise ValueError(f"Every interval needs a label; got {len(labels)} and {len(intervals)}.")
    places = np.arange(len(labels))
    if reference is not None:
        ax.axvline(reference, color=SOFT, linestyle="--", linewidth=1)
    ax.hlines(places, [i.low for i in intervals], [i.high for i in intervals], CYCLE[0], linewidth=3, alpha=0.45)
    ax.plot([i.value for i in intervals], places, "o", color=CYCLE[0], markersize=7, markevery=1)  # close ones too
    ax.set_yticks(places, labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=_GRID, linewidth=0.7)
    ax.set(xlabel=xlabel, ylabel=ylabel)


def matrix(
    ax: Axes,
    array: Any,
    title: str = "",
    fmt: str = ".2g",
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw a matrix as coloured cells with their values written in them.

    Without names for rows and columns the axes are switched off, and `show` asks for no labels. With names,
    add ``ax.set(xlabel=…, ylabel=…)``.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    array : array, shape (m, n)
        Values; NaN is left white and empty. A matrix with negative values gets blue for minus, orange for
        plus and white for 0; the sign is also in the printed value.
    title, fmt : str
        Title, and format of a value (``".2g"``, ``"d"``, ``".0%"``).
    rows, columns : sequences of str
        Names of the m rows and n columns.
    limits : (low, high), optional
        Values at the ends of the colour scale; give the same to matrices that are compared.

    Raises
    ------
    ValueError
        If the array is not a matrix, or the names do not fit its shape.
    """
    from matplotlib.colors import LinearSegmentedColormap

    values = np.asarray(array)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"A matrix has two dimensions and at least one cell; this array has shape {values.shape}.")
    if (rows and len(rows) != values.shape[0]) or (columns and len(columns) != values.shape[1]):
        raise ValueError(f"The names do not fit a matrix of shape {values.shape}.")
    numbers = values.astype(float)
    largest = float(np.nanmax(np.abs(numbers), initial=0)) or 1.0
    signed = bool((numbers < 0).any())
    low, high = limits or (-largest if signed else 0.0, largest)
    ends = [CYCLE[0], "#ffffff", CYCLE[1]] if low < 0 < high else ["#ffffff", CYCLE[0]]
    shades = LinearSegmentedColormap.from_list("helix", ends)
    drawn = ax.imshow(numbers, cmap=shades, vmin=low, vmax=high, aspect="equal")
    for (i, j), number in np.ndenumerate(numbers):
        if not math.isnan(number):
            red, green, blue, _ = drawn.to_rgba(number)
            light = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601 luma
            text = format(values[i, j].item(), fmt)
            text = text if text.strip("-0.%") else text.lstrip("-")  # no minus before a rounded 0
            ax.text(j, i, text, ha="center", va="center", fontsize=9, color=INK if light > 0.5 else "white")
    ax.grid(visible=False)
    ax.set_title(title)
    if not rows and not columns:
        ax.set_axis_off()
        return
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
