"""The exercise engine: four outcomes, fresh cases, misconceptions by behaviour, and a card that is always shown."""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from helix.checking import (
    NotCorrect,
    Outcome,
    ReasonedAnswer,
    Rule,
    any_of,
    card,
    decision,
    exercise,
    exercises_of,
    expect,
    expect_raises,
    expect_that,
    theirs,
)
from helix.checking import exercises as engine
from helix.checking.card import Card
from helix.checking.expectations import Unmet, matches, shorten
from helix.checking.verdict import Verdict
from helix.checking.wrong_decisions import wrong_decisions
from helix.record import Decision, decisions, evidence, journal, progress
from helix.record.evidence_store import forget

LAB = "toy"


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """Give every test a work folder, a register of exercises and evidence of its own."""
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("HELIX_GRADING", raising=False)
    monkeypatch.delenv("HELIX_SEED", raising=False)
    monkeypatch.setattr(engine, "_REGISTRY", {})
    forget()
    yield
    forget()


def toy(name="difference", **options):
    """Make an exercise that asks for |a - b|."""

    def cases(answer, rng):
        a, b = (int(number) for number in rng.choice(100, size=2, replace=False))
        expect(
            answer(a, b),
            close_to=abs(a - b),
            because="This is not the difference.",
            given=f"a = {a}, b = {b}",
            if_equals={
                "This is signed.": any_of(a - b, b - a),
                "This is a sum.": a + b,
                "This is one of the two.": any_of(a, b),
            },
        )

    cases.__name__ = name
    return exercise(**{"lab": LAB, "title": "Difference", "minutes": 5} | options)(cases)


def asks(value, **options):
    """Make an exercise of one case that wants just this value."""

    @exercise(lab=LAB, title="A value", minutes=1, repeats=1, **options)
    def asked(answer, rng):
        expect(answer(), close_to=value, because="Another value is expected.")

    return asked


def in_the_house(line):
    """Make an exercise whose code stands where check modules stand, so that its lines are not the learner's."""
    names = {}
    code = compile(f"def case(answer, rng):\n    {line}", f"{theirs._OURS}/labs/{LAB}.py", "exec")
    exec(code, names)
    return exercise(lab=LAB, title="A line", minutes=1, repeats=1)(names["case"])


def blank(a, b):
    raise NotImplementedError


def uses_blank(a, b):
    return blank(a, b)


def right(a, b):
    return abs(a - b)


def refuse(case):
    raise ValueError(case)


# ------------------------------------------------------------------ four outcomes


def test_the_four_outcomes():
    check = toy()
    assert check.verdict(right).outcome is Outcome.CORRECT
    assert check.verdict(lambda a, b: 0).outcome is Outcome.INCORRECT
    assert check.verdict(blank).outcome is Outcome.NOT_ATTEMPTED
    assert check.verdict(lambda a, b: a / 0).outcome is Outcome.RAISED


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_is_not_attempted(answer):
    assert toy().verdict(answer).outcome is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize("answer", [3, "text", right(1, 2), [right], np.ones(3), pd.Series([1])], ids=range(6))
def test_a_result_in_place_of_the_function_is_told(answer):
    verdict = toy().verdict(answer)
    assert verdict.outcome is Outcome.INCORRECT
    assert "`check.difference(difference)`" in verdict.message
    assert verdict.got


def test_a_blank_that_the_answer_uses_is_named():
    verdict = toy().verdict(uses_blank)
    assert verdict.outcome is Outcome.NOT_ATTEMPTED
    assert verdict.message == "`blank`, which this exercise uses, is still blank."
    assert "`difference` still raises NotImplementedError" in toy().verdict(blank).message


def test_a_method_that_is_still_blank_is_not_attempted():
    class Model:
        def __call__(self, a, b):
            raise NotImplementedError

    assert toy().verdict(Model()).outcome is Outcome.NOT_ATTEMPTED


def test_a_library_that_implements_nothing_is_an_error_of_the_code():
    verdict = toy().verdict(lambda a, b: asyncio.AbstractEventLoop().time())
    assert verdict.outcome is Outcome.RAISED
    assert verdict.message.startswith("NotImplementedError")


def test_an_own_kind_of_not_implemented_is_an_error():
    class Special(NotImplementedError):
        pass

    def answer(a, b):
        raise Special("not for these")

    assert toy().verdict(answer).outcome is Outcome.RAISED


