"""W&B sweeps: files, the real clients against the stand-in, the local runner, the workspace."""

import json
import re
import subprocess
import sys

import psutil
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra

from agent.run.compose import project_config
from agent.run.record import Record
from agent.run.status import AGENT_JOB
from benchmarks.sweep_kills import TINY
from sweeps import dashboard, grid, job, wandb_sweeps
from sweeps.wandb_sweeps import FOLDER
from tests.sweeps.tracked import ROOT
from tests.waiting import wait_until


def test_files_are_fresh_and_draws_have_the_registered_weights():
    with project_config():
        fresh = wandb_sweeps.sweeps("mini")
    on_disk = {file.stem: file.read_text() for file in FOLDER.glob("*.yaml")}
    assert on_disk == {name: wandb_sweeps.text(sweep) for name, sweep in fresh.items()}
    drawn = fresh["trial_continuous"]["parameters"]
    assert fresh["trial_discrete"]["method"] == "random"
    assert drawn["actor_grad"]["values"] == ["dynamics", "reinforce", "mixed"]
    assert drawn["actor_grad"]["probabilities"] == [0.5, 0.25, 0.25]
    assert set(drawn["task"]["values"]) == {"pendulum", "position_pendulum", "inverted_pendulum"}


@pytest.mark.parametrize(
    ("own", "claims", "files"),
    [
        ({"latent": "glob(*)"}, None, ["latent"]),
        ({"schedule": "glob(*)"}, None, ["schedule"]),
        ({}, "sweeps/claims.yaml", ["claims_discrete", "claims_continuous"]),
    ],
)
def test_files_hold_the_jobs_of_their_hydra_sweep(own, claims, files):
    with project_config():
        params = {**own, "task": "glob(*)", "run.seed": "range(5)"}
        hydra_jobs = grid.jobs(["suite=mini"], params, claims)
        file_jobs = [job for name in files for job in wandb_sweeps.expand(FOLDER / f"{name}.yaml")]
    assert sorted(map(sorted, file_jobs)) == sorted(map(sorted, hydra_jobs))


def test_an_agents_job_writes_out_the_arm_and_what_multiplies_the_tasks_number():
    GlobalHydra.instance().clear()
    given = ["task=pendulum", "arm=kl=standard,latent=gaussian", "recipe.entropy_scale=x0.5"]
    written = ["task=pendulum", "kl=standard", "latent=gaussian", "recipe.entropy_scale=0.05"]
    assert wandb_sweeps.command(given)[2:] == written
    assert wandb_sweeps.command(["arm=baseline"])[2:] == []


@pytest.fixture
def sweep_file(tmp_path):
    """Function of arms and more settings: the file of a W&B sweep of their tiny runs."""

    def write(*arms, **more):
        sweep = yaml.safe_load((FOLDER / "claims_discrete.yaml").read_text())
        fixed = dict(setting.split("=", 1) for setting in TINY)
        fixed |= {"run.root": str(tmp_path / "runs"), "run.steps": "100"}
        values = {key: yaml.safe_load(value) for key, value in (fixed | more).items()}
        given = {key: {"value": value} for key, value in values.items()}
        sweep["parameters"] = {**given, "arm": {"values": list(arms)}}
        (tmp_path / "sweep.yaml").write_text(yaml.dump(sweep))
        return str(tmp_path / "sweep.yaml")

    return write


def finished(folder):
    fields = [json.loads(file.read_text()) for file in (folder / "runs").rglob("run.json")]
    return sorted(run["choices"]["latent"] for run in fields if run["status"] == "done")


