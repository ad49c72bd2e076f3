"""The house style: figures that everybody can read, the same bytes every time, and no trace left behind."""

from __future__ import annotations

import base64
import io
import itertools
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from helix import plots
from helix.measure import Interval


@pytest.fixture
def notebook():
    """An IPython shell, as in a notebook, that is gone afterwards."""
    shell = InteractiveShell.instance()
    yield shell
    shell.clear_instance()


def labelled():
    fig, ax = plots.figure()
    ax.plot([1, 2, 3], [3, 1, 2])
    ax.set(xlabel="time (s)", ylabel="loss")
    return fig, ax


def pixels(fig):
    return np.asarray(Image.open(io.BytesIO(plots._png(fig))).convert("RGB")).astype(float)


# Style ---------------------------------------------------------------------------------------------------


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_neighbours_in_the_cycle_differ_in_grey_and_in_shape():
    grey = [luminance(c) for c in plots.CYCLE]
    contrast = [(max(a, b) + 0.05) / (min(a, b) + 0.05) for a, b in itertools.pairwise(grey)]
    assert min(contrast) > 1.4
    assert max(grey) < 0.45  # all visible on white
    for cycle in (plots.CYCLE, plots.MARKERS, plots.LINES, plots.HATCHES):
        assert len(set(cycle)) == len(plots.CYCLE)


def test_lines_cycle_through_colour_marker_and_dashes():
    _, ax = plots.figure()
    lines = [ax.plot([0, 1], [k, k])[0] for k in range(7)]
    assert [line.get_color() for line in lines] == list(plots.CYCLE)
    assert [line.get_marker() for line in lines] == list(plots.MARKERS)
    assert len({line._dash_pattern[1] and tuple(line._dash_pattern[1]) for line in lines}) == 7


def test_learners_own_settings_survive_and_do_not_leak_in():
    plain = pixels(labelled()[0])
    with mpl.rc_context({"font.size": 30, "figure.facecolor": "red", "savefig.bbox": "tight", "axes.grid": True}):
        before = dict(mpl.rcParams)
        changed = pixels(labelled()[0])
        assert dict(mpl.rcParams) == before
    np.testing.assert_array_equal(plain, changed)
    assert (plain[0, 0] == 255).all()  # white, so that a dark notebook does not hide the letters


def test_grid_of_axes():
    fig, axes = plots.figure(columns=3, rows=2, sharey=True)
    assert axes.shape == (2, 3)
    assert tuple(fig.get_size_inches()) == (6.5, 6.4)


