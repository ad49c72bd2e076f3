"""Quantization, mixed precision, pruning, compilation."""