def test_where_it_raised_shows_only_the_learners_lines():
    def helper(a):
        return a["key"]

    def answer(a, b):
        return helper(a)

    where = in_the_house("answer(1, 2)").verdict(answer).where
    assert where.startswith("line ")
    assert [line.partition(", ")[2] for line in where.splitlines()] == [
        "in answer: return helper(a)",
        'in helper: return a["key"]',
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda a: a, "takes 1 positional argument but 2 were given"),
        (lambda a, b, c: a, "missing 1 required positional argument"),
        (len, "TypeError"),
    ],
    ids=["too few", "too many", "built in"],
)
def test_another_signature_is_an_error_of_the_code(answer, says):
    verdict = toy().verdict(answer)
    assert verdict.outcome is Outcome.RAISED
    assert says in verdict.message


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, RecursionError, StopIteration])
def test_errors_of_every_kind_are_told(error):
    def answer(a, b):
        raise error("enough")

    verdict = toy().verdict(answer)
    assert verdict.outcome is Outcome.RAISED
    assert verdict.message == f"{error.__name__}: enough"


def test_an_error_whose_text_raises_is_told():
    class Hostile(Exception):
        def __str__(self):
            raise ValueError("no text")

    def answer(a, b):
        raise Hostile

    verdict = toy().verdict(answer)
    assert verdict.outcome is Outcome.RAISED
    assert verdict.message == "Hostile: (its message cannot be shown)"


def test_a_long_error_is_cut():
    def answer(a, b):
        raise ValueError("x" * 10**6)

    assert len(toy().verdict(answer).message) < 1000


def test_the_limits_are_said():
    assert (
        "took longer than 0.3 seconds and was stopped" in toy(seconds=0.3).verdict(lambda a, b: time.sleep(60)).message
    )
    assert "unharmed" in toy().verdict(lambda a, b: os._exit(0)).message
    verdict = toy(memory=300 * 2**20).verdict(lambda a, b: np.ones(2**34))
    assert "more than 300 MB" in verdict.message
    assert verdict.outcome is Outcome.RAISED


def test_what_was_printed_is_shown():
    def answer(a, b):
        print("a look inside")
        return 0

    assert "a look inside" in toy().verdict(answer).printed


# ------------------------------------------------------------------ what is returned


class Hostile:
    """Raises from whatever is asked of it."""

    def _raise(self, *_, **__):
        raise ValueError("hostile")

    __eq__ = __repr__ = __str__ = __array__ = __len__ = __iter__ = __float__ = __bool__ = __getattr__ = _raise
    __hash__ = None


class AlwaysEqual:
    def __eq__(self, other):
        return True

    __hash__ = None


class Hanging:
    def __repr__(self):
        while True:
            pass


