"""The ladder as a sweep: round by round, from folders and csv files, and what it refuses."""

import json
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hydra import compose
from hydra.core.global_hydra import GlobalHydra

from agent.run.compose import composed
from agent.run.identity import baseline_digest
from agent.run.status import Status
from analysis.__main__ import main as analysis
from sweeps import grid, plan, state, sweep
from sweeps.config import project_config
from sweeps.job import Outcome
from sweeps.sweep import Sweep
from tests.analysis.runs import write_run

CLAIMS = """margin: {mini: 0.1, gym: 0.1}
ladder:
  mini: {rounds: [6, 9], shares: [0.4, 0.6], baseline: 2, ratios: {cartpole: 1.0, catch: 1.5}}
controls:
  - {id: control, with: recipe.model_lr=0, without: baseline, where: discrete}
claims:
  - {id: latents, paper: helps, with: baseline, without: latent=gaussian, where: discrete}
  - {id: layer_norm, paper: no_help, with: baseline, without: gru=plain, where: discrete}
"""
MEANS = {"baseline": 0.8, "latent=gaussian": 0.2, "gru=plain": 0.75, "recipe.model_lr=0": 0.1}
# seeds on cartpole and on catch: the baseline twice those of the others
ROUND_1 = {"baseline": 12 + 18, "latent=gaussian": 15, "gru=plain": 15, "recipe.model_lr=0": 6 + 9}
ROUND_2 = {"baseline": 18 + 28 - 30, "gru=plain": 9 + 14 - 15}


@cache
def baseline(overrides):
    return baseline_digest(*composed(overrides))


class Engine:
    """Leaves the folders of runs that have ended, without training; `bad` tells by name how a run
    ends otherwise, `saturated` which arm has a part that is saturated in all updates."""

    is_here = submit_only = False

    def __init__(self):
        self.launched, self.bad, self.saturated = [], {}, None

    def places(self) -> int:
        return 1

    def check(self) -> None:
        pass

    def run(self, jobs) -> Iterator[Outcome]:
        for job in jobs:
            status = self.bad.get(job.name, Status.DONE)
            self.launched.append(job.name)
            self.write(job, status)
            yield Outcome(job.name, job.folder, status)

    def write(self, job, status):
        (run,) = state.planned([job.overrides])
        one = run.identity
        spread = 0.3 if one.arm == "gru=plain" else 0.05
        rng = np.random.default_rng([1, one.seed, *one.arm.encode(), *one.task.encode()])
        for old in job.folder.glob("*.*"):
            old.unlink()
        if job.folder.exists():
            job.folder.rmdir()
        write_run(
            run.folder.parents[3],
            *(one.arm, one.task, one.seed),
            finals=MEANS[one.arm] + spread * rng.normal(),
            status=status,
            suite="mini",
            digest=one.digest,
            baseline=baseline(state.unseeded(job.overrides)),
            saturation={"kl_clamped": float(one.arm == self.saturated)},
        )

    def counts(self):
        """Launched runs by arm, since the last call."""
        arms = [name.split("/")[2].split(" ")[0] for name in self.launched]
        self.launched = []
        return {arm: arms.count(arm) for arm in sorted(set(arms), key=[*MEANS].index)}


@pytest.fixture
def engine(tmp_path, monkeypatch):
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    monkeypatch.chdir(tmp_path)  # the same overrides, which compose once
    fake = Engine()
    monkeypatch.setattr(sweep, "chosen", lambda config: fake)
    monkeypatch.setattr(plan, "chosen", lambda config: fake)
    GlobalHydra.instance().clear()
    return fake


