"""The recurrent state-space model (section 2.2, equation 2).

deter_t = cell(stoch_{t-1}, action_t, deter_{t-1})      action_t led to observation t
prior_t = p(stoch_t | deter_t)                          without looking
post_t  = q(stoch_t | deter_t, embed_t)                 having looked
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from agent.networks import mlp
from agent.toggles.gru import MakeCell
from agent.toggles.latent import Latent


class State(NamedTuple):
    """The model's state: deter (..., D), stoch (..., S), and the stats (..., P) that stoch was
    drawn from."""

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
    """The latent dynamics; `cell(inputs, deter)` builds the recurrent cell, `latent` is the
    stochastic state's kind."""

    def __init__(
        self,
        latent: Latent,
        cell: MakeCell,
        action: int,
        embed: int,
        deter: int,
        hidden: int,
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

        Where is_first is set, deter, stoch and the action before it are cleared. Everything that
        does not depend on the recurrent state is computed for all steps at once, before the loop;
        the prior's head has no part in it.
        """
        state = self.initial(len(embed)) if state is None else state
        keep = 1 - is_first.to(action.dtype).unsqueeze(-1)
        from_deter, from_embed = self.post_hidden.weight.split([self.deter, embed.shape[-1]], 1)
        looks = functional.linear(embed, from_embed, self.post_hidden.bias)
        steps = zip(
            looks.unbind(1),
            (action * keep).unbind(1),
            keep.unbind(1),
            self.noise(*reversed(is_first.shape), generator),
            strict=True,
        )
        states = []
        for look, taken, kept, noise in steps:

            def posterior(deter: Tensor, look: Tensor = look) -> Tensor:
                return self.post_stats(functional.elu(torch.addmm(look, deter, from_deter.t())))

            state = State(state.deter * kept, state.stoch * kept, state.stats)
            state = self.step(state, taken, noise, posterior)
            states.append(state)
        return State(*(torch.stack(tensors, 1) for tensors in zip(*states, strict=True)))

    def noise(
        self, steps: int, batch: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """The random numbers of a rollout: for each step, those of (batch) latent samples."""
        return self.latent.noise((steps, batch), self.input.weight.device, generator).unbind()

    def imagine(self, state: State, action: Tensor, noise: Tensor) -> State:
        """The next state (N, ...), drawn from the prior with one step's `noise`, after action (N,
        A)."""
        return self.step(state, action, noise, self.prior)

    def step(
        self, state: State, action: Tensor, noise: Tensor, head: Callable[[Tensor], Tensor]
    ) -> State:
        """The next state (N, ...) after action (N, A); `head` gives the stats of its deter."""
        x = functional.elu(self.input(torch.cat([state.stoch, action], -1)))
        deter = self.cell(x, state.deter)
        stats = head(deter)
        return State(deter, self.latent.sample(stats, noise), stats)
