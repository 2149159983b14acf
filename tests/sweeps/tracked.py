"""A run's records without its training, and what W&B must show of them.

`python tracked.py FOLDER OPTIONS RESUMED LAST SENT` is killed after LAST; after SENT it waits for
the file FOLDER/SENT.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from agent.run.record import Record
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
FIELDS = {
    "arm": "latent=gaussian",
    "task": "cartpole",
    "suite": "mini",
    "seed": 0,
    "digest": "0123abcd",
    "choices": {"latent": "gaussian", "kl": "balanced"},
    "config": {
        "run": {"eval_episodes": 2},
        "task": {"name": "cartpole", "action_repeat": 4, "random": 0.0, "reference": 100.0},
        "suite": {"name": "mini", "normalisation": "reference"},
    },
}


def track(
    folder: Path,
    options: str,
    resumed: int,
    last: int,
    end: str = "done",
    after: Callable[[int], None] = lambda step: None,
) -> Record:
    """Record the steps after `resumed` up to `last` with a tracker's options."""
    record = Record(folder)
    record.update(status="under way", **FIELDS)
    name, *settings = options.split()
    tracker = OmegaConf.load(ROOT / "conf" / "tracker" / f"{name}.yaml")
    patient = ["timeout=300"] if name == "wandb" else []
    tracker = OmegaConf.merge(tracker, OmegaConf.from_dotlist([*patient, *settings]))
    record.add_tracker(instantiate(tracker, _partial_=True), name)
    record.rewind(resumed, json.loads(marks(record, resumed).read_text()) if resumed else {})
    evaluate(record, resumed)
    for step in range(resumed + 1, last + 1):
        record.score(step, 4 * step, "train", step, float(-step), 20)
        record.log(step, 4 * step, step // 2, 0.5, {"kl_loss": step / 10})
        if step % 5 == 0:
            picture(record, "prediction", step, ".png")
        marks(record, step).write_text(json.dumps(record.sync()))
        evaluate(record, step)
        after(step)
    record.update(status=end, env_frames=4 * last)
    record.close()
    return record


def marks(record: Record, step: int) -> Path:  # what the step's checkpoint would hold
    return record.path / f"marks-{step}.json"


def evaluate(record: Record, step: int) -> None:
    if step and step % 3 == 0:
        for episode in range(2):
            record.score(step, 4 * step, "eval", episode, float(step + episode), 20)
        picture(record, "episode", step, ".gif")


def picture(record: Record, name: str, step: int, suffix: str) -> None:
    file = record.picture_file(name, step, suffix)
    first, second = (Image.new("RGB", (8, 8), (level, 0, 0)) for level in (step % 200, 200))
    first.save(file, **({"save_all": True, "append_images": [second]} if suffix == ".gif" else {}))
    record.picture(name, step, file)


def history(run, key):
    rows = [json.loads(row) if isinstance(row, str) else row for row in run["history"]]
    return [(row["step"], row[key]) for row in rows if key in row]


def expected(last):
    steps, evaluated = range(1, last + 1), range(3, last + 1, 3)
    return {
        "train/return": [(step, -step) for step in steps],
        "metrics/kl_loss": [(step, step / 10) for step in steps],
        "eval/return": [(step, step + 0.5) for step in evaluated],
        "eval/score": [(step, (step + 0.5) / 100) for step in evaluated],
    }


def pictured(last):
    return {"episode": [*range(3, last + 1, 3)], "prediction": [*range(5, last + 1, 5)]}


def check_whole(run, last):
    """W&B has every record up to `last` once, in order."""
    for name, rows in expected(last).items():
        assert history(run, name) == rows
    for name, steps in pictured(last).items():
        assert [step for step, _ in history(run, f"pictures/{name}")] == steps


def check_files(run):
    """W&B has the file of every picture that it shows."""
    shown = history(run, "pictures/episode") + history(run, "pictures/prediction")
    assert shown and {picture["path"] for _, picture in shown} <= run["files"]


if __name__ == "__main__":
    folder, options, resumed, last, sent = sys.argv[1:]

    def after(step: int) -> None:
        if step == int(sent):
            wait_until((Path(folder) / sent).exists)
        if step == int(last):
            os.kill(os.getpid(), signal.SIGKILL)

    track(Path(folder), options, int(resumed), int(last), after=after)
