"""What a card says and how: Markdown, hints, long values, cases to look at, and the one rule for each kind of answer."""

from __future__ import annotations

import sys
import time
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helix.checking import (
    Outcome,
    Question,
    ReasonedAnswer,
    Rule,
    card,
    decision,
    exercise,
    isolation,
    markdown,
    theirs,
)
from helix.checking import exercises as engine
from helix.checking.asking import Ask
from helix.checking.card import Card
from helix.checking.expectations import ROUNDED, Unmet, expect, is_rounded, matches, of_type, shorten, without_numpy
from helix.checking.verdict import Verdict
from helix.record import Decision, decisions, evidence, journal, progress
from helix.record.evidence_store import forget
from helix.texts import AT_MOST, cut, kind, quoted

LAB = "toy"
linux = pytest.mark.skipif(sys.platform != "linux", reason="answers run in a forked child on Linux only")


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("HELIX_GRADING", raising=False)
    monkeypatch.setattr(engine, "_REGISTRY", {})
    forget()
    yield
    forget()


def mean(values):
    return sum(values) / len(values)


def toy(**options):
    @exercise(lab=LAB, title="The mean", minutes=1, reference=mean, **options)
    def average(ask, rng):
        ask(rng.normal(size=500).tolist(), because="This is not the mean.", given="500 numbers")

    return average


# ------------------------------------------------------------------ Markdown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("`a<b` and **all** *of* it", "<code>a&lt;b</code> and <b>all</b> <em>of</em> it"),
        ("**Use `max`.** Then go.", "<b>Use <code>max</code>.</b> Then go."),
        ("`**kept**`", "<code>**kept**</code>"),
        ("2**bits − 1 is less than 2**bits, and a*b*c", "2**bits − 1 is less than 2**bits, and a*b*c"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("[a page](https://a.org/b?c=1&d=2)", '<a href="https://a.org/b?c=1&amp;d=2">a page</a>'),
        ("[here](../labs/a.ipynb)", "[here](../labs/a.ipynb)"),
        ("[a lab](labs/a.ipynb)", '<a href="labs/a.ipynb">a lab</a>'),
        ("[no](javascript:alert(1))", "[no](javascript:alert(1))"),
        ('[no](https://a.org/"onclick="x)', '[no](https://a.org/"onclick="x)'),
        ("<b>no</b> & `<i>`", "&lt;b&gt;no&lt;/b&gt; &amp; <code>&lt;i&gt;</code>"),
        ("\0 `a` \0 `b`", " <code>a</code>  <code>b</code>"),
    ],
)
def test_sentences_are_rendered(text, html):
    assert markdown.inline(text) == html


def test_lists_and_paragraphs_are_rendered():
    made = markdown.blocks("First\nline.\n\n- *one*\n- `two`\n\n1. a\n2. b\n\n- no list, since\nit goes on")
    assert [made.count(f"<{tag}") for tag in ("p ", "ul", "ol", "li")] == [2, 1, 1, 4]
    assert "<em>one</em></li>" in made
    assert "First line." in made


def test_what_the_learner_wrote_is_never_rendered():
    bad = "**a** <img src=x> [b](https://c.org)"
    shown = Card("T", Verdict(Outcome.RAISED, bad, given=bad, got=bad, where=bad, printed=bad))._repr_html_()
    assert "<img" not in shown
    assert "<a " not in shown
    assert shown.count("**a**") == 5
    assert quoted("`<b>` *c*") == "`'<b>' *c*`"
    assert markdown.inline(quoted("**a** `b`")) == "<code>**a** 'b'</code>"


# ------------------------------------------------------------------ for everybody who reads it


@pytest.mark.parametrize("outcome", Outcome)
def test_a_card_is_named_and_only_its_first_line_is_announced(outcome):
    shown = Card("A `limit` & more", Verdict(outcome, "Words."))._repr_html_()
    word = card._LOOK[outcome][1]
    assert shown.startswith(f"<section class='hx-card' aria-label='{word}: A limit &amp; more'")
    assert shown.count("role='alert'") == 1
    assert "role='status'" not in shown
    assert f"<span aria-hidden='true'>{card._LOOK[outcome][0]} </span>{word}</b>: A <code>limit</code>" in shown


