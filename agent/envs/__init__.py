"""Environments: every source ends as one `gymnasium.Env` with the spaces of `agent.spaces`.

What `task.env._target_` names takes the keys of `task.env` and `size`, the pixels of an image's
side, and raises UserError where it cannot make the environment.
"""
