"""The trial as a sweep: round by round, from folders and csv files, and what it refuses."""

import shutil
import signal
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra

from agent.errors import UserError
from agent.run.compose import composed, project_config
from agent.run.identity import baseline_digest
from agent.run.status import Status
from analysis.__main__ import main as analysis
from sweeps import grid, plan, state, sweep
from sweeps.job import Outcome
from sweeps.sweep import Sweep
from tests.analysis.runs import write_run

CLAIMS = """margin: {default: 0.1}
trial:
  seed: 7
  rounds: [24, 32]
  shares: [0.5, 0.5]
  weights:
    latent: {categorical: 1, gaussian: 1}
    gru: {layer_norm: 1, plain: 1}
    explore: {policy_entropy: 3, action_noise: 1}
    recipe.entropy_scale: {x1: 1, x0.5: 1}
  needs: {recipe.entropy_scale: {explore: policy_entropy}}
  control_runs: 1
controls:
  - {id: control, with: recipe.model_lr=0, without: baseline, where: discrete}
claims:
  - {id: latents, paper: helps, with: baseline, without: latent=gaussian, where: discrete}
  - {id: layer_norm, paper: no_help, with: baseline, without: gru=plain, where: discrete}
"""
ONE_TOGGLE = "hydra.sweeper.weights={gru:{layer_norm:1,plain:3}}"
TASKS = "task=cartpole,catch"
RUNS = [2 * 24 + 2, 2 * 32 + 2]  # up to each round


@cache
def baseline(overrides):
    return baseline_digest(*composed(overrides))


class Engine:
    """Leaves the folders of runs that have ended, without training."""

    is_here = submit_only = False
    spread = 0.5  # by which scores differ for no reason

    def __init__(self):
        self.launched = []
        self.bad = {}  # by name, how a run ends if not well

    def places(self):
        return 2

    def check(self):
        pass

    def run(self, jobs):
        for job in jobs:
            status = self.bad.get(job.name, Status.DONE)
            self.launched.append(job)
            self.write(job, status)
            yield Outcome(job.name, job.folder, status)

    def write(self, job, status):
        (run,) = state.planned([job.overrides])
        one = run.identity
        rng = np.random.default_rng([one.seed, *one.arm.encode(), *one.task.encode()])
        mean = 0.8 - 0.5 * ("latent=gaussian" in one.arm) - 0.4 * ("gru=plain" in one.arm)
        shutil.rmtree(job.folder, ignore_errors=True)
        write_run(
            run.folder.parents[3],
            *(one.arm, one.task, one.seed),
            finals=mean + self.spread * rng.normal(),
            status=status,
            suite="mini",
            digest=one.digest,
            baseline=baseline(state.unseeded(job.overrides)),
        )


@pytest.fixture
def engine(tmp_path, monkeypatch):
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    monkeypatch.chdir(tmp_path)  # the same overrides, which compose once
    fake = Engine()
    for module in (sweep, plan):
        monkeypatch.setattr(module, "chosen", lambda config: fake)
    GlobalHydra.instance().clear()
    return fake


@pytest.fixture
def given(tmp_path):
    return ["+sweep=trial", f"hydra.sweeper.claims={tmp_path / 'claims.yaml'}"]


@pytest.fixture
def trial(engine, given, capsys):
    def run(*overrides):
        arguments = [*given, *overrides]
        engine.launched.clear()
        with project_config():
            code = Sweep(grid.configured(arguments)).sweep(arguments)
        return code, *capsys.readouterr()

    return run


def test_every_run_draws_and_rounds_follow_until_the_last(engine, trial):
    code, said, _ = trial(TASKS)
    assert code == 0 and len(engine.launched) == RUNS[1]
    lines = said.splitlines()
    assert lines[0] == "round 1 of 2:" and f"{RUNS[0]} runs, 0 of them done" in lines[1]
    assert f"{RUNS[1]} runs, {RUNS[0]} of them done; {RUNS[1] - RUNS[0]} to launch" in said
    assert "round 1 of 2 is complete; open claims: " in said and lines[-1] == "the trial has ended"
    seeds = [int(job.name.rpartition(" ")[2]) for job in engine.launched]
    assert seeds[: RUNS[0]] == sorted(seeds[: RUNS[0]]) and set(seeds) == set(range(32))
    drawn = Counter(option for job in engine.launched[: RUNS[0]] for option in job.overrides)
    assert drawn["latent=gaussian"] == drawn["gru=plain"] == 24 and drawn["recipe.model_lr=0"] == 2
    assert drawn["explore=action_noise"] == 12
    assert drawn["recipe.entropy_scale=0.025"] == 18, "half of the task's own, where it is read"
    never = {"explore=action_noise", "recipe.entropy_scale=0.025"}
    assert not any(never <= {*job.overrides} for job in engine.launched)
    assert trial(TASKS)[0] == 0 and engine.launched == []


