"""A decision: what was asked, on what evidence it was answered, by whom, and the control that now runs."""

from __future__ import annotations

import inspect
import math
import operator
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from helix import paths
from helix.record import evasions, journal
from helix.texts import kind, quoted

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
VERBS = ("ship", "fix", "stop")
# Two short words, or three Chinese characters: "Too slow.", "太慢了。"
_WORDS, _LETTERS = 2, 7
_FORM = {  # the explanations beside the form in a lab
    "what has to be decided",
    "who is affected, by name of the group",
    "the strongest reason against your choice",
    "what can still go wrong",
    "who answers for it",
}
_MEANING = {
    "question": "what has to be decided",
    "dissent": "the strongest reason against your choice",
    "residual_risk": "what can still go wrong",
    "owner": "who answers for this decision",
    "choice": "which of the options you choose",
}
_UNDONE = {
    "changes nothing": "`choice` begins with fix, and the rest changes nothing: {}. If it goes out as it is, that is `ship`.",
    "releases it": "`choice` begins with stop, and the rest lets it go out: {}. If it goes out, that is `ship`.",
    "releases nothing": "`choice` begins with ship, and the rest lets nothing go out: {}. That is `stop`.",
}


class Problem(NamedTuple):
    """What is wrong with a field of a decision, in sentences."""

    field: str
    says: str


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

    def problems(self, today: date | None = None) -> list[Problem]:
        """Return what is missing, malformed or taken back by its own words; an empty list means complete."""
        found = [Problem(name, says) for name in ("question", "dissent", "residual_risk") if (says := self._text(name))]
        told = [_folded(getattr(self, name)) for name in ("question", "dissent", "residual_risk")]
        if not found and len(set(told)) < len(told):
            found.append(
                Problem(
                    "dissent", "`question`, `dissent` and `residual_risk` say the same. Each is for something else."
                )
            )
        checked = {
            "affected": self._affected(),
            "options": self._options(),
            "choice": self._choice(),
            "evidence": self._evidence(),
            "owner": self._owner(),
            "review_date": self._review_date(today or date.today()),
            "control": ""
            if callable(self.control)
            else "`control` is not a function. A decision without a control that runs is a wish.",
        }
        return found + [Problem(name, says) for name, says in checked.items() if says]

    def doubts(self) -> list[str]:
        """Return what no program can tell of the words of a decision without problems, a question each."""
        return [
            *evasions.doubts(self.meaning, self.dissent, self.residual_risk),
            f"Is {quoted(self.owner)} one person who can be called, and who may stop it?",
        ]

    def _text(self, name: str) -> str:
        """Say what is wrong with a text of one's own; nothing if it can stand."""
        text = getattr(self, name)
        if (blank := _blank(name, text)) or not _weighs(text):
            return (
                blank or f"`{name}` says too little for anyone else to understand it: {quoted(text)}. Write a sentence."
            )
        if name == "dissent" and evasions.agrees(text):
            return f"`dissent` gives no reason against your choice: {quoted(text)}. Somebody would choose otherwise; say why."
        if name == "residual_risk" and evasions.agrees(text):
            return (
                f"`residual_risk` says that nothing can go wrong: {quoted(text)}. Say what your control does not see."
            )
        return ""

    def _owner(self) -> str:
        if blank := _blank("owner", self.owner):
            return blank
        if evasions.nobody(self.owner) or evasions.machine(self.owner):
            return (
                f"`owner` is {quoted(self.owner)}, whom nobody can call. Name a person, or a role that one person has."
            )
        return ""

    def _affected(self) -> str:
        if isinstance(self.affected, str) and not _is_blank(self.affected):
            return f"`affected` is one text. Write a list, even for one group: [{quoted(self.affected)}]."
        if wrong := _no_list("affected", self.affected):
            return wrong
        named = [
            one for one in self.affected if not (_is_blank(one) or (isinstance(one, str) and evasions.nobody(one)))
        ]
        if not named:
            return "`affected` names nobody yet. Name at least one group of people whom this decision touches."
        return _blank_entry("affected", self.affected)

    def _options(self) -> str:
        if wrong := _no_list("options", self.options):
            return wrong
        if len({_folded(one) for one in self.options if not _is_blank(one)}) < 2:
            return "`options` needs two entries at least: a decision without an alternative is none."
        return _blank_entry("options", self.options)

    def _choice(self) -> str:
        if blank := _blank("choice", self.choice):
            return blank
        if self._options():
            return ""  # against which the choice is held, once they can be read
        if not self.meaning:
            return f"`choice` is {quoted(self.choice)}, which is not one of the options you considered."
        if not self.verb:
            return '`choice` begins with ship, fix or stop; what you mean by it may follow: "fix: …".'
        undone = evasions.takes_back(self.meaning)
        return _UNDONE[undone].format(quoted(self.meaning)) if undone else ""

    def _evidence(self) -> str:
        if _is_empty(self.evidence) or self.evidence == {}:
            return "`evidence` is empty. Name the ids of the values your decision rests on."
        if not isinstance(self.evidence, Mapping):
            return (
                f"`evidence` is {kind(self.evidence)}; write a `dict` of ids and what you say of each, such as "
                '`{"gap": "<= 0.1"}`.'
            )
        return " ".join(
            f'`evidence` says {quoted(text)} of {quoted(id)}; write a relation and a number, such as "<= 0.1".'
            for id, text in self.evidence.items()
            if _parse(text) is None
        )

    def _review_date(self, today: date) -> str:
        such = "such as `date.today() + timedelta(days=90)`"
        if isinstance(self.review_date, datetime):
            return f"`review_date` is a `datetime`; write a date without a time, {such}."
        if _is_empty(self.review_date):
            return f"`review_date` is empty. Write a date after today and within two years, {such}."
        if not isinstance(self.review_date, date):
            return f"`review_date` is {kind(self.review_date)}; write a date, {such}."
        if not today < self.review_date <= today + timedelta(days=731):
            return f"`review_date` is {self.review_date}; it must be after today and within two years, {such}."
        return ""

    @property
    def verb(self) -> str:
        """What is decided: ``ship``, ``fix`` or ``stop``; empty if the choice begins with none of them."""
        first = re.match(r"\w*", _folded(self.choice))
        return first[0] if first and first[0] in VERBS else ""

    @property
    def meaning(self) -> str:
        """The choice in full: the option that begins with it; empty if none does."""
        if _is_blank(self.choice) or isinstance(self.options, str) or not isinstance(self.options, Sequence):
            return ""
        return next((str(one) for one in self.options if _folded(one).startswith(_folded(self.choice))), "")

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

    def says_of(self, id: str) -> str:
        """Return what the decision says of a piece of evidence, if that is a relation and a number; else nothing."""
        text = self.evidence.get(id, "")
        return text if _parse(text) else ""

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
                record = quoted(f'evidence("{id}", value)')
                found.append(f"{quoted(id)} is not evidence that this run recorded. Record it with {record}.")
                continue
            parsed = _parse(text)
            if parsed and not _RELATIONS[parsed[0]](values[id], parsed[1]):
                found.append(
                    f"The decision says that `{id}` is {text.strip()}, but its value is {_apart(values[id], parsed[1])}."
                )
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


