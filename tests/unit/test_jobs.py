"""Job files are what torchrun and bash accept; no name gets a second line or command into them."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from torch.distributed.run import get_args_parser

from helix.distributed.paper.jobs import NOT_RUN, Job, slurm, torchrun

JOB = Job("gpt-small", "work/train.py", 4, 8, ("--batch=64", "--lr", "3e-4"))


def parsed(words):
    assert words[0] == "torchrun"
    return get_args_parser().parse_args(words[1:])


def test_torchrun_command():
    assert torchrun(JOB, "node-0.cluster") == (
        "torchrun --nnodes=4 --nproc-per-node=8 --rdzv-id=gpt-small --rdzv-backend=c10d "
        "--rdzv-endpoint=node-0.cluster:29500 work/train.py --batch=64 --lr 3e-4"
    )
    found = parsed(shlex.split(torchrun(JOB, "10.0.0.1", 4000)))
    assert (found.nnodes, found.nproc_per_node, found.rdzv_backend) == ("4", "8", "c10d")
    assert (found.rdzv_id, found.rdzv_endpoint) == ("gpt-small", "10.0.0.1:4000")
    assert (found.training_script, found.training_script_args) == ("work/train.py", ["--batch=64", "--lr", "3e-4"])
    again = parsed(shlex.split(torchrun(replace(JOB, restarts=3), "10.0.0.1")))
    assert (found.max_restarts, again.max_restarts) == (0, 3)
    assert again.training_script_args == found.training_script_args


SCRIPT = """
import torch
import torch.distributed as dist
from helix.distributed import context

with context() as here:
    summed = torch.tensor([here.rank + 1.0])
    dist.all_reduce(summed)
    told = f"rank {here.rank} of {here.world_size}, local {here.local_rank}, {here.started_by}: {summed.item():g}"
    print(told + chr(10), end="", flush=True)  # in one write: the ranks of an agent share a pipe
"""


@pytest.mark.skipif(sys.platform == "win32", reason="ranks are POSIX processes")
def test_the_command_joins_two_nodes(tmp_path):
    # Two agents on this machine play two nodes. What no test here can show is the network between real ones.
    (tmp_path / "train.py").write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = shlex.split(torchrun(Job("two-nodes", f"{tmp_path}/train.py", 2, 2), "127.0.0.1", port))
    command = [sys.executable, "-m", "torch.distributed.run", "--local-addr=127.0.0.1", *words[1:]]
    agents = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = [agent.communicate(timeout=120) for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
    assert [agent.returncode for agent in agents] == [0, 0], said
    lines = [out.splitlines() for out, _ in said]
    assert [len(each) for each in lines] == [2, 2]
    told = sorted(lines[0] + lines[1])
    assert told == [f"rank {r} of 4, local {r % 2}, torchrun: 10" for r in range(4)]


def test_slurm_script():
    text = slurm(JOB, "1-04:00:00", partition="gpu_long", cpus_per_process=6)
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert lines[1] == f"# {NOT_RUN}"
    options = dict(line.removeprefix("#SBATCH --").split("=", 1) for line in lines if line.startswith("#SBATCH"))
    assert options == {
        "job-name": "gpt-small",
        "nodes": "4",
        "ntasks-per-node": "1",
        "cpus-per-task": "48",
        "time": "1-04:00:00",
        "output": "%x-%j.out",
        "gpus-per-node": "8",
        "partition": "gpu_long",
    }
    # Slurm reads its options only before the first command.
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first:])
    assert subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).returncode == 0
    assert "gpus" not in slurm(JOB, "01:00:00", gpus=False)
    assert "partition" not in slurm(JOB, "01:00:00")


def test_slurm_script_starts_torchrun_once_a_node(tmp_path):
    """The script runs in bash with stand-ins for Slurm's two commands, which print what they were given."""
    for name, body in (("scontrol", 'printf "node-7\\nnode-8\\n"'), ("srun", 'printf "%s\\n" "$@"')):
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash"],
        input=slurm(JOB, "01:00:00"),
        text=True,
        capture_output=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "node-[7-8]"},
    )
    assert done.returncode == 0, done.stderr
    option, *words = done.stdout.split("\n")[:-1]
    assert option == "--kill-on-bad-exit=1"
    found = parsed(words)
    assert (found.rdzv_id, found.rdzv_endpoint, found.nnodes) == ("4711", "node-7:29500", "4")
    assert found.training_script_args == ["--batch=64", "--lr", "3e-4"]


EVIL = [
    "a\nb",
    "a\n",
    "a;b",
    "a b",
    "$(id)",
    "`id`",
    "a&b",
    "a|b",
    "a>b",
    'a"b',
    "a'b",
    "a\\b",
    "",
    "a\tb",
    "a\0b",
    "a#b",
    "a*",
    "ä",
    None,
    3,
]


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_leaves_its_place(evil):
    for make in (
        lambda: Job(evil, "t.py", 1, 1),
        lambda: Job("a", evil if evil is None or isinstance(evil, int) else f"{evil}.py" if evil else "", 1, 1),
        lambda: Job("a", "t.py", 1, 1, (evil,)),
        lambda: torchrun(JOB, evil),
        lambda: slurm(JOB, "01:00:00", partition=evil or ""),
        lambda: slurm(JOB, evil),
    ):
        with pytest.raises(ValueError, match="must be"):
            make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Job("-a", "t.py", 1, 1),
        lambda: Job("A", "t.py", 1, 1),
        lambda: Job("a-", "t.py", 1, 1),
        lambda: Job("a" * 54, "t.py", 1, 1),
        lambda: Job("a", "-t.py", 1, 1),
        lambda: Job("a", "../t.py", 1, 1),
        lambda: Job("a", "t.sh", 1, 1),
        lambda: Job("a", "t.py", 0, 1),
        lambda: Job("a", "t.py", 1, 1.0),
        lambda: Job("a", "t.py", 1, 1, "--lr=1"),
        lambda: Job("a", "t.py", 1, 1, restarts=-1),
        lambda: Job("a", "t.py", 1, 1, restarts=True),
        lambda: slurm(JOB, "4h"),
        lambda: slurm(JOB, "01:60:00"),
        lambda: slurm(JOB, "01:00:00", cpus_per_process=0),
    ],
)
def test_other_bad_jobs(make):
    with pytest.raises(ValueError, match="must be"):
        make()


@pytest.mark.parametrize("port", [0, 1023, 65_536, "29500", True])
def test_bad_ports(port):
    with pytest.raises(ValueError, match="port"):
        torchrun(JOB, "host", port)