def test_a_trial_stops_after_a_round_and_goes_on_as_the_plan_says(engine, trial, given, capsys):
    assert trial(TASKS, "hydra.sweeper.rounds=1")[0] == 0 and len(engine.launched) == RUNS[0]
    first = {job.name for job in engine.launched}
    assert plan.main([*given, TASKS]) == 0
    said = capsys.readouterr().out
    assert f"runs up to each round: {RUNS[0]}, {RUNS[1]}; round 2 is next" in said
    assert ["mini", "cartpole"] in [line.split()[:2] for line in said.splitlines()]
    assert f"{RUNS[0]} done" in said and f"{RUNS[1]} runs in all" in said
    assert "expected hours: " in said and "of later rounds at most: 0.0" in said
    assert plan.main([*given, TASKS, "--commands"]) == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if "run.py" in line]
    assert len(commands) == RUNS[1] - RUNS[0] and "task=cartpole" in commands[0]
    assert trial(TASKS)[0] == 0 and len(engine.launched) == RUNS[1] - RUNS[0]
    assert not first & {job.name for job in engine.launched}


def test_a_failed_run_blocks_its_round_and_a_diverged_one_has_ended(engine, trial):
    assert trial(TASKS, "hydra.sweeper.rounds=1")[0] == 0
    names = [job.name for job in engine.launched]
    engine.bad |= {names[0]: Status.FAILED, names[3]: Status.DIVERGED}
    shutil.rmtree("runs")
    code, said, _ = trial(TASKS)
    assert code == 1 and len(engine.launched) == RUNS[0] and names[0] in said
    code, said, _ = trial(TASKS)
    assert code == 1 and engine.launched == [] and "run.retry_failed=true tries again" in said
    engine.bad.clear()
    code, said, _ = trial(TASKS, "run.retry_failed=true", "hydra.sweeper.rounds=1")
    assert code == 0 and [job.name for job in engine.launched] == names[:1]


def test_ctrl_c_in_the_last_run_of_a_round_begins_no_other(engine, trial, monkeypatch):
    def interrupted(jobs):
        yield from Engine.run(engine, jobs)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(engine, "run", interrupted)
    code, said, _ = trial(TASKS)
    assert code == 130 and len(engine.launched) == RUNS[0] and "round 2 of 2:" not in said


def test_a_csv_counts_as_done(engine, trial, tmp_path):
    trial(TASKS, "hydra.sweeper.rounds=1")
    assert analysis(["export", "--runs", "runs", "--out", "round1.csv"]) == 0
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    code, said, _ = trial(TASKS, "hydra.sweeper.results=[round1.csv]")
    assert code == 0 and len(engine.launched) == RUNS[1] - RUNS[0]
    assert "round 1 of 2 is complete; open claims: " in said
    trial("task=catch", "hydra.sweeper.results=[round1.csv]", "run.steps=7000", ONE_TOGGLE)
    assert len(engine.launched) == RUNS[1] / 2, "those of another budget are other runs"
    with pytest.raises(UserError, match="results: mini/.* has changed, its digest there is"):
        trial(TASKS, "hydra.sweeper.results=[round1.csv]", "run.steps=8000")


def test_one_toggle_alone_is_a_trial_that_ends_once_its_claims_are_answered(engine, trial):
    engine.spread = 0.01
    code, said, _ = trial("task=catch", ONE_TOGGLE)
    arms = Counter(job.name.split("/")[2].split(" ")[0] for job in engine.launched)
    assert code == 0 and arms == {"baseline": 6, "gru=plain": 18, "recipe.model_lr=0": 1}
    ended = "round 1 of 2 is complete; all claims are answered\nthe trial has ended\n"
    assert said.endswith(ended)
    assert analysis(["export", "--runs", "runs", "--out", "round1.csv"]) == 0
    engine.write(engine.launched[0], Status.INTERRUPTED)
    code, said, _ = trial("task=catch", ONE_TOGGLE, "hydra.sweeper.results=[round1.csv]")
    assert said.endswith(ended) and engine.launched == [], "a csv has the run as it ended"


def test_a_pilot_draws_from_seeds_that_no_verdict_reads(engine, trial):
    code, said, _ = trial(TASKS, "hydra.sweeper.pilot=8")
    seeds = Counter(int(job.name.rpartition(" ")[2]) for job in engine.launched)
    assert code == 0 and seeds == dict.fromkeys(range(900, 908), 2) and "no claim can be" in said
    drawn = Counter(option for job in engine.launched for option in job.overrides)
    assert drawn["latent=gaussian"] == drawn["gru=plain"] == 8 and "recipe.model_lr=0" not in drawn
    assert trial(TASKS, "hydra.sweeper.pilot=8")[0] == 0 and engine.launched == []
    trial("task=catch", "hydra.sweeper.rounds=1")
    assert len(engine.launched) == RUNS[0] / 2, "a pilot's runs are none of the trial's"


def test_a_kind_of_task_that_costs_more_has_fewer_runs(engine, trial, given, tmp_path, capsys):
    fewer = CLAIMS.replace(
        "trial:", "kinds: {mini: {grid: [catch]}}\ntrial:\n  at_most: {grid: 25}"
    )
    (tmp_path / "claims.yaml").write_text(fewer)
    grid.registered.cache_clear()
    assert trial(TASKS)[0] == 0 and len(engine.launched) == 25 + 1 + 32 + 1
    assert sum("catch" in job.name for job in engine.launched) == 25 + 1
    assert plan.main([*given, TASKS]) == 0
    assert f"runs up to each round: {RUNS[0]}, 59; the trial has ended" in capsys.readouterr().out
