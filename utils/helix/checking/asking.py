"""`ask`: what a check function calls instead of the answer, in an exercise with a reference."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from helix.checking import theirs
from helix.checking.expectations import ATOL, ROUNDED, RTOL, Unmet, expect_raises, is_rounded, matches, of_type, shorten
from helix.checking.ranks import Found, Question, on_ranks

Mistakes = Mapping[str, Callable[..., Any] | tuple[Callable[..., Any], ...]]

# A rounded value is explained only by what rounds: within a check's tolerance other mistakes may lie beside the right value.
_SAME = (1e-12, 1e-15)
_NONE: Mapping[str, Callable[[], bool]] = {}


class Ask:
    """Asks an answer, and holds what it gives against the reference.

    Parameters
    ----------
    answer : callable
        The learner's function, as it is: for what no question expresses.
    reference : callable
        The right function.
    mistakes : mapping of str to callable, or to a tuple of them
        Functions of the same arguments, each as a learner would have it who believes what the message corrects.
    """

    def __init__(self, answer: Callable[..., Any], reference: Callable[..., Any], mistakes: Mistakes) -> None:
        self.answer, self.reference, self.mistakes = answer, reference, mistakes
        self.asked: list[tuple[Any, ...]] = []  # the arguments of each question so far

    def __call__(
        self,
        *args: Any,
        because: str,
        given: str = "",
        mistakes: Mistakes | None = None,
        explain: bool = True,
        exact: bool = False,
        rtol: float = RTOL,
        atol: float = ATOL,
        may_change: bool = False,
    ) -> Any:
        """Ask one question; return what the answer gave, if it is right.

        Parameters
        ----------
        *args
            What answer, reference and mistakes are called with, each with deep copies of its own. Functions are handed on
            as they are.
        because : str
            The reason to show if no mistake gives just this value.
        given : str, optional
            The case in words; without it the arguments are named as the reference's parameters are.
        mistakes : mapping, optional
            Further mistakes of this question only, likelier than the exercise's: for what only the case knows.
        explain : bool
            False looks for no mistake and says nothing of the kind of value: at an edge, `because` says more.
        exact : bool
            Numbers must be equal, whatever their kind. Whole numbers always must.
        rtol, atol : float
            The tolerance of all others.
        may_change : bool
            The answer may change its arguments in place.

        Raises
        ------
        Unmet
            If the answer gives another value, refuses a case that has an answer, or changes what it was given.
        """

        def unmet(said: str, shown: str, explains: Mapping[str, Callable[[], bool]] = _NONE) -> Unmet:
            return Unmet(said, given or self.named(args), shown, explains)

        self.asked.append(args)
        tolerance = (0.0, 0.0) if exact else (rtol, atol)
        wanted = self.reference(*copy.deepcopy(args))
        own = copy.deepcopy(args)
        try:
            got = self.answer(*own)
        except Exception as error:
            if not theirs.deliberate(error):
                raise
            refusal = f"{because} Your function refuses this case, which has an answer."
            raise unmet(refusal, f"{type(error).__name__}: {theirs.text_of(error)}") from None
        rounded = not exact and max(rtol / RTOL, atol / ATOL) <= 1 and is_rounded(got, wanted)
        if rounded or not matches(got, wanted, *tolerance):
            kept = _kept(got)
            explaining = _explains(
                {**(mistakes or {}), **self.mistakes} if explain else {},
                lambda one: matches(kept, one(*copy.deepcopy(args)), *(_SAME if rounded else tolerance)),
            )
            raise unmet(
                (of_type(got, wanted) if explain else "") or because,
                shorten(got, unlike=wanted),
                explaining | ({ROUNDED: lambda: True} if rounded else {}),
            )
        if not may_change and (changed := self._changed(args, own)):
            raise unmet(
                f"The value is right, but your function changed `{changed}`, which it was given, in place. Work on a copy: "
                "whoever calls it still needs the old one.",
                shorten(got),
            )
        return got

    def raises(self, error: type[Exception], *args: Any, because: str, given: str = "") -> None:
        """Expect that the answer refuses these arguments with this error."""
        self.asked.append(args)
        expect_raises(
            error,
            lambda: self.answer(*copy.deepcopy(args)),
            because=because,
            given=given or self.named(args),
        )

    def on_ranks(
        self,
        *questions: Question,
        ranks: int,
        timeout: float = 7.0,
        careful: bool = True,
        most_bytes: float | None = None,
        bytes_because: str = "",
        rtol: float = RTOL,
        atol: float = ATOL,
    ) -> Found:
        """Ask on several ranks at once, all questions in one launch; return what was found, if every value is right.

        Reference and mistakes are programs of one process: they get what all ranks get (`per_rank` as the list of the ranks'
        parts) and return the list of what each rank must return. Arrays are tensors on the ranks.

        Parameters
        ----------
        *questions : Question
            The cases, in order.
        ranks, timeout, careful
            As `helix.distributed.launch` has them.
        most_bytes : float, optional
            The most that one rank may send, over all questions; 64 bytes more are no matter.
        bytes_because : str
            What to say if it sends more.
        rtol, atol : float
            The tolerance.

        Raises
        ------
        Unmet
            If a rank returned another value, changed what it was given, or sent too much.
        """
        found = on_ranks(self.answer, questions, ranks, timeout, careful, count=most_bytes is not None)
        for question, got, changed in zip(questions, found.returned, found.changed, strict=True):
            args = question.arguments()

            def by_rank(function: Callable[..., Any], args: tuple[Any, ...] = args) -> list[Any]:
                return _listed(function(*copy.deepcopy(args)))

            def unmet(
                said: str,
                shown: str = "",
                explains: Mapping[str, Callable[[], bool]] = _NONE,
                asked: Question = question,
            ) -> Unmet:
                return Unmet(said, asked.given or self.named(asked.arguments()), shown, explains)

            self.asked.append(args)
            wanted = by_rank(self.reference)
            rounded = max(rtol / RTOL, atol / ATOL) <= 1 and is_rounded(got, wanted)
            if rounded or not _alike(got, wanted, rtol, atol):
                near = _SAME if rounded else (rtol, atol)
                explaining = _explains(
                    {**question.mistakes, **self.mistakes},
                    lambda one, got=got, by_rank=by_rank, near=near: _alike(got, by_rank(one), *near),  # type: ignore[misc]
                )
                raise unmet(
                    question.because,
                    shorten(got, unlike=wanted),
                    explaining | ({ROUNDED: lambda: True} if rounded else {}),
                )
            if any(changed):
                raise unmet(
                    "The values are right, but what a rank was given was changed in place. Work on a copy: it is still needed."
                )
        if most_bytes is not None and found.sent > most_bytes + 64:
            raise unmet(bytes_because, f"{found.sent:.0f} bytes from one rank")
        return found

    def named(self, args: Sequence[Any]) -> str:
        """Return the case in words: each argument by the name of the reference's parameter."""
        shown = (
            (name, "a function" if callable(value) else shorten(value, 100))
            for name, value in zip(self._names(len(args)), args, strict=True)
        )
        return ", ".join(f"{name} = {text}" for name, text in shown)

    def _names(self, count: int) -> list[str]:
        names: list[str] = []
        for parameter in inspect.signature(self.reference).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                names += [f"{parameter.name}[{place}]" for place in range(count - len(names))]
            else:
                names.append(parameter.name)
        return names[:count]

    def _changed(self, args: Sequence[Any], own: Sequence[Any]) -> str:
        """Return the name of the first argument that is not any more what was given."""
        pairs = zip(self._names(len(args)), args, own, strict=True)
        return next((name for name, before, after in pairs if not unchanged(before, after)), "")


