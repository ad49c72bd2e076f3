"""Job files for a cluster, as text: the torchrun command, a Slurm script, a Kubernetes PyTorchJob. None was run on a cluster.

Names, paths and arguments are checked against short alphabets before they are written, so that none can end a line, start a
command or leave a quoted text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from helix.distributed.whole import whole

NOT_RUN = "Written by helix.distributed.paper.jobs and not run on a cluster: read it with whoever runs yours before you send it."
PORT = 29_500
_ALPHABETS = {
    "name": (r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?", "up to 53 small letters, digits and inner hyphens, a letter first"),
    "script": (r"(?!.*\.\.)[A-Za-z0-9_/][A-Za-z0-9_./-]*\.py", "a path to a .py file of letters, digits and _ . / -"),
    "host": (r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "a host name or IPv4 address"),
    "image": (r"[a-z0-9][A-Za-z0-9._/:@-]{0,254}", "an image reference such as registry/name:tag"),
    "argument": (r"[A-Za-z0-9_./:=,+@-]+", "letters, digits and _ . / : = , + @ -, no spaces"),
    "partition": (r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "letters, digits, _ and -"),
    "time": (r"([0-9]{1,2}-)?[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]", "hours:minutes:seconds, such as 04:00:00"),
}


@dataclass(frozen=True)
class Job:
    """A training job on equal nodes.

    Parameters
    ----------
    name : str
        Small letters, digits and inner hyphens, for Slurm and Kubernetes alike (whose pods add to it).
    script : str
        Path of the training script as each node sees it.
    nodes, per_node : int
        Nodes, and processes (one a GPU) on each.
    arguments : tuple of str
        Handed to the script.

    Raises
    ------
    ValueError
        If a number is no whole number of at least 1, or a text has a character outside its alphabet; newlines, spaces, quotes
        and shell signs are outside all of them.
    """

    name: str
    script: str
    nodes: int
    per_node: int
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole(nodes=self.nodes, per_node=self.per_node)
        _check("name", self.name)
        _check("script", self.script)
        if isinstance(self.arguments, str):
            raise ValueError("arguments must be a tuple of texts, not one text.")
        for argument in self.arguments:
            _check("argument", argument)


def torchrun(job: Job, host: str, port: int = PORT) -> str:
    """Return the command to start on every node, the same on each; `host` is one of the nodes, where they meet.

    Options as in PyTorch's documentation of torchrun (docs.pytorch.org, distributed/elastic/run), c10d rendezvous.

    Raises
    ------
    ValueError
        If the host is no host name or the port not within 1024 to 65535.
    """
    _check("host", host)
    return _torchrun(job, job.name, f"{host}:{_port(port)}")


def slurm(
    job: Job, time: str, *, partition: str | None = None, cpus_per_process: int = 1, gpus: bool = True, port: int = PORT
) -> str:
    """Return a Slurm batch script: one torchrun a node, which meet on the first node of the allocation.

    Parameters
    ----------
    time : str
        Limit, as hours:minutes:seconds.
    partition : str, optional
        None leaves it to the cluster.
    cpus_per_process : int
        Also the number of OpenMP threads of each process.
    gpus : bool
        Whether to ask for a GPU a process.

    Raises
    ------
    ValueError
        If a text has a character outside its alphabet, or a number is not of its kind.
    """
    _check("time", time)
    whole(cpus_per_process=cpus_per_process)
    options = [
        f"--job-name={job.name}",
        f"--nodes={job.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={job.per_node * cpus_per_process}",
        f"--time={time}",
        "--output=%x-%j.out",
    ]
    if gpus:
        options.append(f"--gpus-per-node={job.per_node}")
    if partition is not None:
        options.append(f"--partition={_check('partition', partition)}")
    command = _torchrun(job, '"$SLURM_JOB_ID"', f'"${{nodes[0]}}:{_port(port)}"')
    return "\n".join(
        [
            "#!/bin/bash",
            f"# {NOT_RUN}",
            *(f"#SBATCH {option}" for option in options),
            "set -euo pipefail",
            'mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")',
            f"export OMP_NUM_THREADS={cpus_per_process}",
            f"srun --kill-on-bad-exit=1 {command}",
            "",
        ]
    )


def pytorch_job(job: Job, image: str, *, namespace: str = "default", gpus: bool = True) -> str:
    """Return a PyTorchJob of the Kubeflow training operator, version 1, as YAML.

    The operator gives each pod MASTER_ADDR, MASTER_PORT and its number as RANK (kubeflow/training-operator,
    pkg/controller.v1/pytorch/envvar.go), which Kubernetes puts where ``$(RANK)`` stands; containers must be named "pytorch".

    Raises
    ------
    ValueError
        If image or namespace has a character outside its alphabet.
    """
    _check("image", image)
    _check("name", namespace)
    arguments = [
        "torchrun",
        f"--nnodes={job.nodes}",
        f"--nproc-per-node={job.per_node}",
        "--node-rank=$(RANK)",
        "--master-addr=$(MASTER_ADDR)",
        "--master-port=$(MASTER_PORT)",
        job.script,
        *job.arguments,
    ]
    lines = [
        f"# {NOT_RUN}",
        "apiVersion: kubeflow.org/v1",
        "kind: PyTorchJob",
        "metadata:",
        f"  name: {json.dumps(job.name)}",
        f"  namespace: {json.dumps(namespace)}",
        "spec:",
        f'  nprocPerNode: "{job.per_node}"',
        "  pytorchReplicaSpecs:",
    ]
    for role, replicas in (("Master", 1), ("Worker", job.nodes - 1)):
        if replicas:
            lines += [
                f"    {role}:",
                f"      replicas: {replicas}",
                "      restartPolicy: Never",
                "      template:",
                "        spec:",
                "          containers:",
                "            - name: pytorch",
                f"              image: {json.dumps(image)}",
                f"              command: {json.dumps(arguments)}",
            ]
            if gpus:
                lines += [
                    "              resources:",
                    "                limits:",
                    f"                  nvidia.com/gpu: {job.per_node}",
                ]
    return "\n".join([*lines, ""])


def _torchrun(job: Job, identity: str, endpoint: str) -> str:
    return " ".join(
        [
            "torchrun",
            f"--nnodes={job.nodes}",
            f"--nproc-per-node={job.per_node}",
            f"--rdzv-id={identity}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={endpoint}",
            job.script,
            *job.arguments,
        ]
    )


def _check(kind: str, text: str) -> str:
    pattern, words = _ALPHABETS[kind]
    if not isinstance(text, str) or not re.fullmatch(pattern, text, flags=re.ASCII):
        raise ValueError(f"{kind} must be {words}; got {text!r}.")
    return text


def _port(port: int) -> int:
    if isinstance(port, bool) or not isinstance(port, int) or not 1024 <= port <= 65535:
        raise ValueError(f"A port is a whole number within 1024 to 65535; got {port!r}.")
    return port
