"""Fairness, privacy, explanation, model cards.

`groups` counts: rates, gaps, their intervals, the one rule at the edge of a limit, and every refusal of bad input. `asking` asks a classifier
of any make. `fairness_audit` has `audit`, the report, and `gate`, which refuses what it does not know; `fairness_cli` is the gate in a shell. ``people.load("adult")`` and ``load("compas")`` give features with the sensitive attribute apart; 1 is
what the person wants there, so COMPAS' label is turned round (chapter 12 leaves it as ProPublica's debate has it). `debiasing` has the
mitigations of chapter 13.
"""
