"""A run's records without its training: python tracked.py FOLDER OPTIONS RESUMED LAST END [SENT].

Steps after RESUMED up to LAST are recorded, then the process ends with the status END, or kills
itself where END is `kill`; steps up to SENT are recorded, and given time to be sent, before.
What W&B must show of it: `check_whole`.
"""

import json
import os
import signal
import sys
import time

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from agent.run.record import Record
from agent.run.track import add_tracker

FLUSH_SECONDS = 2.5
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


def record_step(record: Record, step: int) -> None:
    record.score(step, 4 * step, "train", step, float(-step), 20)
    record.log(step, 4 * step, step // 2, 0.5, {"kl_loss": step / 10})
    if step % 3 == 0:
        for episode in range(2):
            record.score(step, 4 * step, "eval", episode, float(step + episode), 20)
        picture(record, "episode", step, ".gif")
    if step % 5 == 0:
        picture(record, "prediction", step, ".png")


def picture(record: Record, name: str, step: int, suffix: str) -> None:
    file = record.picture_file(name, step, suffix)
    first, second = (
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (step % 200, 200)
    )
    more = {"save_all": True, "append_images": [second]} if suffix == ".gif" else {}
    first.save(file, **more)
    record.picture(name, step, file)


def history(run, key):
    rows = [json.loads(row) if isinstance(row, str) else row for row in run["history"]]
    return [(row["step"], row[key]) for row in rows if key in row]


def check_whole(run, last):
    """W&B has every record up to `last` once, in order, and the files of the pictures."""
    assert history(run, "train/return") == [(step, -step) for step in range(1, last + 1)]
    assert history(run, "metrics/kl_loss") == [(step, step / 10) for step in range(1, last + 1)]
    evaluated = range(3, last + 1, 3)
    assert history(run, "eval/return") == [(step, step + 0.5) for step in evaluated]
    assert history(run, "eval/score") == [(step, (step + 0.5) / 100) for step in evaluated]
    assert [step for step, _ in history(run, "pictures/episode")] == list(evaluated)
    assert [step for step, _ in history(run, "pictures/prediction")] == list(range(5, last + 1, 5))
    pictures = history(run, "pictures/episode") + history(run, "pictures/prediction")
    assert {picture["path"] for _, picture in pictures} <= run["files"]


def main(folder: str, options: str, resumed: int, last: int, end: str, sent: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a run would go on to its next checkpoint
    record = Record(folder)
    record.update(status="under way", **FIELDS)
    name, *settings = options.split()
    tracker = OmegaConf.load(f"conf/tracker/{name}.yaml")
    tracker = OmegaConf.merge(tracker, OmegaConf.from_dotlist(settings))
    add_tracker(instantiate(tracker, _partial_=True), name, record)
    record.truncate(resumed)
    for step in range(resumed + 1, last + 1):
        record_step(record, step)
        if step == sent:
            time.sleep(FLUSH_SECONDS)
    if end == "kill":
        os.kill(os.getpid(), 9)
    record.update(status=end, env_frames=4 * last)
    record.close()


if __name__ == "__main__":
    folder, options, resumed, last, end, *sent = sys.argv[1:]
    main(folder, options, int(resumed), int(last), end, int(sent[0]) if sent else -1)
