"""AIF360's AdversarialDebiasing, as a script of the environment ``tensorflow``; `helix.trust.aif360_adversary` calls it.

It imports nothing of this package, which is not installed there, and runs on one thread: for one seed, one answer.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def dataset(X: Any, y: Any, groups: Any) -> Any:
    """Return people as AIF360 wants them, without the group among the features.

    AIF360's table keeps the protected attribute as a feature, so that a model trained on it as it is would be told the group
    of each person. Here its place among the features is taken by X alone; the adversary reads the group from elsewhere.
    """
    import pandas as pd
    from aif360.datasets import BinaryLabelDataset

    made = BinaryLabelDataset(
        favorable_label=1.0,
        unfavorable_label=0.0,
        df=pd.DataFrame({"group": groups.astype(float), "label": y.astype(float)}),
        label_names=["label"],
        protected_attribute_names=["group"],
    )
    made.features, made.feature_names = X.astype(float), [f"x{column}" for column in range(X.shape[1])]
    return made


def main(given_file: str, made_file: str) -> None:
    """Train on X, y and groups; write the probabilities of the people in each X_NAME under NAME."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_DETERMINISTIC_OPS": "1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    import numpy as np
    import tensorflow.compat.v1 as tf
    from aif360.algorithms.inprocessing import AdversarialDebiasing

    with np.load(given_file, allow_pickle=False) as file:
        given = {name: file[name] for name in file.files}
    tf.disable_eager_execution()
    tf.set_random_seed(int(given["seed"]))
    one = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf.Session(config=one) as session:
        model = AdversarialDebiasing(
            unprivileged_groups=[{"group": 0}],  # it reads the attribute's name and not who is called privileged
            privileged_groups=[{"group": 1}],
            scope_name="model",
            sess=session,
            seed=int(given["seed"]),
            adversary_loss_weight=float(given["weight"]),
            num_epochs=int(given["epochs"]),
            batch_size=int(given["batch"]),
            debias=bool(given["debias"]),
        ).fit(dataset(given["X"], given["y"], given["groups"]))
        made = {}
        for name, X in given.items():
            if name.startswith("X_"):
                nobody = np.arange(len(X)) % 2  # labels and groups are asked for, and no answer depends on them
                made[name.removeprefix("X_")] = model.predict(dataset(X, nobody, nobody)).scores.ravel()
    np.savez(made_file, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