def test_import_is_light():
    code = (
        "import sys; import helix.plots, helix.measure; "
        "print([m for m in ('torch', 'matplotlib', 'pandas', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Showing -------------------------------------------------------------------------------------------------


def test_show_displays_picture_and_words(notebook):
    alt = "Loss falls & rises <again>."
    with capture_output() as captured:
        plots.show(labelled()[0], alt)
        plots.show(labelled()[0], alt, "Loss by time.")
    first, second = (output.data for output in captured.outputs)
    assert first["text/plain"] == alt
    assert base64.b64decode(re.search(r"base64,([^\"]+)", first["text/html"])[1])[:4] == b"\x89PNG"
    assert 'width="624" height="307"' in first["text/html"]
    assert "<figcaption>Loss falls &amp; rises &lt;again&gt;.</figcaption>" in first["text/html"]
    assert 'alt="Loss falls &amp; rises &lt;again&gt;."' in second["text/html"]
    assert "<figcaption>Loss by time.</figcaption>" in second["text/html"]


@pytest.mark.parametrize(
    ("side", "photo", "marked"), [(65, None, True), (8, None, False), (8, True, True), (65, False, False)]
)
def test_show_marks_pictures_whose_colours_stay(notebook, side, photo, marked):
    fig, ax = plots.figure()
    ax.imshow(np.zeros((side, side)))
    ax.set_axis_off()
    with capture_output() as captured:
        plots.show(fig, "A square.", photo=photo)
    assert ("hx-photo" in captured.outputs[0].data["text/html"]) == marked


def test_show_outside_a_notebook_prints_the_words(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    plots.show(labelled()[0], "Loss falls.")
    assert capsys.readouterr().out == "Loss falls.\n"
    assert not list(tmp_path.iterdir())


def test_show_closes_a_pyplot_figure():
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    ax.set_axis_off()
    plots.show(fig, "Nothing.")
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_show_refuses_a_figure_without_words(alt):
    with pytest.raises(ValueError, match="Say in one sentence what the figure shows"):
        plots.show(labelled()[0], alt)


def test_show_refuses_unlabelled_axes_by_name():
    fig, axes = plots.figure(columns=2)
    axes[0].plot([1, 2])
    axes[0].set(xlabel="epoch", ylabel="loss")
    axes[1].plot([1, 2])
    axes[1].set(xlabel="epoch", title="right one")
    with pytest.raises(ValueError, match=r"Axes 2 \(right one\) has no y label"):
        plots.show(fig, "Two lines.")
    axes[1].set(xlabel="", ylabel="loss")
    with pytest.raises(ValueError, match=r"Axes 2 \(right one\) has no x label"):
        plots.show(fig, "Two lines.")


def test_show_accepts_axes_that_need_no_label_of_their_own(capsys):
    fig, axes = plots.figure(rows=2, sharex=True)
    for ax in axes:
        ax.plot([1, 2])
        ax.set_ylabel("loss")
    axes[1].set_xlabel("epoch")  # shared with the upper one
    plots.show(fig, "shared")

    fig, axes = plots.figure(columns=2)
    for ax in axes:
        ax.plot([1, 2])
    fig.supxlabel("epoch")
    fig.supylabel("loss")
    plots.show(fig, "whole")

    fig, axes = plots.figure(columns=2)
    axes[0].imshow(np.eye(2))
    axes[0].set_axis_off()
    plots.show(fig, "off, and empty")

    fig, ax = plots.figure()
    fig.colorbar(ax.imshow(np.eye(2)), label="weight")
    ax.set(xlabel="column", ylabel="row")
    plots.show(fig, "bar")
    assert capsys.readouterr().out.split("\n")[:-1] == ["shared", "whole", "off, and empty", "bar"]


def test_bytes_are_the_same_every_time():
    first, second = plots._png(labelled()[0]), plots._png(labelled()[0])
    assert first == second
    assert len(first) < 60_000
    assert set(Image.open(io.BytesIO(first)).info) <= {"dpi"}  # no software, no date


def test_photographs_keep_their_colours():
    fig, ax = plots.figure()
    ax.imshow(np.random.default_rng(0).random((100, 100, 3)), interpolation="nearest")
    ax.set_axis_off()
    assert Image.open(io.BytesIO(plots._png(fig))).mode == "RGBA"
    assert len(np.unique(pixels(fig).reshape(-1, 3), axis=0)) > 5_000


# Bars and matrices ---------------------------------------------------------------------------------------


def test_bars_draw_the_intervals_from_the_top():
    fig, ax = plots.figure()
    plots.bars(ax, ["women", "men"], [Interval(0.2, 0.1, 0.4), Interval(0.5, 0.3, 0.6)], xlabel="rate", ylabel="sex")
    segments = ax.collections[0].get_segments()
    assert [list(s[:, 0]) for s in segments] == [[0.1, 0.4], [0.3, 0.6]]
    assert list(ax.lines[0].get_xdata()) == [0.2, 0.5]
    assert (
        ax.lines[0].get_markevery() == 1
    )  # the house cycle thins out markers that lie close, and here each one counts
    assert [t.get_text() for t in ax.get_yticklabels()] == ["women", "men"]
    assert ax.yaxis_inverted()
    plots._require_labels(fig)
    with pytest.raises(ValueError, match="Every interval needs a label; got 1 and 2"):
        plots.bars(ax, ["a"], [Interval(0, 0, 0)] * 2, xlabel="x", ylabel="y")


def test_matrix_values_are_readable_on_their_cells():
    _, ax = plots.figure()
    array = np.array([[-3.0, -1.5, 0.0], [1.0, np.nan, 3.0]])
    plots.matrix(ax, array, "weights", ".1f")
    assert [t.get_text() for t in ax.texts] == ["-3.0", "-1.5", "0.0", "1.0", "3.0"]
    assert not ax.axison
    drawn = ax.images[0]
    for text in ax.texts:
        column, row = text.get_position()
        cell, ink = luminance(drawn.to_rgba(array[int(row), int(column)])), luminance(text.get_color())
        assert (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05) > 4.5  # WCAG 2.2, 1.4.3


def test_matrix_names_limits_and_whole_numbers():
    _, ax = plots.figure()
    plots.matrix(ax, [[4, 0], [1, 5]], fmt="d", rows=["no", "yes"], columns=["no", "yes"], limits=(0, 10))
    assert [t.get_text() for t in ax.texts] == ["4", "0", "1", "5"]
    assert ax.images[0].get_clim() == (0, 10)
    assert ax.axison
    plots.matrix(ax, [[-0.2]], fmt=".0f")
    assert ax.texts[-1].get_text() == "0"
    with pytest.raises(ValueError, match=r"names do not fit a matrix of shape \(2, 2\)"):
        plots.matrix(ax, np.eye(2), rows=["one"])
    with pytest.raises(ValueError, match=r"this array has shape \(3,\)"):
        plots.matrix(ax, np.ones(3))


def test_nothing_is_cut_off():
    fig, axes = plots.figure(columns=3, height=2.4)
    for ax in axes:
        plots.matrix(ax, np.eye(3), "a title", rows=list("abc"), columns=list("abc"))
        ax.set(xlabel="predicted", ylabel="true")
    image = pixels(fig)
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edge > 250).all()