class _Reached(Exception):
    """The question that was looked for; its arguments."""


class Again(Ask):
    """Answers all questions rightly up to one, and hands out the arguments of that one: to look at a case once more."""

    def __init__(self, reference: Callable[..., Any], number: int) -> None:
        super().__init__(reference, reference, {})
        self._number = number

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Answer a question rightly, or hand it out."""
        self._reach(args)
        return super().__call__(*args, **options)

    def raises(self, error: type[Exception], *args: Any, because: str, given: str = "") -> None:
        """Pass a question that is to be refused."""
        self._reach(args)
        self.asked.append(args)

    def on_ranks(self, *questions: Question, **options: Any) -> Found:
        """Pass questions that are asked of ranks, without asking them."""
        for question in questions:
            self._reach(question.arguments())
            self.asked.append(question.arguments())
        return Found([[] for _ in questions], [[] for _ in questions])

    def _reach(self, args: tuple[Any, ...]) -> None:
        if len(self.asked) == self._number:
            raise _Reached(copy.deepcopy(args))

    def find(self, ask_all: Callable[[Ask], object]) -> tuple[Any, ...] | None:
        """Return the arguments of the question; None if it is not reached, as when something else is asked between."""
        try:
            ask_all(self)
        except _Reached as reached:
            return tuple(reached.args[0])
        except Exception:
            return None
        return None


def distinct(
    rng: np.random.Generator,
    draw: Callable[[np.random.Generator], tuple[Any, ...] | None],
    reference: Callable[..., Any],
    mistakes: Mistakes | Sequence[Callable[..., Any]],
    *,
    apart: bool = False,
    tries: int = 100_000,
) -> tuple[Any, ...]:
    """Draw arguments until no mistake is right by luck; return them.

    Parameters
    ----------
    rng : Generator
        Where the draws come from.
    draw : callable
        Takes the generator; returns the arguments, or None where these cannot be asked.
    reference : callable
        The right function.
    mistakes : mapping as of `exercise`, or a sequence of functions
        The first that gives the right value ends a try: put the cheap ones first.
    apart : bool
        The mistakes of two messages must not give the same value either, so that each is told what is meant for it.
    tries : int
        After so many the cases are at fault.
    """
    groups = list(mistakes.values()) if isinstance(mistakes, Mapping) else list(mistakes)
    for _ in range(tries):
        args = draw(rng)
        if args is None:
            continue
        seen = [reference(*copy.deepcopy(args))]
        for group in groups:
            mine = [_tried(one, args) for one in (group if isinstance(group, tuple) else (group,))]
            if any(matches(value, other, 1e-6, 1e-9) for value in mine for other in seen):
                break
            seen += mine if apart else []
        else:
            return args
    raise RuntimeError(f"{tries:,} draws, and in each some mistake gives the right value, or that of another mistake.")


def _listed(value: Any) -> Any:
    """Return arrays as lists, at any depth: so values come back from other processes."""
    if isinstance(value, list | tuple):
        return [_listed(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _alike(got: list[Any], wanted: list[Any], rtol: float, atol: float) -> bool:
    """Whether all ranks returned what they should; a tensor of one number is that number."""

    def number(value: Any, target: Any) -> Any:
        single = isinstance(value, list) and len(value) == 1 and not isinstance(target, list)
        return value[0] if single else value

    return len(got) == len(wanted) and all(
        matches(number(value, target), target, rtol, atol) for value, target in zip(got, wanted, strict=True)
    )


class _Failed:
    """What a mistake gives that raises: equal to nothing."""


def _tried(mistake: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return mistake(*copy.deepcopy(args))
    except Exception:
        return _Failed()


def _explains(mistakes: Mistakes, gives_it: Callable[[Callable[..., Any]], bool]) -> dict[str, Callable[[], bool]]:
    """Return for each message whether one of its mistakes gives just this value; one that raises gives none."""

    def any_gives_it(group: Callable[..., Any] | tuple[Callable[..., Any], ...]) -> bool:
        for one in group if isinstance(group, tuple) else (group,):
            with contextlib.suppress(Exception):
                if gives_it(one):
                    return True
        return False

    return {message: partial(any_gives_it, group) for message, group in mistakes.items()}


def _kept(value: Any) -> Any:
    """Return what was answered as it is now, since an answer can change what it returned; what cannot be copied, itself."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def unchanged(before: Any, after: Any) -> bool:
    """Whether an argument is what it was; a learner's object may raise from any method, and is then another one."""
    try:
        return _same(before, after)
    except Exception:
        return False


def _same(one: Any, other: Any) -> bool:
    if one is other or callable(one) or isinstance(one, np.random.Generator):
        return True
    if type(one) is not type(other):
        return False
    if type(one).__module__.partition(".")[0] == "pandas":
        return bool(one.equals(other))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray) and one.dtype.kind == "O":
        return one.shape == other.shape and _same(one.tolist(), other.tolist())
    if hasattr(one, "dtype"):
        return bool(one.dtype == other.dtype and matches(other, one))
    if hasattr(one, "__dict__"):
        return _same(vars(one), vars(other))
    return matches(other, one)
