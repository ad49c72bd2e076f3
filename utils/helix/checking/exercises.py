"""An exercise: the cases that are asked, and how an answer is judged, recorded and shown."""

from __future__ import annotations

import contextlib
import copy
import importlib
import os
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np

from helix.checking import card, isolation, theirs
from helix.checking.asking import Again, Ask, Mistakes
from helix.checking.expectations import Unmet, shorten, without_numpy
from helix.checking.verdict import Outcome, Verdict
from helix.checking.wrong_decisions import Wrong
from helix.record import progress
from helix.texts import cut, quoted

CaseFunction = Callable[[Any, Any], Mapping[str, Any] | None]
Draw = Callable[[np.random.Generator], Any]

_REGISTRY: dict[str, dict[str, Exercise]] = {}
_ANY_EXERCISE = {
    r"name '(?:pd|np|plt|torch|math)' is not defined": "Run the cells above this one first: one of them imports it.",
    r"name '\w+' is not defined": "Is the name spelled as it is where it was made? If a cell above makes it, run that first.",
    r"takes \d+ positional arguments? but": "A function is called with another number of arguments than it takes. The check "
    "calls yours with those of the lab's first line, so keep that line; what you call yourself needs its own arguments.",
    r"can't allocate memory|bad_alloc": "It asked for more memory than a check may take. Does a tensor get a shape you "
    "did not mean?",
    r"assignment destination is read-only|modif\w+ .*read-only": "Work on a copy: `.copy()`.",
}


class NotCorrect(AssertionError):
    """With ``HELIX_GRADING=1``: an answer was not correct."""


