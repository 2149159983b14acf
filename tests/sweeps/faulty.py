"""An environment that ends its run's process in the middle."""

import os
import signal
import sys

import gymnasium

FAULTS = {
    "exit": lambda: sys.exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "none": lambda: None,
}


class Faulty(gymnasium.Wrapper):
    def __init__(self, fault):
        super().__init__(gymnasium.make("CartPole-v1"))
        self.fault, self.steps = FAULTS[fault], 0

    def step(self, action):
        self.steps += 1
        if self.steps == 30:
            self.fault()
        return self.env.step(action)


def make(fault, size, **_):
    """The environment for `task.env`."""
    return Faulty(fault)
