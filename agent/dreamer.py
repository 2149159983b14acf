"""The agent: acts on observations, learns from replayed batches (section 2, equations 2 to 6)."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agent import behavior
from agent.config import Recipe
from agent.heads import Policy, Scalar
from agent.networks import initialise
from agent.optim import Optimiser
from agent.rssm import State
from agent.toggles.actor_grad import ActorGrad
from agent.toggles.entropy import Entropy
from agent.toggles.explore import Explore
from agent.toggles.gradients import Gradients
from agent.toggles.kl import Divergence
from agent.toggles.schedule import Factors, Schedule
from agent.world_model import WorldModel


@dataclass(frozen=True)
class Toggles:
    """The options that act in the gradient step and in collection; the rest is in the modules."""

    kl: Divergence
    actor_grad: ActorGrad
    entropy: Entropy
    explore: Explore
    gradients: Gradients
    schedule: Schedule


class Dreamer(nn.Module):
    """World model, actor, critic and slow critic with their three optimisers."""

    saturation_keys = ("kl_clamped",)

    def __init__(
        self,
        model: WorldModel,
        actor: Policy,
        critic: Scalar,
        toggles: Toggles,
        recipe: Recipe,
        lower: torch.dtype | None = None,
    ):
        """Matrix products and convolutions are computed in `lower`, if given, else in float32."""
        super().__init__()
        self.model = model
        self.actor = actor
        self.critic = critic
        self.apply(initialise)
        self.slow_critic = copy.deepcopy(critic).requires_grad_(False)
        self.toggles = toggles
        self.recipe = recipe
        self.lower = lower
        self.updates = 0

    def prepare(self, device: torch.device) -> "Dreamer":
        """Move to a device and create the optimisers there."""
        self.to(device)
        recipe, times = self.recipe, self.recipe.learning_rates
        rest = (recipe.eps, recipe.weight_decay, recipe.clip)
        untrained = (recipe.eps, 0.0, recipe.clip)  # a model that is not trained does not shrink
        model = rest if recipe.model_lr else untrained
        self.optimisers = {
            "model": Optimiser(self.model.parameters(), times * recipe.model_lr, *model),
            "actor": Optimiser(self.actor.parameters(), times * recipe.actor_lr, *rest),
            "critic": Optimiser(self.critic.parameters(), times * recipe.critic_lr, *rest),
        }
        return self

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.model.rssm.input.weight.device

    def parameter_counts(self) -> dict[str, int]:
        """Parameters of each module and in total; the slow critic is a copy and does not count."""
        modules = {"encoder": self.model.encoder, "rssm": self.model.rssm}
        modules |= dict(self.model.heads.items()) | {"actor": self.actor, "critic": self.critic}
        counts = {
            name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()
        }
        return {"total": sum(counts.values())} | counts

    def products(self) -> AbstractContextManager:
        """Where matrix products and convolutions are computed in `lower`."""
        return nullcontext() if self.lower is None else torch.autocast(self.device.type, self.lower)

    def initial(self, batch: int) -> dict[str, Tensor]:
        """The acting state of `batch` environments before their first observation."""
        state = self.model.rssm.initial(batch)._asdict()
        return state | {"action": state["deter"].new_zeros(batch, self.actor.actions)}

    @torch.no_grad()
    def act(
        self,
        obs: np.ndarray,
        state: dict[str, Tensor],
        is_first: np.ndarray,
        evaluate: bool,
        progress: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[np.ndarray, dict[str, Tensor]]:
        """Actions (B, A) for observations (B, ...), and the next acting state.

        Collecting samples the policy and lets `explore` add noise; evaluating takes the mode and
        draws latents from `generator`, so that training does not notice.
        """
        state = dict(state)
        action = state.pop("action").unsqueeze(1)
        obs = self.model.encoder.prepare(torch.as_tensor(obs, device=self.device).unsqueeze(1))
        first = torch.as_tensor(is_first, device=self.device).unsqueeze(1)
        with self.products():
            post = self.model.rssm.observe(
                self.model.encoder(obs), action, first, State(**state), generator
            )
            post = post.apply(lambda x: x[:, 0])
            policy = self.actor(post.feat)
        if evaluate:
            action = policy.mode()
        else:
            sample = policy.sample(self.actor.noise((len(obs),), self.device))
            action = self.toggles.explore.collect(sample, self.actor, progress)
        return action.cpu().numpy(), post._asdict() | {"action": action}

    def update(self, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        """One gradient step of all three optimisers on a replayed batch; metrics () stay on the
        device.

        The model learns first; actor and critic then imagine with the updated model, from the
        posterior states that were computed before its update. `progress` is the share of the run
        after prefill, for schedules.
        """
        factors = self.toggles.schedule(progress)
        post, metrics = self.learn_model(batch, factors)
        return metrics | self.learn_behavior(post, batch["is_terminal"], factors)

    def learn_model(
        self, batch: dict[str, Tensor], factors: Factors
    ) -> tuple[State, dict[str, Tensor]]:
        """One step of the model's optimiser; returns the posterior states (B, T, ...), detached."""
        kl_scale = self.recipe.kl_scale * factors.kl_scale
        with self.products():
            loss, post, metrics = self.model.loss(
                batch, self.toggles.kl, kl_scale, self.toggles.gradients
            )
        norm = self.optimisers["model"].step(loss, factors.model_lr)
        return post, metrics | {"model_grad_norm": norm}

    def learn_behavior(
        self, post: State, is_terminal: Tensor, factors: Factors
    ) -> dict[str, Tensor]:
        """One step of the actor's and the critic's optimiser, from posterior states (B, T, ...)."""
        actor_loss, critic_loss, metrics = self.behavior_losses(post, is_terminal, factors)
        rates = factors.actor_critic_lr
        metrics |= {
            "actor_grad_norm": self.optimisers["actor"].step(actor_loss, rates),
            "critic_grad_norm": self.optimisers["critic"].step(critic_loss, rates),
        }
        self._update_slow_critic()
        return metrics

    def behavior_losses(
        self, post: State, is_terminal: Tensor, factors: Factors
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The losses () of actor and critic, and metrics (), from posterior states (B, T, ...)."""
        toggles, recipe = self.toggles, self.recipe
        entropy_scale = toggles.explore.entropy_scale * factors.actor_entropy
        dynamics_weight = toggles.actor_grad.dynamics_weight * factors.actor_mix
        every = slice(None, None, recipe.start_every)
        start = post.apply(lambda x: x[:, every].flatten(0, 1))
        ended = is_terminal[:, every].flatten()
        with self.products(), torch.set_grad_enabled(toggles.actor_grad.through_model):
            rollout = behavior.imagine(self.model, self.actor, start, ended, recipe.horizon)
            target, value = behavior.target(
                rollout,
                self.actor,
                self.slow_critic,
                recipe.lambda_,
                toggles.entropy,
                entropy_scale,
            )
        with self.products():  # anew: weights that were lowered without a graph have none
            objective = (toggles.actor_grad, dynamics_weight, entropy_scale)
            actor_loss, entropy = behavior.actor_loss(
                rollout, self.actor, target, value, *objective
            )
            critic_loss = behavior.critic_loss(rollout, self.critic, target)
        metrics = {
            "actor_loss": actor_loss,
            "actor_entropy": entropy,
            "critic_loss": critic_loss,
            "imagined_reward": rollout.reward.mean(),
            "imagined_discount": rollout.discount.mean(),
            "target": target.mean(),
            "slow_value": value.mean(),
        }
        return actor_loss, critic_loss, {name: metric.detach() for name, metric in metrics.items()}

    @torch.no_grad()
    def predict(
        self, batch: dict[str, Tensor], context: int, generator: torch.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Truth and open-loop prediction (B, T, H, W, C) in [0, 1] of images or grids, after
        `context` steps."""
        obs, actions = batch["obs"], batch["action"]
        encoder, rssm = self.model.encoder, self.model.rssm
        decoder = self.model.heads["observation"]
        embed = encoder(encoder.prepare(obs[:, :context]))
        post = rssm.observe(
            embed, actions[:, :context], batch["is_first"][:, :context], generator=generator
        )
        state, feats = post.apply(lambda x: x[:, -1]), list(post.feat.unbind(1))
        future = actions[:, context:].unbind(1)
        for action, noise in zip(future, rssm.noise(len(future), len(obs), generator), strict=True):
            state = rssm.imagine(state, action, noise)
            feats.append(state.feat)
        truth = decoder.truth(obs)
        return truth.cpu().numpy(), decoder.picture(torch.stack(feats, 1)).cpu().numpy()

    def get_extra_state(self) -> dict:
        """What is not a parameter: the optimisers and the number of updates."""
        return {
            "optimisers": {k: v.state_dict() for k, v in self.optimisers.items()},
            "updates": self.updates,
        }

    def set_extra_state(self, state: dict) -> None:
        """The inverse of `get_extra_state`."""
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.updates = state["updates"]

    @torch.no_grad()
    def _update_slow_critic(self) -> None:
        """Copy the critic after updates 0, `slow_every`, 2 `slow_every`, ... (counted from 0)."""
        if self.updates % self.recipe.slow_every == 0:
            torch._foreach_copy_(
                list(self.slow_critic.parameters()), list(self.critic.parameters())
            )
        self.updates += 1