@pytest.mark.parametrize(
    ("wanted", "answer", "says"),
    [
        (1.0, None, "`return` missing"),
        (1.0, "1.0", "`str`; a single number"),
        (1.0, True, "Another value"),
        (True, 1, "`int`; `True` or `False`"),
        (True, "yes", "`str`; `True` or `False`"),
        (1.0, [1.0], "`list`; a single number"),
        (1.0, float("nan"), "Another value"),
        (float("nan"), 1.0, "Another value"),
        (1.0, np.ones(1), "`ndarray`; a single number"),
        (np.ones((2, 3)), np.ones((3, 2)), "shape (3, 2); (2, 3) is expected"),
        (np.ones(2), np.array([1.0, np.nan]), "Another value"),
        (np.ones(2), np.array([True, True]), "Another value"),
        (np.array(["a"]), np.array([1]), "Another value"),
        ({"a": 1.0}, {"b": 1.0}, "Another value"),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}, "Another value"),
        ({"a": 1.0}, 1.0, "a value for each key"),
        ({"a": 1.0}, pd.Series([9.0, 1.0], index=["a", "a"]), "a value for each key"),
        ([1, 2], [1, 2, 3], "Another value"),
        ([1, 2], {1, 2}, "`set`; a list is expected"),
        ((1, 2), 1.0, "`float`; a tuple (a list will do) is expected"),
        ([1, 2], "12", "`str`; a list is expected"),
        (np.ones((2, 3)), [[1.0] * 3] * 2, "`list`; an array of the shape (2, 3) is expected"),
        ("text", b"text", "`bytes`; a text is expected"),
        (1.0, Hostile, "`Hostile`; a single number"),
        (1.0, AlwaysEqual, "`AlwaysEqual`; a single number"),
        ("text", AlwaysEqual, "`AlwaysEqual`; a text is expected"),
        ([1.0], lambda: [Hostile()], "Another value"),
        ({"a": 1.0}, lambda: {"a": Hostile()}, "Another value"),
        (np.ones(2), Hostile, "`Hostile`; an array"),
        (10_000_000, 10_000_001, "Another value"),
        (10_000_000, 10_000_001.0, "Another value"),
        (9_999_999.6, 10_000_000, "Another value"),
        (np.array([10_000_000]), np.array([10_000_001]), "Another value"),
        (np.array([10_000_000]), np.array([10_000_001.0]), "Another value"),
        (np.array([9_999_999.6]), np.array([10_000_000]), "Another value"),
        (Fraction(1, 3), Fraction(333, 1000), "Another value"),
        (Decimal("0.1"), Fraction(1, 9), "Another value"),
    ],
)
def test_another_value_is_refused(wanted, answer, says):
    verdict = asks(wanted).verdict(answer if callable(answer) else lambda: answer)
    assert verdict.outcome is Outcome.INCORRECT
    assert says in verdict.message
    assert verdict.got


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (1.0, 1),
        (1.0, np.float32(1)),
        (1, np.int8(1)),
        (1.0, np.array(1.0)),
        (1.0, 1 + 1e-9),
        (True, np.True_),
        (float("nan"), np.float64("nan")),
        (float("inf"), float("inf")),
        (1j, 1j),
        ({"a": 1.0, "b": 2.0}, pd.Series([2.0, 1.0], index=["b", "a"])),
        ({"a": 1.0}, {"a": np.float64(1)}),
        ([1, 2], (1, 2)),
        ([[1], [2]], ([1.0], (2,))),
        (np.arange(3), np.arange(3.0)),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan])),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        ("text", np.str_("text")),
        (2**200, 2**200),
        (10_000_000, 10_000_000.0 + 1e-8),
        (9_999_999.6, 9_999_999.7),
        (Fraction(1, 3), 1 / 3),
        (1 / 3, Fraction(1, 3)),
        (0.1, Decimal("0.1")),
        (Decimal("0.1"), Fraction(1, 10)),
        (3, Fraction(3)),
        ([1, 2], np.array([1, 2])),
        ((0.5, None), [Fraction(1, 2), None]),
    ],
    ids=str,
)
def test_the_same_value_in_another_dress_is_accepted(wanted, answer):
    assert asks(wanted).verdict(lambda: answer).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (2**53 + 1, 2**53),
        (2**200 + 1, 2**200),
        (np.int64(2**53 + 1), 2**53),
        (np.array([2**53 + 1]), np.array([2**53])),
        (0.1 + 0.2, 0.3),
        (False, 0),
        (0, False),
    ],
    ids=str,
)
def test_exactly_is_exactly(value, wanted):
    assert matches(wanted, wanted)
    assert not matches(value, wanted)


def test_tensors_of_every_dtype_are_compared():
    torch = pytest.importorskip("torch")
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int8):
        tensor = torch.tensor([0.0, 1.0, 2.0]).to(dtype)
        assert matches(tensor, np.array([0.0, 1.0, 2.0])), dtype
        assert matches(tensor, tensor), dtype
        assert not matches(tensor, np.array([0.0, 1.0, 1.0])), dtype
        assert "[0" in shorten(tensor)
    parameter = torch.nn.Parameter(torch.ones(2))
    assert matches({"weight": parameter}, {"weight": np.ones(2)})
    assert matches(parameter.sum(), 2.0)
    assert matches(torch.tensor(True), True)
    assert not matches(torch.tensor(1), True)
    assert matches(torch.tensor([1 + 1j]).conj(), np.array([1 - 1j]))
    assert not matches(torch.ones(2, 1), np.ones(2))
    with pytest.raises(Unmet, match="shape"):
        expect(torch.ones(3, dtype=torch.bfloat16), close_to=torch.ones(2), because="Another.")


def test_a_value_whose_text_hangs_is_stopped():
    verdict = asks(1.0, seconds=0.3).verdict(lambda: Hanging())
    assert verdict.outcome is Outcome.RAISED
    assert "0.3 seconds" in verdict.message


def test_a_value_that_contains_itself_is_refused():
    nested = [1]
    nested.append(nested)
    assert asks([1, [1]]).verdict(lambda: nested).outcome is Outcome.INCORRECT


def test_a_large_value_is_shown_short():
    for value in (list(range(10**6)), "x" * 10**6, np.ones((1000, 1000)), {"a": ["b" * 1000] * 1000}):
        verdict = asks(1.0).verdict(lambda value=value: value)
        assert verdict.outcome is Outcome.INCORRECT
        assert 0 < len(verdict.got) <= 240


