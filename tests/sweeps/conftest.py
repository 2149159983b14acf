"""Stand-ins for the W&B server, where the shared tools are at hand, and for Slurm."""

import base64
import json
import os
import pickle
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sweeps import job, slurm
from sweeps.job import Job
from tests.sweeps.tracked import ROOT
from tests.waiting import wait_until

STANDIN = ROOT.parent / "shared" / "tools" / "wandb_standin.py"
FAKE = Path(__file__).with_name("fake_slurm.py")
STOPPABLE = """
import signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print("running", flush=True)
while not asked:
    time.sleep(0.02)
print("checkpoint written", flush=True)
sys.exit(130)
"""
SWEEP = """
import signal, sys
from pathlib import Path
from sweeps import job, local, machine, slurm
start, program, folder = sys.argv[1:]
job.PROGRAM, folder, environment = Path(program), Path(folder), machine.thread_environment(1)
if start == "forked":
    local.start_server(environment)
starts = {"forked": local.forked}
kinds = {"slurm": slurm.Task}
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(7))  # as submitit does in the end
one = {"environment": environment, "start": starts.get(start, job.fresh)}
print(kinds.get(start, job.Job)("a run", folder, (), folder / "stop", **one)().status)
"""


class Server:
    """The stand-in's address, and everything that it was sent."""

    def __init__(self, url: str, folder: Path):
        self.url = url
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WANDB")},
            **{f"WANDB_{name}DIR": str(folder) for name in ("", "CACHE_", "CONFIG_", "DATA_")},
            **{"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0123456789" * 4},
            "WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "1",  # a kill finds the first records sent
            "WANDB__TRANSACTION_LOG_FLUSH_INTERVAL": "0.5",
            "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    @property
    def state(self) -> dict:
        with urllib.request.urlopen(f"{self.url}/state", timeout=300) as answer:
            return json.load(answer)

    @property
    def runs(self) -> list[dict]:
        return self.state["runs"]

    def stop(self, run: dict) -> None:
        """Ask a run to stop, as W&B's page does."""
        name = base64.b64encode(f"Run:v1:{run['name']}:{run['project']}:{run['entity']}".encode())
        query = "mutation Stop($id: ID!) { stopRun(input: {id: $id}) { success } }"
        body = {"query": query, "variables": {"id": name.decode()}}
        request = urllib.request.Request(f"{self.url}/graphql", json.dumps(body).encode())
        urllib.request.urlopen(request, timeout=300).close()

    def run(self, folder: Path) -> dict:
        """What W&B shows of the run in a folder."""
        name = json.loads((folder / "run.json").read_text())["wandb_id"]
        run = next(run for run in self.runs if run["name"] == name)
        of_run = f"{run['entity']}/{run['project']}/{name}/"
        files = (file.removeprefix(of_run) for file in self.state["files"] if of_run in file)
        return {**run, "files": set(files)}


@pytest.fixture(scope="session")
def wandb_server(tmp_path_factory):
    if not STANDIN.exists():
        pytest.skip(f"no stand-in for the W&B server at {STANDIN}")
    pytest.importorskip("graphql", reason="the W&B stand-in needs graphql-core")
    folder = tmp_path_factory.mktemp("wandb")
    command = [sys.executable, str(STANDIN), "0", str(folder / "server.log")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield Server(process.stdout.readline().strip(), folder)
    process.terminate()
    process.wait()


@pytest.fixture
def wandb(wandb_server, monkeypatch):
    """The stand-in, which this process's W&B client talks to; `use` changes its environment."""
    import wandb

    def use(**environment):
        wandb.teardown()  # what the client has read before
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    wandb_server.use = use
    use(**wandb_server.environment)
    yield wandb_server
    wandb.teardown()


class Cluster:
    """The stand-in's jobs, which a test moves while the engine sleeps."""

    def __init__(self, file: Path, folder: str):
        self.file, self.folder = file, folder
        self.turns = []  # functions, one for each time that the engine sleeps
        self.set(max_array=1001, refuse="", arrays=[], jobs={})

    def set(self, **fields):
        self.file.write_text(json.dumps({**self.state, **fields}))

    @property
    def state(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    @property
    def states(self):
        return self.state["jobs"]

    def move(self, number, state):
        self.set(jobs={**self.states, number: state})

    def end(self, number, value, kind="success"):
        file = slurm.result_file(self.folder, number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps((kind, value)))

    def sleep(self, _seconds):
        assert self.turns, f"the engine waits for nothing: {self.state['jobs']}"
        self.turns.pop(0)()


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sbatch", "squeue", "scancel", "scontrol", "srun"):
        (commands / name).write_text(f"#!{sys.executable} -SE\n{FAKE.read_text()}")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path / "state.json"))
    monkeypatch.setattr(slurm, "SETTLE_SECONDS", 0.0)
    cluster = Cluster(tmp_path / "state.json", str(tmp_path / "submitit" / "%j"))
    monkeypatch.setattr(slurm.time, "sleep", cluster.sleep)
    return cluster


@pytest.fixture
def stoppable(tmp_path, monkeypatch):
    """The log of runs, in `tmp_path`, that go on until they are asked to stop."""
    monkeypatch.setattr(job, "PROGRAM", tmp_path / "program.py")
    job.PROGRAM.write_text(STOPPABLE)
    log = tmp_path / "log.txt"
    log.touch()
    return log


@pytest.fixture
def sweeping(stoppable):
    """Function of how a run starts (fresh, forked, slurm) and of environment variables: a process
    with one such job, once the run is under way."""
    processes = []

    def function(start="fresh", **environment):
        command = [sys.executable, "-c", SWEEP, start, str(job.PROGRAM), str(stoppable.parent)]
        given = {"cwd": ROOT, "env": {**os.environ, **environment}, "stdout": subprocess.PIPE}
        processes.append(subprocess.Popen(command, **given, text=True))
        wait_until(lambda: "running" in stoppable.read_text())
        return processes[-1]

    yield function
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def jobs(tmp_path):
    return [Job(name, tmp_path / name, (), tmp_path / "stop") for name in "abcdefgh"]


@pytest.fixture
def engine(cluster):
    def build(**options):
        limits = {"array_parallelism": 6, "max_num_timeout": 3, "max_lost": 1}
        return slurm.Slurm(cluster.folder, **{"submit_only": False, **limits, **options})

    return build
