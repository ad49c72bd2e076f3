"""How long a lesson takes: what counts as a line, however it is wrapped, and what is folded away."""

import pytest

from helix.course import minutes

LONG = f"found = [{', '.join(str(number) for number in range(1000, 1020))}]"  # 128 letters


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("", 0),
        ("x = 1\n\n\ny = 2", 2),
        ("# a thought\nx = 1  # another", 2),
        (LONG, 2),
        (LONG.replace(", ", ",\n    "), 2),
        ("f(\n    1,\n    # why\n    2,\n)", 1),
        ("%timeit f(\nx = 1", 2),
        ("!ls\nfor x in y:\n    print(x)", 3),
    ],
)
def test_a_line_is_a_statement_however_it_is_wrapped(code, wanted):
    assert minutes.lines(code) == wanted


def test_rows_choose_the_statements_that_begin_there():
    assert minutes.lines("x = 1\ny = (\n    2\n)\n# z", rows={2, 3}) == 1


def test_wrapping_a_solution_makes_it_no_longer():
    source = "# %%\ndef f(x):\n    ### BEGIN SOLUTION\n{}\n    ### END SOLUTION\n"
    plain, wrapped = (source.format(f"    {line}") for line in (LONG, LONG.replace(", ", ",\n        ")))
    assert minutes._solution_lines(plain) == minutes._solution_lines(wrapped) == 2
