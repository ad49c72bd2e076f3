"""A transformer layer on several ranks: feed-forward block and attention, each by columns and then by rows.

Source: M. Shoeybi and others, "Megatron-LM", arXiv:1909.08053, section 3, figure 3.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

from helix.distributed.parallel.tensor_parallel import ColumnParallelLinear, RowParallelLinear, f, share_of


class ParallelMLP(nn.Module):
    """Two linear layers with a GELU between: the first by columns, so that the GELU needs no sum, the second by rows.

    One all-reduce forward and one backward, each of the whole output, whatever the hidden width.

    Parameters
    ----------
    up, down : nn.Linear
        The whole layers, (hidden → inner) and (inner → hidden), the same on all ranks.
    group : ProcessGroup, optional
        The ranks that share them; their number divides the inner width.
    """

    def __init__(self, up: nn.Linear, down: nn.Linear, group: Any = None) -> None:
        super().__init__()
        self.up, self.down = ColumnParallelLinear(up, group), RowParallelLinear(down, group)

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, hidden) to (…, hidden)."""
        out: Tensor = self.down(gelu(self.up(x)))
        return out


def qkv_share(weight: Tensor, heads: int, group: Any = None) -> Tensor:
    """Return this rank's rows of a fused projection whose rows are all queries, then all keys, then all values.

    A contiguous part would give one rank queries and another values. Each rank takes its *heads* out of each third.

    Parameters
    ----------
    weight : Tensor, shape (3 · hidden, …)
        Weight or bias of the projection.
    heads : int
        Heads of the layer, which divide `hidden`.
    """
    third = weight.shape[0] // 3
    if weight.shape[0] % 3 or third % heads:
        raise ValueError(
            f"A fused projection of {heads} heads has 3 · {heads} · width rows; this one has {weight.shape[0]}."
        )
    own = share_of(heads, "heads", group)
    by_head = weight.view(3, heads, third // heads, *weight.shape[1:])
    return by_head[:, own].flatten(0, 2).contiguous()


class ParallelAttention(nn.Module):
    """Causal self-attention of which each rank computes some heads: the projections to q, k and v by columns, the last by rows.

    Parameters
    ----------
    qkv, out : nn.Linear
        The whole layers, (hidden → 3 · hidden) and (hidden → hidden), the same on all ranks.
    heads : int
        Of the whole layer; the number of ranks divides it.
    group : ProcessGroup, optional
        The ranks that share it.
    """

    def __init__(self, qkv: nn.Linear, out: nn.Linear, heads: int, group: Any = None) -> None:
        super().__init__()
        own = share_of(heads, "heads", group)
        self.group, self.heads = group, own.stop - own.start
        self.weight = nn.Parameter(qkv_share(qkv.weight.detach(), heads, group), requires_grad=qkv.weight.requires_grad)
        self.bias = None
        if qkv.bias is not None:
            self.bias = nn.Parameter(qkv_share(qkv.bias.detach(), heads, group), requires_grad=qkv.bias.requires_grad)
        self.out = RowParallelLinear(out, group)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, positions, hidden) to the same shape."""
        out: Tensor = self.out(attended(linear(f(x, self.group), self.weight, self.bias), self.heads))
        return out


class Block(nn.Module):
    """A transformer layer as Megatron splits it: norm, causal self-attention, norm, feed-forward, two residuals; no dropout.

    Parameters
    ----------
    hidden, heads : int
        Width, and heads that divide it. The inner width is 4 · hidden.
    """

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, positions, hidden) to the same shape."""
        x = x + self.out(attended(self.qkv(self.norm_1(x)), self.heads))
        out: Tensor = x + self.down(gelu(self.up(self.norm_2(x))))
        return out


class ParallelBlock(nn.Module):
    """The same layer on several ranks: norms, residuals and activations between are whole on each; two all-reduces either way.

    Parameters
    ----------
    dense : Block
        The whole layer, the same on all ranks.
    group : ProcessGroup, optional
        The ranks that share it; their number divides the heads.
    """

    def __init__(self, dense: Block, group: Any = None) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = copy.deepcopy(dense.norm_1), copy.deepcopy(dense.norm_2)
        self.attention = ParallelAttention(dense.qkv, dense.out, dense.heads, group)
        self.mlp = ParallelMLP(dense.up, dense.down, group)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, positions, hidden) to the same shape."""
        x = x + self.attention(self.norm_1(x))
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out

    def parts_of(self, dense: Block, gradients: bool = False) -> list[tuple[str, Tensor, Tensor]]:
        """Return name, this rank's tensor, and its part of the dense layer's, for each parameter (or its gradient)."""
        heads, group = dense.heads, self.attention.group
        own = self.mlp.up.part
        wanted = {
            "norm_1.weight": dense.norm_1.weight, "norm_1.bias": dense.norm_1.bias,
            "norm_2.weight": dense.norm_2.weight, "norm_2.bias": dense.norm_2.bias,
            "attention.weight": dense.qkv.weight, "attention.bias": dense.qkv.bias,
            "attention.out.weight": dense.out.weight, "attention.out.bias": dense.out.bias,
            "mlp.up.weight": dense.up.weight, "mlp.up.bias": dense.up.bias,
            "mlp.down.weight": dense.down.weight, "mlp.down.bias": dense.down.bias,
        }  # fmt: skip
        found = []
        for name, mine in self.named_parameters():
            whole = wanted[name].grad if gradients else wanted[name].detach()
            here = mine.grad if gradients else mine.detach()
            assert whole is not None
            assert here is not None
            if name in ("attention.weight", "attention.bias"):
                whole = qkv_share(whole, heads, group)
            elif name in ("mlp.up.weight", "mlp.up.bias"):
                whole = whole[own]
            elif name in ("attention.out.weight", "mlp.down.weight"):
                whole = whole[:, share_of(whole.shape[1], "inputs", group)]
            found.append((name, here, whole))
        return found


def attended(qkv: Tensor, heads: int) -> Tensor:
    """Return causal attention of fused queries, keys and values: (batch, positions, 3 · width) to (batch, positions, width)."""
    batch, positions, _ = qkv.shape
    q, k, v = (each.view(batch, positions, heads, -1).transpose(1, 2) for each in qkv.chunk(3, dim=-1))
    return scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, positions, -1)
