"""A decision: what was asked, on what evidence it was answered, by whom, and the control that now runs."""

from __future__ import annotations

import inspect
import math
import operator
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from helix import paths
from helix.record import journal

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
VERBS = ("ship", "fix", "stop")
# About three English words, or four Chinese characters.
_SENTENCE = 12
_PLACEHOLDERS = {"", "...", "…", "todo", "tbd", "-", "?", "n/a", "none"} | {
    "what has to be decided",  # the explanations beside the form in a lab
    "who is affected, by name of the group",
    "the strongest reason against your choice",
    "what can still go wrong",
    "who answers for it",
}


@dataclass(frozen=True)
class Decision:
    """An answer to an ethical question, in a form that can be checked.

    Parameters
    ----------
    question : str
        What has to be decided.
    affected : sequence of str
        Who is affected, by name of the group, not "users".
    options : sequence of str
        The options considered, two at least. Each begins with ship, fix or stop; what is meant may follow.
    evidence : mapping of str to str
        For each evidence id, what this decision says of its value: ``{"parity_gap": "> 0.1"}``. The relations are
        ``<``, ``<=``, ``>``, ``>=``, ``==`` and ``!=``.
    choice : str
        One of the options.
    dissent : str
        The strongest reason against the choice.
    residual_risk : str
        What can still go wrong after it.
    owner : str
        Who answers for it: a role or a person.
    review_date : datetime.date
        When it is looked at again: after today, and within two years.
    control : callable
        What runs from now on: it returns True to let a case pass and False to stop it.
    """

    question: str
    affected: Sequence[str]
    options: Sequence[str]
    evidence: Mapping[str, str]
    choice: str
    dissent: str
    residual_risk: str
    owner: str
    review_date: date
    control: Callable[..., bool]

    def problems(self, today: date | None = None) -> list[str]:
        """Return what is missing or malformed, a sentence each; an empty list means complete."""
        today = today or date.today()
        found = [
            f"`{field}` is empty. Say in a sentence of your own {meaning}."
            for field, meaning in (
                ("question", "what has to be decided"),
                ("dissent", "the strongest reason against your choice"),
                ("residual_risk", "what can still go wrong"),
                ("owner", "who answers for this decision"),
            )
            if _is_blank(getattr(self, field))
        ]
        found += [
            f"`{field}` says too little for anyone else to understand it. Write a sentence."
            for field in ("question", "dissent", "residual_risk")
            if not _is_blank(getattr(self, field)) and _weight(getattr(self, field)) < _SENTENCE
        ]
        told = [_folded(getattr(self, field)) for field in ("question", "dissent", "residual_risk")]
        if not found and len(set(told)) < len(told):
            found.append("`question`, `dissent` and `residual_risk` say the same. Each is for something else.")
        if isinstance(self.affected, str) and not _is_blank(self.affected):
            found.append(f"`affected` is one text. Write a list, even for one group: [{self.affected!r}].")
        elif not _is_list(self.affected, 1):
            found.append("`affected` is empty. Name at least one group of people whom this decision touches.")
        if not _is_list(self.options, 2):
            found.append("`options` needs two entries at least: a decision without an alternative is none.")
        elif _is_blank(self.choice) or not any(_folded(one).startswith(_folded(self.choice)) for one in self.options):
            found.append(f"`choice` is {self.choice!r}, which is not one of the options you considered.")
        elif not self.verb:
            found.append('`choice` begins with ship, fix or stop; what you mean by it may follow: "fix: …".')
        found += [
            f"`{field}` has an entry that is blank, or no text. Write every entry in words."
            for field, least in (("affected", 1), ("options", 2))
            if _is_list(getattr(self, field), least) and any(map(_is_blank, getattr(self, field)))
        ]
        if not isinstance(self.evidence, Mapping) or not self.evidence:
            found.append("`evidence` is empty. Name the ids of the values your decision rests on.")
        else:
            found += [
                f'`evidence` says {text!r} of `{id}`; write a relation and a number, such as "<= 0.1".'
                for id, text in self.evidence.items()
                if _parse(text) is None
            ]
        if type(self.review_date) is not date or not today < self.review_date <= today + timedelta(days=731):
            found.append(
                "`review_date` must be a date after today and within two years, such as date.today() + timedelta(days=90)."
            )
        if not callable(self.control):
            found.append("`control` is not a function. A decision without a control that runs is a wish.")
        return found

    @property
    def verb(self) -> str:
        """What is decided: ``ship``, ``fix`` or ``stop``; empty if the choice begins with none of them."""
        first = re.match(r"\w*", _folded(self.choice))
        return first[0] if first and first[0] in VERBS else ""

    def settles(self, id: str, limit: float, value: float) -> bool:
        """Whether what is said of a value tells on which side of a limit it lies.

        Parameters
        ----------
        id : str
            The evidence.
        limit : float
            Values up to it are on one side, values above it on the other.
        value : float
            The true value.
        """
        parsed = _parse(self.evidence[id])
        if parsed is None:
            return False
        relation, number = _RELATIONS[parsed[0]], parsed[1]
        step = max(abs(limit), abs(value), abs(number)) + 1
        # A statement that also holds somewhere on the other side says nothing about the limit.
        other_side = (limit, limit - step) if value > limit else (math.nextafter(limit, math.inf), limit + step)
        return not any(relation(one, number) for one in other_side)

    def contradictions(self, values: Mapping[str, float]) -> list[str]:
        """Return where the decision contradicts its evidence, a sentence each.

        Parameters
        ----------
        values : mapping of str to float
            The true value of each evidence id.
        """
        found = []
        for id, text in self.evidence.items():
            if id not in values:
                found.append(
                    f'`{id}` is not evidence that this run recorded. Record it with `evidence("{id}", value)`.'
                )
                continue
            parsed = _parse(text)
            if parsed and not _RELATIONS[parsed[0]](values[id], parsed[1]):
                found.append(f"The decision says that `{id}` is {text}, but its value is {values[id]:.6g}.")
        return found

    def as_record(self) -> dict[str, Any]:
        """Return the decision as plain data for the register, with the source of its control."""
        control = getattr(self.control, "func", self.control)  # what a `functools.partial` calls
        code = control if hasattr(control, "__name__") else type(control).__call__
        try:
            source = textwrap.dedent(inspect.getsource(code))
        except (OSError, TypeError):
            source = ""
        return {
            "question": self.question,
            "affected": list(self.affected),
            "options": list(self.options),
            "evidence": dict(self.evidence),
            "choice": self.choice,
            "dissent": self.dissent,
            "residual_risk": self.residual_risk,
            "owner": self.owner,
            "review_date": self.review_date.isoformat(),
            "control": {"name": getattr(control, "__name__", type(control).__name__), "source": source},
        }


