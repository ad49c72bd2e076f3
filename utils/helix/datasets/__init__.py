"""Loaders of the data in ``data/``: typed, with fixed splits, and verified against each set's card."""

from __future__ import annotations

from typing import Any

from helix import cards


def card(name: str) -> dict[str, Any]:
    """Read the facts in the card of a data set, the folder `name` inside ``data/``; see `helix.cards.facts`."""
    return cards.facts(f"data/{name}")


def read(name: str, file: str) -> bytes:
    """Read a file of a data set, if it is the one that its card describes; see `helix.cards.read`."""
    return cards.read(f"data/{name}", file)
