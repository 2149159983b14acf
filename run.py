"""Train one run, or with -m one child process per run: `python run.py -m
latent=categorical,gaussian run.seed=0,1`."""

import errno
import os
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from agent.errors import UserError, complaint
from agent.run.compose import CONF, composed, project_config, resolved, section
from agent.run.identity import Identity, baseline_digest, identify, toggles
from agent.run.lock import Busy, ClaimLost, RunFolder
from agent.run.provenance import provenance
from agent.run.record import Record, read_run
from agent.run.status import Exit, Interrupted, Status, Stop
from agent.run.trackers import asked_id
from hydra_plugins.own_options import parsed
from sweeps.grid import check_numbers, configured

FULL_OR_BROKEN = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)  # disks
Asked = Callable[[], bool]


class Command(NamedTuple):
    """A composed command: its configuration, the option of each group, and what was written."""

    cfg: DictConfig
    choices: Mapping[str, str | None]
    overrides: Sequence[str]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(cfg: DictConfig):
    """What Hydra does of a command with --help or another of its flags."""
    job = HydraConfig.get()
    sys.exit(status(Command(cfg, job.runtime.choices, job.overrides.task)))


def status(command: Command) -> int:
    """Train the run of a command; returns the process's exit status."""
    try:
        return train(command, Stop())
    except UserError as error:
        return _complain(error, Exit.BAD_INPUT)
    except (Busy, OSError) as error:
        return _complain(error, Exit.BUSY if isinstance(error, Busy) else Exit.FAILED)


def train(command: Command, stop: Asked) -> int:
    """Train the run of a command unless it is done; returns the process's exit status."""
    cfg = command.cfg
    check_numbers(cfg)
    settings, identity = section(cfg, "run"), identify(cfg, command.choices)
    folder = RunFolder(Path(settings.root) / identity.folder)
    if (code := _finished(cfg, folder, settings.retry_failed)) is not None:
        return code
    fields = _checked(command, identity)
    with folder.claim() as lost:
        code = _finished(cfg, folder, settings.retry_failed)  # by a quicker process
        return _claimed(cfg, fields, folder.path, stop, lost) if code is None else code


def _finished(cfg: DictConfig, folder: RunFolder, retry_failed: bool) -> int | None:
    fields = read_run(folder.path) or {}
    status = fields.get("status")
    ended = (Status.DONE,) if retry_failed else (Status.DONE, Status.FAILED, Status.DIVERGED)
    if status not in ended:
        return None
    if asked_id():  # the W&B sweep that asks is told how the run ended
        from agent import build

        with closing(Record(folder.path)) as record:
            build.tracker(cfg, record)
            record.show()
    if status == Status.DONE:
        print(f"done already: {folder.path}")
        return Exit.DONE
    raise UserError(
        f"{folder.path} {status}: {fields.get('error')}; run.retry_failed=true tries again"
    )


def _checked(command: Command, identity: Identity) -> dict[str, object]:
    """What run.json begins with; UserError, before any file is written, for values, options or an
    environment that fail."""
    from agent import build

    cfg, choices, overrides = command
    build.check(cfg, choices)
    build.check_machine(cfg)
    return {
        "status": Status.UNDER_WAY,
        **vars(identity),
        "baseline": baseline_digest(cfg, choices),
        "actions": cfg.task.actions,
        "overrides": list(overrides),
        "config": resolved(cfg),
        "choices": toggles(choices),
        **provenance(),
        "error": None,
    }


def _claimed(cfg: DictConfig, fields: Mapping, path: Path, stop: Asked, lost: Asked) -> int:
    from agent import build

    record = Record(path)
    record.update(**{**fields, "git": _commit(record, fields["git"])})
    try:
        build.tracker(cfg, record)
        with closing(build.training(cfg, record, stop, lost)) as training:
            training.run()
        record.update(status=Status.DONE)
        return Exit.DONE
    except BaseException as error:
        if lost():  # what went wrong may be the other host's doing, and run.json is its own
            raise ClaimLost(f"{path} was taken over by a process on another host") from error
        return _ended(record, error)
    finally:
        record.close()


