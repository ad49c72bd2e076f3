"""Job files for a cluster, as text: the torchrun command and a Slurm script. None was run on a cluster.

Names, paths and arguments are checked against short alphabets before they are written, so that none can end a line, start a
command or leave a quoted text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from helix.distributed.whole import whole

NOT_RUN = "Written by helix.distributed.paper.jobs and not run on a cluster: read it with whoever runs yours before you send it."
PORT = 29_500
_ALPHABETS = {
    "name": (r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?", "up to 53 small letters, digits and inner hyphens, a letter first"),
    "script": (r"(?!.*\.\.)[A-Za-z0-9_/][A-Za-z0-9_./-]*\.py", "a path to a .py file of letters, digits and _ . / -"),
    "host": (r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "a host name or IPv4 address"),
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
        Small letters, digits and inner hyphens.
    script : str
        Path of the training script as each node sees it.
    nodes, per_node : int
        Nodes, and processes (one a GPU) on each.
    arguments : tuple of str
        Handed to the script.
    restarts : int
        How often torchrun starts all processes again after one of them has failed; the script has to go on from its last checkpoint.

    Raises
    ------
    ValueError
        If a number is not whole or too small, or a text has a character outside its alphabet; newlines, spaces, quotes
        and shell signs are outside all of them.
    """

    name: str
    script: str
    nodes: int
    per_node: int
    arguments: tuple[str, ...] = ()
    restarts: int = 0

    def __post_init__(self) -> None:
        whole(nodes=self.nodes, per_node=self.per_node)
        if isinstance(self.restarts, bool) or not isinstance(self.restarts, int) or self.restarts < 0:
            raise ValueError(f"restarts must be a whole number, 0 or more; got {self.restarts!r}.")
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


def _torchrun(job: Job, identity: str, endpoint: str) -> str:
    return " ".join(
        [
            "torchrun",
            f"--nnodes={job.nodes}",
            f"--nproc-per-node={job.per_node}",
            f"--rdzv-id={identity}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={endpoint}",
            *([f"--max-restarts={job.restarts}"] if job.restarts else []),
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
