"""The map of the course: complete, readable, the same every time."""

import re

import matplotlib as mpl
import pytest

from helix import plots
from helix.course import map_picture


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


PARTS = {
    "I  Engineering": 11,
    "II  Trust": 8,
    "III  Generative AI, its ethical problems": 5,
    "IV  Next": 6,
    "V  Deployment": 6,
}


@pytest.fixture(scope="module")
def rungs():
    names = [part for part, count in PARTS.items() for _ in range(count)]
    states = ["done", "open", "planned"]
    return [map_picture.Rung(n, f"chapter {n}", part, states[n % 3]) for n, part in enumerate(names, start=1)]


@pytest.fixture(scope="module")
def course_map(rungs):
    return map_picture.double_helix(rungs)


def test_map_names_everything_once(course_map, rungs):
    words = [re.sub(r"\s+", " ", text.get_text()) for text in course_map.axes[0].texts]
    for rung in rungs:
        assert words.count(rung.title) == 1
        assert words.count(f"{rung.number:02d}") == 1
    for part in PARTS:
        assert words.count(re.sub(r"\s+", " ", part)) == 1
    assert words.count("engineering") == words.count("ethics") == 2  # above both columns
    assert {"done", "open", "planned"} <= set(words)


def test_map_words_are_large_enough_apart_and_inside(course_map):
    course_map.draw_without_rendering()
    texts = course_map.axes[0].texts
    assert min(text.get_fontsize() for text in texts) >= 9
    boxes = [text.get_window_extent() for text in texts]
    page = course_map.bbox
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[:i]), texts[i].get_text()


def test_map_statuses_differ_without_colour(rungs):
    shapes = {}
    for status in ("done", "open", "planned"):
        ax = map_picture.double_helix([map_picture.Rung(1, "a", "p", status)]).axes[0]
        [mark] = [line for line in ax.lines if line.get_marker() == "o"][:1]
        # the rung is the only horizontal line in two halves that meet in the middle
        flat = [line for line in ax.lines if len(set(line.get_ydata())) == 1 and line.get_zorder() == 2]
        assert len(flat) == 2
        shapes[status] = (
            mark.get_markersize(),
            luminance(mark.get_markerfacecolor()) > 0.5,
            flat[0].get_linewidth(),
        )
    assert len(set(shapes.values())) == 3
    assert shapes["done"][1] != shapes["open"][1]
    assert shapes["planned"][0] < shapes["open"][0] / 2


def test_map_is_small_and_the_same_every_time(course_map, rungs, tmp_path):
    assert plots._png(course_map) == plots._png(map_picture.double_helix(rungs))
    assert len(plots._png(course_map)) < 100_000
    assert course_map.get_figwidth() <= 7.5
    for name in ("a.svg", "b.svg"):
        plots.save_svg(map_picture.double_helix(rungs), tmp_path / name, "The map of the course.")
    first = (tmp_path / "a.svg").read_bytes()
    assert first == (tmp_path / "b.svg").read_bytes()
    assert b"The map of the course." in first
    assert b"Matplotlib" not in first
    assert b"<dc:date>" not in first
    assert len(first) < 300_000


def test_map_can_be_shown(course_map, capsys):
    plots.show(course_map, "Thirty-six chapters.")
    assert capsys.readouterr().out == "Thirty-six chapters.\n"


def test_map_refuses_nonsense():
    for wrong in ([], [map_picture.Rung(1, "a", "p", "finished")]):
        with pytest.raises(ValueError, match="'done', 'open' or 'planned'"):
            map_picture.double_helix(wrong)
