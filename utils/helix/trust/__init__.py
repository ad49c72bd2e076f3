"""Fairness, privacy, explanation, model cards.

`groups` counts: rates, gaps, their intervals, and every refusal of bad input. `fairness_audit` has `audit`, the report, and `gate`, which
continuous integration can call. ``people.load("adult")`` and ``load("compas")`` give features with the sensitive attribute apart; 1 is
what the person wants there, so COMPAS' label is turned round (chapter 12 leaves it as ProPublica's debate has it). `debiasing` has the
mitigations of chapter 13.
"""