def test_a_value_the_check_cannot_use_is_told_as_such():
    verdict = in_the_house("answer() + 1").verdict(lambda: "one")
    assert verdict.outcome is Outcome.INCORRECT
    assert "cannot use what your function returned (`TypeError" in verdict.message


# ------------------------------------------------------------------ cases and misconceptions


@pytest.mark.parametrize("answer", [lambda a, b: 7, lambda a, b: right(44, 47)], ids=["constant", "hard-coded"])
def test_constants_fail(answer):
    assert all(toy().verdict(answer, seed).outcome is Outcome.INCORRECT for seed in range(20))


def test_the_same_seed_asks_the_same_cases(tmp_path):
    asked = tmp_path / "asked"

    def answer(a, b):
        with open(asked, "a") as file:  # the check runs in another process
            file.write(f"{a}-{b} ")
        return right(a, b)

    seen = []
    for seed in (5, 5, 6):
        asked.write_text("")
        toy().verdict(answer, seed)
        seen.append(asked.read_text())
    assert seen[0] == seen[1] != seen[2]
    assert len(set(seen[0].split())) == 5


def test_helix_seed_fixes_the_cases_and_is_recorded(monkeypatch):
    monkeypatch.setenv("HELIX_SEED", "7")
    toy()(right)
    monkeypatch.delenv("HELIX_SEED")
    toy()(right)
    toy()(right)
    first, *others = [entry["seed"] for entry in journal.read(progress.path())]
    assert first == 7
    assert others[0] != others[1]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda a, b: a - b, "This is signed."),
        (lambda a, b: b - a, "This is signed."),
        (lambda a, b: a + b, "This is a sum."),
        (lambda a, b: a, "This is one of the two."),
        (lambda a, b: min(a, b), "This is one of the two."),
        (lambda a, b: a * b + 1000, "This is not the difference."),
    ],
)
def test_a_misconception_is_named_by_what_it_does(answer, says):
    for seed in range(5):
        assert toy().verdict(answer, seed).message == says


def test_a_misconception_must_explain_every_case_that_failed():
    @exercise(lab=LAB, title="Zero", minutes=1, repeats=4)
    def zero(answer, rng):
        case = int(rng.integers(1000))
        expect(answer(case), equal_to=0, because="It is not zero.", if_equals={"Odd": case if case % 2 else -1})

    numbers = [int(np.random.default_rng([1, index]).integers(1000)) for index in range(4)]
    assert {number % 2 for number in numbers} == {0, 1}
    assert zero.verdict(lambda case: case, 1).message == "It is not zero."
    assert zero.verdict(lambda case: case if case % 2 else -1, 1).message == "Odd"
    assert zero.verdict(lambda case: case if case % 2 else 0, 1).message == "Odd"  # the even cases did not fail


def test_the_likeliest_of_two_misconceptions_is_named():
    @exercise(lab=LAB, title="Zero", minutes=1)
    def zero(answer, rng):
        expect(answer(), equal_to=0, because="No.", if_equals={"first": any_of(5, 1), "second": 1, "third": 2})

    assert zero.verdict(lambda: 1).message == "first"
    assert zero.verdict(lambda: 2).message == "third"
    assert zero.verdict(lambda: 5).message == "first"


def test_any_of_is_told_apart_from_a_tuple():
    with pytest.raises(Unmet) as unmet:
        expect((1, 2), equal_to=(3, 4), because="No.", if_equals={"tuple": (1, 2), "any": any_of(1, 2)})
    assert unmet.value.explains == ("tuple",)


def test_expect_needs_one_value():
    with pytest.raises(TypeError, match="equal_to"):
        expect(1, because="No.")


def test_expect_that():
    expect_that(np.True_, because="No.")
    with pytest.raises(Unmet, match="No"):
        expect_that([], because="No.", got=np.float64(0.25))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda: refuse("x"), Outcome.CORRECT),
        (lambda: int("x"), Outcome.INCORRECT),
        (lambda: min([]), Outcome.INCORRECT),
        (lambda: 1, Outcome.INCORRECT),
        (lambda: {}["x"], Outcome.RAISED),
        (lambda: blank(1, 2), Outcome.NOT_ATTEMPTED),
    ],
)
def test_expect_raises(answer, outcome):
    @exercise(lab=LAB, title="Refuse", minutes=1)
    def refuses(answer, rng):
        expect_raises(ValueError, answer, because="It must refuse.", given="nothing")

    assert refuses.verdict(answer).outcome is outcome


@pytest.mark.parametrize("error", [NotImplementedError, RuntimeError, Exception])
def test_a_blank_is_no_refusal(error):
    with pytest.raises(NotImplementedError):
        expect_raises(error, lambda: blank(1, 2), because="It must refuse.")


