"""One run from its first step, or its last checkpoint, to its last step.

The order inside a step is what makes a resumed run equal to an unbroken one: everything that
belongs to a step is done and recorded before the checkpoint of that step. Checkpoints are written
where an episode ends, because the next one depends on the run's seed and its own number alone;
inside a long episode they hold its actions, which are played again.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import torch
from gymnasium.spaces import Box, Space, flatdim
from PIL import Image

from agent.config import Recipe, Settings
from agent.dreamer import Dreamer
from agent.errors import UserError
from agent.run import checkpoint, device, disk, pictures, seeding, video
from agent.run.episodes import Collector, Evaluator, Score
from agent.run.progress import Clock, Display, Meter
from agent.run.record import ANEW, Record
from agent.run.replay import Replay
from agent.run.seeding import Stream
from agent.run.stop import Interrupted, Interruption

LONGEST_WAIT = 2  # checkpoint intervals, after which a checkpoint waits for no episode's end


class Training:
    """The state of one run."""

    def __init__(
        self,
        settings: Settings,
        recipe: Recipe,
        action_repeat: int,
        make_env: Callable[[], gymnasium.Env],
        make_agent: Callable[[Box, Space, torch.device], Dreamer],
        record: Record,
        stop: Callable[[], bool],
        lost: Callable[[], bool],
    ):
        """`stop()` asks to stop; `lost()` tells that another host took the run over."""
        self.settings = settings
        self.recipe = recipe
        self.record = record
        self.folder = Path(record.path)
        self.interruption = Interruption(self.folder, settings.stop_seconds, stop, lost)
        self.device = device.choose(settings.device)
        device.configure(settings.threads, settings.matmul_precision)
        seeding.seed_libraries(settings.seed)
        self.random = {
            stream.name: seeding.generator(settings.seed, stream)
            for stream in (Stream.PREFILL, Stream.REPLAY)
        }
        self.env = make_env()
        self.evaluator = Evaluator(make_env, settings, self.device)
        self.filmed_env = make_env() if settings.watch else None
        self.scale = getattr(self.env, "observation_scale", None)  # of a vector's numbers
        observations, actions = self.env.observation_space, self.env.action_space
        self.agent = make_agent(observations, actions, self.device)
        self.meter = Meter(self.agent.saturation_keys)
        self.replay = Replay(
            self.folder / "replay", observations, flatdim(actions), recipe.capacity
        )
        prefill, knows_ends = (recipe.prefill, self.random["PREFILL"]), recipe.discount_scale > 0
        players = self.env, self.agent, self.replay
        self.collector = Collector(*players, *prefill, settings.seed, knows_ends)
        self.clock = Clock(settings.steps, recipe.prefill, action_repeat)
        self.last_checkpoint = 0
        self.cut = 0  # evaluation episodes that did not end
        self.last_return: float | None = None

    def run(self) -> None:
        """Step, learn, log, evaluate, predict and write checkpoints, from the last checkpoint on.

        Raises Diverged for NaN or infinity in a loss, EnvironmentFault for either from the
        environment, Interrupted after `stop()` returned True (with a checkpoint, at the next
        episode's end or after `run.stop_seconds`; inside an evaluation that takes longer, without),
        and ClaimLost after `lost()` did, writing nothing more.
        """
        self._resume()
        self._update_record(
            parameters=self.agent.parameter_counts(),
            device=str(self.device),
            observation_scale=self.scale,
        )
        self._check_disk()
        try:
            self._steps()
        except Interrupted:
            self._update_record()
            raise
        except Exception:
            self.meter.check()  # what diverged breaks what it acts on before a line is due
            raise
        self.interruption.check_claim()
        self._update_record()
        if not self.settings.keep_replay:
            self.replay.delete()

    def _steps(self) -> None:
        clock, settings = self.clock, self.settings
        with Display(clock.steps, clock.step, clock.gradient_steps) as display:
            while not clock.over:
                self._check_stop()
                ended = self._collect()
                self._learn()
                if clock.due(settings.log_every) or clock.over:
                    self._log()
                if clock.due(settings.eval_every) or clock.over:
                    self._evaluate()
                if clock.due(settings.predict_every):
                    self._predict()
                if self._checkpoint_due(ended) or clock.over:
                    self._checkpoint()
                display.update(clock.step, clock.gradient_steps, self.last_return)

    def close(self) -> None:
        """Close environments and files."""
        for opened in (self.replay, self.filmed_env, self.env, self.evaluator):
            if opened is not None:
                opened.close()

    def _collect(self) -> bool:
        """One agent step; returns whether it ended an episode."""
        score = self.collector.step(self.clock.step, self.clock.progress)
        self.clock.step += 1
        if score is None:
            return False
        self._score("train", self.collector.episode, score)
        self.last_return = score.ret
        return True

    def _learn(self) -> None:
        """Catch up with one gradient step per `run.train_every` agent steps after the prefill."""
        recipe, clock = self.recipe, self.clock
        if len(self.replay) < recipe.length:
            return
        for _ in range(clock.owed(self.settings.train_every)):
            rows = self.replay.sample(
                recipe.batch_size, recipe.length, self.random["REPLAY"], self.device.type == "cuda"
            )
            metrics = self.agent.update(device.tensors(rows, self.device), clock.progress)
            self.meter.add(metrics, clock.step)
            clock.gradient_steps += 1

    def _log(self) -> None:
        self.meter.check()
        clock, means = self.clock, self.meter.flush()
        self.record.log(clock.step, clock.frames, clock.gradient_steps, clock.seconds, means)
        self._update_record()

    def _evaluate(self) -> None:
        started = time.monotonic()
        check = lambda: self._check_stop(evaluating_since=started)  # noqa: E731
        scores, cut = self.evaluator.play(self.agent, self.clock.step, check)
        for episode, score in enumerate(scores):
            self._score("eval", episode, score)
        if cut and not self.cut:
            print(f"run.eval_max_steps cut {cut} evaluation episodes", file=sys.stderr)
        self.cut += cut
        if self.filmed_env is not None:
            seed, step = self.settings.seed, self.clock.step
            video.film(self.agent, self.filmed_env, seed, step, self.record)

    def _predict(self) -> None:
        seed, step = self.settings.seed, self.clock.step
        rng = seeding.generator(seed, Stream.PREDICTION, step)
        batch = device.tensors(pictures.sample(self.replay, rng), self.device)
        latents = seeding.torch_generator(seed, Stream.PREDICTION, step, self.device)
        truth, model = self.agent.predict(batch, pictures.CONTEXT, latents)
        file = self.record.picture_file("prediction", step, ".png")
        Image.fromarray(pictures.strip(truth, model)).save(file)
        self.record.picture("prediction", step, file)

    def _checkpoint(self) -> None:
        self.interruption.check_claim()
        self.meter.check()
        self.replay.flush()
        self.last_checkpoint = self.clock.step
        checkpoint.save(self.folder, self.record.identity, self._state_dict())
        self.replay.commit()

    def _checkpoint_due(self, ended: bool) -> bool:
        passed, every = self.clock.step - self.last_checkpoint, self.settings.checkpoint_every
        if ended:
            return self.interruption.asked or passed >= every
        return self.interruption.pressing or passed >= LONGEST_WAIT * every

    def _check_stop(self, evaluating_since: float | None = None) -> None:
        self.interruption.check(self.clock.step, self.last_checkpoint, evaluating_since)

    def _check_disk(self) -> None:
        replay = self.replay.disk_bytes(self.settings.steps, self.settings.checkpoint_every)
        weights = sum(p.numel() * p.element_size() for p in self.agent.parameters())
        used = self.replay.used_bytes() + checkpoint.used_bytes(self.folder)
        disk.check_room(self.folder, replay, used, weights)

    def _resume(self) -> None:
        """Go on from the checkpoint, with replay and records cut back to it, or start over.

        Raises UserError where the environment's observations come in other units than replay's.
        """
        state = checkpoint.load(self.folder, self.record.identity)
        if state is None:
            self.replay.clear()
            self.record.truncate(-1)
            return
        if (known := self.record.fields.get("observation_scale")) != self.scale:
            raise UserError(
                f"{self.folder}: the environment has changed, its observation scale is "
                f"{self.scale} and was {known}; {ANEW}"
            )
        self._load_state_dict(state)
        self.record.truncate(self.clock.step)

    def _state_dict(self) -> dict:
        return {
            "clock": self.clock.state_dict(),
            "collector": self.collector.state_dict(),
            "cut": self.cut,
            "last_return": self.last_return,
            "agent": self.agent.state_dict(),
            "meter": self.meter.state_dict(),
            "replay": self.replay.state_dict(),
            "random": seeding.state_dict(self.random, self.device),
        }

    def _load_state_dict(self, state: dict) -> None:
        self.clock.load_state_dict(state["clock"])
        self.last_checkpoint, self.cut = self.clock.step, state["cut"]
        self.last_return = state["last_return"]
        self.agent.load_state_dict(state["agent"])
        self.meter.load_state_dict(state["meter"], self.device)
        if not self.clock.over:
            self.replay.load_state_dict(state["replay"])
            self.collector.load_state_dict(state["collector"], self.device)
        seeding.load_state_dict(self.random, state["random"], self.device)

    def _score(self, kind: str, episode: int, score: Score) -> None:
        step, frames = self.clock.step, self.clock.frames
        self.record.score(step, frames, kind, episode, score.ret, score.length)

    def _update_record(self, **more: object) -> None:
        self.record.update(
            steps=self.clock.step,
            env_frames=self.clock.frames,
            gradient_steps=self.clock.gradient_steps,
            wall_seconds=self.clock.seconds,
            eval_episodes_cut=self.cut,
            saturation=self.meter.saturation(),
            **more,
        )
