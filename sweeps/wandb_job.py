"""What a W&B agent starts: run.py, with `arm=NAME` written out as the arm's overrides."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from agent.run.status import Exit
from agent.run.stop import PARENT, SIGNALS
from agent.run.trackers import AGENT_JOB
from sweeps.job import PROGRAM
from sweeps.wandb_sweeps import ARM, overrides


def command(arguments: Sequence[str]) -> list[str]:
    """The command line of run.py for the agent's arguments `key=value`."""
    expanded = [
        overrides(ARM, a.removeprefix(f"{ARM}=")) if a.startswith(f"{ARM}=") else [a]
        for a in arguments
    ]
    return [sys.executable, str(PROGRAM), *(override for part in expanded for override in part)]


def main(arguments: Sequence[str]) -> int:
    """Run it; returns its exit status, but that of a done run for one that was asked to stop.

    The run itself tells W&B how it ended; an agent gives up after a few failures.
    """
    environment = {**os.environ, PARENT: str(os.getpid()), AGENT_JOB: str(os.getpid())}
    run = subprocess.Popen(command(arguments), env=environment, process_group=0)
    for number in SIGNALS:
        signal.signal(number, lambda given, _: run.send_signal(given))
    code = run.wait()
    if code == Exit.INTERRUPTED:
        return Exit.DONE
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
