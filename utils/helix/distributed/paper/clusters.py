"""Clusters: equal GPUs in equal nodes, and what their links carry."""

from __future__ import annotations

import math
from dataclasses import dataclass

from helix.distributed.paper.costs import Layout
from helix.distributed.whole import whole

GB = 1e9
# Share of the peak that matrix products reach. The planner's only fitted number: the five smaller models of Table 1 of
# arXiv:2104.04473 (`published.TABLE_1`), median; the five larger ones check it.
EFFICIENCY = 0.667
TUNING = "NVIDIA/nccl, src/graph/tuning.cc at commit 01afd20"


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
    latency, network_latency : float
        Seconds that a step of a ring takes to start inside a node and between nodes. The defaults are those by which NCCL chooses its
        algorithm for large messages (`TUNING`, table hwLat, ring with the protocol Simple: 3.4 and 9.6 µs; small ones have others, 0.47 and
        2.7 µs). Measure yours with `helix.distributed.measured.messages`.
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
    latency: float = 3.4e-6
    network_latency: float = 9.6e-6
    reserve: float = 0.1
    efficiency: float = EFFICIENCY

    def __post_init__(self) -> None:
        whole(gpus=self.gpus, per_node=self.per_node)
        for name in ("memory", "intra", "inter", "peak", "bandwidth"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite; got {getattr(self, name)!r}.")
        if not (0 <= self.latency < math.inf and 0 <= self.network_latency < math.inf):
            raise ValueError("latency and network_latency must be 0 or more, and finite.")
        if not (0 <= self.reserve < 1 and 0 < self.efficiency <= 1):
            raise ValueError("reserve must be within [0, 1), efficiency within (0, 1].")
        if self.gpus > self.per_node and self.gpus % self.per_node:
            raise ValueError(f"{self.gpus} GPUs do not fill nodes of {self.per_node}.")

    @property
    def usable(self) -> float:
        """Bytes of a GPU that states and activations may take."""
        return self.memory * (1 - self.reserve)

    def ring(self, layout: Layout) -> float:
        """Bytes a second of a data-parallel all-reduce: ranks run through t, then d, then p, so t of them share a node's cards.

        Where one alone uses the node (t = 1), it is cut into as many rings as there are cards, and all cards carry: the whole of what
        leaves a node, not one GPU's share of it.
        """
        if layout.tensor * layout.data <= self.per_node:
            return self.intra
        return min(self.intra, self.inter * self.per_node / layout.tensor)

    def all_reduce(self, size: float, layout: Layout) -> dict[str, float]:
        """Seconds of an all-reduce of `size` bytes over the d data-parallel ranks of a layout, by "ring" and by "trees".

        A ring of d ranks on M nodes takes 2(d − 1) steps, 2(M − 1) of them between nodes, and sends 2(d − 1)/d times the size. Trees take
        2(d/M − 1) steps inside a node and 2·log2 M between, and send twice the size (`TUNING`, ncclTopoTuneModel). NCCL takes the faster.
        """
        d, nodes = layout.data, max(1, math.ceil(layout.tensor * layout.data / self.per_node))
        if d == 1:
            return {"ring": 0.0, "trees": 0.0}
        near, far = self.latency, self.network_latency
        ring = 2 * (d - nodes) * near + 2 * (nodes - 1) * far + 2 * (d - 1) / d * size / self.ring(layout)
        trees = 2 * (d / nodes - 1) * near + 2 * math.log2(nodes) * far + 2 * size / self.ring(layout)
        return {"ring": ring, "trees": trees}


def selene(gpus: int) -> Cluster:
    """Return nodes of eight 80-GB A100s, as in arXiv:2104.04473, section 5.

    312e12 operations a second and eight 200-Gbit/s cards a node are that section's. A ring inside a node carries 235 GB/s: NCCL's own
    limit for A100s (`TUNING`), of the 300 GB/s a direction of the data sheet, which has 2.039 TB/s of memory too (as quoted at
    glennklockwood.com/garden/processors/A100).
    """
    return Cluster(gpus, 8, 80 * GB, 235 * GB, 25 * GB, 312e12, 2039 * GB)