@pytest.fixture
def climb(engine, tmp_path, capsys):
    """Function of overrides: the exit status of a ladder, and what it said."""

    def run(*overrides):
        given = ["+sweep=ladder", f"hydra.sweeper.claims={tmp_path / 'claims.yaml'}", *overrides]
        with project_config():
            try:
                config = compose("config", grid.fixed(given), return_hydra_config=True)
                options = {k: v for k, v in config.hydra.sweeper.items() if k != "_target_"}
                Sweep(config, **options).sweep(given)
                code = 0
            except SystemExit as end:
                code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_round_by_round_until_nothing_is_left(engine, climb):
    code, said, _ = climb()
    assert code == 0
    assert engine.counts() == {arm: ROUND_1[arm] + ROUND_2.get(arm, 0) for arm in MEANS}
    lines = said.splitlines()
    assert lines[0] == "round 1 of 2:" and lines[1].startswith("75 runs, 0 of them done; 75 to")
    assert any(line.startswith("round 1 of 2: control: hurts (-0.7") for line in lines)
    assert any(line.startswith("round 1 of 2: latents: helps (+0.6") for line in lines)
    stop = "round 1 of 2: no more seeds of latent=gaussian, recipe.model_lr=0"
    assert stop in lines and lines.index(stop) < lines.index("round 2 of 2:")
    assert "69 runs, 45 of them done; 24 to launch" in lines
    assert lines[-1] == "The ladder has ended: its last round is complete. Undecided: layer_norm."
    code, again, _ = climb()
    assert code == 0 and engine.launched == []
    assert [line for line in again.splitlines() if line in lines] == again.splitlines()


def test_a_degenerate_arm_stops_with_a_line(engine, climb):
    engine.saturated = "latent=gaussian"
    code, said, _ = climb("hydra.sweeper.rounds=1")
    lines = said.splitlines()
    (line,) = [line for line in lines if "latents" in line]
    assert code == 0 and line.startswith("round 1 of 2: latents: degenerate arm (+0.6")
    assert "round 1 of 2: no more seeds of latent=gaussian, recipe.model_lr=0" in lines
    assert "nan" not in said


def test_seeds_come_in_order(engine, climb):
    climb("hydra.sweeper.rounds=1")
    seeds = [int(name.rpartition(" ")[2]) for name in engine.launched]
    assert seeds == sorted(seeds) and len(seeds) == 75


def test_a_ladder_stops_after_a_round_and_goes_on(engine, climb):
    code, said, _ = climb("hydra.sweeper.rounds=1")
    assert code == 0 and engine.counts() == ROUND_1
    assert said.splitlines()[-1] == "Round 2 lacks 24 runs: baseline 16, gru=plain 8."
    assert climb()[0] == 0 and engine.counts() == ROUND_2


def test_a_failed_run_blocks_its_round_until_it_is_retried(engine, climb):
    name = "mini/catch/gru=plain seed 1"
    engine.bad[name] = Status.FAILED
    code, said, _ = climb()
    assert code == 1 and engine.counts() == ROUND_1
    assert name in said and "Round 1 lacks 1 run: gru=plain 1." in said
    engine.bad.clear()
    code, said, _ = climb()
    assert code == 1 and engine.counts() == {} and "run.retry_failed=true tries again" in said
    code, said, _ = climb("run.retry_failed=true", "hydra.sweeper.rounds=1")
    assert code == 0 and engine.launched == [name]


def test_a_run_that_diverged_has_ended_and_is_never_retried(engine, climb):
    engine.bad["mini/catch/gru=plain seed 1"] = Status.DIVERGED
    assert climb("hydra.sweeper.rounds=1")[0] == 0
    engine.counts()
    assert climb("run.retry_failed=true")[0] == 0 and engine.counts() == ROUND_2


@pytest.fixture
def first_round(engine, climb, tmp_path):
    """The csv of a first round, whose folders are gone."""
    climb("hydra.sweeper.rounds=1")
    engine.counts()
    file = tmp_path / "round1.csv"
    assert analysis(["export", "--runs", "runs", "--out", str(file)]) == 0
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    return file


def test_a_csv_counts_as_done_and_a_run_in_both_counts_once(engine, climb, first_round, tmp_path):
    code, said, _ = climb(f"hydra.sweeper.results=[{first_round}]")
    assert code == 0 and engine.counts() == ROUND_2
    assert "latents: helps" in said and "69 runs, 45 of them done; 24 to launch" in said
    moved = list((tmp_path / "elsewhere").rglob("run.json"))
    for file in moved:
        folder = tmp_path / "runs" / file.parent.relative_to(tmp_path / "elsewhere")
        folder.parent.mkdir(parents=True, exist_ok=True)
        file.parent.rename(folder)
    code, both, _ = climb(f"hydra.sweeper.results=[{first_round}]")
    assert code == 0 and engine.launched == [] and len(moved) == 75
    assert set(both.splitlines()) <= set(said.splitlines())