def run(command, **environment):
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_an_agent_that_is_killed_and_restarted_runs_all(wandb_server, sweep_file, tmp_path):
    environment = {**wandb_server.environment, "PYTHONPATH": str(ROOT)}
    file = sweep_file("baseline", "latent=gaussian", **{"tracker.timeout": "300"})
    created = run(["wandb", "sweep", file], **environment)
    agent = ["wandb", "agent", *re.findall(r"wandb agent (\S+)", created.stderr)]
    first = subprocess.Popen(agent, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_until(lambda: list((tmp_path / "runs").rglob("run.json")) or first.poll() is not None)
    assert first.poll() is None
    first.kill()
    first.wait()
    assert run(agent, **environment).returncode == 0
    wait_until(lambda: finished(tmp_path) == ["categorical", "gaussian"])
    sweep = agent[-1].rpartition("/")[-1]
    states = lambda: [run["state"] for run in wandb_server.runs if run["sweep"] == sweep]  # noqa: E731
    wait_until(lambda: states() == ["finished"] * 2)


def test_a_draw_that_is_refused_is_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wandb_sweeps.signal, "signal", lambda *_: None)
    monkeypatch.setattr(wandb_sweeps, "PROGRAM", tmp_path / "program.py")
    (tmp_path / "program.py").write_text("import sys; sys.exit(int(sys.argv[1]))")
    codes = {name: [wandb_sweeps.main([name, c]) for c in "012"] for name in ("job", "draw")}
    assert codes == {"job": [0, 1, 2], "draw": [0, 1, 0]}
    assert capsys.readouterr().out == "skipped: this draw is refused\n"


def test_an_agents_job_that_is_asked_to_stop_is_no_failure(stoppable):
    program = "import sys; from sweeps import wandb_sweeps; wandb_sweeps.PROGRAM = sys.argv[1]; "
    program += "sys.exit(wandb_sweeps.main(['job']))"
    command = [sys.executable, "-c", program, str(job.PROGRAM)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=stoppable.open("w"))
    wait_until(lambda: "running" in stoppable.read_text())
    (child,) = psutil.Process(process.pid).children()
    assert child.environ()[AGENT_JOB] == str(process.pid)
    process.terminate()
    assert process.wait(300) == 0 and "checkpoint written" in stoppable.read_text()


def test_a_local_runner_needs_no_server_and_its_runs_join_later(sweep_file, tmp_path, wandb_server):
    local = [sys.executable, "-m", "sweeps.wandb_sweeps", "run", sweep_file("latent=gaussian")]
    alone = {"PATH": "/usr/bin:/bin", "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done = run([*local, "hydra/launcher=basic", "run.seed=3"], **alone, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert finished(tmp_path) == ["gaussian"]
    (folder,) = (tmp_path / "runs").glob("*/*/*/3-*")
    fields = json.loads((folder / "run.json").read_text())
    again = [*local[:3], "job", "tracker=wandb", "tracker.timeout=300", *fields["overrides"]]
    asked = {"WANDB_SWEEP_ID": "later", "WANDB_RUN_ID": "asked"}
    done = run(again, **wandb_server.environment, **asked)
    assert done.returncode == 0 and "done already" in done.stdout, done.stderr
    shown = wandb_server.run(folder)
    assert (shown["name"], shown["sweep"], shown["state"]) == ("asked", "later", "finished")
    assert len(shown["history"]) > 2 and shown["summary"]["status"] == "done"


def test_the_workspace_shows_what_runs_log_and_averages_no_raw_returns(
    unbroken, tmp_path, monkeypatch
):
    pytest.importorskip("wandb_workspaces")
    monkeypatch.setattr(dashboard, "NO_RUNS", "| change | verdict |")
    assert dashboard.main(["--json", str(tmp_path / "workspace.json")]) == 0
    text = (tmp_path / "workspace.json").read_text()
    spec = json.loads(text)["spec"]["section"]
    *_, logged = Record(unbroken).metrics()
    curves = set(re.findall(r'"metrics/(\w+)"', text))
    assert len(curves) > 10 and curves <= logged.keys()
    assert "eval/return" in text and "pictures/prediction" in text
    sections = spec["panelBankConfig"]["sections"]
    assert [section["name"] for section in sections][:2] == ["What helps", "Learning curves"]
    assert "| change | verdict |" in text and text.count('"arm.value"') > 5
    panels = [panel["config"] for section in sections for panel in section["panels"]]
    shown = [(panel.get("metrics") or [], panel.get("groupBy")) for panel in panels]
    assert (["eval/score"], "arm.value") in shown
    for metric in ("eval/return", "train/return", "metrics/target"):
        assert {group for metrics, group in shown if metric in metrics} == {None}
    grouping = spec["runSets"][0]["grouping"]
    assert [key["name"] for key in grouping] == ["task_name.value", "arm.value"]


def test_the_workspace_is_saved(wandb, capsys):
    pytest.importorskip("wandb_workspaces")
    assert dashboard.main(["--entity", "local", "--project", "shown"]) == 0
    assert "shown" in capsys.readouterr().out and "What helps" in json.dumps(wandb.state["views"])