def _weighs(text: str) -> bool:
    """Whether a text has words enough to say something; a Chinese character is a word, and weighs three letters."""
    words = {word for word in re.findall(r"[⺀-\U0003ffff]|[^\W⺀-\U0003ffff]+", _folded(text)) if word.isalnum()}
    letters = sum(3 if ord(word[0]) >= 0x2E80 else len(word) for word in words)
    return len(words) >= _WORDS and letters >= _LETTERS and len(set("".join(words))) >= 3


def _folded(text: object) -> str:
    return evasions.folded(text)


def _is_empty(value: object) -> bool:
    """Whether a field is still as the form has it."""
    return value is None or value is ...


def _is_blank(text: object) -> bool:
    """Whether this is no text, or one that says nothing."""
    return not isinstance(text, str) or not text.strip(" .…\n\t") or evasions.says_nothing(text)


def _blank(name: str, text: object) -> str:
    """Say why a field that takes a text holds none that says something; nothing if it does."""
    say = f"Say in words of your own {_MEANING[name]}."
    if _is_empty(text) or (isinstance(text, str) and not text.strip(" .…\n\t")):
        return f"`{name}` is empty. {say}"
    if not isinstance(text, str):
        return f"`{name}` is {kind(text)}; it takes a text. {say}"
    if _folded(text) in _FORM:
        return f"`{name}` still holds the words of the form. {say}"
    return f"`{name}` says {quoted(text)}, and that says nothing. {say}" if evasions.says_nothing(text) else ""


def _no_list(name: str, items: object) -> str:
    """Say which container stands in the place of a list; nothing for a list or a tuple, or where nothing stands."""
    if _is_empty(items):
        return f"`{name}` is empty. Write a list."
    if isinstance(items, Sequence) and not isinstance(items, str | bytes):
        return ""
    return f'`{name}` is {kind(items)}; write a list, such as `["…", "…"]`.'


def _blank_entry(name: str, items: Sequence[object]) -> str:
    if any(map(_is_blank, items)):
        return f"`{name}` has an entry that is blank, or no text. Write every entry in words."
    return ""


def _apart(value: float, number: float) -> str:
    """Return a value with six digits, or with as many as tell it from the number that it is compared with."""
    spelled = [f"{value:.{digits}g}" for digits in (6, 9, 12, 17)]
    return next((text for text in spelled if value == number or float(text) != number), spelled[-1])


def _parse(text: object) -> tuple[str, float] | None:
    """Split ``"<= 0.1"`` into its relation and its number."""
    match = re.fullmatch(r"\s*(<=|>=|==|!=|<|>)\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*", str(text))
    return (match[1], float(match[2])) if match else None
