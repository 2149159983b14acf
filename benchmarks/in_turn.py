"""Processor time of runs and of their updates, in turn with an earlier checkout or with sheeprl's
DreamerV2 at equal work.

python benchmarks/in_turn.py ../earlier
python benchmarks/in_turn.py sheeprl --only cartpole --pairs 5
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEER = "sheeprl==0.8.4"
TIMED = """
import atexit, importlib, json, runpy, sys, time
module, owner, update, program, *sys.argv[1:] = sys.argv[1:]
owner = getattr(importlib.import_module(module), owner)
call, seconds = getattr(owner, update), []
def timed(*given, **named):
    started = time.process_time()
    result = call(*given, **named)
    seconds.append(time.process_time() - started)
    return result
setattr(owner, update, timed)
atexit.register(lambda: print(json.dumps(seconds)))
sys.argv[0] = program
(runpy.run_path if program.endswith(".py") else runpy.run_module)(program, run_name="__main__")
"""  # runs a program that prints the processor seconds of its updates last
OURS = (
    *("agent.dreamer", "Dreamer", "update", "run.py"),
    *("run.root={root}", "run.device=cpu", "run.threads=1"),
)
THEIRS = (
    *("sheeprl.algos.dreamer_v2", "dreamer_v2", "train", "sheeprl", "exp=dreamer_v2"),
    *("env.num_envs=1", "env.sync_env=True", "env.capture_video=False", "buffer.memmap=False"),
    *("buffer.size=10000", "checkpoint.every=10000", "model_manager.disabled=True"),
    *("algo.per_rank_pretrain_steps=0", "algo.world_model.use_continues=True"),
)
SIZES = {"discrete_size": 8, "stochastic_size": 8, "recurrent_model.recurrent_state_size": 64}
SIZES |= {"transition_model.hidden_size": 64, "representation_model.hidden_size": 64}
WORK = {  # updates, our settings, and sheeprl's where it can do the same
    "mini": (375, ("suite=mini", "run.steps=2000"), ()),
    "cartpole": (
        750,
        (
            *("suite=mini", "recipe.start_every=1", "run.steps=3500", "run.eval_episodes=1"),
            *("run.eval_every=3500", "run.checkpoint_every=3500"),
        ),
        (
            *("env=gym", "algo.total_steps=3500", "algo.learning_starts=500"),
            *("algo.mlp_keys.encoder=[vector]", "algo.cnn_keys={encoder:[],decoder:[]}"),
            *("algo.replay_ratio=0.25", "algo.horizon=10", "algo.dense_units=64"),
            *("algo.per_rank_batch_size=16", "algo.per_rank_sequence_length=16"),
            *("algo.mlp_layers=2", "algo.critic.per_rank_target_network_update_freq=20"),
            *(f"algo.world_model.{name}={number}" for name, number in SIZES.items()),
            *("metric.log_every=200", "float32_matmul_precision=highest"),
        ),
    ),
    "images": (  # the paper's model
        4,
        (
            *("suite=atari", "task=pong", "recipe.batch_size=16", "recipe.prefill=100"),
            *("run.steps=164", "run.eval_every=164", "run.eval_max_steps=1"),
        ),
        (
            *("env=atari", "env.grayscale=True", "algo.total_steps=164"),
            *("algo.learning_starts=100", "algo.replay_ratio=0.0625", "algo.run_test=False"),
            "float32_matmul_precision=medium",
        ),
    ),
}


def main() -> None:
    """Print one JSON object for each kind of work."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", help="sheeprl, or the folder of another checkout")
    parser.add_argument("--only", choices=WORK, nargs="+", default=list(WORK))
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        peer = environment(scratch / "peer") if options.other == "sheeprl" else None
        for work in options.only:
            updates, ours, theirs = WORK[work]
            here = [sys.executable, "-c", TIMED, *OURS, *ours]
            sides = [(here, ROOT), (here, Path(options.other))]
            if peer and theirs:
                sides[1] = [peer, "-c", TIMED, *THEIRS, *theirs], scratch
            if peer is None or theirs:
                print(json.dumps({"work": work} | in_turn(sides, updates, options.pairs)))


def environment(folder: Path) -> Path:
    """The Python of a new environment that holds the peer, and finds all else in this one: both
    sides use the same PyTorch."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.check_output(asked, text=True).strip())
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
    return python


def in_turn(
    sides: Sequence[tuple[Sequence[str | Path], Path]], updates: int, pairs: int
) -> dict[str, object]:
    """Of both sides, commands in folders, the processor seconds of each run and of its median
    update; the ratios of their medians."""
    found = {"run": ([], []), "update": ([], [])}
    for _ in range(pairs):
        for number, (command, folder) in enumerate(sides):
            for what, seconds in measured(command, folder, updates).items():
                found[what][number].append(seconds)
    medians = {what: [statistics.median(side) for side in both] for what, both in found.items()}
    ratios = {f"{what}_ratio": round(ours / other, 3) for what, (ours, other) in medians.items()}
    return found | ratios


def measured(command: Sequence[str | Path], folder: Path, updates: int) -> dict[str, float]:
    """Processor seconds of a command with all its processes, and of its median update; the program
    must make as many `updates`."""
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as root:
        command = [str(part).replace("{root}", root) for part in command]
        said = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = json.loads(said.stdout.splitlines()[-1])
    if len(seconds) != updates:
        raise SystemExit(f"{folder}: {len(seconds)} updates instead of {updates}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"run": round(used, 2), "update": round(statistics.median(seconds), 4)}


if __name__ == "__main__":
    main()