def test_a_run_that_a_folder_and_a_csv_hold_differently_is_refused(engine, climb, first_round):
    assert climb("hydra.sweeper.rounds=1")[0] == 0
    text = {"digest": str, "baseline": str}
    frame = pd.read_csv(first_round, dtype=text, float_precision="round_trip")
    frame.loc[frame.arm == "gru=plain", "score"] += 1
    frame.to_csv(first_round, index=False)
    code, _, error = climb(f"hydra.sweeper.results=[{first_round}]")
    assert code == 2 and "gru=plain seed" in error and "is another one in runs" in error


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("digest", "ffff0000", "with the digest ffff0000; here it is"),
        ("baseline", "ffff0000", "with the baseline ffff0000; here it is"),
        ("arm", "kl=standard", "kl=standard, which is not on the ladder of suite=mini"),
        ("task", "pendulum", "pendulum gru=plain, which is not on the ladder of suite=mini"),
        ("suite", "gym", "no ended run of suite 'mini'"),
    ],
)
def test_a_csv_of_other_runs_is_refused(engine, climb, first_round, column, value, message):
    frame = pd.read_csv(first_round, dtype={"digest": str, "baseline": str})
    changed = frame.arm == "gru=plain"
    frame.loc[changed | (column == "suite"), column] = value
    frame.to_csv(first_round, index=False)
    code, _, error = climb(f"hydra.sweeper.results=[{first_round}]")
    assert code == 2 and message in error and error.count("\n") == 1
    assert engine.launched == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("suite=gym", "no ladder is registered for suite 'gym'; there are for: mini"),
        ("task=cartpole", "task=cartpole: the ladder gives tasks, arms and seeds"),
        ("run.seed=range(5)", "run.seed=range(5): the ladder gives tasks, arms and seeds"),
        ("latent=binary,gaussian", "latent=binary,gaussian: the ladder gives"),
        ("recipe.length=8", "recipe.length=8 is not on the ladder, where it would be cartpole ba"),
        ("hydra.sweeper.rows=[latents]", "rows=['latents']: a ladder takes all registered claims"),
        ("hydra.sweeper.rounds=0", "hydra.sweeper.rounds=0"),
        ("hydra.sweeper.claims=null", "needs hydra.sweeper.claims"),
        ("hydra.sweeper.results=[none.csv]", "there is no file none.csv"),
        ("hydra.sweeper.ladder=false hydra.sweeper.rounds=1", "are of +sweep=ladder"),
    ],
)
def test_what_a_ladder_fixes_is_refused(engine, climb, given, message):
    code, _, error = climb(*given.split(" "))
    assert code == 2 and message in error and error.count("\n") == 1
    assert engine.launched == []


def test_a_value_of_the_protocol_applies_to_every_run(engine, climb, tmp_path):
    climb("run.steps=1000", "hydra.sweeper.rounds=1")
    (file, *_) = sorted((tmp_path / "runs").rglob("run.json"))
    digest = json.loads(file.read_text())["digest"]
    with project_config():
        (short,) = state.planned([["run.steps=1000", "task=cartpole"]])
    assert short.identity.digest == digest
    assert climb("hydra.sweeper.rounds=1")[0] == 0 and len(engine.launched) == 150


def test_too_few_evaluations_for_the_score_are_refused(engine, climb, tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text(CLAIMS + "score: {mini: area}\n")
    code, _, error = climb("run.eval_every=1000")
    assert code == 2 and engine.launched == [] and error.count("\n") == 1
    assert "run.eval_every=1000: the score area of suite=mini takes 8 evaluations" in error


def test_the_plan_shows_the_rounds_and_the_commands_of_the_next(engine, climb, tmp_path, capsys):
    climb("hydra.sweeper.rounds=1")
    given = ["+sweep=ladder", f"hydra.sweeper.claims={tmp_path / 'claims.yaml'}"]
    assert plan.main(given) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "6-9", "75", "75", "2"] in rows and ["2", "9-14", "69", "45", "1"] in rows
    assert ["Round", "2", "lacks", "24", "runs:", "baseline", "16,", "gru=plain", "8."] in rows
    hours = [row for row in rows if row[:2] == ["expected", "hours:"]]
    assert hours and [row for row in rows if row[:3] == ["of", "all", "rounds"]]
    assert plan.main([*given, "--commands"]) == 0
    commands = capsys.readouterr().out.splitlines()
    assert len(commands) == 24 and commands[0].startswith("python run.py task=")