# ------------------------------------------------------------------ the card


def test_the_card_is_text_outside_a_notebook(monkeypatch, capsys):
    monkeypatch.setenv("HELIX_SEED", "1")  # on some seeds a − b is never negative
    toy()(lambda a, b: a - b)
    shown = capsys.readouterr().out
    assert "✗ Incorrect: Difference\nThis is signed.\nCase: a = " in shown
    assert "Your answer: " in shown
    assert "0 of 1 core exercises of this lab are done." in shown


def test_the_card_is_html_in_a_notebook(monkeypatch):
    IPython = pytest.importorskip("IPython")
    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: shown.append(data))
    toy()(right)
    assert set(shown[0]) == {"text/html", "text/plain"}
    assert "✓ </span>Correct</b>: Difference" in shown[0]["text/html"]
    assert "aria-label='Correct: Difference'" in shown[0]["text/html"]


def test_hostile_text_is_escaped():
    bad = "<script>alert('x')</script> `<b>` & </pre></div>"
    verdict = Verdict(Outcome.RAISED, bad, given=bad, got=bad, where=bad, printed=bad, details={"notes": [bad]})
    hints = {bad: bad}
    html = Card(bad, verdict, hints=hints, last_hints=hints, help=bad, again=bad, count=bad, warning=bad)._repr_html_()
    assert "<script" not in html
    assert "<b>`" not in html
    assert "<code>&lt;b&gt;</code>" in html
    assert html.count("&lt;script&gt;") == 16
    assert html.count("</pre>") == 3
    assert html.count("<div") == html.count("</div>")


def test_hostile_answers_are_escaped(monkeypatch):
    IPython = pytest.importorskip("IPython")
    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: shown.append(data["text/html"]))

    def raises(a, b):
        print("<script>")
        raise ValueError("<script>")

    toy()(lambda a, b: "<script>")
    toy()(raises)
    assert len(shown) == 2
    assert not any("<script" in html for html in shown)


def test_hints_grow_with_failed_attempts(capsys):
    check = toy(hints=("one", "two", "three"))
    seen = []
    for _ in range(4):
        check(lambda a, b: 0)
        seen.append([line for line in capsys.readouterr().out.splitlines() if line.startswith("Hint")])
    assert [len(hints) for hints in seen] == [1, 2, 3, 3]
    assert seen[2] == ["Hint 1: one", "Hint 2: two", "Hint 3: three"]
    check(right)
    assert "Hint" not in capsys.readouterr().out


def test_a_blank_is_no_failed_attempt(capsys):
    check = toy(hints=("one", "two"))
    for _ in range(3):
        check(blank)
    capsys.readouterr()
    check(lambda a, b: 0)
    assert "Hint 2" not in capsys.readouterr().out
    assert progress.standing(LAB).failures == {"difference": 1}


def test_a_hint_can_be_asked_for(capsys):
    check = toy(hints=("one", "two"))
    check.hint()
    check.hint(2)
    assert capsys.readouterr().out == "Hint 1 of 2: one\nHint 2 of 2: two\n"
    for number in (0, 3, -1):
        with pytest.raises(ValueError, match="2 hints"):
            check.hint(number)


@pytest.mark.parametrize(
    ("answer", "help_"),
    [
        (lambda a, b: {}["Male"], "What helps: The keys differ."),
        (lambda a, b: undefined, "What helps: Is the name spelled"),  # noqa: F821
        (lambda a, b: pd_.x, "What helps: Is the name spelled"),  # noqa: F821
        (lambda a: a, "so keep that line"),
        (lambda a, b: a / 0, ""),
        (lambda a, b: "KeyError", ""),
    ],
)
def test_help_for_an_error_is_found(answer, help_, capsys):
    toy(errors={r"KeyError": "The keys differ."})(answer)
    shown = capsys.readouterr().out
    assert help_ in shown if help_ else "What helps" not in shown


def test_an_exercises_own_help_comes_first(capsys):
    toy(errors={r"name '\w+' is not defined": "It is in cell 3."})(lambda a, b: undefined)  # noqa: F821
    assert "What helps: It is in cell 3." in capsys.readouterr().out


def test_the_count_is_of_core_exercises(capsys):
    first, second, stretch = toy("first"), toy("second"), toy("third", core=False)
    counts = []
    for check, answer in ((first, right), (stretch, right), (second, right), (first, blank)):
        check(answer)
        counts.append(capsys.readouterr().out.splitlines()[-1].partition(" core")[0])
    assert counts == ["1 of 2", "1 of 2", "2 of 2", "2 of 2"]