def _commit(record: Record, here: Mapping | None) -> Mapping | None:
    """The code that began the run; where other code goes on with it, as code that was changed."""
    from agent.run.checkpoint import CURRENT

    began = record.fields.get("git")
    if began in (None, here) or not (record.path / CURRENT).exists():
        return here
    return {**began, "dirty": True}


def _ended(record: Record, error: BaseException) -> int:
    """Write down how a run ended that is not done, and return the exit status.

    Raises UserError, for a full disk too: nothing is wrong with the run, it goes on once the cause
    is put right.
    """
    from agent.run.progress import Diverged

    if isinstance(error, Interrupted | KeyboardInterrupt):
        record.update(status=Status.INTERRUPTED)
        print(f"interrupted: {str(error) or record.path}", file=sys.stderr)
        return Exit.INTERRUPTED
    if isinstance(error, OSError) and _is_the_folders(error, record.path):
        error = UserError(f"{error.filename or record.path}: {error.strerror or error}")
    if isinstance(error, UserError):
        with suppress(OSError):  # no room for the status either
            record.update(status=Status.INTERRUPTED, error=_first_line(error))
        raise error
    status = Status.DIVERGED if isinstance(error, Diverged) else Status.FAILED
    record.update(status=status, error=_first_line(error))
    trace = record.path / "error.txt"
    trace.write_text("".join(traceback.format_exception(error)))
    return _complain(error, Exit.FAILED, f" (traceback in {trace})")


def _is_the_folders(error: OSError, path: Path) -> bool:
    """Whether an error is of the run's files or their disk, rather than the environment's."""
    file = Path(os.fsdecode(error.filename or "/")).absolute()
    return error.errno in FULL_OR_BROKEN or file.is_relative_to(path.absolute())


def _complain(error: BaseException, code: int, more: str = "") -> int:
    if os.environ.get("HYDRA_FULL_ERROR"):
        raise error
    said = complaint(error) if isinstance(error, UserError) else f"error: {_first_line(error)}"
    print(f"{said}{more}", file=sys.stderr)
    return code


def _first_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, UserError | Busy) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0] if text else type(error).__name__


def start() -> None:
    """What `python run.py ...` does: one run, or with -m all runs of a sweep."""
    sys.stdout, sys.stderr = Output(sys.stdout, 1), Output(sys.stderr, 2)
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--multirun", "-m", action="store_true")
    try:
        # argparse takes Hydra's -c for the beginning of -cd
        given, others = parsed(parser, ["--cfg" if one == "-c" else one for one in sys.argv[1:]])
        if {"-h", "--help"} & {*others} or (others and not given.multirun):
            return main()
        with project_config():  # a UserError, where Hydra would list search paths
            sys.exit((_sweep if given.multirun else _one)(given.overrides, *others))
    except UserError as error:
        sys.exit(_complain(error, Exit.BAD_INPUT))


def _one(overrides: Sequence[str]) -> int:
    if sweeps := [given for given in overrides if given.startswith("+sweep=")]:
        raise UserError(f"{sweeps[0]} asks for many runs: python run.py -m {sweeps[0]}")
    return status(Command(*composed(tuple(overrides)), overrides))


def _sweep(overrides: Sequence[str], *others: str) -> int:
    if others:
        raise UserError(f"{others[0]}: allowed with -m: --config-dir, --config-name")
    config = configured(overrides)
    from sweeps.sweep import Sweep  # only where it is needed: one run starts fast

    return Sweep(config).sweep(overrides)


class Output:
    """An output that may be closed before or while the program runs, as `| head` closes it: what
    nobody reads any more ends neither a run nor a sweep."""

    def __init__(self, stream: TextIO | None, number: int):
        if stream is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            os.set_inheritable(number, True)  # by the processes of runs
        self._stream = stream or open(number, "w")  # noqa: SIM115

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._kept(self._stream.write, text)

    def flush(self) -> None:
        self._kept(self._stream.flush)

    def _kept(self, act: Callable, *given: str) -> Any:
        try:
            return act(*given)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


if __name__ == "__main__":
    start()
