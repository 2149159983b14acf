"""Train one run, or with -m one child process per run: `python run.py -m
latent=categorical,gaussian run.seed=0,1`."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from agent.errors import UserError, complaint
from agent.run.compose import CONF, composed, project_config, resolved, section
from agent.run.identity import Identity, baseline_digest, identify, toggles
from agent.run.lock import Busy, ClaimLost, RunFolder, check_root
from agent.run.provenance import provenance
from agent.run.record import Record, read_run
from agent.run.status import Exit, Interrupted, Status, Stop
from agent.run.trackers import asked_id
from sweeps import grid
from sweeps.check import check_numbers

FULL_OR_BROKEN = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)  # disks
MULTIRUN = ("-m", "--multirun")
Asked = Callable[[], bool]


class Command(NamedTuple):
    """A composed command: its configuration, the option of each group, and what was written."""

    cfg: DictConfig
    choices: Mapping[str, str | None]
    overrides: Sequence[str]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(cfg: DictConfig):
    """What Hydra does of a command: --help and other flags; -m calls its sweeper instead."""
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
    record.update(**fields)
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
    # -m first: argparse takes overrides on both sides of a flag for a mistake
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda given: given not in MULTIRUN)
    flags = {argument for argument in sys.argv[1:] if argument.startswith("-")}
    overrides = [argument for argument in sys.argv[1:] if argument not in flags]
    try:
        with project_config():  # a UserError, where Hydra would list search paths
            if not flags:
                if sweeps := [given for given in overrides if given.startswith("+sweep=")]:
                    raise UserError(f"{sweeps[0]} asks for many runs: python run.py -m {sweeps[0]}")
                sys.exit(status(Command(*composed(tuple(overrides)), overrides)))
            if flags <= {*MULTIRUN}:
                cfg, choices = composed(tuple(grid.fixed(overrides)))
                if (sweeper := choices["hydra/sweeper"]) != "ablation":
                    raise UserError(f"hydra/sweeper={sweeper}: allowed here: ablation")
                check_numbers(cfg)
                check_root(cfg.run.root)
    except UserError as error:
        sys.exit(_complain(error, Exit.BAD_INPUT))
    main()


if __name__ == "__main__":
    start()