class Exercise:
    """One exercise of a lab. Calling it with an answer checks the answer and shows the card.

    Made by the decorator `exercise`; see there for the parameters.
    """

    def __init__(
        self,
        cases: CaseFunction,
        *,
        lab: str,
        title: str,
        core: bool,
        minutes: int,
        difficulty: int,
        hints: Sequence[str] | Mapping[str, str],
        errors: Mapping[str, str],
        repeats: int,
        seconds: float,
        memory: int,
        last_hint: str | Mapping[str, str] = "",
        on_correct: Callable[[Verdict], None] | None = None,
        processes: bool = False,
        draw: Draw | None = None,
        reference: Callable[..., Any] | None = None,
        mistakes: Mistakes | None = None,
        warm: Callable[[], object] | None = None,
        brought: Callable[[Callable[..., Any]], Iterable[Wrong]] | None = None,
        is_decision: bool = False,
    ) -> None:
        self.name = getattr(cases, "__name__", "exercise")
        self.__doc__ = cases.__doc__
        self.lab, self.title, self.core = lab, title, core
        self.minutes, self.difficulty = minutes, difficulty
        self.hints, self.last_hints = (
            _by_name(hints),
            _by_name([last_hint] if isinstance(last_hint, str) else last_hint),
        )
        self.errors = {**errors, **_ANY_EXERCISE, **errors}
        self.repeats, self.seconds, self.memory = repeats, seconds, memory
        if mistakes and not reference:
            raise TypeError("exercise(mistakes=…) needs reference=…: the function that is right.")
        self.reference, self.mistakes = reference, dict(mistakes or {})
        self._cases, self._on_correct, self._draw = cases, on_correct, draw
        self._warm, self._brought = warm, brought
        self.is_decision, self.processes = is_decision, processes
        self._failed: list[int] = []  # where the last case that failed can be drawn from
        _REGISTRY.setdefault(lab, {})[self.name] = self

    def __repr__(self) -> str:
        return f"check.{self.name}: {self.title} ({self.minutes} minutes, difficulty {self.difficulty} of 5)"

    def __call__(self, answer: Any) -> None:
        """Check an answer, record the attempt, show the card.

        Raises
        ------
        NotCorrect
            Only with ``HELIX_GRADING=1``, if the outcome is any but correct.
        """
        seed = int(os.environ.get("HELIX_SEED") or int.from_bytes(os.urandom(4), "big"))
        verdict = self.verdict(answer, seed)
        self._failed = verdict.again
        before, unsaved = progress.Standing(), ""
        try:
            before = progress.standing(self.lab)
            progress.attempted(self.lab, self.name, str(verdict.outcome), cut(verdict.message), seed)
            if verdict.outcome is Outcome.CORRECT and self._on_correct:
                self._on_correct(verdict)
        except OSError as error:
            why = error.strerror or error
            unsaved = f"This result could not be saved: {why}. Make room or make it writable, then run the cell again."
        except SystemExit as error:
            unsaved = f"This result could not be saved. {error}"
        correct = before.correct | ({self.name} if verdict.outcome is Outcome.CORRECT else set())
        core = [other.name for other in _REGISTRY[self.lab].values() if other.core]
        hints, last_hints = self._offered(verdict, before.failures.get(self.name, 0))
        card.show(
            card.Card(
                title=self.title,
                verdict=verdict,
                hints=hints,
                last_hints=last_hints,
                help=self._help(verdict),
                again=self._again(verdict),
                last_hint_by=f"`check.{self.name}.last_hint()`",
                count=f"{len(correct & set(core))} of {len(core)} core exercises of this lab are done.",
                warning=unsaved,
                decision=self.is_decision,
            )
        )
        if os.environ.get("HELIX_GRADING") == "1" and verdict.outcome is not Outcome.CORRECT:
            raise NotCorrect(f"{self.lab}.{self.name}: {verdict.outcome}. {verdict.message}")

    def hint(self, which: int | str = 1) -> None:
        """Print a hint: by its number, the first is the gentlest; of a decision also by the field that it is about."""
        names = list(self.hints)
        if which in names:
            name = str(which)
        elif isinstance(which, int) and 1 <= which <= len(names):
            name = names[which - 1]
        else:
            raise ValueError(f"This exercise has {len(names)} hints: {', '.join(names)}. Ask by number, from 1.")
        print(f"{_hint_name(name)} of {len(names)}: {self.hints[name]}")

    def last_hint(self) -> None:
        """Print the last hint, which gives the answer away."""
        for name, hint in self.last_hints.items():
            print(f"Last hint{_about(name)}: {hint}")
        if not self.last_hints:
            print("This exercise has no last hint.")

    def last_case(self) -> tuple[Any, ...]:
        """Return the arguments of the case that failed last in this session, as the check called your function with them.

        Returns
        -------
        tuple
            Call your function with ``*case``.

        Raises
        ------
        LookupError
            If no case failed, or what was asked are no arguments that can be handed out.
        """
        case = self._drawn_again(self._failed)
        if case is None:
            raise LookupError(
                "There is no case to look at: none failed in this session, or it is told on the card in full."
            )
        return case

    def _drawn_again(self, again: Sequence[int]) -> tuple[Any, ...] | None:
        if not again or self.reference is None:
            return None
        seed, index, number = again
        return Again(self.reference, number).find(lambda ask: self._cases(ask, self.case(seed, index)))

    def _offered(self, verdict: Verdict, failed: int) -> tuple[dict[str, str], dict[str, str]]:
        """Return the hints and the last hints of a card.

        Of an exercise one hint more after each failure, and at the end the last; a decision's are those of the fields that
        have a problem, whatever failed before.
        """
        if verdict.outcome is Outcome.CORRECT:
            return {}, {}
        attempted = verdict.outcome is not Outcome.NOT_ATTEMPTED
        if self.is_decision:
            fields = verdict.details.get("fields", ["form", "control"] if verdict.outcome is Outcome.RAISED else [])
            hints, last_hints = (
                {name: one[name] for name in one if name in fields} for one in (self.hints, self.last_hints)
            )
            last_hints = last_hints if failed else {}
        else:
            hints = dict(list(self.hints.items())[: failed + attempted])
            last_hints = self.last_hints if failed >= len(self.hints) and attempted else {}
        return (
            {_hint_name(name): hint for name, hint in hints.items()},
            {f"Show the last hint{_about(name)}": hint for name, hint in last_hints.items()},
        )

    def _again(self, verdict: Verdict) -> str:
        """Say how to look at the case that failed, where the card does not show the whole of it."""
        case = self._drawn_again(verdict.again)
        if case is None or self.reference is None:
            return ""
        in_full = Ask(self.reference, self.reference, {}).named(case)
        if verdict.given == in_full and "…" not in in_full and "a function" not in in_full:
            return ""
        return f"To look at this case: `case = check.{self.name}.last_case()`, then `{self.name}(*case)`."

    def verdict(self, answer: Any, seed: int = 0, *, isolated: bool = True, whole: bool = True) -> Verdict:
        """Judge an answer on cases drawn from a seed; record and show nothing.

        Parameters
        ----------
        answer : callable
            The learner's function.
        seed : int
            The same seed gives the same cases.
        isolated : bool
            False runs the answer in this process, without limits: for tests that judge one answer on many seeds.
        whole : bool
            False ends with the first case that is not met: the outcome is the same, the message may be another.
        """
        if answer is None or answer is Ellipsis:
            return Verdict(Outcome.NOT_ATTEMPTED, "There is no answer yet.")
        if not callable(answer):
            return Verdict(
                Outcome.INCORRECT,
                f"Give the check your function itself, `check.{self.name}({self.name})`, and not what it returns.",
                got=shorten(answer),
            )
        if not isolated:
            return self._judge(answer, seed, whole)
        if self._warm:
            with contextlib.suppress(Exception):  # what is wrong comes again in the child, which tells it
                self._warm()
        ran = isolation.run(lambda: self._judge(answer, seed, whole).as_plain(), self.seconds, self.memory)
        if ran.value is not None:
            return Verdict.from_plain(ran.value | {"printed": ran.printed})
        message = {
            "time": f"It took longer than {self.seconds:g} seconds and was stopped. Either a loop does not end, or the code takes "
            "far more steps than it needs: whole columns and arrays at once are faster than rows one by one.",
            "memory": f"It asked for more than {self.memory // isolation.MEGABYTE:,} MB of memory and was stopped. "
            "Does an array grow in a loop, or get a shape you did not mean?",
            "crash": "It ended the process it ran in. Your notebook is unharmed.",
        }[ran.stopped]
        return Verdict(Outcome.RAISED, message, printed=ran.printed)

    def _judge(self, answer: Callable[..., Any], seed: int, whole: bool = True) -> Verdict:
        unmet: list[Unmet] = []
        details: Mapping[str, Any] = {}
        again: list[int] = []
        for index in range(self.repeats):
            if unmet and not whole:
                break
            asked = Ask(answer, self.reference, self.mistakes) if self.reference else answer
            try:
                details = self._cases(asked, self.case(seed, index)) or details
            except Unmet as failure:
                if not unmet and isinstance(asked, Ask) and asked.asked:
                    again = [seed, index, len(asked.asked) - 1]
                unmet.append(failure)
            except (MemoryError, isolation.TimeUp):
                raise
            except BaseException as error:
                return _raised(error, answer, self.name)
        if not unmet:
            return Verdict(Outcome.CORRECT, details.get("message") or _passed(self.repeats), details=details)
        first = unmet[0]
        # A misconception is named only if it explains every case that failed: one coincidence proves nothing.
        explaining = (message for message in first.explains if all(one.is_explained_by(message) for one in unmet))
        return Verdict(
            Outcome.INCORRECT,
            next(explaining, first.because),
            cut(without_numpy(first.given)),
            cut(first.got),
            details=first.details,
            again=again,
        )

    def wrong_answers(self, solution: Callable[..., Any]) -> list[Wrong]:
        """Return the wrong answers that the exercise brings: what is wrong, the answer, and the message that is meant for it.

        These are its mistakes, and what can be wrong with any decision. On ranks mistakes are no answers: there they are
        programs of one process.
        """
        brought = list(self._brought(solution)) if self._brought else []
        if self.processes:
            return brought
        for message, group in self.mistakes.items():
            functions = group if isinstance(group, tuple) else (group,)
            brought += [
                (f"{message[:40]}… ({n} of {len(functions)})", one, message) for n, one in enumerate(functions, 1)
            ]
        return brought

    def case(self, seed: int, index: int) -> Any:
        """Return what the check function is given beside the answer: a case of one's own, or the generator to draw it from.

        What `draw` returns is drawn once for each seed and index, and copied: no answer changes what the next is asked.
        """
        return copy.deepcopy(_drawn(self, seed, index)) if self._draw else _generator(seed, index)

    def _help(self, verdict: Verdict) -> str:
        if verdict.outcome is not Outcome.RAISED:
            return ""
        return next((text for pattern, text in self.errors.items() if re.search(pattern, verdict.message)), "")


