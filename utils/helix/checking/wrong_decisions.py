"""The wrong decisions that no lab has to type: each is made of the lab's own right one, and is told what the engine says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
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
    takes_limit: bool = False,
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
    takes_limit : bool
        Whether a control that takes a `limit` is asked at others than its default.
    """
    made = solution()
    control = made.control

    def refuses(*case: Any) -> bool:
        if control(*case):
            return True
        raise ValueError("this may not go out")

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
        yield changed(f"{id} in words", f"`evidence` says `small` of `{id}`", evidence={**made.evidence, id: "small"})
    unheard = {**made.evidence, "never_recorded": "> 0"}
    yield changed("unknown evidence", "`never_recorded` is not evidence that this run recorded", evidence=unheard)
    for id, limit in limits.items():
        nothing = {**made.evidence, id: f">= {math.floor(min(limit, values[id])) - 1}"}
        yield changed(f"{id} settles nothing", f"could be said on both sides of {limit:g}", evidence=nothing)
    yield changed("evidence as a text", "`evidence` is a `str`", evidence="gap > 0.1")
    yield changed("a control that raises", "it does not raise", control=refuses)
    if takes_limit:
        deaf = lambda *case, limit=None: control(*case)  # noqa: E731
        strict = lambda *case, limit=None: control(*case, **({} if limit is None else {"limit": limit * (1 - 1e-9)}))  # noqa: E731
        yield changed("a control deaf to `limit`", "Your control takes a `limit`", control=deaf)
        yield changed("a control that stops at the limit", "or just at it", control=strict)
    yield changed("no dissent", "`dissent` is empty", dissent="...")
    yield changed("none", "`dissent` says `none`, and that says nothing", dissent="none")
    yield changed("a list", "`dissent` is a `list`", dissent=[])
    yield changed("the form's words", "words of the form", dissent="the strongest reason against your choice")
    yield changed("a letter", "`dissent` says too little", dissent="why")
    yield changed("agreement", "gives no reason against", dissent="No one would disagree with this choice.")
    yield changed("no risk", "says that nothing can go wrong", residual_risk="Nothing can go wrong.")
    yield changed("the same thrice", "say the same", dissent=made.question, residual_risk=made.question)
    yield changed("nobody affected", "`affected` names nobody", affected=[])
    yield changed("a set of people", "`affected` is a `set`", affected={"women", "men"})
    yield changed("one text for all", "`affected` is one text", affected="people")
    yield changed("a blank entry", "an entry that is blank", affected=["women", "", "men"])
    yield changed("one option", "`options` needs two entries", options=[made.choice])
    yield changed("options in a text", "`options` is a `str`", options="ship, fix, stop")
    yield changed("a choice not considered", "not one of the options", choice="perhaps")
    yield changed("another verb", "begins with ship, fix or stop", options=["release it", "stop"], choice="release it")
    for says, choice in (
        ("the rest changes nothing", "fix: ship today and change nothing"),
        ("the rest lets it go out", "stop: but release it today"),
        ("the rest lets nothing go out", "ship: nothing"),
    ):
        yield changed(choice, says, options=["fix", "ship ", choice], choice=choice)
    yield changed("no owner", "`owner` says `TODO`", owner="TODO")
    yield changed("an owner who is nobody", "whom nobody can call", owner="nobody in particular")
    yield changed("an owner that is a machine", "whom nobody can call", owner="the model itself")
    yield changed("no date", "`review_date` is empty", review_date=None)
    yield changed("a date in words", "`review_date` is a `str`", review_date="in May")
    yield changed("a moment", "`review_date` is a `datetime`", review_date=datetime.now())
    yield changed("a past date", "it must be after today", review_date=date.today() - timedelta(days=1))
    yield changed("a far date", "it must be after today", review_date=date.today() + timedelta(days=2000))
