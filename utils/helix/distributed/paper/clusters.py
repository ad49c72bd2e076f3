"""Clusters: equal GPUs in equal nodes, and what their links carry."""

from __future__ import annotations

import math
from dataclasses import dataclass

from helix.distributed.paper.costs import Layout
from helix.distributed.whole import whole

GB = 1e9
# Share of the peak that matrix products reach. The planner's only fitted number: the five smaller models of Table 1 of
# arXiv:2104.04473 (`published.TABLE_1`), median; the five larger ones check it.
EFFICIENCY = 0.643


@dataclass(frozen=True)
class Cluster:
    """Equal GPUs in equal nodes.

    Parameters
    ----------
    gpus, per_node : int
    memory : float
        Bytes of a GPU.
    intra, inter : float
        Bytes a second that a GPU can send, in one direction, to a GPU of its node, and its share of the node's network.
    peak : float
        Operations a second of a GPU at 16 bits, dense.
    bandwidth : float
        Bytes a second between a GPU and its own memory.
    latency : float
        Seconds a message takes to start. Assumed, measure yours with `helix.distributed.measured.messages`.
    reserve : float
        Share of the memory kept for what the formulas do not count: context, buffers, fragments. Assumed.
    efficiency : float
        Share of the peak that matrix products reach.

    Raises
    ------
    ValueError
        If a number is not positive and finite, a share is not below 1, or the nodes are not full.
    """

    gpus: int
    per_node: int
    memory: float
    intra: float
    inter: float
    peak: float
    bandwidth: float
    latency: float = 1e-5
    reserve: float = 0.1
    efficiency: float = EFFICIENCY

    def __post_init__(self) -> None:
        whole(gpus=self.gpus, per_node=self.per_node)
        for name in ("memory", "intra", "inter", "peak", "bandwidth"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite; got {getattr(self, name)!r}.")
        if not (0 <= self.latency < math.inf and 0 <= self.reserve < 1 and 0 < self.efficiency <= 1):
            raise ValueError("latency must be 0 or more, reserve within [0, 1), efficiency within (0, 1].")
        if self.gpus > self.per_node and self.gpus % self.per_node:
            raise ValueError(f"{self.gpus} GPUs do not fill nodes of {self.per_node}.")

    @property
    def usable(self) -> float:
        """Bytes of a GPU that states and activations may take."""
        return self.memory * (1 - self.reserve)

    def ring(self, layout: Layout) -> float:
        """Bytes a second of one data-parallel ring: ranks run through t, then d, then p, so t rings share a node's network."""
        if layout.tensor * layout.data <= self.per_node:
            return self.intra
        return min(self.intra, self.inter * self.per_node / layout.tensor)


def selene(gpus: int) -> Cluster:
    """Return nodes of eight 80-GB A100s, as in arXiv:2104.04473, section 5.

    312e12 operations a second and eight 200-Gbit/s cards a node are that section's; 300 GB/s of NVLink a direction and
    2.039 TB/s of memory are the A100's data sheet's (600 GB/s both ways), as quoted at glennklockwood.com/garden/processors/A100.
    """
    return Cluster(gpus, 8, 80 * GB, 300 * GB, 25 * GB, 312e12, 2039 * GB)
