"""Environments: every source ends as one `gymnasium.Env` with the spaces of `agent.spaces`."""
