"""A one-node Slurm on the loopback address, for trials: munged, slurmctld and slurmd with all their
state in one folder.

python benchmarks/slurm/cluster.py start FOLDER --cpus 2    # prints `export SLURM_CONF=...`
python benchmarks/slurm/cluster.py stop FOLDER

Debian's slurm-wlm brings the programs; started by root. No accounting, no cgroups; preemption by
partition: jobs of `urgent` take the place of those of `main`, and after 60 s of those of `graced`.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

DAEMONS = ("slurmd", "slurmctld", "munged")  # in the order in which they are ended
START_SECONDS, CANCEL_SECONDS, END_SECONDS = 30.0, 60.0, 10.0
CONF = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={slurmd}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=5,bf_interval=5,defer_batch,batch_sched_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=30
ReturnToService=1
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=graced Nodes=ALL MaxTime=INFINITE PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
"""


def start(folder: Path, cpus: int, memory: int) -> Path:
    """Start the daemons and wait until the node takes jobs; returns the path of slurm.conf.

    Raises RuntimeError with the end of a log where a daemon does not come up.
    """
    if missing := [name for name in DAEMONS if shutil.which(name) is None]:
        raise RuntimeError(f"{', '.join(missing)}: not on PATH; apt-get install slurm-wlm")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir(exist_ok=True)
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(
            host=socket.gethostname().partition(".")[0],
            folder=folder,
            ctld=_free_port(),
            slurmd=_free_port(),
            cpus=cpus,
            memory=memory,
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    _start_munge(folder)
    for name, options in (("slurmctld", ["-c"]), ("slurmd", [])):
        with open(folder / f"{name}.out", "ab") as output:
            process = subprocess.Popen(
                [name, "-D", *options],
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        (folder / f"{name}.started").write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while "idle" not in _told("sinfo", "--noheader", "--format=%T", environment=environment):
        if time.monotonic() > deadline:
            log = folder / "slurmctld.log"
            raise RuntimeError(f"no idle node after {START_SECONDS:.0f} s: {_tail(log)}")
        time.sleep(0.5)
    return conf


def stop(folder: Path) -> None:
    """Cancel what runs, then end the daemons by their process ids, SIGKILL after ten seconds."""
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    if "Node" in _told("scontrol", "show", "nodes", environment=environment):
        subprocess.run(["scancel", f"--user={os.getuid()}"], env=environment)
        deadline = time.monotonic() + CANCEL_SECONDS
        while _told("squeue", "--noheader", environment=environment):
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
    pids = [pid for name in DAEMONS if (pid := _pid(folder / f"{name}.started"))]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + END_SECONDS
        while any(map(_lives, pids)) and time.monotonic() < deadline:
            time.sleep(0.2)


def _start_munge(folder: Path) -> None:
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    paths = {
        "--key-file": key,
        "--socket": folder / "munge.socket",
        "--pid-file": folder / "munged.started",
        "--log-file": folder / "munged.log",
        "--seed-file": folder / "munge.seed",
    }
    options = [f"{option}={path}" for option, path in paths.items()]
    subprocess.run(["munged", "--force", *options], check=True)


def _told(*command: str, environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _lives(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _tail(log: Path) -> str:
    return log.read_text().strip().split("\n")[-1] if log.exists() else f"no {log}"


def main() -> int:
    """Start or stop; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cpus", type=int, default=os.cpu_count())
    parser.add_argument("--memory", type=int, default=8000, help="MB that jobs may ask for")
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        if given.command == "start":
            print(f"export SLURM_CONF={start(folder, given.cpus, given.memory)}")
        else:
            stop(folder)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
