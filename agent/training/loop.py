"""One run from its first step, or its last checkpoint, to its last step.

The order inside a step is what makes a resumed run equal to an unbroken one: everything that
belongs to a step is done and recorded before the checkpoint of that step, and checkpoints are
written where an episode ends, because the next one depends on the run's seed and its own number
alone.
"""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import flatdim
from omegaconf import DictConfig, OmegaConf

from agent import build, envs
from agent.errors import UserError
from agent.spaces import observation_kind
from agent.storage import checkpoint
from agent.storage.record import Record
from agent.storage.replay import Replay
from agent.storage.runfolder import ClaimLost
from agent.training import device, predictions, seeding
from agent.training.collect import Collector, Score
from agent.training.evaluate import evaluate
from agent.training.meter import Meter
from agent.training.progress import Display
from agent.training.seeding import Stream

STOP_SECONDS = 20.0  # how long a run that is asked to stop waits for an episode's end, to write a checkpoint there
PICTURE_SEQUENCES, PICTURE_STEPS = 4, 20
WATCHED_STEPS = 5  # observations of a picture that the model sees before it predicts
LONG_EPISODE = 5  # checkpoint intervals, after which an episode that did not end is worth a warning
POSITIVE = ("steps", "train_every", "eval_every", "eval_episodes", "log_every", "checkpoint_every")
ZERO_OR_MORE = ("seed", "predict_every")


class Interrupted(Exception):
    """The run was asked to stop; it can be resumed from its last checkpoint."""


def train(
    cfg: DictConfig,
    record: Record,
    stop: Callable[[], bool] = lambda: False,
    lost: Callable[[], bool] = lambda: False,
) -> None:
    """Check, train and evaluate the run that `cfg` describes, in the folder of `record`, resuming
    where it was.

    Raises UserError for bad input, and what `Run.train` raises.
    """
    check(cfg)
    with closing(Run(cfg, record, stop, lost)) as run:
        run.train()


def check(cfg: DictConfig) -> None:
    """UserError for settings of `run` that no run on this machine can have, and a replay shorter
    than a sequence."""
    for name in (*POSITIVE, *ZERO_OR_MORE):
        value = cfg.run[name]
        if isinstance(value, bool) or not isinstance(
            value, int | float if name == "train_every" else int
        ):
            raise UserError(
                f"run.{name}={value}: must be a {'' if name == 'train_every' else 'whole '}number"
            )
        if name in POSITIVE and not value > 0:
            raise UserError(f"run.{name}={value}: must be positive")
        if value < 0:
            raise UserError(f"run.{name}={value}: must be zero or more")
    if cfg.recipe.capacity < cfg.recipe.length:
        raise UserError(
            f"recipe.capacity={cfg.recipe.capacity}: must hold a sequence of {cfg.recipe.length} steps"
        )
    device.choose(cfg.run.device)
    device.check_precision(cfg.run.matmul_precision)