# ------------------------------------------------------------------ bounds


def test_texts_are_cut_everywhere(capsys):
    long = "x" * 10**6

    def raises(values):
        raise ValueError(long)

    def prints(values):
        print(long)
        return long

    check = toy()
    for answer in (raises, prints, lambda values: {long: 1}, lambda values: dict.fromkeys(map(str, range(50_000)))):
        check(answer)
        assert len(capsys.readouterr().out) < 4 * AT_MOST
    for entry in journal.read(progress.path()):
        assert len(entry["message"]) <= AT_MOST
    assert cut("abcdef", 4) == "abc…"
    assert len(quoted(long)) < 100


def test_a_decision_with_a_long_choice_is_cut():
    found = good(choice="x" * 10**6, owner="y" * 10**6).problems()
    assert found
    assert all(len(problem.says) < AT_MOST for problem in found)


def test_a_case_too_large_to_print_can_be_looked_at(capsys, monkeypatch):
    monkeypatch.setenv("HELIX_SEED", "3")
    check = toy()
    with pytest.raises(LookupError, match="none failed"):
        check.last_case()
    seen = []
    check(lambda values: max(values))
    assert "To look at this case: `case = check.average.last_case()`" in capsys.readouterr().out
    (values,) = check.last_case()
    assert len(values) == 500
    check.verdict(lambda values: seen.append(values) or max(values), 3, isolated=False)
    assert values == seen[0]
    check(mean)
    with pytest.raises(LookupError):
        check.last_case()


def test_the_question_that_failed_is_the_one_to_look_at():
    @exercise(lab=LAB, title="Three", minutes=1, reference=mean, repeats=2)
    def three(ask, rng):
        for length in (1, 2, 3):
            ask([float(length)] * length, because="No.", given=f"{length} numbers")
        ask.raises(ZeroDivisionError, [], because="Nothing has no mean.", given="nothing")

    three(lambda values: values[0] if len(values) < 3 else 0)
    assert three.last_case() == ([3.0, 3.0, 3.0],)
    three(lambda values: values[0] if values else 0)
    assert three.last_case() == ([],)


def test_a_case_that_is_told_in_full_is_not_offered(capsys):
    @exercise(lab=LAB, title="Short", minutes=1, reference=mean)
    def short(ask, rng):
        ask([1, 2], because="No.")

    short(lambda values: 0)
    assert "To look at" not in capsys.readouterr().out


def test_of_ranks_the_arguments_are_handed_out_without_a_launch():
    @exercise(lab=LAB, title="Ranks", minutes=1, reference=lambda values: [mean(values)] * 2, processes=True)
    def ranks(ask, rng):
        ask.on_ranks(Question([1.0, 3.0], because="No."), ranks=2)

    assert ranks._drawn_again([1, 0, 0]) == ([1.0, 3.0],)


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.str_("a"), "'a'"),
        ({np.str_("a"): np.int64(3)}, "{'a': 3}"),
        ([np.float32(0.5), (np.bool_(True),)], "[0.5, (True,)]"),
        ({np.int64(1)}, "{1}"),
        (set(), "set()"),
        (SimpleNamespace(a=np.int64(1), b=np.str_("c(d)")), "namespace(a=1, b='c(d)')"),
    ],
    ids=str,
)
def test_values_are_shown_as_plain_python(value, text):
    assert shorten(value) == text


def test_a_case_in_words_loses_numpys_names_too():
    assert without_numpy("(np.str_('ilbel'), np.int64(186), np.float64(-0.5))") == "('ilbel', 186, -0.5)"


