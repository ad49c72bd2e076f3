"""The wrong decisions that no lab has to type: each is made of the lab's own right one, and is told what the engine says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from helix.record.decisions import Decision

Wrong = tuple[str, Callable[..., Any], str]  # what is wrong, the answer, a piece of its message

_TURNED = {"<=": ">", ">=": "<", "==": "!=", "!=": "==", "<": ">=", ">": "<="}


def turned(text: str) -> str:
    """Return the opposite of what is said of a value: ``"> 0.1"`` for ``"<= 0.1"``."""
    relation = next(sign for sign in _TURNED if sign in text)
    return text.replace(relation, _TURNED[relation])


def wrong_decisions(
    solution: Callable[[], Decision],
    values: Mapping[str, float],
    limits: Mapping[str, float],
    stop_because: str,
    pass_because: str,
) -> Iterator[Wrong]:
    """Yield decisions with one thing wrong.

    Parameters
    ----------
    solution : callable
        Returns the right decision.
    values : mapping of str to float
        The evidence that must be named, and its true values.
    limits : mapping of str to float
        The limits of which the decision must say on which side a value lies.
    stop_because, pass_because : str
        What is told of a control that lets everything pass, and of one that stops everything.
    """
    made = solution()

    def changed(what: str, says: str, **fields: Any) -> Wrong:
        return what, lambda: replace(made, **fields), says

    yield "no decision", lambda: "ship", "must return a `Decision(...)`"
    yield changed("control open", stop_because, control=lambda *case: True)
    yield changed("control shut", pass_because, control=lambda *case: False)
    yield changed("control says words", "must return True (let it pass) or False", control=lambda *case: "pass")
    yield changed("control wants more", "cannot be called with a case", control=lambda *, unheard_of: True)
    yield changed("no control", "`control` is not a function", control=None)
    for id in values:
        said = made.evidence[id]
        others = {other: text for other, text in made.evidence.items() if other != id}
        denied = {**made.evidence, id: turned(said)}
        yield changed(f"{id} denied", f"`{id}` is {turned(said)}, but its value is", evidence=denied)
        missing = f"does not say what it makes of `{id}`" if others else "`evidence` is empty"
        yield changed(f"{id} missing", missing, evidence=others)
        yield changed(f"{id} in words", f"`evidence` says 'small' of `{id}`", evidence={**made.evidence, id: "small"})
    unheard = {**made.evidence, "never_recorded": "> 0"}
    yield changed("unknown evidence", "`never_recorded` is not evidence that this run recorded", evidence=unheard)
    for id, limit in limits.items():
        nothing = {**made.evidence, id: f">= {math.floor(min(limit, values[id])) - 1}"}
        yield changed(f"{id} settles nothing", f"could be said on both sides of {limit:g}", evidence=nothing)
    yield changed("no dissent", "`dissent` is empty", dissent="...")
    yield changed("the form's words", "`dissent` is empty", dissent="the strongest reason against your choice")
    yield changed("a letter", "`dissent` says too little", dissent="x")
    yield changed("the same thrice", "say the same", dissent=made.question, residual_risk=made.question)
    yield changed("nobody affected", "`affected` is empty", affected=[])
    yield changed("one text for all", "`affected` is one text", affected="people")
    yield changed("one option", "`options` needs two entries", options=[made.choice])
    yield changed("a choice not considered", "not one of the options", choice="perhaps")
    yield changed("another verb", "begins with ship, fix or stop", options=["release it", "stop"], choice="release it")
    yield changed("no owner", "`owner` is empty", owner="TODO")
    yield changed("a past date", "`review_date` must be", review_date=date.today() - timedelta(days=1))
    yield changed("a far date", "`review_date` must be", review_date=date.today() + timedelta(days=2000))
