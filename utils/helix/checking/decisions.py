"""The exercise that ends a lab: a decision whose form, evidence and control are checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from helix.checking import isolation, theirs, wrong_decisions
from helix.checking.exercises import Exercise
from helix.checking.expectations import Unmet, matches, shorten
from helix.checking.verdict import Verdict
from helix.record import decisions
from helix.record.decisions import Decision, Problem
from helix.record.evidence_store import recorded
from helix.texts import quoted


@dataclass(frozen=True)
class Rule:
    """What no choice may do, whatever its reasons.

    Parameters
    ----------
    broken : callable
        Takes the decision and the true values of the evidence; True if the rule is broken.
    message : str
        What the learner is then told.
    case : callable, optional
        For a message that says what the control stops: returns that case, as the control's arguments. The message is told
        only if the learner's control, called with it, returns False.
    """

    broken: Callable[[Decision, Mapping[str, float]], bool]
    message: str
    case: Callable[[], Sequence[Any]] | None = None


@dataclass(frozen=True)
class ReasonedAnswer:
    """One of the contrasting answers that are shown after a decision was accepted."""

    choice: str
    reasons: str


def decision(
    *,
    lab: str,
    name: str = "decide",
    title: str,
    minutes: int,
    evidence: Mapping[str, Callable[[], float]],
    stop: Callable[[np.random.Generator], Iterable[Sequence[Any]]],
    stop_because: str,
    let_pass: Callable[[np.random.Generator], Iterable[Sequence[Any]]],
    pass_because: str,
    limits: Mapping[str, float] | None = None,
    rules: Sequence[Rule] = (),
    rubric: Sequence[str],
    examples: tuple[ReasonedAnswer, ReasonedAnswer],
    difficulty: int = 3,
    at_limit: Callable[[np.random.Generator], Iterable[tuple[Sequence[Any], float, bool]]] | None = None,
    hints: Mapping[str, str] | None = None,
    last_hints: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    seconds: float = 20.0,
) -> Exercise:
    """Make the exercise ``check.decide(decide)``: the answer is a function without arguments that returns a `Decision`.

    Mistakes of form, evidence and control that any lab can meet need no wrong answer there: the exercise brings them
    (`helix.checking.wrong_decisions`).

    Parameters
    ----------
    evidence : mapping of str to callable
        The evidence ids that the decision must rest on, and how the check computes each again: once in a session.
    stop, let_pass : callable
        Draw the cases that the control must stop, and those that it must let pass: for each case, its arguments. Cases of
        the two kinds should differ in nothing but what the control is for.
    stop_because, pass_because : str
        What to tell a learner whose control does otherwise.
    limits : mapping of str to float, optional
        On which side of this limit the decision must say that a piece of evidence lies.
    rules : sequence of Rule
        Contradictions between choice and evidence that no reason mends.
    rubric : sequence of str
        What a program cannot judge: questions the learner holds against the own text.
    examples : tuple of two ReasonedAnswer
        Two contrasting, reasoned answers, shown after the own one was accepted.
    at_limit : callable, optional
        For a control that may take a `limit`: draws cases (the control's other arguments), each with a limit and whether the
        case may pass under it. Ask at another limit than the default, and at exactly the limit. A control without a parameter
        of that name is not asked them.
    hints, last_hints : mapping of str to str
        By field of the decision, or ``form`` where none was returned: a hint is offered where its field has a problem, and
        nowhere else. A last hint may give the answer away.
    """
    computed = {id: cache(compute) for id, compute in evidence.items()}

    def draw(rng: np.random.Generator) -> list[_Asked]:
        asked = [_Asked(case, False, stop_because) for case in stop(rng)]
        asked += [_Asked(case, True, pass_because) for case in let_pass(rng)]
        return [asked[place] for place in rng.permutation(len(asked))] + [
            _Asked(case, passes, "", limit) for case, limit, passes in (at_limit(rng) if at_limit else ())
        ]

    def cases(answer: Callable[[], Any], asked: list[_Asked]) -> dict[str, Any]:
        made = answer()
        if not isinstance(made, Decision):
            raise Unmet("Your function must return a `Decision(...)`.", got=shorten(made), details={"fields": ["form"]})
        found = made.problems()
        values: dict[str, float] = {}
        if isinstance(made.evidence, Mapping) and made.evidence:
            values = recorded() | {id: compute() for id, compute in computed.items()}
            found += _of_evidence(made, values, computed, limits or {})
        found += _of_rules(made, values, rules, sure=not found)
        if callable(made.control):
            found += _of_control(made.control, asked, sure=not found)
        if found:
            fields = list(dict.fromkeys(problem.field for problem in found))
            raise Unmet(_listed([problem.says for problem in found]), details={"fields": fields})
        return {
            "decision": {**made.as_record(), "values": {id: values[id] for id in made.evidence}},
            "message": "Your decision is complete, agrees with its evidence, and its control works. It is in your register.",
            "notes": [
                "No program can judge whether your reasons are good, whether the dissent is fair, and who is not named. "
                "Ask yourself, or better somebody who would decide otherwise:\n"
                + "".join(f"\n- {question}" for question in (*made.doubts(), *rubric)),
                *(f"**Another answer: {example.choice}.** {example.reasons}" for example in examples),
            ],
        }

    def keep(verdict: Verdict) -> None:
        decisions.register(lab, verdict.details["decision"])

    def brought(solution: Callable[[], Decision]) -> Iterable[wrong_decisions.Wrong]:
        values = {id: compute() for id, compute in computed.items()}
        return wrong_decisions.wrong_decisions(
            solution, values, limits or {}, stop_because, pass_because, takes_limit=at_limit is not None
        )

    if unknown := {*(hints or {}), *(last_hints or {})} - {"form", *Decision.__dataclass_fields__}:
        raise TypeError(
            f"The hints of a decision are named by its fields, or `form`; not {', '.join(sorted(unknown))}."
        )
    cases.__name__ = name
    cases.__doc__ = title
    return Exercise(
        cases,
        lab=lab,
        title=title,
        core=True,
        minutes=minutes,
        difficulty=difficulty,
        hints=hints or {},
        last_hint=last_hints or {},
        errors=errors or {},
        repeats=1,
        seconds=seconds,
        memory=2048 * isolation.MEGABYTE,
        on_correct=keep,
        is_decision=True,
        draw=draw,
        warm=lambda: [compute() for compute in computed.values()],
        brought=brought,
    )


@dataclass(frozen=True)
class _Asked:
    """A case for the control, and what is told if it answers otherwise."""

    case: Sequence[Any]
    passes: bool
    because: str
    limit: float | None = None


def _listed(sentences: Sequence[str]) -> str:
    """Return one sentence as it is, several as a list."""
    sentences = list(dict.fromkeys(sentences))
    if len(sentences) == 1:
        return sentences[0]
    return f"{len(sentences)} things have to be mended:\n" + "".join(f"\n- {one}" for one in sentences)


def _of_evidence(
    made: Decision, values: Mapping[str, float], wanted: Mapping[str, Callable[[], float]], limits: Mapping[str, float]
) -> list[Problem]:
    """Return where evidence is missing, stale, contradicted, or settles nothing. `values` are the true ones."""
    have, found = recorded(), []
    for id, compute in wanted.items():
        if id not in have:
            found.append(f'This run has not recorded `{id}` yet. Run the cell with `evidence("{id}", …)` first.')
        elif not matches(have[id], compute(), rtol=1e-6, atol=1e-9):
            found.append(
                f"The value recorded as `{id}`, {have[id]:.6g}, is not the one that the check computes. Run your cells again "
                "from the top; if that does not help, a function that it comes from is not right yet."
            )
        if id not in made.evidence:
            found.append(f"The decision does not say what it makes of `{id}`. Add it to `evidence`.")
    contradicted = made.contradictions(values)
    settled = [
        f"What you say of `{id}` ({made.says_of(id)}) could be said on both sides of {limit:g}. Say on which side it lies."
        for id, limit in limits.items()
        if made.says_of(id) and not any(f"`{id}`" in sentence for sentence in contradicted)
        if not made.settles(id, limit, values[id])
    ]
    # Of what was never recorded, or has changed since, the first thing to do is to record it.
    stale = {id for id in wanted if any(f"`{id}`" in sentence for sentence in found)}
    found += [one for one in (*contradicted, *settled) if not any(f"`{id}`" in one for id in stale)]
    return [Problem("evidence", sentence) for sentence in found]


def _of_rules(made: Decision, values: Mapping[str, float], rules: Sequence[Rule], sure: bool) -> list[Problem]:
    """Return which rules are broken. Where fields have problems, what a rule cannot read breaks none."""
    found = []
    for rule in rules:
        try:
            broken = rule.broken(made, values) and (
                rule.case is None or (callable(made.control) and _stops(made.control(*rule.case())))
            )
        except Exception:
            if sure and rule.case is None:
                raise
            continue  # what is wrong with a field or with the control is told for itself
        if broken:
            found.append(Problem("choice", rule.message))
    return found


def _stops(let: Any) -> bool:
    return isinstance(let, bool | np.bool_) and not let


def _of_control(control: Callable[..., Any], asked: Sequence[_Asked], sure: bool) -> list[Problem]:
    """Return what is wrong with a control, a sentence of each kind."""
    takes_limit = _takes_limit(control)
    found: dict[str, None] = {}
    for one in asked:
        if one.limit is not None and not takes_limit:
            continue
        try:
            let = control(*one.case) if one.limit is None else control(*one.case, limit=one.limit)
        except NotImplementedError:
            raise
        except Exception as error:
            if not theirs.deliberate(error, ours=True) and not _not_called(error):
                if sure and not found:
                    raise  # the card of an error shows its line, and what helps
                found[f"Your control fails on a case ({theirs.told(error)})."] = None
            elif _not_called(error):
                found[
                    f"Your control cannot be called with a case ({theirs.told(error)}). It gets {len(one.case)} arguments; any "
                    "further one needs a default."
                ] = None
            else:
                found[
                    f"Your control raised {theirs.told(error)} where it should answer. A control answers True or False; it does not "
                    "raise: `return False` stops a case."
                ] = None
            break
        if not isinstance(let, bool | np.bool_):
            found[
                f"Your control must return True (let it pass) or False (stop it); it returned {quoted(shorten(let))}."
            ] = None
            break
        if bool(let) is not one.passes:
            found[one.because or _AT_LIMIT[one.passes].format(one.limit)] = None
    return [Problem("control", sentence) for sentence in found]


_AT_LIMIT = {
    True: "Your control takes a `limit`, and with `limit={:g}` it stops a case that lies within it or just at it. At most is `<=`, "
    "and the limit is the one that it is given.",
    False: "Your control takes a `limit`, and with `limit={:g}` it lets a case pass that lies beyond it. It must hold for every "
    "limit that it is given.",
}


def _takes_limit(control: Callable[..., Any]) -> bool:
    try:
        return "limit" in inspect.signature(control).parameters
    except (TypeError, ValueError):
        return False


def _not_called(error: Exception) -> bool:
    """Whether a function was not even entered, since its parameters do not fit."""
    return isinstance(error, TypeError) and error.__traceback__ is not None and error.__traceback__.tb_next is None