class Run:
    """The state of one run, whose `cfg` passed `check`."""

    def __init__(
        self, cfg: DictConfig, record: Record, stop: Callable[[], bool], lost: Callable[[], bool]
    ):
        """`stop()` asks to stop; `lost()` tells that another host took the run over."""
        self.cfg, self.record, self._stop, self._lost = cfg, record, stop, lost
        self.run, self.recipe, self.task = map(_plain, (cfg.run, cfg.recipe, cfg.task))
        self.folder = Path(record.path)
        self.identity = {
            name: str(record.fields.get(name))
            for name in ("suite", "task", "arm", "seed", "digest")
        }
        self.device = device.choose(self.run.device)
        device.configure(self.run.threads, self.run.matmul_precision)
        seeding.seed_libraries(self.run.seed)
        self.rng = self._generator(Stream.REPLAY)
        self.env = envs.make(cfg)
        self.eval_envs: list[gymnasium.Env] = []
        self.agent = build.build(
            cfg, self.env.observation_space, self.env.action_space, self.device
        )
        self.meter = Meter(self.agent.saturation_keys)
        self.replay = Replay(
            self.folder / "replay",
            self.env.observation_space,
            flatdim(self.env.action_space),
            self.recipe.capacity,
        )
        self.collector = Collector(
            self.env, self.agent, self.replay, self.rng, self.run.seed, self.recipe.prefill
        )
        self.step = self.gradient_steps = self.last_checkpoint = self.episode_start = 0
        self.warned = False
        self.wall_before, self.started = 0.0, time.monotonic()
        self.stop_asked: float | None = None
        self.last_return: float | None = None

    def train(self) -> None:
        """Step, learn, log, evaluate, predict and write checkpoints until `run.steps`, from the
        last checkpoint on.

        Raises FloatingPointError for NaN or infinity in a loss, Interrupted after `stop()` returned
        True (at the next episode's end, with a checkpoint, or after 20 s, with the last
        checkpoint), and ClaimLost after `lost()` did, writing nothing more.
        """
        self._resume()
        self._update_record(parameters=self.agent.parameter_counts(), device=str(self.device))
        self._check_disk()
        run = self.run
        with Display(run.steps, self.step, self.gradient_steps) as display:
            while self.step < run.steps:
                self._check_stop()
                over = self._collect()
                self._learn()
                if self._due(run.log_every) or self._last():
                    self._log()
                if self._due(run.eval_every) or self._last():
                    self._evaluate()
                if self._due(run.predict_every):
                    self._predict()
                if (over and self._checkpoint_due()) or self._last():
                    self._checkpoint()
                display.update(self.step, self.gradient_steps, self.last_return)
        self._check_claim()
        self._update_record()
        if not run.keep_replay:
            self.replay.delete()

    def close(self) -> None:
        """Close environments and files."""
        self.replay.close()
        for env in (self.env, *self.eval_envs):
            env.close()

    def _collect(self) -> bool:
        """One agent step; returns whether it ended an episode."""
        score = self.collector.step(self.step, self._progress())
        self.step += 1
        if score is None:
            self._warn_of_long_episode()
            return False
        self._score("train", self.collector.episode, score)
        self.last_return, self.episode_start = score.ret, self.step
        return True

    def _learn(self) -> None:
        """Catch up with one gradient step per `run.train_every` agent steps after the prefill."""
        recipe = self.recipe
        if len(self.replay) < recipe.length:
            return
        while self.gradient_steps < (self.step - recipe.prefill) // self.run.train_every:
            batch = self._to_device(self.replay.sample(recipe.batch_size, recipe.length, self.rng))
            self.meter.add(self.agent.update(batch, self._progress()), self.step)
            self.gradient_steps += 1

    def _log(self) -> None:
        self.meter.check()
        self.record.log(
            self.step, self._frames(), self.gradient_steps, self._wall_seconds(), self.meter.flush()
        )
        self._update_record()

    def _evaluate(self) -> None:
        count = self.run.eval_episodes
        if not self.eval_envs:
            self.eval_envs = [envs.make(self.cfg) for _ in range(count)]
        seeds = [
            seeding.derive(self.run.seed, Stream.EVAL_EPISODE, self.step, episode)
            for episode in range(count)
        ]
        generator = self._torch_generator(Stream.EVAL_LATENTS)
        scores = evaluate(self.agent, self.eval_envs, seeds, generator, self._check_stop)
        for episode, score in enumerate(scores):
            self._score("eval", episode, score)

    def _predict(self) -> None:
        if observation_kind(self.env.observation_space) == "vector":
            return
        rng = self._generator(Stream.PREDICTION, self.step)
        rows = self.replay.sample(8 * PICTURE_SEQUENCES, PICTURE_STEPS, rng)
        whole = (
            rows["is_first"][:, WATCHED_STEPS:].sum(1).argsort(kind="stable")
        )  # few or no episode ends to foresee
        batch = self._to_device(
            {name: values[whole[:PICTURE_SEQUENCES]] for name, values in rows.items()}
        )
        generator = self._torch_generator(Stream.PREDICTION)
        picture = predictions.strip(*self.agent.predict(batch, WATCHED_STEPS, generator))
        predictions.save(self.folder / "predictions", self.step, picture)
        self.record.image("prediction", self.step, picture)

    def _checkpoint(self) -> None:
        self._check_claim()
        self.meter.check()
        self.replay.flush()
        self.last_checkpoint = self.step
        checkpoint.save(self.folder, self.identity, self._state_dict())
        self.replay.commit()

    def _checkpoint_due(self) -> bool:
        return (
            self.stop_asked is not None
            or self.step - self.last_checkpoint >= self.run.checkpoint_every
        )

    def _check_stop(self) -> None:
        """Interrupted when the run was asked to stop and stands on a checkpoint, or has waited long
        enough for one."""
        self._check_claim()
        if self.stop_asked is None and self._stop():
            self.stop_asked = time.monotonic()
        if self.stop_asked is None:
            return
        if self.step == self.last_checkpoint or time.monotonic() - self.stop_asked > STOP_SECONDS:
            self._update_record()
            raise Interrupted(
                f"stopped at step {self.step}; the last checkpoint is of step {self.last_checkpoint}"
            )

    def _check_claim(self) -> None:
        if self._lost():
            raise ClaimLost(f"{self.folder} was taken over by a process on another host")

    def _warn_of_long_episode(self) -> None:
        """Say once that a run without episode ends has no checkpoints."""
        length = self.step - self.episode_start
        if self.warned or length < LONG_EPISODE * self.run.checkpoint_every:
            return
        self.warned = True
        print(
            f"no episode has ended for {length} steps; checkpoints are written where one ends: until then, a kill "
            f"loses everything since step {self.last_checkpoint}",
            file=sys.stderr,
        )

    def _resume(self) -> None:
        """Go on from the checkpoint, with replay and records cut back to it, or start over where
        there is none."""
        state = checkpoint.load(self.folder, self.identity)
        if state is None:
            self.replay.clear()
            self.record.truncate(-1)
            return
        self._load_state_dict(state)
        self.record.truncate(self.step)

    def _state_dict(self) -> dict:
        return {
            "step": self.step,
            "episode": self.collector.episode,
            "gradient_steps": self.gradient_steps,
            "wall_seconds": self._wall_seconds(),
            "last_return": self.last_return,
            "agent": self.agent.state_dict(),
            "meter": self.meter.state_dict(),
            "replay": self.replay.state_dict(),
            "random": seeding.state_dict(self.rng, self.device),
        }

    def _load_state_dict(self, state: dict) -> None:
        self.step = self.last_checkpoint = self.episode_start = state["step"]
        self.collector.episode, self.gradient_steps = state["episode"], state["gradient_steps"]
        self.wall_before, self.started = state["wall_seconds"], time.monotonic()
        self.last_return = state["last_return"]
        self.agent.load_state_dict(state["agent"])
        self.meter.load_state_dict(state["meter"], self.device)
        if not self._last():
            self.replay.load_state_dict(state["replay"])
        seeding.load_state_dict(self.rng, state["random"], self.device)

    def _check_disk(self) -> None:
        """UserError when the free disk space cannot hold the replay and the checkpoints."""
        weights = sum(
            parameter.numel() * parameter.element_size() for parameter in self.agent.parameters()
        )
        replay = self.replay.disk_bytes(self.run.steps, self.run.checkpoint_every)
        needed = (
            replay + 9 * weights
        )  # three files, while one is written, of weights and Adam's two moments
        free = shutil.disk_usage(self.folder).free + self.replay.used_bytes()
        if needed > free:
            raise UserError(
                f"{self.folder}: the run needs {needed / 1e9:.1f} GB of disk ({replay / 1e9:.1f} GB for replay), "
                f"{free / 1e9:.1f} GB are free; lower recipe.capacity={self.recipe.capacity} or change run.root"
            )

    def _generator(self, stream: Stream, *index: int) -> np.random.Generator:
        return np.random.default_rng(seeding.derive(self.run.seed, stream, *index))

    def _to_device(self, batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        if self.device.type != "cuda":
            return tensors
        return {
            name: tensor.pin_memory().to(self.device, non_blocking=True)
            for name, tensor in tensors.items()
        }

    def _torch_generator(self, stream: Stream) -> torch.Generator:
        """A generator for this step that the training does not draw from."""
        return torch.Generator(self.device).manual_seed(
            seeding.derive(self.run.seed, stream, self.step)
        )

    def _progress(self) -> float:
        """Share of the run's agent steps after the prefill, in [0, 1]."""
        prefill = self.recipe.prefill
        return min(1.0, max(0.0, (self.step - prefill) / max(1, self.run.steps - prefill)))

    def _due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _last(self) -> bool:
        return self.step >= self.run.steps

    def _frames(self) -> int:
        return self.step * self.task.action_repeat

    def _wall_seconds(self) -> float:
        return self.wall_before + time.monotonic() - self.started

    def _score(self, kind: str, episode: int, score: Score) -> None:
        self.record.score(self.step, self._frames(), kind, episode, score.ret, score.length)

    def _update_record(self, **more: object) -> None:
        self.record.update(
            steps=self.step,
            env_frames=self._frames(),
            gradient_steps=self.gradient_steps,
            wall_seconds=self._wall_seconds(),
            saturation=self.meter.saturation(),
            **more,
        )


def _plain(group: DictConfig) -> SimpleNamespace:
    """A group's resolved values as plain attributes, because reading a DictConfig at every step
    takes too long."""
    return SimpleNamespace(**OmegaConf.to_container(group, resolve=True))