@pytest.mark.parametrize(
    ("value", "wanted", "text"),
    [
        (0.1234561, 0.1234562, "0.1234561"),
        ({"a": 1 / 3 + 1e-8}, {"a": 1 / 3}, "{'a': 0.333333343}"),
        ([1.0, 2.0], [1.0, 3.0], "[1, 2]"),
        (np.array([0.50001]), np.array([0.50002]), "array([0.50001])"),
        (1.0, "1", "1"),
    ],
    ids=str,
)
def test_a_wrong_value_never_looks_like_the_right_one(value, wanted, text):
    assert shorten(value, unlike=wanted) == text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.array([3.0, 4.0]), (3.0, 4)),
        (pd.Series([3.0, 4.0]), [3.0, 4.0]),
        (pd.Series([3.0, 4.0]), np.array([3.0, 4.0])),
        (pd.DataFrame([[1.0, 2.0]]), np.array([[1.0, 2.0]])),
        (np.array([Fraction(1, 3), Decimal("0.5")], dtype=object), np.array([1 / 3, 0.5])),
        ([Fraction(1, 3), 5], (1 / 3, 5)),
        (np.array(5), 5),
        (2**2000, 2**2000),
    ],
    ids=str,
)
def test_the_right_values_in_another_container_are_right(value, wanted):
    assert matches(value, wanted, 1e-6, 1e-9)


class Rational:
    """A number of another library: registered as one, and otherwise known by nobody."""

    def __float__(self):
        return 0.25


def test_numbers_of_other_libraries_are_the_numbers_that_they_are():
    import numbers

    numbers.Real.register(Rational)
    assert matches(Rational(), 0.25, 1e-6, 1e-9)
    assert not matches(Rational(), 0.26, 1e-6, 1e-9)
    assert not matches(2**2000, 1.0, 1e-6, 1e-9)
    assert not matches(1.0, 2**2000, 1e-6, 1e-9)


def test_a_mistake_of_ours_is_not_called_the_learners():
    class Strange:
        def __eq__(self, other):
            raise TypeError("no")

        __hash__ = None

    with pytest.raises(TypeError):
        matches({"a": 1.0}, {"a": 1.1}, "no tolerance", 0.0)
    assert not matches({"a": Strange()}, {"a": Strange()})


def test_a_container_of_another_kind_is_named():
    assert of_type({"t": 1}, (1, 2)) == "Your function returned a `dict`; a tuple (a list will do) is expected."
    assert of_type(pd.Series([1]), 1.0) == "Your function returned a `Series`; a single number is expected."
    assert kind(()) == "a `tuple`"
    assert kind([].append) == "a `builtin_function_or_method`"
    assert kind(0) == "an `int`"


@pytest.mark.parametrize("digits", range(1, 7))
@pytest.mark.parametrize("spelled", ["f", "g"])
def test_a_rounded_answer_is_told_as_such(digits, spelled):
    def rounded(values):
        return float(format(mean(values), f".{digits}{spelled}"))

    for seed in range(10):
        verdict = toy().verdict(rounded, seed, isolated=False)
        if verdict.outcome is Outcome.INCORRECT and any(
            round(mean(case), digits) % 1 == 0
            for case in [toy().case(seed, index).normal(size=500) for index in range(5)]
        ):
            continue  # 0.0 can be something else than a rounded mean
        assert verdict.message == ROUNDED
    assert toy().verdict(mean, isolated=False).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("value", "wanted", "rounded"),
    [
        ({"a": 0.333333, "b": 1.0}, {"a": 1 / 3, "b": 1.0}, True),
        ([0.33, 0.67], np.array([1 / 3, 2 / 3]), True),
        (0.3, 0.1 + 0.2, False),
        (np.float32(1 / 3), 1 / 3, False),
        (0.0, 0.04, False),
        (1.0, 0.96, False),
        (0.34, 1 / 3, False),
        ("0.33", 1 / 3, False),
        ({"a": 0.33}, {"b": 1 / 3}, False),
        (float("nan"), 1 / 3, False),
    ],
    ids=str,
)
def test_what_counts_as_rounded(value, wanted, rounded):
    assert is_rounded(value, wanted) is rounded


def test_a_rounded_answer_is_not_explained_by_what_is_right_on_this_case():
    @exercise(
        lab=LAB,
        title="The mean",
        minutes=1,
        reference=mean,
        mistakes={
            "First and last.": lambda values: (values[0] + values[-1]) / 2,
            "Cut.": lambda values: int(100 * mean(values)) / 100,
        },
    )
    def average(ask, rng):
        ask([0.123456789, 0.3], because="No.")

    assert average.verdict(lambda values: round(mean(values), 6)).message == ROUNDED
    assert average.verdict(lambda values: 0.21).message == "Cut."
    assert average.verdict(lambda values: round(mean(values), 1)).message == ROUNDED


