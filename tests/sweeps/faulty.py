"""An environment that breaks its run in the middle, in the way that it is told to."""

import os
import signal
import sys

import gymnasium


class Faulty(gymnasium.Wrapper):
    """CartPole that fails at its 30th step of an episode or later."""

    def __init__(self, fault):
        super().__init__(gymnasium.make("CartPole-v1"))
        self.fault, self.steps = fault, 0

    def step(self, action):
        self.steps += 1
        if self.steps == 30:
            self.fail()
        return self.env.step(action)

    def fail(self):
        if self.fault == "exception":
            raise RuntimeError("the pole fell on the experimenter\nand more")
        if self.fault == "memory":
            raise MemoryError("no room")
        if self.fault == "exit":
            sys.exit(3)
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def make(fault, size, **_):
    """The environment for `task.env`."""
    return Faulty(fault)