def path() -> Path:
    """Return the file of the register."""
    return paths.work() / "decisions.jsonl"


def register(lab: str, record: Mapping[str, Any]) -> None:
    """Write a checked decision to the learner's register."""
    journal.append(path(), {"time": journal.now(), "lab": lab, **record})


def registered() -> dict[str, dict[str, Any]]:
    """Return the latest decision of each lab."""
    # By time, not by place: what was taken in from another machine stands last, and can be older.
    entries = sorted(journal.read(path()), key=lambda entry: str(entry.get("time", "")))
    return {str(entry["lab"]): entry for entry in entries if "lab" in entry}


def _weight(text: str) -> int:
    """Return about how many letters a text has; a Chinese character says as much as three."""
    letters = [letter for letter in text if letter.isalnum()]
    if len(set(letters)) < 4:
        return len(set(letters))  # "aaaaaaaaaaaa" says nothing
    return sum(3 if ord(letter) >= 0x2E80 else 1 for letter in letters)


def _folded(text: object) -> str:
    return str(text).strip().casefold()


def _is_blank(text: object) -> bool:
    return not isinstance(text, str) or text.strip().lower() in _PLACEHOLDERS


def _is_list(items: object, least: int) -> bool:
    if isinstance(items, str) or not isinstance(items, Sequence):
        return False
    return len({item for item in items if isinstance(item, str) and not _is_blank(item)}) >= least


def _parse(text: object) -> tuple[str, float] | None:
    """Split ``"<= 0.1"`` into its relation and its number."""
    match = re.fullmatch(r"\s*(<=|>=|==|!=|<|>)\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*", str(text))
    return (match[1], float(match[2])) if match else None
