"""Generative models and their ethical problems."""
