"""One run from its first step, or its last checkpoint, to its last step.

The order inside a step makes a resumed run equal to an unbroken one. All of a step is done and
recorded before its checkpoint, except its evaluation: a resumed run evaluates again. A checkpoint
is written at the end of an episode, because the next one depends only on the run's seed and its own
number. Inside a long episode it holds the episode's actions, which are replayed.
"""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import fmean

import gymnasium
import torch
from gymnasium.spaces import Box, Space, flatdim

from agent.config import Recipe, Settings
from agent.dreamer import Dreamer
from agent.errors import UserError
from agent.run import checkpoint, numerics, video
from agent.run.episodes import Collector, Episode, evaluate
from agent.run.lock import ClaimLost
from agent.run.numerics import Stream
from agent.run.progress import Clock, Display, Meter
from agent.run.record import ANEW, Record
from agent.run.replay import Replay
from agent.run.status import Interrupted
from agent.spaces import observation_kind

CONTEXT, PREDICTED = 5, 20  # observations that the model sees before it predicts, and all
FILMED = 300  # steps of an episode
LONGEST_WAIT = 2  # checkpoint intervals, after which a checkpoint waits for no episode's end


@dataclass(eq=False)
class Training:
    """The state of one run."""

    settings: Settings
    recipe: Recipe
    action_repeat: int
    make_env: Callable[[], gymnasium.Env]
    make_agent: Callable[[Box, Space, torch.device], Dreamer]
    record: Record
    stop: Callable[[], bool]  # asks to stop
    lost: Callable[[], bool]  # tells that another host took the run over

    def __post_init__(self) -> None:
        settings, recipe, self.folder = self.settings, self.recipe, self.record.path
        self.stop_by = math.inf  # time at which a run that was asked to stop waits no longer
        self.device = numerics.choose_device(settings.device)
        numerics.configure(settings.threads, settings.matmul_precision)
        self.opened = ExitStack()
        numerics.seed_libraries(settings.seed, Stream.START, 0)
        self.env = self._open_env()
        self.eval_envs: list[gymnasium.Env] = []  # made for the first evaluation
        self.scale = getattr(self.env, "observation_scale", None)  # of a vector's numbers
        observations, actions = self.env.observation_space, self.env.action_space
        assert isinstance(observations, Box)
        numerics.seed_torch(settings.seed, Stream.START, 0, torch.device("cpu"))
        self.agent = self.make_agent(observations, actions, self.device)
        size = flatdim(actions)
        self.replay = Replay(self.folder / "replay", observations, size, recipe.capacity)
        self.opened.callback(self.replay.close)
        self.collector = Collector(
            self.env,
            self.agent,
            self.replay,
            prefill=recipe.prefill,
            seed=settings.seed,
            knows_ends=recipe.discount_scale > 0,
        )
        self.clock = Clock(settings.steps, recipe.prefill, self.action_repeat)
        self.meter = Meter()
        self.saturation: dict[str, float] = {}  # means over the run up to the last line
        self.last_checkpoint = 0
        self.cut = 0  # evaluation episodes that did not end

    def run(self) -> None:
        """Go on from the last checkpoint to the end.

        Raises Diverged for NaN or infinity in a loss, EnvironmentFault for either from the
        environment, Interrupted, on a checkpoint, after `stop()`, and ClaimLost after `lost()`.
        """
        self._resume()
        self._update_record(
            parameters=self.agent.parameter_counts(),
            device=str(self.device),
            gpu=torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None,
            observations=observation_kind(self.env.observation_space),
            observation_scale=self.scale,
        )
        self.display = Display(self.clock, self.agent.updates)
        self._say_start()
        try:
            with self.display.bar:
                self._train()
        except Exception:
            self.meter.check(self.agent.updates)  # if NaN caused this, report the NaN
            raise
        self._check_claim()
        self._update_record()
        self._say_end()
        if not self.settings.keep_replay:
            self.replay.delete()

    def close(self) -> None:
        """Close environments and files."""
        self.opened.close()

    def _train(self) -> None:
        clock, settings = self.clock, self.settings
        while True:
            self._check_stop()
            if clock.step and (clock.due(settings.eval_every) or clock.over):
                self._evaluate()
            if clock.over:
                return
            ended = self._collect()
            self._learn()
            if clock.due(settings.log_every) or clock.over:
                self._log()
            if clock.due(settings.predict_every):
                self._predict()
            if self._checkpoint_due(ended) or clock.over:
                self._checkpoint()
            self.display.update(self.agent.updates)

    def _collect(self) -> bool:
        """One agent step; returns whether it ended an episode."""
        episode = self.collector.step(self.clock.step, self.clock.progress)
        self.clock.step += 1
        if episode is None:
            return False
        self._score("train", self.collector.started - 1, episode)
        self.display.last_return = episode.ret
        return True

    def _learn(self) -> None:
        """Catch up with one gradient step per `run.train_every` agent steps after the prefill."""
        recipe, seed = self.recipe, self.settings.seed
        if len(self.replay) < recipe.length:
            return
        for update in range(self.agent.updates, self.clock.updates(self.settings.train_every)):
            rng = numerics.generator(seed, Stream.REPLAY, update)
            rows = self.replay.sample(recipe.batch_size, recipe.length, rng)
            numerics.seed_torch(seed, Stream.LEARN, update, self.device)
            batch = numerics.tensors(rows, self.device)
            self.meter.add(self.agent.update(batch, self.clock.progress))

    def _log(self) -> None:
        clock, updates, new = self.clock, self.agent.updates, len(self.meter.rows)
        self.meter.check(updates)
        means = self.meter.flush()
        for name in self.agent.saturation_keys if means else ():
            before = self.saturation.get(name, 0.0)
            self.saturation[name] = before + (means[name] - before) * new / updates
        self.record.log(clock.step, clock.frames, updates, clock.seconds, means)
        self._update_record()

    def _evaluate(self) -> None:
        settings, step = self.settings, self.clock.step
        with numerics.libraries_apart(settings.seed, Stream.EVAL_EPISODE, step):
            while len(self.eval_envs) < settings.eval_episodes:
                self.eval_envs.append(self._open_env())
            episodes = evaluate(
                self.agent,
                self.eval_envs,
                seed=settings.seed,
                step=step,
                most_steps=settings.eval_max_steps,
                check_stop=self._check_stop,
            )
            for number, episode in enumerate(episodes):
                self._score("eval", number, episode)
            if settings.watch:
                self._film()
        cut = sum(not episode.over for episode in episodes)
        if cut and not self.cut:
            self.display.say(f"run.eval_max_steps cut {cut} evaluation episodes")
        self.cut += cut
        self.display.evaluated(self.agent.updates, fmean(episode.ret for episode in episodes))
        self.record.update(last_score=self.display.score)

    def _film(self) -> None:
        """Film the episode that the evaluation plays first."""
        seed, step = self.settings.seed, self.clock.step
        start = numerics.derive(seed, Stream.EVAL_EPISODE, step, 0)
        latents = numerics.torch_generator(seed, Stream.WATCH, step, self.device)
        film = video.play(self.agent, self.eval_envs[0], start, latents, FILMED)
        video.save(file := self.record.picture_file("episode", step, ".gif"), film)
        self.record.picture("episode", step, file)

    def _predict(self) -> None:
        seed, step = self.settings.seed, self.clock.step
        rows = self.replay.sample(32, PREDICTED, numerics.generator(seed, Stream.PREDICTION, step))
        kept = rows["is_first"][:, CONTEXT:].sum(1).argsort(stable=True)[:4]  # few ends to foresee
        batch = numerics.tensors({name: row[kept] for name, row in rows.items()}, self.device)
        latents = numerics.torch_generator(seed, Stream.PREDICTION, step, self.device)
        file = self.record.picture_file("prediction", step, ".png")
        video.strip(*self.agent.predict(batch, CONTEXT, latents)).save(file)
        self.record.picture("prediction", step, file)

    def _checkpoint(self) -> None:
        self._check_claim()
        self.meter.check(self.agent.updates)
        self.replay.flush()
        self.last_checkpoint = self.clock.step
        checkpoint.save(self.folder, self.record.identity, self._state_dict())
        self.replay.commit()
        self._update_record()

    def _checkpoint_due(self, ended: bool) -> bool:
        passed, every = self.clock.step - self.last_checkpoint, self.settings.checkpoint_every
        asked = self.stop_by < math.inf
        return (asked or passed >= every) if ended else passed >= LONGEST_WAIT * every

    def _check_claim(self) -> None:
        """Raise ClaimLost where the run is another host's: nothing may be written any more."""
        if self.lost():
            raise ClaimLost(f"{self.folder} was taken over by a process on another host")

    def _check_stop(self) -> None:
        """Raise Interrupted after a request to stop, once this step has a checkpoint, which is
        written now after `run.stop_seconds`."""
        self._check_claim()
        step, now = self.clock.step, time.monotonic()
        if self.stop_by == math.inf and self.stop():
            self.stop_by = now + self.settings.stop_seconds
        if now >= self.stop_by and step != self.last_checkpoint:
            self._checkpoint()
        if self.stop_by < math.inf and step == self.last_checkpoint:
            raise Interrupted(f"stopped at step {step}")

    def _resume(self) -> None:
        """Go on from the checkpoint, with replay and records cut back to it, or start over.

        Raises UserError where the environment's observations come in other units than replay's.
        """
        state = checkpoint.load(self.folder, self.record.identity)
        if state is None:
            self.replay.delete()  # of an unfinished start
            self.record.rewind(-1, {})
            return
        if (known := self.record.fields.get("observation_scale")) != self.scale:
            raise UserError(
                f"{self.folder}: the environment has changed, its observation scale is "
                f"{self.scale} and was {known}; {ANEW}"
            )
        self.clock.load_state_dict(state["clock"])
        self.agent.load_state_dict(state["agent"])
        self.meter.load_state_dict(state["meter"], self.device)
        if not self.clock.over:
            self.replay.load_state_dict(state["replay"])
            self.collector.load_state_dict(state["collector"])
        self.last_checkpoint = self.clock.step
        self.cut, self.saturation = state["cut"], state["saturation"]
        self.record.rewind(self.clock.step, state["record"])

    def _state_dict(self) -> dict:
        return {
            "clock": self.clock.state_dict(),
            "collector": self.collector.state_dict(),
            "cut": self.cut,
            "agent": self.agent.state_dict(),
            "meter": self.meter.state_dict(),
            "saturation": self.saturation,
            "replay": self.replay.state_dict(),
            "record": self.record.sync(),
        }

    def _say_start(self) -> None:
        run, clock = self.record.identity, self.clock
        parameters = self.record.fields["parameters"]["total"]
        self.display.say(
            f"{run['arm']} on {run['task']}, seed {run['seed']}, {parameters:,} parameters on "
            f"{self.device}, step {clock.step:,} of {clock.steps:,}: {self.folder}"
        )

    def _say_end(self) -> None:
        self.display.say(
            f"done: score {self.display.score:.4g} in {self.folder}; next: see its curve, "
            f"python -m analysis plot --runs {self.settings.root}, or see it play, "
            f"python -m agent.watch {self.folder}"
        )

    def _open_env(self) -> gymnasium.Env:
        env = self.make_env()
        self.opened.callback(env.close)
        return env

    def _score(self, kind: str, number: int, episode: Episode) -> None:
        step, frames = self.clock.step, self.clock.frames
        self.record.score(step, frames, kind, number, episode.ret, episode.length)

    def _update_record(self, **more: object) -> None:
        self.record.update(
            steps=self.clock.step,
            env_frames=self.clock.frames,
            gradient_steps=self.agent.updates,
            wall_seconds=self.clock.seconds,
            eval_episodes_cut=self.cut,
            saturation=self.saturation,
            **more,
        )
