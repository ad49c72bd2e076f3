"""The four assertions that hold for every exercise, as functions, so that they can themselves be tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from helix.checking import Exercise, Outcome
from helix.course import gates, notebooks
from helix.course.notebooks import Target
from mutants import mutants

SEEDS = (1, 2, 3)
MANY = 40  # seeds on which a wrong answer must not be lucky; a decision, whose cases are large, and a check with processes get fewer


def passes(exercise: Exercise, solution: Callable[..., Any]) -> None:
    """Assert that the solution is correct, whatever the seed."""
    for seed in SEEDS:
        verdict = exercise.verdict(solution, seed)
        assert verdict.outcome is Outcome.CORRECT, f"the solution is refused: {verdict}"


def blank_is_not_attempted(exercise: Exercise, blank: Callable[..., Any]) -> None:
    """Assert that the blank is told apart from a wrong answer."""
    verdict = exercise.verdict(blank, SEEDS[0])
    assert verdict.outcome is Outcome.NOT_ATTEMPTED, f"the blank is not recognised: {verdict}"


def is_refused(exercise: Exercise, answer: Callable[..., Any], says: str) -> None:
    """Assert that a wrong answer is refused with the message that is meant for it, whatever the seed."""
    for seed in SEEDS:
        verdict = exercise.verdict(answer, seed)
        assert verdict.outcome in (Outcome.INCORRECT, Outcome.RAISED), f"a wrong answer is {verdict.outcome}"
        assert says in verdict.message, f"it is told {verdict.message!r}, not {says!r}"
    for seed in range(2 if exercise.processes else 10 if exercise.is_decision else MANY):
        verdict = exercise.verdict(answer, seed, isolated=False)
        assert verdict.outcome is not Outcome.CORRECT, f"a wrong answer is lucky with seed {seed}"


def mutants_are_refused(exercise: Exercise, solution: Callable[..., Any], equivalent: Mapping[str, str]) -> int:
    """Assert that no mutant of the solution is correct, but for those listed as equivalent; return how many were tried."""
    tried = 0
    changed = _decision_mutants(solution) if exercise.is_decision else mutants(solution)
    for what, mutant in changed:
        if what in equivalent:
            continue
        tried += 1
        outcome = exercise.verdict(mutant, SEEDS[0]).outcome
        assert outcome is not Outcome.CORRECT, f"a mutant passes: {what}"
    assert tried, "the solution has no mutants: nothing was tested"
    return tried


def _decision_mutants(solution: Callable[[], Any]) -> Any:
    """Blank each field of a decision in turn, and turn each statement about the evidence round."""
    made = solution()
    blanks: dict[str, Any] = {
        "question": "", "affected": [], "options": ["stop"], "evidence": {}, "choice": "perhaps", "dissent": "…",
        "residual_risk": " ", "owner": "TODO", "review_date": None, "control": None,
    }  # fmt: skip
    for field, blank in blanks.items():
        yield f"{field} = {blank!r}", lambda field=field, blank=blank: replace(made, **{field: blank})
    turned = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
    for id, text in made.evidence.items():
        relation = next(sign for sign in ("<=", ">=", "==", "!=", "<", ">") if sign in text)
        opposite = {**made.evidence, id: text.replace(relation, turned[relation])}
        yield f"{id} {opposite[id]}", lambda opposite=opposite: replace(made, evidence=opposite)
    control = made.control
    yield "the control turned round", lambda: replace(made, control=lambda *case: not control(*case))


def learner_version_is_source_minus_solutions(name: str) -> None:
    """Assert that the lab is its source without what stands between the marks, and nothing else."""
    lab = notebooks.make(Target(name, "lab"))
    given, hidden = gates.split_solutions(Target(name, "lab").source.read_text())
    stub = [line.strip() for line in notebooks.STUB.splitlines()]
    code = [line for cell in lab.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    kept = [line for line in code if line.strip() and line.strip() not in stub]
    wanted = [line for line in given if line.strip() and not line.startswith("#")]
    wanted = [line for line in wanted if line.strip() not in stub]
    kept = [line for line in kept if not line.startswith("#")]
    assert kept == wanted, f"differs from the source: {set(kept) ^ set(wanted)}"
    assert hidden, "the lab hides nothing: where is the solution?"


def blanks(name: str) -> dict[str, Any]:
    """Run the learner's version of a lab as far as blanks allow; return the names it made."""
    namespace: dict[str, Any] = {"__name__": f"blank_{name}"}
    for cell in notebooks.make(Target(name, "lab")).cells:
        if cell.cell_type != "code" or cell.source.startswith("check."):
            continue
        try:
            exec(compile(cell.source, f"<blank {name}>", "exec"), namespace)
        except (NotImplementedError, NameError):
            continue  # a cell that uses what is still blank, or what such a cell would have made
    return namespace
