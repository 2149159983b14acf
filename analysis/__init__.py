"""Says what finished runs show of each change; reads files only, and imports neither torch,
hydra nor the agent.

Letters: `R` runs, `M` tasks. A sample is the `(R,)` scores of one arm on one task; an arm is a list
of `M` samples.
"""


class InputError(ValueError):
    """Input that cannot be used: one line that names what was given and what is allowed."""
