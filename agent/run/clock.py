"""How far a run is, in agent steps, gradient steps, environment frames and seconds."""

import time


class Clock:
    """Counts of a run of `steps` agent steps, the first `prefill` of them random."""

    def __init__(self, steps: int, prefill: int, action_repeat: int):
        self.steps = steps
        self.prefill = prefill
        self.action_repeat = action_repeat
        self.step = 0
        self.gradient_steps = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the run's agent steps after the prefill, in [0, 1]."""
        share = (self.step - self.prefill) / max(1, self.steps - self.prefill)
        return min(1.0, max(0.0, share))

    @property
    def over(self) -> bool:
        """Whether the last step is done."""
        return self.step >= self.steps

    @property
    def frames(self) -> int:
        """Environment frames."""
        return self.step * self.action_repeat

    @property
    def seconds(self) -> float:
        """Seconds of training, those before an interruption included."""
        return self._seconds_before + time.monotonic() - self._started

    def due(self, every: int) -> bool:
        """Whether this step is one of every `every`; never for 0."""
        return every > 0 and self.step % every == 0

    def owed(self, train_every: float) -> int:
        """Gradient steps that are to be caught up with: one per `train_every` steps."""
        return int((self.step - self.prefill) // train_every) - self.gradient_steps

    def state_dict(self) -> dict:
        """What a resumed run goes on from."""
        return {
            "step": self.step,
            "gradient_steps": self.gradient_steps,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        self.step = state["step"]
        self.gradient_steps = state["gradient_steps"]
        self._seconds_before = state["seconds"]
        self._started = time.monotonic()
