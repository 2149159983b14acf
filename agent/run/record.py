"""The files that a run leaves: run.json, metrics.jsonl and scores.csv; trackers are views of the
same records."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol, TextIO

from agent.errors import UserError
from agent.run.status import Status

SCHEMA = 1
ANEW = "delete the run's folder to start it anew"
AXES = ("step", "env_frames", "gradient_steps", "wall_seconds")
IDENTITY = ("suite", "task", "arm", "seed", "digest")
PICTURES = {"episode": "episodes", "prediction": "predictions"}  # folder of each kind of picture
SCORE_FIELDS = ("step", "env_frames", "kind", "episode", "return", "length")


class Tracker(Protocol):
    """A view of the records elsewhere, such as W&B; what it raises never stops the run."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Take one line of metrics.jsonl."""

    def score(self, row: Mapping[str, Any]) -> None:
        """Take one line of scores.csv."""

    def picture(self, name: str, step: int, file: Path) -> None:
        """Take a picture, a png file, or a moving one, a gif file."""

    def rewind(self, record: "Record") -> None:
        """Show what `record` holds and no more: the run goes on from there."""

    def close(self, status: str) -> None:
        """Finish, with the run's status."""


class Record:
    """The records of one run in folder `path`, which are created where absent and continued where
    present."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.fields: dict[str, Any] = read_run(self.path) or {}
        self._trackers: list[Tracker] = []
        # closed by `close`
        self._metrics = open(self.path / "metrics.jsonl", "a", encoding="utf-8")  # noqa: SIM115
        self._scores = open(self.path / "scores.csv", "a", encoding="utf-8")  # noqa: SIM115
        self._write_header()

    @property
    def identity(self) -> dict[str, str]:
        """What names the run; its checkpoints carry it."""
        return {name: str(self.fields.get(name)) for name in IDENTITY}

    def update(self, **fields: Any) -> None:
        """Set fields of run.json; a reader finds either the old file or the new one."""
        self.fields = {"schema": SCHEMA, **self.fields, **fields}
        temporary = self.path / "run.json.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.fields, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path / "run.json")

    def log(
        self,
        step: int,
        env_frames: int,
        gradient_steps: int,
        wall_seconds: float,
        metrics: Mapping[str, float],
    ) -> None:
        """Add a line to metrics.jsonl; a value that is not finite is written as null."""
        row = {
            "step": step,
            "env_frames": env_frames,
            "gradient_steps": gradient_steps,
            "wall_seconds": wall_seconds,
        }
        row |= {name: _finite(value) for name, value in metrics.items()}
        self._metrics.write(json.dumps(row) + "\n")
        self._metrics.flush()
        self._tell("log", row)

    def score(
        self, step: int, env_frames: int, kind: str, episode: int, ret: float, length: int
    ) -> None:
        """Add a line to scores.csv: the raw return of one episode of kind `train` or `eval`."""
        row = dict(
            zip(SCORE_FIELDS, (step, env_frames, kind, episode, float(ret), length), strict=True)
        )
        self._scores.write(",".join(map(str, row.values())) + "\n")
        self._scores.flush()
        self._tell("score", row)

    def picture_file(self, name: str, step: int, suffix: str) -> Path:
        """Where the picture `name`, one of PICTURES, of a step is to be written."""
        folder = self.path / PICTURES[name]
        folder.mkdir(exist_ok=True)
        return folder / f"{step:010d}{suffix}"

    def picture(self, name: str, step: int, file: Path) -> None:
        """Add a picture, which the caller has written to `picture_file`."""
        self._tell("picture", name, step, file)

    def truncate(self, step: int) -> None:
        """Cut the records, pictures included, back to those of steps up to `step`, torn last lines
        too.

        A checkpoint at `step` is written after the records of that step; `truncate(-1)` starts
        over. Raises UserError where a record before the checkpoint cannot be read.
        """
        metrics, scores = [], []
        if step >= 0:
            metrics = [json.dumps(row) + "\n" for row in _up_to(step, self.metrics())]
            scores = [",".join(row.values()) + "\n" for row in _up_to(step, self._score_rows())]
        self._metrics = rewrite(self._metrics, metrics)
        self._scores = rewrite(self._scores, [",".join(SCORE_FIELDS) + "\n", *scores])
        for _, late, file in self.pictures():
            if late > step:
                file.unlink()
        self.show()

    def show(self) -> None:
        """Show the trackers all records."""
        self._tell("rewind", self)

    def add_tracker(self, start: Callable[..., Tracker], name: str) -> None:
        """Show every later record to the tracker that `start(record=self)` makes as well.

        Raises UserError where its package is missing. Any other failure to start is reported.
        """
        try:
            self._trackers.append(start(record=self))
        except ModuleNotFoundError as error:
            missing = f"misses the module {error.name}: pip install {error.name}"
            raise UserError(f"tracker={name} {missing}") from error
        except Exception as error:  # a tracker is a view: training goes on without it
            print(f"tracker={name} cannot start: {first_line(error)}", file=sys.stderr)

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Lines of metrics.jsonl without a torn last one; UserError for one that is no record."""
        path = self.path / "metrics.jsonl"
        for number, line in enumerate(whole_lines(path), 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            if not isinstance(row, dict) or type(row.get("step")) is not int:
                raise UserError(f"{path}: line {number} is no record: restore it, or {ANEW}")
            yield row

    def scores(self) -> Iterator[dict[str, Any]]:
        """Lines of scores.csv with numbers as numbers, without a torn last one; UserError for one
        that is no record."""
        for row in self._score_rows():
            numbers = {name: int(row[name]) for name in ("step", "env_frames", "episode", "length")}
            yield {**row, **numbers, "return": float(row["return"])}

    def pictures(self) -> Iterator[tuple[str, int, Path]]:
        """Name, step and file of each picture."""
        for name, folder in PICTURES.items():
            for file in sorted((self.path / folder).glob("*.*")):
                if file.stem.isdecimal():
                    yield name, int(file.stem), file

    def close(self) -> None:
        """Close the files and finish the trackers with the status that run.json names."""
        self._tell("close", self.fields.get("status", Status.FAILED))
        self._trackers.clear()
        self._metrics.close()
        self._scores.close()

    def _write_header(self) -> None:
        if self._scores.tell() == 0:
            self._scores.write(",".join(SCORE_FIELDS) + "\n")
            self._scores.flush()

    def _score_rows(self) -> Iterator[dict[str, str]]:
        path = self.path / "scores.csv"
        for number, line in enumerate(whole_lines(path), 1):
            cells = line.split(",")
            if number == 1 and tuple(cells) != SCORE_FIELDS:
                raise UserError(f"{path}: its columns are not {','.join(SCORE_FIELDS)}: {ANEW}")
            if number == 1:
                continue
            if len(cells) != len(SCORE_FIELDS) or not cells[0].isdecimal():
                raise UserError(f"{path}: line {number} is no record: restore it, or {ANEW}")
            yield dict(zip(SCORE_FIELDS, cells, strict=True))

    def _tell(self, what: str, *args: Any) -> None:
        for tracker in list(self._trackers):
            try:
                getattr(tracker, what)(*args)
            except Exception as error:  # a tracker is a view: training goes on without it
                self._trackers.remove(tracker)
                name = type(tracker).__name__
                print(f"{name} stopped at {what}: {first_line(error)}", file=sys.stderr)


def read_run(path: str | Path) -> dict[str, Any] | None:
    """The fields of `path`/run.json, None where it is absent.

    Raises UserError naming the file when it is no JSON object or another version's.
    """
    file = Path(path) / "run.json"
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UserError(f"{file} is no valid JSON ({error}); delete or restore it") from None
    if not isinstance(fields, dict):
        raise UserError(f"{file} holds no object: delete or restore it")
    if (schema := fields.get("schema", SCHEMA)) != SCHEMA:
        raise UserError(f"{file} has schema {schema}, this version has {SCHEMA}")
    if fields.get("status", Status.TODO) not in list(Status):
        raise UserError(f"{file} has status {fields.get('status')}; allowed: {', '.join(Status)}")
    return fields


def _up_to(step: int, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows up to a step; what comes after them is not read."""
    return takewhile(lambda row: int(row["step"]) <= step, rows)


def _finite(value: Any) -> Any:
    value = value if isinstance(value, int | str) else float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def whole_lines(path: Path) -> Iterator[str]:
    """Lines without their ends; a last one that was cut off is left out."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("\n"):
                yield line[:-1]


def rewrite(file: TextIO, lines: list[str]) -> TextIO:
    """Replace an open file's contents atomically and return it open for appending."""
    path = Path(file.name)
    file.close()
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, path)
    return open(path, "a", encoding="utf-8")