# ------------------------------------------------------------------ progress and grading


def test_progress_survives(capsys):
    check = toy()
    check(lambda a, b: 0)
    check(right)
    check(lambda a, b: a / 0)
    standing = progress.standing(LAB)
    assert standing.correct == {"difference"}
    assert standing.failures == {"difference": 2}
    assert "1 of 1 core" in capsys.readouterr().out.splitlines()[-1]


def broken_disk(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize("broken", ["append", "read"])
@pytest.mark.parametrize(("answer", "sign"), [(right, "✓"), (lambda a, b: 0, "✗")], ids=["right", "wrong"])
def test_a_result_that_cannot_be_saved_is_still_shown(broken, answer, sign, monkeypatch, capsys):
    monkeypatch.setattr(journal, broken, broken_disk)
    toy()(answer)
    shown = capsys.readouterr().out
    assert shown.startswith(sign)
    assert "could not be saved: Read-only file system" in shown


def test_an_error_without_a_reason_of_the_system_is_still_shown(monkeypatch, capsys):
    def append(*_):
        raise OSError("the share is gone")

    monkeypatch.setattr(journal, "append", append)
    toy()(right)
    assert "could not be saved: the share is gone." in capsys.readouterr().out


def test_a_work_folder_that_cannot_be_made_is_told_under_the_card(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "file" / "work"))
    toy()(right)
    shown = capsys.readouterr().out
    assert shown.startswith("✓")
    assert "Set HELIX_WORK to a folder that you can write to." in shown


def test_half_a_surrogate_pair_is_recorded_without_trouble(capsys):
    def answer(a, b):
        raise ValueError("\ud800")

    toy()(answer)
    assert "ValueError: ?" in capsys.readouterr().out
    assert progress.standing(LAB).failures == {"difference": 1}


@pytest.mark.parametrize("answer", [None, blank, lambda a, b: 0, lambda a, b: a / 0], ids=range(4))
def test_grading_raises(answer, monkeypatch, capsys):
    monkeypatch.setenv("HELIX_GRADING", "1")
    with pytest.raises(NotCorrect, match=r"toy.difference: "):
        toy()(answer)
    assert "Difference" in capsys.readouterr().out
    assert len(journal.read(progress.path())) == 1


@pytest.mark.parametrize("setting", ["1", "0", ""])
def test_grading_lets_right_answers_pass(setting, monkeypatch):
    monkeypatch.setenv("HELIX_GRADING", setting)
    toy()(right)


def test_without_grading_nothing_raises(monkeypatch):
    monkeypatch.setenv("HELIX_GRADING", "0")
    toy()(lambda a, b: 0)


def test_a_verdict_records_and_shows_nothing(capsys):
    toy().verdict(right)
    assert capsys.readouterr().out == ""
    assert not progress.path().exists()


def test_a_verdict_survives_the_way_through_json():
    verdict = Verdict(Outcome.RAISED, "m", "g", "a", "w", "p", {"notes": ["n"]})
    assert Verdict.from_plain(verdict.as_plain()) == verdict
    assert type(verdict.as_plain()["outcome"]) is str


# ------------------------------------------------------------------ decisions


def gate(case):
    return case < 5


class Gate:
    def __call__(self, case):
        return case < 5


def refuses_bad_cases(case):
    if case < 5:
        return True
    raise ValueError("not this one")


def good():
    return Decision(
        question="May it be released?",
        affected=["people who are turned away"],
        options=["ship", "stop"],
        evidence={"gap": "> 0.1"},
        choice="stop",
        dissent="Waiting has a price, too.",
        residual_risk="The gate sees one number only.",
        owner="The head of credit risk",
        review_date=date.today() + timedelta(days=90),
        control=gate,
    )


@pytest.fixture
def decide():
    """Make a decision exercise, with its evidence recorded as a learner would."""
    evidence("gap", 0.18)
    return decision(
        lab=LAB,
        title="Decide",
        minutes=5,
        evidence={"gap": lambda: 0.18},
        stop=lambda rng: [(int(rng.integers(5, 10)),)],
        stop_because="It lets a bad case pass.",
        let_pass=lambda rng: [(int(rng.integers(0, 5)),)],
        pass_because="It stops a good case.",
        rules=(Rule(lambda made, values: made.choice == "ship" and values["gap"] > 0.1, "It ships a gap."),),
        rubric=("Is anyone missing?",),
        examples=(ReasonedAnswer("Stop", "Because."), ReasonedAnswer("Ship", "Nevertheless.")),
    )


