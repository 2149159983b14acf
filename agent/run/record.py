"""The files that a run leaves; trackers are views of the same records."""

import json
import math
import os
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

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
        """Take a line of metrics.jsonl."""

    def score(self, row: Mapping[str, Any]) -> None:
        """Take a line of scores.csv."""

    def picture(self, name: str, step: int, file: Path) -> None:
        """Take a picture, a png file, or a moving one, a gif file."""

    def show(self, record: "Record") -> None:
        """Drop everything after the checkpoint: show exactly what `record` holds."""

    def close(self, status: str) -> None:
        """Finish, with the run's status."""


class Record:
    """The records of one run in folder `path`, created where absent, continued where present."""

    def __init__(self, path: str | Path):
        self.path = Path(path).absolute()  # an environment may change directory
        self.path.mkdir(parents=True, exist_ok=True)
        self.fields: dict[str, Any] = read_run(self.path) or {}
        self._trackers: list[Tracker] = []
        self._files = {  # closed by `close`
            name: open(self.path / name, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
            for name in ("metrics.jsonl", "scores.csv")
        }
        self._write_header()

    @property
    def identity(self) -> dict[str, str]:
        """What names the run; its checkpoints carry it."""
        return identity(self.fields)

    def update(self, **fields: Any) -> None:
        """Set fields of run.json; a reader finds either the old file or the new one."""
        self.fields = {"schema": SCHEMA, **self.fields, **fields}
        write_atomically(self.path / "run.json", json.dumps(self.fields, indent=1))

    def log(
        self,
        step: int,
        env_frames: int,
        gradient_steps: int,
        wall_seconds: float,
        metrics: Mapping[str, float],
    ) -> None:
        """Add a line to metrics.jsonl; a value that is not finite is written as null."""
        axes = step, env_frames, gradient_steps, wall_seconds
        numbers = {name: float(x) if math.isfinite(x) else None for name, x in metrics.items()}
        row = {**dict(zip(AXES, axes, strict=True)), **numbers}
        self._files["metrics.jsonl"].write(json.dumps(row) + "\n")
        self._tell("log", row)

    def score(
        self, step: int, env_frames: int, kind: str, episode: int, ret: float, length: int
    ) -> None:
        """Add a line to scores.csv: the raw return of one episode of kind `train` or `eval`."""
        values = step, env_frames, kind, episode, float(ret), length
        row = dict(zip(SCORE_FIELDS, values, strict=True))
        self._files["scores.csv"].write(",".join(map(str, row.values())) + "\n")
        self._tell("score", row)

    def picture_file(self, name: str, step: int, suffix: str) -> Path:
        """Where the picture `name`, one of PICTURES, of a step is to be written."""
        folder = self.path / PICTURES[name]
        folder.mkdir(exist_ok=True)
        return folder / f"{step:010d}{suffix}"

    def picture(self, name: str, step: int, file: Path) -> None:
        """Add a picture, which the caller has written to `picture_file`."""
        self._tell("picture", name, step, file)

    def sync(self) -> dict[str, tuple[int, int]]:
        """Make the lines durable; returns length and checksum of each file, for `rewind`."""
        marks = {}
        for name, file in self._files.items():
            os.fsync(file.fileno())
            content = (self.path / name).read_bytes()
            marks[name] = len(content), zlib.crc32(content)
        return marks

    def rewind(self, step: int, marks: Mapping[str, tuple[int, int]]) -> None:
        """Cut the records back to a checkpoint: lines to what `sync` returned then, pictures to
        those of steps up to `step`; -1 and no marks start over.

        UserError where a line before the checkpoint was changed or lost.
        """
        for name, (length, checksum) in marks.items():
            if zlib.crc32((self.path / name).read_bytes()[:length]) != checksum:
                raise UserError(
                    f"{self.path / name}: its first {length:,} bytes are not those of the "
                    f"checkpoint of step {step}: restore it, or {ANEW}"
                )
        for name, file in self._files.items():
            file.truncate(marks[name][0] if marks else 0)
        self._write_header()
        for name, late, picture in self.pictures():
            if late > step or (late == step and name == "episode"):  # its evaluation is made again
                picture.unlink()
        self.show()

    def show(self) -> None:
        """Show the trackers all records."""
        self._tell("show", self)

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
        """Lines of metrics.jsonl; UserError for one that is no record."""
        return self._rows("metrics.jsonl", json.loads)

    def scores(self) -> Iterator[dict[str, Any]]:
        """Lines of scores.csv with numbers as numbers; UserError for one that is no record."""
        return self._rows("scores.csv", _score)

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
        for file in self._files.values():
            file.close()

    def _write_header(self) -> None:
        scores = self._files["scores.csv"]
        if scores.seek(0, os.SEEK_END) == 0:
            scores.write(",".join(SCORE_FIELDS) + "\n")

    def _rows(self, name: str, parse: Callable[[str], Any]) -> Iterator[dict[str, Any]]:
        """Lines of a file but for a last one that a kill cut off; None of `parse` is left out."""
        path = self.path / name
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith("\n"):
                    return
                try:
                    row = parse(line[:-1])
                    if row is not None:
                        yield {**row, "step": int(row["step"])}
                except (ValueError, TypeError, KeyError):
                    message = f"{path}: line {number} is no record: restore it, or {ANEW}"
                    raise UserError(message) from None

    def _tell(self, what: str, *args: Any) -> None:
        for tracker in list(self._trackers):
            try:
                getattr(tracker, what)(*args)
            except Exception as error:  # a tracker is a view: training goes on without it
                self._trackers.remove(tracker)
                name = type(tracker).__name__
                print(f"{name} stopped at {what}: {first_line(error)}", file=sys.stderr)


def identity(fields: Mapping[str, Any]) -> dict[str, str]:
    """What names a run, of its fields; its checkpoints carry it."""
    return {name: str(fields.get(name)) for name in IDENTITY}


def write_atomically(file: Path, text: str) -> None:
    """Replace a file's content; a reader finds either the old one or the new one, on any host."""
    partial = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        with open(partial, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


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


def _score(line: str) -> dict[str, Any] | None:
    """A line of scores.csv, None for its header."""
    if line == ",".join(SCORE_FIELDS):
        return None
    row = dict(zip(SCORE_FIELDS, line.split(","), strict=True))
    types = {"kind": str, "return": float}
    return {name: types.get(name, int)(value) for name, value in row.items()}


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
