"""Asking a classifier, of whatever make, about every person."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.trust.groups import finite

ROUNDING = 1e-6  # a mean of float32 scores may end a little above 1


def scores_of(model: Any, X: Any) -> tuple[NDArray[np.float64], bool]:
    """Ask a classifier about every person.

    Parameters
    ----------
    model : object
        A PyTorch module that gives logits, shape (n,), (n, 1) or (n, 2); anything with ``predict_proba`` (scikit-learn,
        LightGBM …); anything with ``predict``; or a function.
    X : DataFrame or array, n rows
        What the model reads. A module is given a tensor of the type, and on the device, of its own parameters.

    Returns
    -------
    scores : ndarray, shape (n,)
        The probability of label 1, or the label itself.
    graded : bool
        Whether these are probabilities; False if the model gave labels.

    Raises
    ------
    ValueError
        If the model does not know the label 1, or an answer is NaN or lies outside 0 to 1.
    TypeError
        If it cannot be asked at all.
    """
    n = X.shape[0] if hasattr(X, "shape") else len(X)  # a sparse matrix has no length
    torch = sys.modules.get("torch")  # who has a module has imported torch
    if torch is not None and isinstance(model, torch.nn.Module):
        given: Any = _sigmoid(torch, model, X, n)
    elif hasattr(model, "predict_proba"):
        classes = np.asarray(getattr(model, "classes_", (0, 1))).tolist()
        if len(classes) != 2 or 1 not in classes:
            raise ValueError(f"The model tells the classes {classes} apart; an audit needs two, one of them 1.")
        table = np.asarray(model.predict_proba(X))
        if table.shape != (n, 2):
            raise ValueError(f"predict_proba must give shape ({n}, 2), a column for each class; it gave {table.shape}.")
        given = table[:, classes.index(1)]
    elif hasattr(model, "predict") or callable(model):
        given = np.asarray((model.predict if hasattr(model, "predict") else model)(X))
    else:
        raise TypeError(f"A {type(model).__name__} is no classifier: it has neither predict_proba nor predict.")
    scores = finite(given, n)
    if np.any((scores < -ROUNDING) | (scores > 1 + ROUNDING)):
        raise ValueError(f"Scores must lie from 0 to 1; these run from {scores.min():g} to {scores.max():g}.")
    scores = scores.clip(0, 1)
    return scores, bool(np.any((scores != 0) & (scores != 1)))


def _sigmoid(torch: Any, model: Any, X: Any, n: int) -> NDArray[np.float64]:
    like = next((one for one in model.parameters() if one.is_floating_point()), torch.zeros(()))
    training = [(module, module.training) for module in model.modules()]  # each its own: a frozen layer stays frozen
    model.eval()
    try:
        with torch.no_grad():
            given = X if isinstance(X, torch.Tensor) else torch.as_tensor(np.asarray(X, dtype=float))
            logits = model(given.to(like))
    finally:
        for module, was in training:
            module.training = was
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"A module must give a tensor of logits; this one gave a {type(logits).__name__}.")
    if tuple(logits.shape) not in ((n,), (n, 1), (n, 2)):
        raise ValueError(
            f"For {n} people a module must give {n} logits, or pairs; it gave shape {tuple(logits.shape)}."
        )
    if logits.shape == (n, 2):
        logits = logits[:, 1] - logits[:, 0]  # of two logits only the difference counts
    probabilities: NDArray[np.float64] = torch.sigmoid(logits.double()).cpu().numpy().reshape(-1)
    return probabilities
