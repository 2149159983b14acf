"""The agent: acts on observations, learns from replayed batches (section 2, equations 2 to 6)."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from agent import behavior
from agent.config import Recipe
from agent.heads import Actor, Scalar
from agent.networks import initialise
from agent.optim import Optimiser
from agent.rssm import State
from agent.toggles.actor_grad import ActorGrad
from agent.toggles.entropy import Entropy
from agent.toggles.explore import Explore
from agent.toggles.gradients import Gradients
from agent.toggles.kl import KLLoss
from agent.toggles.schedule import Factors, Schedule
from agent.world_model import WorldModel


@dataclass(frozen=True)
class Toggles:
    """The options that act in the gradient step and in collection; the rest is in the modules."""

    kl: KLLoss
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
        actor: Actor,
        critic: Scalar,
        toggles: Toggles,
        recipe: Recipe,
        compute_dtype: torch.dtype | None = None,
    ):
        """Matrix products and convolutions are computed in `compute_dtype`; None: in float32."""
        super().__init__()
        self.model = model
        self.actor = actor
        self.critic = critic
        self.apply(initialise)
        self.slow_critic = copy.deepcopy(critic).requires_grad_(False)
        self.toggles = toggles
        self.recipe = recipe
        self.compute_dtype = compute_dtype

    def prepare(self, device: torch.device) -> "Dreamer":
        """Move to a device and create the optimisers there."""
        self.to(device)
        recipe = self.recipe
        rates = {"model": recipe.model_lr, "actor": recipe.actor_lr, "critic": recipe.critic_lr}
        self.optimisers = {
            name: Optimiser(
                getattr(self, name).parameters(),
                lr=recipe.learning_rates * lr,
                eps=recipe.eps,
                weight_decay=recipe.weight_decay if lr else 0.0,  # untrained weights do not shrink
                clip=recipe.clip,
            )
            for name, lr in rates.items()
        }
        self.factors = Factors(*(torch.ones((), device=device) for _ in fields(Factors)))
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

    @property
    def updates(self) -> int:
        """Updates so far."""
        return self.optimisers["critic"].updates

    def autocast(self) -> AbstractContextManager:
        """Where matrix products and convolutions are computed in `compute_dtype`."""
        if self.compute_dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.compute_dtype)

    def initial(self, batch: int) -> dict[str, Tensor]:
        """The acting state of `batch` environments before their first observation."""
        state = self.model.rssm.initial(batch)._asdict()
        return state | {"action": state["deter"].new_zeros(batch, self.actor.actions)}

    @torch.inference_mode()
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
        seen = self.model.encoder.prepare(torch.as_tensor(obs, device=self.device).unsqueeze(1))
        first = torch.as_tensor(is_first, device=self.device).unsqueeze(1)
        with self.autocast():
            post = self.model.rssm.observe(
                self.model.encoder(seen), action, first, State(**state), generator
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
        self.begin(progress)
        post, metrics = self.learn_model(batch)
        metrics |= self.learn_behavior(post, batch["is_terminal"])
        self.update_slow_critic()
        return metrics

    def begin(self, progress: float) -> None:
        """Set what moves from update to update; the rest of one can be captured or compiled."""
        self.toggles.schedule.move(self.factors, progress)
        for optimiser in self.optimisers.values():
            optimiser.begin()

    def learn_model(self, batch: dict[str, Tensor]) -> tuple[State, dict[str, Tensor]]:
        """One step of the model's optimiser; returns the posterior states (B, T, ...), detached."""
        kl_scale, toggles = self.recipe.kl_scale * self.factors.kl_scale, self.toggles
        with self.autocast():
            loss, post, metrics = self.model.loss(batch, toggles.kl, kl_scale, toggles.gradients)
        norm = self.optimisers["model"].step(loss, self.factors.model_lr)
        return post, metrics | {"model_grad_norm": norm}

    def learn_behavior(self, post: State, is_terminal: Tensor) -> dict[str, Tensor]:
        """One step of the actor's and the critic's optimiser, from posterior states (B, T, ...)."""
        actor_loss, critic_loss, metrics = self.behavior_losses(post, is_terminal)
        rates = self.factors.actor_critic_lr
        return metrics | {
            "actor_grad_norm": self.optimisers["actor"].step(actor_loss, rates),
            "critic_grad_norm": self.optimisers["critic"].step(critic_loss, rates),
        }

    def behavior_losses(
        self, post: State, is_terminal: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The losses () of actor and critic, and metrics (), from posterior states (B, T, ...)."""
        toggles, recipe, factors = self.toggles, self.recipe, self.factors
        entropy_scale = toggles.explore.entropy_scale * factors.actor_entropy
        mix = toggles.actor_grad.dynamics_weight * factors.actor_mix
        every = slice(None, None, recipe.start_every)
        start = post.apply(lambda x: x[:, every].flatten(0, 1))
        ended = is_terminal[:, every].flatten()
        with self.autocast(), torch.set_grad_enabled(toggles.actor_grad.through_model):
            rollout = behavior.imagine(self.model, self.actor, start, ended, recipe.horizon)
            target, value = behavior.target(
                rollout,
                self.actor,
                self.slow_critic,
                recipe.lambda_,
                toggles.entropy,
                entropy_scale,
            )
        # A new context: autocast keeps the bfloat16 weights of the block above, which may have no
        # graph.
        with self.autocast():
            actor_loss, entropy = behavior.actor_loss(
                rollout, self.actor, target, value, toggles.actor_grad, mix, entropy_scale
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
        """Truth and open-loop prediction (B, T, H, W, C) in [0, 1], after `context` steps."""
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
        """What is not a parameter: the optimisers."""
        return {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}

    def set_extra_state(self, state: dict) -> None:
        """The inverse of `get_extra_state`."""
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state[name])

    @torch.no_grad()
    def update_slow_critic(self) -> None:
        """Copy the critic after updates 1, 1 + `slow_every`, 1 + 2 `slow_every`, ..."""
        if (self.updates - 1) % self.recipe.slow_every == 0:
            torch._foreach_copy_(
                list(self.slow_critic.parameters()), list(self.critic.parameters())
            )
