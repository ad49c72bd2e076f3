"""One sentence a line: what it splits, what it leaves, and that no page looks different."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from helix.course import prose

RENDER = MarkdownIt("commonmark").enable("table").render


def same_page(before, after):
    return re.sub(r"\s+", " ", RENDER(before)) == re.sub(r"\s+", " ", RENDER(after))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?\nFour", "One.\nTwo!\nThree?\nFour"),
        ("a line that goes\non here. And ends.", "a line that goes on here.\nAnd ends."),
        ("- First. Second.\n  Third.\n- Other", "- First.\n  Second.\n  Third.\n- Other"),
        ("12. Twelve. Then.", "12. Twelve.\n    Then."),
        ("See E. B. Wilson (1927), e.g. Fig. 2. Then this.", "See E. B. Wilson (1927), e.g. Fig. 2.\nThen this."),
        ("`a. B` and $x. Y$ and [z. Z](b. C). End", "`a. B` and $x. Y$ and [z. Z](b. C).\nEnd"),
        ("He said “no.” She left.", "He said “no.”\nShe left."),
        ("There were two. 1. is no item here", "There were two. 1.\nis no item here"),  # no line may begin an item
        ("two spaces  \nbreak the line. So. It stays.", "two spaces  \nbreak the line. So. It stays."),
        ("这是一句话。这是另一句。", "这是一句话。这是另一句。"),  # a new line there would show as a space
    ],
)
def test_sentences(text, wanted):
    assert prose.formatted(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "# A. B. C",
        "| a. B | c |\n|---|---|\n| D. E | f |",
        "> Quoted. Twice.",
        "```python\nx = 1. + 2.  # One. Two.\n```",
        "$$\na. B\n\\quad c. D\n$$",
        "$$x. Y$$",
        "<details><summary>A. One. Two.</summary>\n\nRight.\n\n</details>",
    ],
)
def test_what_is_no_paragraph_stays(text):
    assert prose.formatted(text) == text


WORD = st.sampled_from(
    ["One", "two.", "Three!", "four?", "`a. B`", "$p. Q$", "e.g.", "E.", "*so.*", "“Yes.”", "1.", "-", "(Five.)", "#", "|", "**x**:", "中文。", "<b>c</b>", "[d. E](f)"]
)  # fmt: skip
LINE = st.tuples(st.sampled_from(["", "", "", "- ", "1. ", "  ", "> ", "## "]), st.lists(WORD, max_size=8)).map(
    lambda parts: parts[0] + " ".join(parts[1])
)


@given(st.lists(LINE, max_size=8).map("\n".join))
def test_no_page_looks_different_and_once_is_enough(text):
    made = prose.formatted(text)
    assert same_page(text, made)
    assert prose.formatted(made) == made


def test_code_cells_and_headers_stay():
    source = "# ---\n# jupyter:\n#   a. B. C\n# ---\n\n# %% [markdown]\n# One. Two.\n\n# %%\n# One. Two.\nx = 1\n"
    assert prose.formatted_source(source) == source.replace("# One. Two.\n\n# %%\n", "# One.\n# Two.\n\n# %%\n", 1)


def test_the_complaint_names_the_line(tmp_path, monkeypatch):
    (tmp_path / "source" / "labs").mkdir(parents=True)
    file = tmp_path / "source" / "labs" / "77_toy.py"
    file.write_text("# %% [markdown]\n# Fine.\n# One. Two.\n")
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    assert prose.unformatted() == [
        "source/labs/77_toy.py, line 3: Markdown has one sentence a line. Run: python3 kit.py build --format"
    ]
    assert prose.write() == [file]
    assert not prose.unformatted()
