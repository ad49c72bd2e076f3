"""Job files are what torchrun, bash and a PyTorchJob's schema accept; no name gets a second line or command into them."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys

import pytest
from torch.distributed.run import get_args_parser

from helix.distributed.paper.jobs import NOT_RUN, Job, pytorch_job, slurm, torchrun

JOB = Job("gpt-small", "work/train.py", 4, 8, ("--batch=64", "--lr", "3e-4"))
REPLICA = {
    "type": "object",
    "required": ["replicas", "restartPolicy", "template"],
    "additionalProperties": False,
    "properties": {
        "replicas": {"type": "integer", "minimum": 1},
        "restartPolicy": {"enum": ["Always", "OnFailure", "Never", "ExitCode"]},
        "template": {
            "type": "object",
            "required": ["spec"],
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["containers"],
                    "properties": {
                        "containers": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["name", "image", "command"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"const": "pytorch"},
                                    "image": {"type": "string", "minLength": 1},
                                    "command": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                                    "resources": {
                                        "type": "object",
                                        "properties": {
                                            "limits": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}}
                                        },
                                    },
                                },
                            },
                        }
                    },
                }
            },
        },
    },
}  # fmt: skip
# Written by hand from the fields of kubeflow/training-operator's examples/pytorch and its API; the operator's own is larger.
SCHEMA = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "kubeflow.org/v1"},
        "kind": {"const": "PyTorchJob"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
                "namespace": {"type": "string"},
            },
        },
        "spec": {
            "type": "object",
            "required": ["pytorchReplicaSpecs"],
            "additionalProperties": False,
            "properties": {
                "nprocPerNode": {"type": "string"},
                "pytorchReplicaSpecs": {
                    "type": "object",
                    "required": ["Master"],
                    "additionalProperties": False,
                    "properties": {
                        "Master": {**REPLICA, "properties": {**REPLICA["properties"], "replicas": {"const": 1}}},
                        "Worker": REPLICA,
                    },
                },
            },
        },
    },
}


def parsed(words):
    assert words[0] == "torchrun"
    return get_args_parser().parse_args(words[1:])


def checked(text):
    jsonschema, yaml = pytest.importorskip("jsonschema"), pytest.importorskip("yaml")
    made = yaml.safe_load(text)
    jsonschema.validate(made, SCHEMA)
    return made


def test_torchrun_command():
    assert torchrun(JOB, "node-0.cluster") == (
        "torchrun --nnodes=4 --nproc-per-node=8 --rdzv-id=gpt-small --rdzv-backend=c10d "
        "--rdzv-endpoint=node-0.cluster:29500 work/train.py --batch=64 --lr 3e-4"
    )
    found = parsed(shlex.split(torchrun(JOB, "10.0.0.1", 4000)))
    assert (found.nnodes, found.nproc_per_node, found.rdzv_backend) == ("4", "8", "c10d")
    assert (found.rdzv_id, found.rdzv_endpoint) == ("gpt-small", "10.0.0.1:4000")
    assert (found.training_script, found.training_script_args) == ("work/train.py", ["--batch=64", "--lr", "3e-4"])


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


def test_pytorch_job():
    text = pytorch_job(JOB, "registry.example/team/train:1.2", namespace="lab")
    assert text.startswith(f"# {NOT_RUN}\n")
    made = checked(text)
    assert made["metadata"] == {"name": "gpt-small", "namespace": "lab"}
    replicas = made["spec"]["pytorchReplicaSpecs"]
    assert {role: one["replicas"] for role, one in replicas.items()} == {"Master": 1, "Worker": 3}
    assert made["spec"]["nprocPerNode"] == "8"
    for one in replicas.values():
        (container,) = one["template"]["spec"]["containers"]
        assert container["image"] == "registry.example/team/train:1.2"
        assert container["resources"] == {"limits": {"nvidia.com/gpu": 8}}
        command = [
            w.replace("$(RANK)", "1").replace("$(MASTER_ADDR)", "m").replace("$(MASTER_PORT)", "23456")
            for w in container["command"]
        ]
        found = parsed(command)
        assert (found.node_rank, found.master_addr, found.master_port) == (1, "m", 23456)
        assert (found.nnodes, found.nproc_per_node, found.training_script) == ("4", "8", "work/train.py")


def test_pytorch_job_of_one_node_and_without_gpus():
    made = checked(pytorch_job(Job("one", "t.py", 1, 2), "image", gpus=False))
    assert list(made["spec"]["pytorchReplicaSpecs"]) == ["Master"]
    assert "resources" not in made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]


def test_the_schema_refuses():
    jsonschema = pytest.importorskip("jsonschema")
    made = checked(pytorch_job(JOB, "image"))
    made["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["name"] = "trainer"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, SCHEMA)


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
        lambda: pytorch_job(JOB, evil),
        lambda: pytorch_job(JOB, "image", namespace=evil),
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
