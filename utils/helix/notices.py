"""Keep what libraries announce to their own developers off a learner's page; what warns a learner stays."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def without_notices() -> Iterator[None]:
    """Keep two notices of torchao's off stderr, which importing it brings, directly or through transformers and spaCy.

    It names, with their paths, libraries for GPUs that a CPU build cannot load, and an outdated call of its own.
    """
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