def _generator(seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, index])


@lru_cache(maxsize=256)
def _drawn(one: Exercise, seed: int, index: int) -> Any:
    assert one._draw
    return one._draw(_generator(seed, index))


def forget_cases() -> None:
    """Drop all cases that were drawn: the next verdict draws its own."""
    _drawn.cache_clear()


def exercise(
    *,
    lab: str,
    title: str,
    minutes: int,
    core: bool = True,
    difficulty: int = 2,
    hints: Sequence[str] = (),
    last_hint: str = "",
    errors: Mapping[str, str] | None = None,
    repeats: int = 5,
    seconds: float = 10.0,
    memory: int = 2048 * isolation.MEGABYTE,
    processes: bool = False,
    draw: Draw | None = None,
    reference: Callable[..., Any] | None = None,
    mistakes: Mistakes | None = None,
) -> Callable[[CaseFunction], Exercise]:
    """Make an exercise of a function that asks one case.

    The function takes `ask` (`helix.checking.asking.Ask`) and a random generator; without a reference the learner's answer
    itself in the place of `ask`. It is called `repeats` times, each with a generator of its own; the first expectation that
    is not met ends that case, and a mistake is named if it explains all the cases that failed.

    Parameters
    ----------
    lab : str
        The topic, such as ``pruning``: also the name of the checks module.
    title : str
        What the exercise asks for, in a few words.
    minutes, difficulty : int
        The time to plan for, and 1 (a line) to 5 (an evening).
    core : bool
        Whether the lab counts as finished only with it.
    hints : sequence of str
        From gentle to nearly there, without the answer. After each failed attempt the card offers one more.
    last_hint : str
        What gives the answer away. It is offered once all hints were, and opened on purpose.
    errors : mapping of str to str
        Help for errors that are met often: a regular expression for ``Type: message``, and what to do.
    repeats : int
        How many cases are drawn.
    seconds, memory : float, int
        The limits of one check: seconds of work (of waiting, if the answer does nothing else) and extra bytes.
    processes : bool
        Whether a check starts processes (`helix.distributed.launch`): it takes a second, so tests judge wrong answers on fewer seeds.
    draw : callable, optional
        Draws the case from a generator; the function is then given what it returns, in the place of the generator. A case is
        drawn once for each seed, however many answers are judged on it. It is copied, so it must not hold open files and the like.
    reference : callable, optional
        The right function, with the parameters that the lab states.
    mistakes : mapping of str to callable, or to a tuple of them
        What a learner is told, the likeliest first, and functions like the reference that make this mistake. They are called
        only where an answer failed. Tests run each as an answer, and it must be told its own message.
    """

    def decorate(cases: CaseFunction) -> Exercise:
        return Exercise(
            cases,
            lab=lab,
            title=title,
            core=core,
            minutes=minutes,
            difficulty=difficulty,
            hints=hints,
            last_hint=last_hint,
            errors=errors or {},
            repeats=repeats,
            seconds=seconds,
            memory=memory,
            processes=processes,
            draw=draw,
            reference=reference,
            mistakes=mistakes,
        )

    return decorate


