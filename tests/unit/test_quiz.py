"""The quiz: each option has its sign, and nothing else of a page changes."""

from helix.course import quiz

OPTION = "<details><summary>{}</summary>\n\n{}\n\n</details>\n"
QUESTION = (
    "**{}.\nWhich?**\n\n" + OPTION.format("A. This", "Not quite.\nNo.") + OPTION.format("B. That", "Right.\nYes.")
)


def test_right_and_wrong_differ_in_sign_and_class():
    made = quiz.dressed(QUESTION.format(1))
    assert '<details class="hx-option hx-wrong"><summary>A. This</summary>\n\n**✗ Not quite.**\nNo.' in made
    assert '<details class="hx-option hx-right"><summary>B. That</summary>\n\n**✓ Right.**\nYes.' in made


def test_nothing_else_is_touched():
    other = "Right. " + OPTION.format("A hint", "Look at the axis. Right.") + "\n\nNot quite. Right.\n"
    assert quiz.dressed(other) == other


def test_a_hint_before_an_option_does_not_take_its_sign():
    text = OPTION.format("A hint", "Look.") + OPTION.format("A. This", "Right. Yes.")
    assert quiz.dressed(text).startswith("<details><summary>A hint")


def test_dressed_quiz_lacks_nothing():
    assert quiz.lacks(quiz.dressed("\n".join(QUESTION.format(n) for n in (1, 2, 3)))) == []
