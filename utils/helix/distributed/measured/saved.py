"""How much is held for the backward pass, measured: bytes of the tensors that autograd saves, counted once each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from helix.distributed.paper.costs import Model
from helix.distributed.whole import whole


class SavedBytes:
    """Count what autograd saves within a ``with`` block, as it comes and goes.

    Parameters
    ----------
    parameters : iterable of Tensor
        They are there anyway and are not counted.

    Attributes
    ----------
    now, peak : int
        Bytes at this moment, and the most there were.

    Notes
    -----
    Two tensors that share a storage count once. Tensors saved inside a backward pass count too, so those of
    ``checkpoint(use_reentrant=True)``; the other variant keeps what it recomputes out of sight. Not counted: gradients,
    temporary results, what Python holds.
    """

    def __init__(self, parameters: Iterable[Tensor] = ()) -> None:
        self._known = {parameter.untyped_storage().data_ptr() for parameter in parameters}
        self._uses: dict[int, int] = {}
        self.now = self.peak = 0
        self._hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: _Held(self, tensor), lambda one: one.tensor
        )

    def __enter__(self) -> SavedBytes:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)

    def _take(self, place: int, size: int) -> None:
        if self._uses.setdefault(place, 0) == 0:
            self.now += size
            self.peak = max(self.peak, self.now)
        self._uses[place] += 1

    def _release(self, place: int, size: int) -> None:
        self._uses[place] -= 1
        if self._uses[place] == 0:
            self.now -= size


class _Held:
    """A saved tensor; autograd drops it when the graph goes, and then it tells its counter."""

    def __init__(self, counter: SavedBytes, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.tensor, self.counter = tensor.detach(), counter
        self.place, self.size = storage.data_ptr(), storage.nbytes()
        self.counts = self.place not in counter._known
        if self.counts:
            counter._take(self.place, self.size)

    def __del__(self) -> None:
        if self.counts:
            self.counter._release(self.place, self.size)


def layer_bytes(model: Model, microbatch: int, element: int = 4) -> int:
    """Return what a layer of this course's GPT-2 saves by the book: 16sbh elements.

    The terms of V. Korthikanti et al. (2022), arXiv:2205.05198, section 4.1, without what is not there: no dropout, so no masks
    and no second copy, and fused attention, which does not keep the scores (their 5as²b). Queries, keys, values and the
    products' inputs: 1 + 3 + 1; the feed-forward block 1 + 4 + 4; two layer norms 2. Means and variances (about 1/h) are left out.
    """
    whole(microbatch=microbatch, element=element)
    return 16 * model.sequence * microbatch * model.hidden * element
