"""An environment that ends its run's process in the middle."""

import itertools
import os
import signal
import sys

import gymnasium
from gymnasium.wrappers import TransformAction

FAULTS = {
    "exit": lambda: sys.exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "none": lambda: None,
}


def make(fault, size, **_):
    """The environment for `task.env`, whose 30th step is the fault."""
    env, steps = gymnasium.make("CartPole-v1"), itertools.count(1)

    def act(action):
        if next(steps) == 30:
            FAULTS[fault]()
        return action

    return TransformAction(env, act, env.action_space)
