"""The registered trial as runs: every run draws one option of each toggle, round by round.

A draw depends on the registered seed, the task and the number of the run alone. What is done is
read from the runs that there are, so the same command goes on after a kill.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from pydantic import Field, ValidationError

from agent.config import check_value
from agent.errors import UserError
from agent.run.compose import composed
from agent.run.identity import BASELINE, parts
from agent.run.status import Status
from analysis import InputError, claims, design, read, select, study
from analysis.schema import ENDED, Store, joined, one_line
from sweeps import grid
from sweeps.grid import SEED
from sweeps.state import Planned, planned

RESULTS = "hydra.sweeper.results"
Task = tuple[str, ...]  # the overrides of all runs of a task


class Trial:
    """The rounds of a trial on the tasks of a suite, or on those that `overrides` name; UserError
    for overrides that make another arm or give a seed."""

    def __init__(self, overrides: Sequence[str], sweeper: DictConfig):
        self.registered = _registered(sweeper)
        self.design, self.first = self.registered.trial, design.PILOT.start * bool(sweeper.pilot)
        if sweeper.pilot:
            check_value("hydra.sweeper.pilot", sweeper.pilot, Annotated[int, Field(ge=2, le=100)])
            self.design = self.design.pilot(sweeper.pilot, self.first)
        most = len(self.design.rounds)
        last = most if sweeper.rounds is None else sweeper.rounds
        check_value("hydra.sweeper.rounds", last, Annotated[int, Field(ge=1, le=most)])
        self.rounds = range(1, 1 + last)
        self._files = [file for path in sweeper.results for file in _csv_files(Path(path))]
        self._open: dict[int, tuple[str, ...] | None] = {}  # claims, by complete round
        self.tasks: list[Task] = [tuple(job) for job in grid.jobs(overrides, {"task": "glob(*)"})]
        for run in planned(self.tasks):
            if run.identity.arm != BASELINE or any(SEED in given for given in run.overrides):
                raise UserError(
                    f"{' '.join(run.overrides)}: the trial gives the options and the seeds; "
                    "allowed: the suite, its tasks, and values that make no other arm"
                )
        for run in planned([[*task, *self._first(task)] for task in self.tasks]):
            if run.identity.arm != BASELINE:
                raise UserError(
                    f"weights: the first options make {run.identity.arm}; list the baseline's first"
                )

    def runs(self, number: int) -> list[Planned]:
        """The runs of rounds 1 to `number`, by seed; what a csv holds or diverged is done."""
        size, controls = self.design.rounds[number - 1], self.design.control_runs
        jobs = []
        for seed in range(max(size, controls)):
            for task in self.tasks:
                arms = self._drawn[task][:size][seed : seed + 1]
                arms += self._controls(task) if seed < controls else []
                jobs += [[*task, *arm, f"{SEED}={self.first + seed}"] for arm in arms]
        return [self._ended(run) for run in planned(jobs)]

    def size(self, number: int) -> int:
        """Runs of rounds 1 to `number`."""
        drawn = sum(len(self._drawn[task][: self.design.rounds[number - 1]]) for task in self.tasks)
        controls = sum(len(self._controls(task)) for task in self.tasks)
        return drawn + self.design.control_runs * controls

    def next(self) -> tuple[int, list[Planned]] | None:
        """The first round that is not complete and the runs up to its end; None once the trial has
        ended. Prints what each complete round answers."""
        for number in self.rounds:
            runs = self.runs(number)
            if any(run.state != Status.DONE for run in runs):
                return number, runs
            if number not in self._open:
                self._open[number] = self.open_claims(runs)
                told = f"round {number} of {len(self.design.rounds)} is complete"
                print(f"{told}; {_said(self._open[number])}", flush=True)
            if self._open[number] == ():
                return None
        return None

    def open_claims(self, runs: Sequence[Planned]) -> tuple[str, ...] | None:
        """The claims that the ended `runs` leave open; None for those of a pilot, or too few to
        judge."""
        if self.first == design.PILOT.start:
            return None
        cfg, keys = runs[0].cfg, {_key(run) for run in runs}
        tasks = sorted({run.identity.task for run in runs})
        store = joined([read.folder(Path(cfg.run.root)), *self._imported])
        known = pd.MultiIndex.from_frame(store.runs[read.SAME]).isin(keys)
        own = select.one_run_per_cell(store.of(store.runs[known]))
        try:
            return study.judge(own, self.registered, cfg.suite.name, suite_tasks=tasks).open
        except InputError as error:
            raise UserError(str(error)) from error

    @cached_property
    def _drawn(self) -> dict[Task, list[list[str]]]:
        return {task: list(self._draws(task)) for task in self.tasks}

    def _draws(self, task: Task) -> Iterator[list[str]]:
        cfg = composed(task)[0]
        most = self.registered.most_runs(cfg.suite.name, cfg.task.name)
        for drawn in self.design.draws(cfg.task.name, cfg.task.actions, most):
            yield [grid.multiplied(task, option) for option in drawn]

    def _first(self, task: Task) -> list[str]:
        actions = composed(task)[0].task.actions
        first = {factor: self.design.baseline(factor, actions) for factor in self.design.weights}
        return [grid.multiplied(task, f"{factor}={option}") for factor, option in first.items()]

    def _controls(self, task: Task) -> list[list[str]]:
        cfg = composed(task)[0]
        rows = [row for row in self.registered.controls if row.where == cfg.task.actions]
        arms = [row.arms(cfg.suite.name) for row in rows]
        return [parts(sides[0]) for sides in arms if sides]

    @cached_property
    def _imported(self) -> list[Store]:
        """The ended runs of the csv files: one store, or none."""
        try:
            stores = [read.exported(self._files)] if self._files else []
        except InputError as error:
            raise UserError(f"{RESULTS}: {error}") from error
        return [store.of(store.runs[store.runs.status.isin(ENDED)]) for store in stores]

    def _ended(self, run: Planned) -> Planned:
        if run.state in (Status.DONE, Status.DIVERGED):
            return replace(run, state=Status.DONE)
        if fields := self._done_elsewhere.get(_key(run)):
            return replace(run, state=Status.DONE, error=None, fields=fields)
        if fields := self._done_elsewhere.get((*_key(run)[:-1], run.cfg.run.steps)):
            changed = f"a number or name has changed, its digest there is {fields['digest']}"
            raise UserError(f"{RESULTS}: {run.identity}: {changed}")
        return run

    @cached_property
    def _done_elsewhere(self) -> dict[tuple, dict]:
        """The csv files' runs, by what they share with `_key`, and by the budget for the digest."""
        rows = [row for store in self._imported for row in store.runs.to_dict("records")]
        names = read.SAME, [*read.SAME[:-1], "planned_steps"]
        return {tuple(row[name] for name in own): row for own in names for row in rows}


