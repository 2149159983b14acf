"""A stand-in for the W&B server, where the shared tools are at hand."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.sweeps.standin import KEY

STANDIN = Path(__file__).parents[3] / "shared" / "tools" / "wandb_standin.py"
SERVE = Path(__file__).with_name("standin.py")


class Server:
    """The stand-in's address, and everything that it was sent."""

    def __init__(self, port: int, folder: Path):
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WANDB")},
            **{"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_CONFIG_DIR": str(folder)},
            **{
                "WANDB_CACHE_DIR": str(folder),
                "WANDB_DATA_DIR": str(folder),
                "WANDB_DIR": str(folder),
            },
            "WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "1",  # a kill finds the first records sent
            "WANDB__TRANSACTION_LOG_FLUSH_INTERVAL": "0.5",
            "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    @property
    def state(self) -> dict:
        with urllib.request.urlopen(f"{self.url}/state", timeout=10) as answer:
            return json.load(answer)

    @property
    def runs(self) -> list[dict]:
        runs = self.state["runs"]
        return list(runs.values()) if isinstance(runs, dict) else runs

    def stop(self, run: dict) -> None:
        """Ask a run to stop, as W&B's page does."""
        name = base64.b64encode(f"Run:v1:{run['name']}:{run['project']}:{run['entity']}".encode())
        query = "mutation Stop($id: ID!) { stopRun(input: {id: $id}) { success } }"
        body = {"query": query, "variables": {"id": name.decode()}}
        request = urllib.request.Request(f"{self.url}/graphql", json.dumps(body).encode())
        urllib.request.urlopen(request, timeout=10).close()

    def run(self, folder: Path) -> dict:
        """What W&B shows of the run in a folder."""
        name = json.loads((folder / "run.json").read_text())["wandb_id"]
        run = next(run for run in self.runs if run["name"] == name)
        of_run = f"{run['entity']}/{run['project']}/{name}/"
        files = (file.removeprefix(of_run) for file in self.state["files"] if of_run in file)
        return {**run, "files": set(files)}


@pytest.fixture(scope="session")
def wandb_server(tmp_path_factory):
    """A running stand-in for the W&B server."""
    if not STANDIN.exists():
        pytest.skip(f"no stand-in for the W&B server at {STANDIN}")
    pytest.importorskip("graphql", reason="the W&B stand-in needs graphql-core")
    folder = tmp_path_factory.mktemp("wandb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(SERVE), str(STANDIN), str(port), str(folder / "server.log")]
    )
    server = Server(port, folder)
    for _ in range(100):
        try:
            server.state  # noqa: B018 (asks whether the server answers)
            break
        except OSError:
            time.sleep(0.1)
    yield server
    process.terminate()
    process.wait()
