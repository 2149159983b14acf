"""Train one run, or with -m one child process per run: `python run.py -m
latent=categorical,gaussian run.seed=0,1`."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from agent.errors import UserError, complaint
from agent.run.compose import composed, resolved, section
from agent.run.identity import Identity, baseline_digest, identify, toggles
from agent.run.lock import Busy, ClaimLost, RunFolder, check_root
from agent.run.record import Record, read_run
from agent.run.status import Exit, Status
from agent.run.stop import Stop
from agent.run.trackers import asked_id
from sweeps import grid, machine
from sweeps.check import check_numbers
from sweeps.config import CONF, project_config

FULL_OR_BROKEN = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)  # disks

machine.register_resolver()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(cfg: DictConfig):
    """One run."""
    try:
        code = train(cfg, Stop())
    except UserError as error:
        code = _complain(error, Exit.BAD_INPUT)
    except Busy as error:
        code = _complain(error, Exit.BUSY)
    except OSError as error:
        code = _complain(error, Exit.FAILED)
    sys.exit(code)


def train(cfg: DictConfig, stop: Callable[[], bool]) -> int:
    """Train the run that `cfg` describes unless it is done; returns the process's exit status."""
    check_numbers(cfg)
    settings = section(cfg, "run")
    identity = identify(cfg, HydraConfig.get().runtime.choices)
    folder = RunFolder(Path(settings.root) / identity.folder)
    if (code := _finished(cfg, folder, settings.retry_failed)) is not None:
        return code
    _check(cfg)
    with folder.claim() as lost:
        code = _finished(cfg, folder, settings.retry_failed)
        if code is not None:  # another process was quicker
            return code
        return _claimed(cfg, identity, folder.path, stop, lost)


def _finished(cfg: DictConfig, folder: RunFolder, retry_failed: bool) -> int | None:
    fields = read_run(folder.path) or {}
    status = fields.get("status")
    again = status in (Status.FAILED, Status.DIVERGED) and retry_failed
    if status not in (Status.DONE, Status.FAILED, Status.DIVERGED) or again:
        return None
    if asked_id():
        _show_again(cfg, folder.path)
    if status == Status.DONE:
        print(f"done already: {folder.path}")
        return Exit.DONE
    raise UserError(
        f"{folder.path} {status}: {fields.get('error')}; run.retry_failed=true tries again"
    )


def _show_again(cfg: DictConfig, path: Path) -> None:
    """Tell the W&B sweep that asks for a run that has ended how it ended."""
    from agent import build

    record = Record(path)
    build.tracker(cfg, record)
    record.show()
    record.close()


def _check(cfg: DictConfig) -> None:
    """UserError, before any file is written, for values, options or an environment that fail."""
    from agent import build

    build.check(cfg, HydraConfig.get().runtime.choices)
    build.check_machine(cfg)


def _claimed(
    cfg: DictConfig,
    identity: Identity,
    path: Path,
    stop: Callable[[], bool],
    lost: Callable[[], bool],
) -> int:
    from agent import build

    record = Record(path)
    record.update(**_fields(cfg, identity))
    try:
        build.tracker(cfg, record)
        with closing(build.training(cfg, record, stop, lost)) as training:
            training.run()
        record.update(status=Status.DONE)
        return Exit.DONE
    except ClaimLost:
        raise
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
    from agent.run.stop import Interrupted

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
    if error.filename is None or error.errno in FULL_OR_BROKEN:
        return error.errno in FULL_OR_BROKEN
    return Path(os.fsdecode(error.filename)).absolute().is_relative_to(path.absolute())


def _fields(cfg: DictConfig, identity: Identity) -> dict[str, object]:
    from agent.run.provenance import provenance

    job = HydraConfig.get()
    chosen = job.runtime.choices
    return {
        "status": Status.UNDER_WAY,
        "arm": identity.arm,
        "task": identity.task,
        "suite": identity.suite,
        "seed": identity.seed,
        "digest": identity.digest,
        "baseline": baseline_digest(cfg, chosen),
        "actions": cfg.task.actions,
        "overrides": list(job.overrides.task),
        "config": resolved(cfg),
        "choices": toggles(chosen),
        **provenance(),
        "error": None,
    }


def _complain(error: BaseException, code: int, more: str = "") -> int:
    if os.environ.get("HYDRA_FULL_ERROR"):
        raise error
    said = complaint(error) if isinstance(error, UserError) else f"error: {_first_line(error)}"
    print(f"{said}{more}", file=sys.stderr)
    return code


def _first_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, UserError | Busy) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0] if text else type(error).__name__


def check_command_line(arguments: Sequence[str]) -> None:
    """UserError for overrides that do not compose: Hydra would list search paths.

    With another flag than -m, such as --help, Hydra's own is all there is to do.
    """
    flags = {argument for argument in arguments if argument.startswith("-")}
    if not flags <= {"-m", "--multirun"}:
        return
    overrides = [argument for argument in arguments if argument not in flags]
    with project_config():
        cfg, _ = composed(tuple(grid.fixed(overrides) if flags else overrides))
    if flags:
        check_numbers(cfg)
        check_root(cfg.run.root)


def start() -> None:
    """What `python run.py ...` does."""
    # -m first: argparse takes overrides on both sides of a flag for a mistake
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda given: given not in ("-m", "--multirun"))
    try:
        check_command_line(sys.argv[1:])
    except UserError as error:
        sys.exit(_complain(error, Exit.BAD_INPUT))
    main()


if __name__ == "__main__":
    start()