def _registered(sweeper: DictConfig) -> claims.Claims:
    """The claims file with a trial, whose weights `sweeper` may replace; UserError without one."""
    found = grid.registered(sweeper.claims)
    if found.trial is None:
        raise UserError(f"{sweeper.claims} registers no trial")
    if not sweeper.weights:
        return found
    weights, given = OmegaConf.to_container(sweeper.weights), found.trial.model_dump()
    kept = {
        "default": {key: given["default"][key] for key in weights if key in given["default"]},
        "needs": {
            key: needs
            for key, needs in given["needs"].items()
            if key in weights and needs.keys() <= weights.keys()
        },
    }
    try:
        trial = design.Trial.model_validate({**given, **kept, "weights": weights})
    except ValidationError as error:
        raise UserError(f"hydra.sweeper.weights: {one_line(error)}") from error
    return found.model_copy(update={"trial": trial})


def _said(open_claims: tuple[str, ...] | None) -> str:
    none = "no claim can be judged" if open_claims is None else "all claims are answered"
    return f"open claims: {', '.join(open_claims)}" if open_claims else none


def _key(run: Planned) -> tuple:
    return tuple(getattr(run.identity, name) for name in read.SAME)


def _csv_files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.csv*")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UserError(f"{RESULTS}: there is no file {path}")
    return files