def test_a_good_decision_is_registered_with_its_values_and_the_controls_source(decide, capsys):
    decide(good)
    shown = capsys.readouterr().out
    assert "✓ Recorded: Decide" in shown
    assert "Correct" not in shown
    assert "No program can judge" in shown
    assert "- Is `The head of credit risk` one person who can be called" in shown
    assert "- Is anyone missing?" in shown
    assert "**Another answer: Ship.** Nevertheless." in shown
    kept = decisions.registered()[LAB]
    assert kept["values"] == {"gap": 0.18}
    assert kept["control"] == {"name": "gate", "source": "def gate(case):\n    return case < 5\n"}
    assert kept["review_date"] == good().review_date.isoformat()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dissent": "..."}, "`dissent` is empty"),
        ({"affected": ["women", ...]}, "`affected` has an entry that is blank, or no text"),
        ({"evidence": {"gap": "<= 0.1"}}, "`gap` is <= 0.1, but its value is 0.18"),
        ({"evidence": {"other": "> 0"}}, "does not say what it makes of `gap`"),
        ({"evidence": {"gap": "> 0.1", "other": "> 0"}}, "`other` is not evidence that this run recorded"),
        ({"choice": "ship"}, "It ships a gap."),
        ({"control": lambda case: True}, "It lets a bad case pass."),
        ({"control": lambda case: False}, "It stops a good case."),
        ({"control": refuses_bad_cases}, "A control answers True or False; it does not raise"),
        ({"control": lambda case: 0}, "must return True (let it pass) or False"),
        ({"control": lambda case: None}, "must return True (let it pass) or False"),
        ({"control": "gate"}, "`control` is not a function"),
        ({"control": Gate}, "cannot be called with a case"),
        ({"control": lambda case, limit: True}, "any further one needs a default"),
        ({"question": "May it?"}, "`question` says too little"),
        ({"choice": "release", "options": ["release", "stop"]}, "begins with ship, fix or stop"),
    ],
)
def test_a_bad_decision_is_refused(decide, changes, says):
    verdict = decide.verdict(lambda: replace(good(), **changes))
    assert verdict.outcome in (Outcome.INCORRECT, Outcome.RAISED)
    assert says in verdict.message
    assert not decisions.path().exists()


def test_a_control_that_raises_is_an_error_of_the_code(decide):
    verdict = decide.verdict(lambda: replace(good(), control=lambda case: case / 0))
    assert verdict.outcome is Outcome.RAISED
    assert "ZeroDivisionError" in verdict.message
    assert "case / 0" in verdict.where


def test_a_control_that_is_still_blank_is_not_attempted(decide):
    def control(case):
        raise NotImplementedError

    verdict = decide.verdict(lambda: replace(good(), control=control))
    assert verdict.outcome is Outcome.NOT_ATTEMPTED
    assert "`control`, which this exercise uses" in verdict.message


@pytest.mark.parametrize("control", [lambda case: case < 5, Gate(), lambda case: np.bool_(case < 5), gate])
def test_every_kind_of_function_can_be_a_control(decide, control):
    decide(lambda: replace(good(), control=control))
    assert "case < 5" in decisions.registered()[LAB]["control"]["source"]


@pytest.mark.parametrize("made", [None, "stop", {"choice": "stop"}, Decision], ids=str)
def test_something_else_is_no_decision(decide, made):
    verdict = decide.verdict(lambda: made)
    assert verdict.outcome is Outcome.INCORRECT
    assert "must return a `Decision(...)`" in verdict.message


def test_a_field_that_is_missing_is_told(decide):
    verdict = decide.verdict(lambda: Decision(question="May it?"))
    assert verdict.outcome is Outcome.RAISED
    assert "missing 9 required positional arguments" in verdict.message


def test_evidence_must_be_recorded_and_be_fresh(decide):
    evidence("gap", 0.25)
    stale = decide.verdict(good)
    assert stale.outcome is Outcome.INCORRECT
    assert "is not the one that the check computes" in stale.message
    forget()
    assert "has not recorded `gap` yet" in decide.verdict(good).message


def test_a_decision_brings_its_wrong_answers(decide):
    brought = decide.wrong_answers(good)
    assert len(brought) > 20
    for what, answer, says in brought:
        for isolated in (True, False):
            verdict = decide.verdict(answer, isolated=isolated)
            assert verdict.outcome is Outcome.INCORRECT, what
            assert says in verdict.message, what