def exercises_of(lab: str) -> dict[str, Exercise]:
    """Return the exercises of a lab, in the order in which its checks module defines them."""
    importlib.import_module(f"helix.labs.{lab}")
    return dict(_REGISTRY.get(lab, {}))


def _by_name(hints: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return hints by name: those of a decision by field, all others by number."""
    if isinstance(hints, Mapping):
        return dict(hints)
    return {str(number): hint for number, hint in enumerate(filter(None, hints), 1)}


def _hint_name(name: str) -> str:
    return f"Hint {name}" if name.isdigit() else f"Hint{_about(name)}"


def _about(name: str) -> str:
    return "" if name.isdigit() else f" on `{name}`"


def _passed(repeats: int) -> str:
    return (
        "Your answer holds on the case it was asked."
        if repeats == 1
        else f"Your answer holds on {repeats} fresh cases."
    )


def _raised(error: BaseException, answer: Callable[..., Any], name: str) -> Verdict:
    """Say what an exception means: a blank, the learner's error, or a value the check could not use."""
    if hasattr(error, "elsewhere"):  # another process raised it, and sent what happened and where (`helix.distributed`)
        kind, text, frames = error.elsewhere
    else:
        kind, text, frames = type(error).__name__, "", traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if theirs.is_theirs(frame.filename)]
    if kind == "NotImplementedError" and mine and mine[-1] is frames[-1]:
        other = (
            mine[-1].name != getattr(answer, "__name__", "")
            if text
            else theirs.last_code(error) is not _code_of(answer)
        )
        if _code_of(answer) is not None and other:
            return Verdict(Outcome.NOT_ATTEMPTED, f"`{mine[-1].name}`, which this exercise uses, is still blank.")
        return Verdict(
            Outcome.NOT_ATTEMPTED,
            f"`{name}` still raises NotImplementedError. Put your code in the place of that line, run its cell, then this one.",
        )
    text = cut(text) or f"{kind}: {theirs.text_of(error)}"
    if kind and not mine and f"{getattr(answer, '__name__', name)}()" not in text:
        return Verdict(
            Outcome.INCORRECT,
            f"The check cannot use what your function returned ({quoted(text, 160)}). "
            "If what you return is what the lab asks for, the mistake may be ours: please report it.",
        )
    where = "\n".join(cut(f"line {frame.lineno}, in {frame.name}: {frame.line}", 160) for frame in mine[-3:])
    return Verdict(Outcome.RAISED, text, where=where)


def _code_of(answer: Callable[..., Any]) -> CodeType | None:
    return getattr(answer, "__code__", None)
