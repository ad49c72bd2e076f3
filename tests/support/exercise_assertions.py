"""The assertions that hold for every exercise, as functions, so that they can themselves be tested."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psutil

from helix.checking import Exercise, Outcome, exercises, isolation
from helix.checking.wrong_decisions import turned
from helix.course import gates, notebooks
from helix.course.notebooks import Target
from mutants import mutants

SEEDS = (1, 2, 3)
MANY = 40  # seeds on which a wrong answer must not be lucky; a decision, whose cases are large, and a check with processes get fewer
SECONDS, SECONDS_WITH_PROCESSES, TRIES = (
    0.2,
    2.0,
    3,
)  # CPU seconds to judge a right answer; for each seed the best of some tries counts
SECONDS_FOR_ALL_MUTANTS = 60.0


def passes(exercise: Exercise, solution: Callable[..., Any]) -> None:
    """Assert that the solution is correct, whatever the seed."""
    for seed in SEEDS:
        verdict = exercise.verdict(solution, seed)
        assert verdict.outcome is Outcome.CORRECT, f"the solution is refused: {verdict}"


def blank_is_not_attempted(exercise: Exercise, blank: Callable[..., Any]) -> None:
    """Assert that the blank is told apart from a wrong answer."""
    verdict = exercise.verdict(blank, SEEDS[0])
    assert verdict.outcome is Outcome.NOT_ATTEMPTED, f"the blank is not recognised: {verdict}"


def stays_isolated(wrong: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a wrong answer that hangs, kills its process or eats memory: it is never judged in the tests' own process."""
    wrong.isolated = True  # type: ignore[attr-defined]
    return wrong


def is_refused(exercise: Exercise, answer: Callable[..., Any], says: str, isolated: bool = False) -> None:
    """Assert that a wrong answer is refused with the message that is meant for it, whatever the seed.

    It is judged once as learners' answers are, in a process of its own, and on other seeds in this one; always in its own
    if `isolated`.
    """
    for seed in SEEDS:
        verdict = exercise.verdict(answer, seed, isolated=isolated or seed == SEEDS[0])
        assert verdict.outcome in (Outcome.INCORRECT, Outcome.RAISED), f"a wrong answer is {verdict.outcome}"
        assert says in verdict.message, f"it is told {verdict.message!r}, not {says!r}"
    for seed in () if isolated else _many(exercise):
        verdict = exercise.verdict(answer, seed, isolated=False, whole=False)
        assert verdict.outcome is not Outcome.CORRECT, f"a wrong answer is lucky with seed {seed}"


def own_wrong_answers_are_told_apart(exercise: Exercise, solution: Callable[..., Any]) -> int:
    """Assert that each wrong answer which the exercise brings gets its own message on many seeds; return how many there are."""
    brought = exercise.wrong_answers(solution)
    for what, answer, says in brought:
        for seed in sorted({*SEEDS, *_many(exercise)}):
            verdict = exercise.verdict(answer, seed, isolated=False)
            assert verdict.outcome is not Outcome.CORRECT, f"{what}: right by luck with seed {seed}"
            assert says in verdict.message, f"{what}: with seed {seed} it is told {verdict.message!r}, not {says!r}"
    return len(brought)


def _many(exercise: Exercise) -> range:
    return range(2 if exercise.processes else 10 if exercise.is_decision else MANY)


def is_judged_in_time(exercise: Exercise, solution: Callable[..., Any]) -> float:
    """Assert that judging a right answer costs no more than it may, whatever else the machine does; return the CPU seconds."""
    most = SECONDS_WITH_PROCESSES if exercise.processes else SECONDS
    exercise.verdict(
        solution, SEEDS[0], isolated=False
    )  # what is computed once a session, such as a decision's evidence
    least = dict.fromkeys(SEEDS, float("inf"))
    for _ in range(TRIES):
        for seed in SEEDS:
            exercises.forget_cases()  # a learner waits for the draws too
            before = _cpu_seconds()
            exercise.verdict(solution, seed, isolated=False)
            least[seed] = min(least[seed], _cpu_seconds() - before)
        used = sum(least.values()) / len(SEEDS)
        if used <= most:
            return used
    raise AssertionError(
        f"{exercise.lab}.{exercise.name} takes {used:.2f} CPU seconds to judge a right answer; {most:g} are the most"
    )


def _cpu_seconds() -> float:
    """Return what this process has used, and the processes it started with theirs."""
    used = 0.0
    for one in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(one.cpu_times()[:4])
    return used


def mutants_are_refused(exercise: Exercise, solution: Callable[..., Any], equivalent: Mapping[str, str]) -> int:
    """Assert that no mutant of the solution is correct, but for those listed as equivalent; return how many were tried."""
    changed = _decision_mutants(solution) if exercise.is_decision else mutants(solution)
    tried = [(what, mutant) for what, mutant in changed if what not in equivalent]
    assert tried, "the solution has no mutants: nothing was tested"
    passed = _passing(exercise, solution, tried)
    assert not passed, f"a mutant passes: {passed[0]}"
    return len(tried)


def _passing(
    exercise: Exercise, solution: Callable[..., Any], tried: Sequence[tuple[str, Callable[..., Any]]]
) -> list[str]:
    """Return which are correct. All are judged in one process of their own; if that has to be stopped, each in its own."""

    def correct(answer: Callable[..., Any]) -> bool:
        ran = isolation._alarmed(
            lambda: exercise.verdict(answer, SEEDS[0], isolated=False, whole=False).as_plain(), exercise.seconds
        )
        return ran.value is not None and ran.value["outcome"] == Outcome.CORRECT

    def judge() -> dict[str, Any]:
        passing = [what for what, mutant in tried if correct(mutant)]
        # Had a mutant changed what the next ones are judged by, they would be refused for that.
        return {"passing": passing, "unharmed": correct(solution)}

    ran = None if exercise.processes else isolation.run(judge, SECONDS_FOR_ALL_MUTANTS, exercise.memory)
    if ran and ran.value and ran.value["unharmed"]:
        return list(ran.value["passing"])
    return [
        what for what, mutant in tried if exercise.verdict(mutant, SEEDS[0], whole=False).outcome is Outcome.CORRECT
    ]


def _decision_mutants(solution: Callable[[], Any]) -> Any:
    """Blank each field of a decision in turn, and turn each statement about the evidence round."""
    made = solution()
    blanks: dict[str, Any] = {
        "question": "", "affected": [], "options": ["stop"], "evidence": {}, "choice": "perhaps", "dissent": "…",
        "residual_risk": " ", "owner": "TODO", "review_date": None, "control": None,
    }  # fmt: skip
    for field, blank in blanks.items():
        yield f"{field} = {blank!r}", lambda field=field, blank=blank: replace(made, **{field: blank})
    for id, text in made.evidence.items():
        opposite = {**made.evidence, id: turned(text)}
        yield f"{id} {opposite[id]}", lambda opposite=opposite: replace(made, evidence=opposite)
    control = made.control
    yield "the control turned round", lambda: replace(made, control=lambda *case: not control(*case))


def learner_version_is_source_minus_solutions(name: str) -> None:
    """Assert that the lab is its source without what stands between the marks, and nothing else."""
    lab = notebooks.make(Target(name, "lab"))
    given, hidden = gates.split_solutions(Target(name, "lab").source.read_text())
    stub = [line.strip() for line in notebooks.STUB.splitlines()]
    cells = [cell for cell in lab.cells if cell.cell_type == "code" and not notebooks.is_framing(cell)]
    code = [line for cell in cells for line in cell.source.splitlines()]
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