def test_of_two_pieces_of_evidence_each_can_be_missing():
    both = replace(good(), evidence={"gap": "> 0.1", "ratio": "< 0.8"})
    brought = wrong_decisions(lambda: both, {"gap": 0.18, "ratio": 0.7}, {"ratio": 0.8}, "stops", "passes")
    told = {what: (answer(), says) for what, answer, says in brought}
    assert told["ratio missing"][1] == "does not say what it makes of `ratio`"
    assert told["ratio missing"][0].evidence == {"gap": "> 0.1"}
    assert told["ratio denied"][0].evidence["ratio"] == ">= 0.8"
    settled = told["ratio settles nothing"][0]
    assert not settled.contradictions({"gap": 0.18, "ratio": 0.7})
    assert not settled.settles("ratio", 0.8, 0.7)


def test_evidence_is_computed_once_and_before_the_fork():
    calls = []
    evidence("gap", 0.18)
    one = decision(
        lab=LAB,
        title="Decide",
        minutes=5,
        evidence={"gap": lambda: calls.append(os.getpid()) or 0.18},
        stop=lambda rng: [(7,)],
        stop_because="It lets a bad case pass.",
        let_pass=lambda rng: [(2,)],
        pass_because="It stops a good case.",
        rubric=(),
        examples=(),
    )
    for _ in range(3):
        assert one.verdict(good).outcome is Outcome.CORRECT
    assert calls == [os.getpid()]


def test_evidence_that_cannot_be_computed_is_told_by_the_check():
    def fails():
        raise OSError("no data")

    evidence("gap", 0.18)
    one = decision(
        lab=LAB, title="Decide", minutes=5, evidence={"gap": fails}, rubric=(), examples=(),
        stop=lambda rng: [], stop_because="", let_pass=lambda rng: [], pass_because="",
    )  # fmt: skip
    assert "no data" in one.verdict(good).message


def test_the_latest_decision_of_a_lab_counts(decide, capsys):
    decide(good)
    decide(lambda: replace(good(), owner="Dr. Bello"))
    decide(lambda: replace(good(), choice="ship"))
    assert decisions.registered()[LAB]["owner"] == "Dr. Bello"
    assert len(journal.read(decisions.path())) == 2


def test_a_decision_that_cannot_be_saved_is_told(decide, monkeypatch, capsys):
    monkeypatch.setattr(decisions, "register", broken_disk)
    decide(good)
    shown = capsys.readouterr().out
    assert "✓ Recorded" in shown
    assert "could not be saved" in shown


# ------------------------------------------------------------------ imports


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_checks_are_imported_without_torch():
    done = run_python(
        "import sys, pkgutil, importlib, helix.labs\n"
        "names = [module.name for module in pkgutil.iter_modules(helix.labs.__path__)]\n"
        "for name in names: importlib.import_module(f'helix.labs.{name}')\n"
        "assert 'torch' not in sys.modules\n"
        "print(*names)"
    )
    assert done.returncode == 0, done.stderr
    assert "start_here" in done.stdout.split()


def test_the_command_imports_nothing_heavy():
    done = run_python(
        "import sys, helix.course.cli\n"
        "heavy = {'numpy', 'pandas', 'torch', 'matplotlib', 'IPython', 'nbformat', 'jupytext', 'pytest'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_every_word_of_the_usage_is_a_command_and_the_other_way():
    from helix.course import cli

    listed = {line.split()[0] for line in cli.USAGE.splitlines() if line.startswith("  ")}
    assert listed == set(cli.COMMANDS)


def test_exercises_stand_in_the_order_of_their_module(monkeypatch):
    first, second = toy("zebra"), toy("ant")
    monkeypatch.setattr(importlib, "import_module", lambda name: None)
    assert exercises_of(LAB) == {"zebra": first, "ant": second}
    assert list(exercises_of(LAB)) == ["zebra", "ant"]


def _luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mix(first, second, share):
    parts = [
        round(share * int(first[place : place + 2], 16) + (1 - share) * int(second[place : place + 2], 16))
        for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


@pytest.mark.parametrize(
    ("text", "background"), [("#212121", "#ffffff"), ("#e0e0e0", "#111111")], ids=["light", "dark"]
)
@pytest.mark.parametrize("outcome", Outcome)
def test_a_card_is_readable_in_both_themes(outcome, text, background):
    colour = card._LOOK[outcome][2]
    assert f"color-mix(in srgb, {colour} 70%, currentColor)" in Card("T", Verdict(outcome, "M"))._repr_html_()
    pair = _luminance(_mix(colour, text, 0.7)), _luminance(_mix(colour, background, 0x14 / 255))
    assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5
