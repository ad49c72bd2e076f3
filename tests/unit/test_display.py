"""Pictures and tables: what stands in the HTML, what is read aloud, what a terminal shows."""

import base64
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from helix import display


@pytest.fixture
def notebook():
    """An IPython shell, as in a notebook, that is gone afterwards."""
    shell = InteractiveShell.instance()
    yield shell
    shell.clear_instance()


def shown(call):
    with capture_output() as captured:
        call()
    (output,) = captured.outputs
    return output.data


# Pictures ------------------------------------------------------------------------------------------------


def test_picture_is_one_piece_with_its_words(notebook):
    data = shown(lambda: display.picture(b"png", 'A "line" <rises>.', "Loss & time", size=(624, 300)))
    assert data == {
        "text/html": '<figure class="hx-figure"><img alt="A &quot;line&quot; &lt;rises&gt;." width="624" height="300" '
        f'src="data:image/png;base64,{base64.b64encode(b"png").decode()}">'
        "<figcaption>Loss &amp; time</figcaption></figure>",
        "text/plain": 'A "line" <rises>.\nLoss & time',
    }


def test_without_a_caption_the_words_are_said_once(notebook):
    data = shown(lambda: display.picture(b"png", "A line rises."))
    assert re.findall("A line rises", data["text/html"]) == ["A line rises"]
    assert "<figcaption>A line rises.</figcaption>" in data["text/html"]
    assert 'alt="Figure, described below."' in data["text/html"]
    assert data["text/plain"] == "A line rises."


def test_photo_is_marked(notebook):
    assert 'class="hx-figure hx-photo"' in shown(lambda: display.picture(b"", "A shirt.", photo=True))["text/html"]


@pytest.mark.parametrize(
    ("alt", "caption"), [("", None), (" \n", None), ("", "Loss"), ("Loss", "Loss "), ("Loss", " ")]
)
def test_picture_without_words_or_with_the_same_twice_is_refused(alt, caption):
    with pytest.raises(ValueError, match=r"alt"):
        display.picture(b"png", alt, caption)


def test_chinese_is_marked():
    assert display.text_html("写一首诗，好。 & x") == '<span lang="zh">写一首诗，好。</span> &amp; x'
    assert display.text_html("no <b>") == "no &lt;b&gt;"


# Tables --------------------------------------------------------------------------------------------------

ROWS = [
    {"model": "fp32", "size (MB)": 44.7, "pictures": 60_000, "gap": -0.0312, "kept": True},
    {"model": "量化 <8>", "size (MB)": 11.25, "pictures": 5, "gap": None, "kept": np.False_},
]


def test_table_in_a_terminal(capsys):
    display.table(ROWS, "Two models.", {"size (MB)": ".1f"})
    assert capsys.readouterr().out == (
        "Two models.\n"
        "model     size (MB)  pictures     gap  kept\n"
        "────────  ─────────  ────────  ──────  ────\n"
        "fp32           44.7    60,000  −0.031  yes\n"
        "量化 <8>       11.2         5       –  no\n"
    )


def test_table_in_a_notebook(notebook):
    page = shown(lambda: display.table(ROWS, "Two & models."))["text/html"]
    assert page.startswith('<table class="hx-table"><caption>Two &amp; models.</caption><thead><tr>')
    assert page.count('<th scope="col"') == 5
    assert '<th scope="row" style="text-align: left"><span lang="zh">量化</span> &lt;8&gt;</th>' in page
    assert '<td style="text-align: right">44.700</td>' in page
    assert '<td style="text-align: left">yes</td>' in page


def lines(capsys, *arguments):
    display.table(*arguments)
    return [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]


def test_frames(capsys):
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": [1, 2]})
    assert lines(capsys, frame, "C")[1:] == [["a", "b"], ["─────", "─"], ["1.500", "1"], ["–", "2"]]
    named = frame.set_index(pd.Index(["x", "y"], name="who"))
    assert lines(capsys, named, "C")[1] == ["who", "a", "b"]
    assert lines(capsys, named["a"], "C")[3] == ["x", "1.500"]
    wide = pd.DataFrame([[1, 2]], index=["x"], columns=pd.MultiIndex.from_tuples([("a", "b"), ("c", "d")]))
    assert lines(capsys, wide, "C")[1:] == [["a · b", "c · d"], ["─", "─────", "─────"], ["x", "1", "2"]]
    two = frame.set_index(pd.MultiIndex.from_tuples([("m", 1), ("n", 2)], names=["sex", "age"]))
    assert lines(capsys, two, "C")[3] == ["m", "1", "1.500", "1"]
    assert list(frame.columns) == ["a", "b"], "the frame itself stays as it was"


def test_one_format_for_all_that_is_not_whole(capsys):
    assert lines(capsys, [{"a": 0.5, "b": 2, "c": np.float32(-0.25)}], "C", ".0%")[3] == ["50%", "2", "−25%"]


@pytest.mark.parametrize(
    ("rows", "caption", "formats", "says"),
    [
        ([], "C", None, "at least one row"),
        (pd.DataFrame(), "C", None, "at least one row"),
        ([{"a": 1}, {"b": 1}], "C", None, "same keys"),
        ([{"a": 1}], " ", None, "what the table shows"),
        ([{"a": 1}], "C", {"b": ".1f"}, "names no column of this table: 'b'"),
    ],
)
def test_nonsense_is_refused(rows, caption, formats, says):
    with pytest.raises(ValueError, match=says):
        display.table(rows, caption, formats)


@given(
    st.lists(
        st.lists(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()), min_size=2, max_size=2),
        min_size=1,
    )
)
def test_every_value_has_a_cell(rows):
    names, cells = display._columns([dict(zip("ab", row, strict=True)) for row in rows])
    assert (names, cells) == (["a", "b"], rows)
    texts = [[display._text(row[i], None, False) for row in rows] for i in (0, 1)]
    page = display._as_html(names, texts, [False, True], "C")
    assert page.count("<tr>") == len(rows) + 1
    assert page.count("<td") == page.count('scope="row"') == len(rows)
