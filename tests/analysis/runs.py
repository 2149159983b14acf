"""Run folders as the agent leaves them, with scores of our choice."""

import json

REFERENCES = {
    "cartpole": (20, 500),
    "acrobot": (-500, -100),
    "space_invaders": (3, 53),
    "pendulum": (-1200, -200),
}
HEADER = "step,env_frames,kind,episode,return,length"

SEEDS = 14  # fewer would not do for "no substantial help"
# Normalised mean scores of the arms of the study; the spread between seeds is 0.05 elsewhere.
STUDY = {
    "baseline": 0.80,
    "latent=gaussian": 0.30,  # categorical latents help
    "kl=standard": 0.79,  # no substantial help
    "latent=binary": 0.40,  # hurts
    "gru=plain": 0.75,  # undecided: its spread is 0.3
    "recipe.model_lr=0": 0.10,  # the positive control
}


def write_run(root, arm="baseline", task="cartpole", seed=0, finals=1.0, points=4, **changes):
    """A run whose evaluations rise linearly to the normalised score `finals`; `changes` go into
    run.json."""
    low, high = REFERENCES.get(task, (0, 1))
    actions = "continuous" if task == "pendulum" else "discrete"
    steps = changes.pop("planned", 8000)
    digest = changes.pop("digest", "abcd")
    suite = changes.setdefault("suite", "gym")
    folder = root / suite / task / arm / f"{seed}-{digest}"
    folder.mkdir(parents=True)
    record = {
        "schema": 1,
        "status": "done",
        "arm": arm,
        "task": task,
        "seed": seed,
        "digest": digest,
        "baseline": "base",
        "actions": actions,
        "config": {
            "task": {"random": low, "reference": high},
            "suite": {"name": suite, "normalisation": "reference"},
            "run": {"steps": steps},
            "recipe": {"prefill": 500},
        },
        "parameters": {"total": 100_000 if arm == "baseline" else 90_000},
        "steps": steps,
        "env_frames": steps,
        "gradient_steps": (steps - 500) // 4,
        "wall_seconds": 10.0,
        "saturation": {"kl_clamped": 0.0},
        "error": None,
        **changes,
    }
    (folder / "run.json").write_text(json.dumps(record))
    lines = [HEADER, f"100,100,train,0,{low},20"]
    for k in range(1, points + 1):
        step, score = steps * k // points, low + (high - low) * finals * k / points
        lines += [f"{step},{step},eval,0,{score - 1},9", f"{step},{step},eval,1,{score + 1},9"]
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_arms(root, scores, task="cartpole", seeds=(0, 1), more=0.1, **changes):
    """Runs of each arm; a seed scores `more` than the one before."""
    for arm, score in scores.items():
        for seed in seeds:
            write_run(root, arm, task, seed, finals=score + more * seed, **changes)


def unscaled(normalisation):
    """The configuration of runs whose task has no random and reference score."""
    task, suite = {"random": None, "reference": None}, {"normalisation": normalisation}
    return {"config": {"task": task, "run": {"steps": 8000}, "suite": suite}}