def test_a_check_that_takes_a_wider_tolerance_takes_rounded_values():
    expect(0.333, close_to=1 / 3, atol=0.01, because="No.")
    with pytest.raises(Unmet) as unmet:
        expect(0.33, close_to=1 / 3, because="No.", if_equals={"First": 0.33})
    assert unmet.value.explains == ("First", ROUNDED)
    with pytest.raises(Unmet) as unmet:
        expect(0.333333, close_to=1 / 3, because="No.")
    assert unmet.value.explains == (ROUNDED,)


@pytest.mark.parametrize(
    "answer",
    [
        lambda values: values.sort() or mean(values),
        lambda values: values.append(mean(values)) or values[-1],
        lambda values: (mean(values), values.clear())[0],
    ],
)
def test_an_answer_that_overwrites_its_input_is_always_told(answer):
    assert "changed `values`" in toy().verdict(answer).message


# ------------------------------------------------------------------ refusals


def test_an_accident_is_no_refusal():
    @exercise(lab=LAB, title="Refuse", minutes=1, reference=lambda values: max(values))
    def refuses(ask, rng):
        ask.raises(ValueError, [], because="Nothing has no largest.")

    verdict = refuses.verdict(lambda values: max(values))
    assert verdict.outcome is Outcome.INCORRECT
    assert verdict.message.startswith("Nothing has no largest. A `ValueError` came up here by accident.")

    def deliberate(values):
        if not values:
            raise ValueError("nothing")
        return max(values)

    assert refuses.verdict(deliberate).outcome is Outcome.CORRECT


# ------------------------------------------------------------------ what an answer may do


def test_nobody_types():
    start = time.monotonic()
    verdict = toy().verdict(lambda values: float(input("The mean? ")))
    assert time.monotonic() - start < 5
    assert verdict.outcome is Outcome.RAISED
    assert verdict.message.startswith("EOFError: a check cannot type")


@linux
def test_what_is_displayed_is_shown_on_the_card_and_sent_nowhere(monkeypatch):
    IPython = pytest.importorskip("IPython")
    sent = []
    shell = SimpleNamespace(
        display_pub=SimpleNamespace(publish=lambda *_, **__: sent.append(1)),
        kernel=SimpleNamespace(session=SimpleNamespace(send=lambda *_, **__: sys.stderr.write("sent"))),
    )
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)

    def answer():
        shell.display_pub.publish({"text/plain": "<Figure>", "image/png": "…"}, {}, transient={})
        shell.kernel.session.send("stream", "a message")
        return {"sent": len(sent)}

    ran = isolation.run(answer, 5, 2**29)
    assert (ran.value, ran.printed) == ({"sent": 0}, "<Figure>\n")
    assert not sent


@linux
def test_of_a_progress_bar_the_end_is_shown():
    ran = isolation.run(lambda: print("\r 10 %", end="\r 90 %\rdone\n") or {}, 5, 2**29)
    assert ran.printed == "done\n"


