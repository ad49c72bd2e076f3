"""Fairness, privacy, explanation, model cards."""
