"""The exercise that ends a lab: a decision whose form, evidence and control are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from helix.checking import isolation, wrong_decisions
from helix.checking.exercises import Exercise, shorten_text
from helix.checking.expectations import Unmet, matches, shorten
from helix.checking.verdict import Verdict
from helix.record import decisions
from helix.record.decisions import Decision
from helix.record.evidence_store import recorded


@dataclass(frozen=True)
class Rule:
    """What no choice may do, whatever its reasons.

    Parameters
    ----------
    broken : callable
        Takes the decision and the true values of the evidence; True if the rule is broken.
    message : str
        What the learner is then told.
    """

    broken: Callable[[Decision, Mapping[str, float]], bool]
    message: str


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
    hints: Sequence[str] = (),
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
    """
    computed = {id: cache(compute) for id, compute in evidence.items()}

    def draw(rng: np.random.Generator) -> list[tuple[Sequence[Any], bool, str]]:
        asked = [(case, False, stop_because) for case in stop(rng)] + [
            (case, True, pass_because) for case in let_pass(rng)
        ]
        return [asked[place] for place in rng.permutation(len(asked))]

    def cases(answer: Callable[[], Any], asked: list[tuple[Sequence[Any], bool, str]]) -> dict[str, Any]:
        made = answer()
        if not isinstance(made, Decision):
            raise Unmet("Your function must return a `Decision(...)`.", got=shorten(made))
        if problems := made.problems():
            raise Unmet(" ".join(problems))
        _check_evidence(made, computed)
        values = recorded()
        if contradictions := made.contradictions(values):
            raise Unmet(" ".join(contradictions))
        for id, limit in (limits or {}).items():
            if not made.settles(id, limit, values[id]):
                raise Unmet(
                    f"What you say of `{id}` ({made.evidence[id]}) could be said on both sides of {limit:g}. "
                    f"Say on which side it lies."
                )
        for rule in rules:
            if rule.broken(made, values):
                raise Unmet(rule.message)
        for case, wanted, because in asked:
            let = _ask(made.control, case)
            if not isinstance(let, bool | np.bool_):
                raise Unmet("Your control must return True (let it pass) or False (stop it).", got=shorten(let))
            if bool(let) is not wanted:
                raise Unmet(because, got=shorten(bool(let)))
        return {
            "decision": {**made.as_record(), "values": {id: values[id] for id in made.evidence}},
            "message": "Your decision is complete, agrees with its evidence, and its control works. It is in your register.",
            "notes": [
                "Whether it is wise, no program can say. Hold it against these questions:",
                *(f"• {question}" for question in rubric),
                *(f"Another answer: {example.choice}. {example.reasons}" for example in examples),
            ],
        }

    def keep(verdict: Verdict) -> None:
        decisions.register(lab, verdict.details["decision"])

    def brought(solution: Callable[[], Decision]) -> Iterable[wrong_decisions.Wrong]:
        values = {id: compute() for id, compute in computed.items()}
        return wrong_decisions.wrong_decisions(solution, values, limits or {}, stop_because, pass_because)

    cases.__name__ = name
    cases.__doc__ = title
    return Exercise(
        cases,
        lab=lab,
        title=title,
        core=True,
        minutes=minutes,
        difficulty=difficulty,
        hints=hints,
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


def _ask(control: Callable[..., Any], case: Sequence[Any]) -> Any:
    """Call a control; say so if it cannot be called with a case."""
    try:
        return control(*case)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # it was called, and failed inside
        raise Unmet(
            f"Your control cannot be called with a case ({shorten_text(error)}). It gets {len(case)} arguments; any further one "
            "needs a default."
        ) from None


def _check_evidence(made: Decision, wanted: Mapping[str, Callable[[], float]]) -> None:
    """Refuse evidence that is missing, or that is not what the check computes itself."""
    have = recorded()
    for id, compute in wanted.items():
        if id not in have:
            raise Unmet(f'This run has not recorded `{id}` yet. Run the cell with `evidence("{id}", …)` first.')
        if id not in made.evidence:
            raise Unmet(f"The decision does not say what it makes of `{id}`. Add it to `evidence`.")
        if not matches(have[id], compute(), rtol=1e-6, atol=1e-9):
            raise Unmet(
                f"The value recorded as `{id}` is not the one that the check computes. Run your cells again from the top; if that does not help, a function that it comes from is not right yet.",
                got=shorten(have[id]),
            )
