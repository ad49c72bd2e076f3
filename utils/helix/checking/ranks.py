"""Questions that are asked on several ranks at once; torch is imported on the ranks, and nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class per_rank:
    """An argument of which each rank gets a part of its own: what stands at its number."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)


class Question:
    """One case of `ask.on_ranks`.

    Parameters
    ----------
    *args
        What the answer is called with on each rank: the same everywhere, or a `per_rank`. Arrays, also inside lists, are
        tensors there.
    because : str
        The reason to show if the values are others and no mistake explains them.
    given : str, optional
        The case in words; without it the arguments are named.
    mistakes : mapping, optional
        Mistakes of this question only, as `ask` takes them.
    """

    def __init__(
        self,
        *args: Any,
        because: str,
        given: str = "",
        mistakes: Mapping[str, Callable[..., Any] | tuple[Callable[..., Any], ...]] | None = None,
    ) -> None:
        self.args, self.because, self.given, self.mistakes = args, because, given, dict(mistakes or {})

    def arguments(self) -> tuple[Any, ...]:
        """Return the arguments of reference and mistakes, which see all ranks: a list where each rank has a part."""
        return tuple(one.parts if isinstance(one, per_rank) else one for one in self.args)


@dataclass(frozen=True)
class Found:
    """What the ranks gave.

    Parameters
    ----------
    returned : list of list
        For each question what each rank returned, tensors as lists.
    changed : list of list of bool
        For each question whether each rank's arguments were changed in place.
    calls : list of list of Call
        What each rank communicated, if that was counted.
    """

    returned: list[list[Any]]
    changed: list[list[bool]]
    calls: list[list[Any]] = field(default_factory=list)

    @property
    def sent(self) -> float:
        """The bytes that the busiest rank sent, over all questions."""
        return max((sum(call.ring_bytes for call in each) for each in self.calls), default=0.0)


def on_ranks(
    answer: Callable[..., Any], questions: Sequence[Question], ranks: int, timeout: float, careful: bool, count: bool
) -> Found:
    """Call the answer with every question on every rank, in one launch.

    A rank that fails, hangs or is killed raises `RankFailed`, which becomes the card's sentence.
    """
    from helix.distributed import launch

    asked = [one.args for one in questions]
    by_rank = launch(_answers, answer, asked, ranks=ranks, timeout=timeout, count=count, careful=careful, note=False)
    returned, changed = ([[rank[part][n] for rank in by_rank] for n in range(len(questions))] for part in (0, 1))
    return Found(returned, changed, by_rank.calls)


def _answers(answer: Callable[..., Any], asked: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[bool]]:
    """Be one rank: return each question's value, and whether its arguments were changed."""
    import torch.distributed as dist

    from helix.checking.asking import unchanged

    values, changed = [], []
    for args in asked:
        mine = [_as_tensors(one.parts[dist.get_rank()] if isinstance(one, per_rank) else one) for one in args]
        before = copy.deepcopy(mine)
        values.append(_as_lists(answer(*mine)))
        changed.append(not unchanged(before, mine))
    return values, changed


def _as_tensors(value: Any) -> Any:
    import torch

    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    return type(value)(map(_as_tensors, value)) if type(value) in (list, tuple) else value


def _as_lists(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.tolist()
    return type(value)(map(_as_lists, value)) if type(value) in (list, tuple) else value
