"""All-reduce as a ring: each rank only ever sends to its right neighbour, and no rank sends more than any other.

Source: P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", Journal of Parallel and
Distributed Computing 69 (2009) 117-124, section 4: reduce-scatter, then all-gather, 2(N-1) steps.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def all_reduce(tensor: Tensor, *, check: bool = False) -> int:
    """Replace the tensor, on every rank of the default group, by the sum over all ranks.

    Parameters
    ----------
    tensor : Tensor of any shape
        The same shape and type on every rank; changed in place. It need be neither contiguous nor divisible by the number of ranks.
    check : bool
        Compare number of elements and type of all ranks first, for a few bytes more (they are not in the count). Without, a
        difference ends a rank in C++ or, worse, goes unnoticed.

    Returns
    -------
    int
        The bytes that this rank sent. See `traffic` and `bound`.

    Raises
    ------
    ValueError
        With `check`: if the ranks' tensors differ; on every rank.

    Notes
    -----
    Each chunk is summed along one way round the ring and then copied, so all ranks hold the same bits. The order of the sum, and with
    it the last bits of a float, depends on the number of ranks.
    """
    if check:
        _compare(tensor)
    flat = tensor.detach().contiguous().view(-1)
    chunks = flat.tensor_split(dist.get_world_size())
    sent = reduce_scatter(chunks) + all_gather(chunks)
    if flat.data_ptr() != tensor.data_ptr():
        with torch.no_grad():
            tensor.copy_(flat.view(tensor.shape))
    return sent


def reduce_scatter(chunks: tuple[Tensor, ...]) -> int:
    """Sum the chunks over all ranks; afterwards rank r holds the sum of chunk (r + 1) mod N, and parts of sums elsewhere.

    Parameters
    ----------
    chunks : tuple of N one-dimensional tensors
        This rank's own, one for each rank, of the same sizes on all ranks; changed in place. A chunk may be empty.

    Returns
    -------
    int
        The bytes that this rank sent.
    """
    rank, world, sent = dist.get_rank(), dist.get_world_size(), 0
    for step in range(world - 1):
        own, other = chunks[(rank - step) % world], chunks[(rank - step - 1) % world]
        received = torch.empty_like(other)
        sent += _pass_on(own, received)
        other += received
    return sent


def all_gather(chunks: tuple[Tensor, ...]) -> int:
    """Give every rank all chunks, where rank r holds the right chunk (r + 1) mod N; as `reduce_scatter` leaves them."""
    rank, world, sent = dist.get_rank(), dist.get_world_size(), 0
    for step in range(world - 1):
        sent += _pass_on(chunks[(rank + 1 - step) % world], chunks[(rank - step) % world])
    return sent


def bound(size: int, ranks: int) -> float:
    """Return the least bytes that some rank must send in an all-reduce of `size` bytes: 2 (N-1)/N of them."""
    return 2 * (ranks - 1) / ranks * size


def traffic(elements: int, ranks: int, rank: int, element_size: int = 4) -> int:
    """Return the bytes that `all_reduce` makes a rank send, uneven chunks included.

    Parameters
    ----------
    elements, element_size : int
        How many, and bytes of each.
    ranks, rank : int
        Of how many ranks which.

    Notes
    -----
    All ranks together send 2 (N-1) times the tensor, so the mean is `bound`; one rank differs from it by less than 2 elements.
    """
    sizes = [elements // ranks + (chunk < elements % ranks) for chunk in range(ranks)]
    # It passes on every chunk but one in each half: never the one that it ends the first half with, or the one after that.
    kept = sizes[(rank + 1) % ranks] + sizes[(rank + 2) % ranks]
    return (2 * elements - kept) * element_size if ranks > 1 else 0


def _pass_on(own: Tensor, received: Tensor) -> int:
    """Send to the right while receiving from the left: sending first, on all ranks, would block with large tensors."""
    rank, world = dist.get_rank(), dist.get_world_size()
    right, left = (rank + 1) % world, (rank - 1) % world
    sending = dist.isend(own, dst=right) if own.numel() else None
    if received.numel():
        dist.recv(received, src=left)
    if sending is not None:
        sending.wait()
    return own.numel() * own.element_size()


def _compare(tensor: Tensor) -> None:
    kinds = [dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)]
    mine = torch.tensor([tensor.numel(), kinds.index(tensor.dtype)])
    everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, mine)
    if any(not torch.equal(mine, other) for other in everyone):
        told = "; ".join(
            f"rank {r} has {n} of {kinds[k]}" for r, (n, k) in enumerate(each.tolist() for each in everyone)
        )
        raise ValueError(f"The ranks' tensors differ, so they have no sum: {told}.")