@linux
def test_the_limit_is_on_work_and_not_on_the_clock(monkeypatch):
    def works(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return {}

    monkeypatch.setattr(isolation, "_worked", lambda child: 0.0)  # it waits: stopped by the clock
    start = time.monotonic()
    assert isolation.run(lambda: works(3), 0.6, 2**29).stopped == "time"
    assert time.monotonic() - start < 2.5
    began = time.monotonic()
    monkeypatch.setattr(isolation, "_worked", lambda child: (time.monotonic() - began) / 10)  # a tenth of a processor
    assert isolation.run(lambda: time.sleep(1.5) or {}, 0.8, 2**29).value == {}
    monkeypatch.undo()
    assert isolation.run(lambda: works(5), 0.5, 2**29).stopped == "time"


# ------------------------------------------------------------------ hints


def test_the_last_hint_comes_last_and_is_opened_on_purpose(capsys):
    check = toy(hints=("one", "two"), last_hint="the `answer`")
    offered = []
    for _ in range(4):
        check(lambda values: 7)
        offered.append("There is a last hint" in capsys.readouterr().out)
    assert offered == [False, False, True, True]
    shown = Card("T", Verdict(Outcome.INCORRECT, "M"), last_hints={"Show the last hint": "the `answer`"})
    assert "<summary>Show the last hint: it gives the answer away</summary>" in shown._repr_html_()
    assert "answer`" not in repr(shown)
    check.last_hint()
    assert capsys.readouterr().out == "Last hint: the `answer`\n"
    toy().last_hint()
    assert "no last hint" in capsys.readouterr().out


def test_a_blank_is_given_no_hint(capsys):
    def blank(values):
        raise NotImplementedError

    check = toy(hints=("one", "two"))
    check(blank)
    assert "Hint" not in capsys.readouterr().out
    check(lambda values: 7)
    check(blank)
    assert "Hint 1: one" in capsys.readouterr().out


# ------------------------------------------------------------------ decisions


def gate(gap, limit=0.1):
    return gap <= limit


def good(**changes):
    fields = {
        "question": "May it be released?",
        "affected": ["people who are turned away"],
        "options": ["ship", "fix", "stop"],
        "evidence": {"gap": "> 0.1"},
        "choice": "stop",
        "dissent": "Waiting has a price, too.",
        "residual_risk": "The gate sees one number only.",
        "owner": "The head of credit risk",
        "review_date": date.today() + timedelta(days=90),
        "control": gate,
    }
    return Decision(**{**fields, **changes})


def decide(**options):
    evidence("gap", 0.18)
    return decision(
        **{
            "lab": LAB,
            "title": "Decide",
            "minutes": 5,
            "evidence": {"gap": lambda: 0.18},
            "limits": {"gap": 0.1},
            "stop": lambda rng: [(0.2,), (0.3,)],
            "stop_because": "It lets a bad case pass.",
            "let_pass": lambda rng: [(0.05,)],
            "pass_because": "It stops a good case.",
            "at_limit": lambda rng: [((0.5,), 0.5, True), ((0.5,), 0.375, False)],
            "rules": (
                Rule(lambda made, values: made.verb == "ship", "Your control stops it.", case=lambda: (0.18,)),
                Rule(lambda made, values: len(made.affected) > 3, "Too many."),
            ),
            "rubric": ("Is *anyone* missing?",),
            "examples": (ReasonedAnswer("Stop", "Because."), ReasonedAnswer("Ship", "Nevertheless.")),
            "hints": {"form": "Take the form.", "evidence": "Look.", "control": "Write a function."},
            "last_hints": {"control": "`gate`"},
        }
        | options
    )


def test_all_that_is_wrong_is_told_at_once():
    wrong = good(
        dissent="none", owner="the algorithm", affected={"women", "men"}, evidence={"gap": "< 0.1"}, options=["ship", "fix: ship it"],
        choice="fix", control=lambda gap: True,
    )  # fmt: skip
    verdict = decide().verdict(lambda: wrong)
    assert verdict.outcome is Outcome.INCORRECT
    assert verdict.message.startswith("6 things have to be mended:\n\n- ")
    for says in (
        "`dissent` says",
        "`affected` is",
        "changes nothing",
        "whom nobody",
        "is < 0.1, but its value is 0.18",
        "lets a bad",
    ):
        assert says in verdict.message
    assert set(verdict.details["fields"]) == {"dissent", "affected", "choice", "owner", "evidence", "control"}
    assert Card("T", verdict)._repr_html_().count("<li ") == 6


def test_a_rule_about_the_control_calls_the_control():
    check = decide()
    assert check.verdict(lambda: good(choice="ship")).message == "Your control stops it."
    opened = check.verdict(lambda: good(choice="ship", control=lambda gap: True)).message
    assert "Your control stops it" not in opened
    assert "It lets a bad case pass." in opened
    for control in (None, lambda gap: 0, lambda: True):
        assert (
            "Your control stops it"
            not in check.verdict(lambda control=control: good(choice="ship", control=control)).message
        )


def test_a_rule_that_cannot_be_read_for_another_problem_breaks_none():
    assert decide().verdict(lambda: good(affected=None)).message == "`affected` is empty. Write a list."


def test_a_rule_that_fails_by_itself_is_our_mistake():
    check = decide(rules=(Rule(lambda made, values: values["unheard"] > 1, "No."),))
    assert "KeyError" in check.verdict(lambda: good()).message


@pytest.mark.parametrize(
    ("control", "says"),
    [
        (lambda gap, limit=0.1: gap <= 0.1, "with `limit=0.5` it stops a case that lies within it or just at it"),
        (lambda gap, limit=0.1: gap < limit, "with `limit=0.5` it stops a case"),
        (
            lambda gap, limit=0.1: gap <= limit or limit > 0.2,
            "with `limit=0.375` it lets a case pass that lies beyond it",
        ),
    ],
)
def test_a_control_that_does_not_keep_to_its_limit_is_refused(control, says):
    verdict = decide().verdict(lambda: good(control=control))
    assert verdict.outcome is Outcome.INCORRECT
    assert says in verdict.message


@pytest.mark.parametrize("control", [lambda gap: gap <= 0.1, gate, lambda gap, *, limit=0.1: gap <= limit])
def test_a_control_may_have_no_limit_or_keep_to_it(control):
    assert decide().verdict(lambda: good(control=control)).outcome is Outcome.CORRECT


def test_a_control_that_raises_is_told_that_it_answers():
    class Refused(Exception):
        pass

    def refuses(gap):
        if gap > 0.1:
            raise Refused(f"a gap of {gap}")
        return True

    message = decide().verdict(lambda: good(control=refuses)).message
    assert "Your control raised `Refused: a gap of 0." in message
    assert "in `refuses` where it should answer. A control answers True or False; it does not raise" in message
    verdict = decide().verdict(lambda: good(control=lambda gap: gap / 0, owner="nobody"))
    assert "Your control fails on a case (`ZeroDivisionError: float division by zero`, line" in verdict.message
    assert "whom nobody can call" in verdict.message
    assert decide().verdict(lambda: good(control=lambda gap: gap / 0)).outcome is Outcome.RAISED


def test_stale_evidence_is_told_and_not_contradicted():
    check = decide()
    evidence("gap", 0.05)
    message = check.verdict(lambda: good(evidence={"gap": "< 0.1"})).message
    assert message.startswith("The value recorded as `gap`, 0.05, is not the one that the check computes.")


def test_hints_of_a_decision_go_by_field(capsys):
    check = decide()
    for _ in range(3):  # a wrong date, however often, reveals nothing of the control
        check(lambda: good(review_date=None))
        assert "int on" not in capsys.readouterr().out
    check(lambda: good(control=lambda gap: True))
    shown = capsys.readouterr().out
    assert "Hint on `control`: Write a function." in shown
    assert "Look." not in shown
    assert "There is a last hint" in shown
    check(lambda: "ship")
    assert "Hint on `form`: Take the form." in capsys.readouterr().out
    check.hint("evidence")
    check.hint(3)
    check.last_hint()
    assert capsys.readouterr().out == (
        "Hint on `evidence` of 3: Look.\nHint on `control` of 3: Write a function.\nLast hint on `control`: `gate`\n"
    )


def test_hints_name_fields_that_there_are():
    with pytest.raises(TypeError, match="form"):
        decide(hints={"controls": "…"})


def test_a_recorded_decision_says_what_no_program_can_judge(capsys):
    decide()(lambda: good(dissent="There are pros and cons to all of it."))
    shown = capsys.readouterr().out
    assert shown.startswith("✓ Recorded: Decide")
    assert "“pros and cons” can be said of every decision." in shown
    assert "- Is *anyone* missing?" in shown
    assert decisions.registered()[LAB]["choice"] == "stop"


def test_a_decisions_own_wrong_answers_are_all_told():
    for what, answer, says in decide().wrong_answers(good):
        verdict = decide().verdict(answer, isolated=False)
        assert verdict.outcome is Outcome.INCORRECT, what
        assert says in verdict.message, what


# ------------------------------------------------------------------ whose code it is


def test_whose_raise_it_was():
    def caught(call):
        try:
            call()
        except Exception as error:
            return error

    def own():
        raise KeyError("own")

    assert theirs.deliberate(caught(own))
    assert not theirs.deliberate(caught(lambda: {}["a"]))
    assert not theirs.deliberate(caught(lambda: evidence("Not snake", 1)))
    assert theirs.deliberate(caught(lambda: evidence("Not snake", 1)), ours=True)
    assert theirs.told(caught(own)).startswith("`KeyError: 'own'`, line ")
    assert Ask(own, own, {}).asked == []
