"""The recurrent state-space model (section 2.2, equation 2).

deter_t = cell(stoch_{t-1}, action_t, deter_{t-1})      action_t led to observation t
prior_t = p(stoch_t | deter_t)                          before observation t is seen
post_t  = q(stoch_t | deter_t, embed_t)                 after it
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from agent.networks import mlp
from agent.toggles.gru import MakeCell
from agent.toggles.latent import Latent


class State(NamedTuple):
    """The state: deter (..., D), stoch (..., S), and the stats (..., P) it was drawn from."""

    deter: Tensor
    stoch: Tensor
    stats: Tensor

    @property
    def feat(self) -> Tensor:
        """Features (..., F), all that heads, actor and critic see."""
        return torch.cat([self.stoch, self.deter], -1)

    def apply(self, function: Callable[[Tensor], Tensor]) -> "State":
        """The same function of all three tensors."""
        return State(*map(function, self))


class RSSM(nn.Module):
    """The latent dynamics; `cell(inputs, deter)` builds the recurrent cell."""

    def __init__(
        self, latent: Latent, cell: MakeCell, action: int, embed: int, deter: int, hidden: int
    ):
        super().__init__()
        self.latent = latent
        self.deter = deter
        self.input = nn.Linear(latent.stoch_size + action, hidden)
        self.cell = cell(hidden, deter)
        self.prior = mlp(deter, hidden, 1, latent.stats_size)
        self.post_hidden = nn.Linear(deter + embed, hidden)
        self.post_stats = nn.Linear(hidden, latent.stats_size)

    @property
    def feat_size(self) -> int:
        """F."""
        return self.latent.stoch_size + self.deter

    def initial(self, batch: int) -> State:
        """The zero state (B, ...)."""
        zeros = self.input.weight.new_zeros
        return State(
            zeros(batch, self.deter),
            zeros(batch, self.latent.stoch_size),
            zeros(batch, self.latent.stats_size),
        )

    def observe(
        self,
        embed: Tensor,
        action: Tensor,
        is_first: Tensor,
        state: State | None = None,
        generator: torch.Generator | None = None,
    ) -> State:
        """Posterior states (B, T, ...) of embeddings (B, T, E), actions (B, T, A) and is_first (B,
        T) bool.

        Where is_first is set, deter, stoch and the action before it are cleared. The prior has no
        part in it.
        """
        state = self.initial(len(embed)) if state is None else state
        # (B, T) -> (B, T, 1), then T of (B, ...)
        keep = 1 - is_first.to(action.dtype).unsqueeze(-1)
        noises = self.noise(embed.shape[1], embed.shape[0], generator)
        inputs = ((action * keep).unbind(1), keep.unbind(1), noises, self._posteriors(embed))
        states = []
        for taken, kept, noise, posterior in zip(*inputs, strict=True):
            state = State(state.deter * kept, state.stoch * kept, state.stats)
            state = self.step(state, taken, noise, posterior)
            states.append(state)
        # T of (B, ...) -> (B, T, ...)
        return State(*(torch.stack(tensors, 1) for tensors in zip(*states, strict=True)))

    def noise(
        self, steps: int, batch: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """The random numbers of a rollout: for each step, those of (batch) latent samples."""
        return self.latent.noise((steps, batch), self.input.weight.device, generator).unbind()

    def imagine(self, state: State, action: Tensor, noise: Tensor) -> State:
        """The next state (N, ...) after action (N, A), drawn from the prior with `noise`."""
        return self.step(state, action, noise, self.prior)

    def step(
        self, state: State, action: Tensor, noise: Tensor, stats_of: Callable[[Tensor], Tensor]
    ) -> State:
        """The next state (N, ...) after action (N, A), drawn with one step's `noise` from the stats
        (N, P) of its deter (N, D)."""
        # (N, S + A) -> (N, hidden) -> (N, D) -> (N, P) -> (N, S)
        x = functional.elu(self.input(torch.cat([state.stoch, action], -1)))
        deter = self.cell(x, state.deter)
        stats = stats_of(deter)
        return State(deter, self.latent.sample(stats, noise), stats)

    def _posteriors(self, embed: Tensor) -> list[Callable[[Tensor], Tensor]]:
        """For each step of embeddings (B, T, E), the posterior's stats (B, P) of deter (B, D).

        What the first layer makes of the embeddings is one product for all steps.
        """
        # (hidden, D + E) -> (hidden, D), (hidden, E)
        of_deter, of_embed = self.post_hidden.weight.split([self.deter, embed.shape[-1]], 1)
        looks = functional.linear(embed, of_embed, self.post_hidden.bias)  # (B, T, hidden)
        of_deter = of_deter.t()

        def stats(look: Tensor, deter: Tensor) -> Tensor:
            # (B, hidden) + (B, D) (D, hidden) -> (B, hidden) -> (B, P)
            return self.post_stats(functional.elu(torch.addmm(look, deter, of_deter)))

        return [partial(stats, look) for look in looks.unbind(1)]
