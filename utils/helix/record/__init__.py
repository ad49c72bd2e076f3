"""What is kept: progress, decisions, evidence, claims, results of experiments."""

from helix.record.claims import claim
from helix.record.decisions import Decision
from helix.record.evidence_store import evidence

__all__ = ["Decision", "claim", "evidence"]
