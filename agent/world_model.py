"""The world model: what it encodes, predicts and loses (section 2.2, equation 3)."""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agent.networks import Decoder, Encoder
from agent.rssm import RSSM, State
from agent.toggles.gradients import Gradients
from agent.toggles.kl import KLLoss


class ModelLoss(NamedTuple):
    """The scaled sum () of all losses, the posterior states (B, T, ...), and metrics ()."""

    loss: Tensor
    post: State
    metrics: dict[str, Tensor]


class WorldModel(nn.Module):
    """Encoder, latent dynamics and heads: observation, reward and, unless None, discount."""

    def __init__(
        self,
        encoder: Encoder,
        rssm: RSSM,
        observation: Decoder,
        reward: nn.Module,
        discount: nn.Module | None,
        scales: dict[str, float],
        gamma: float,
        reward_transform: Callable[[Tensor], Tensor],
    ):
        super().__init__()
        self.encoder = encoder
        self.rssm = rssm
        heads = {"observation": observation, "reward": reward, "discount": discount}
        self.heads = nn.ModuleDict({name: head for name, head in heads.items() if head is not None})
        self.scales = {name: scale for name, scale in scales.items() if heads[name] is not None}
        self.gamma = gamma
        self.reward_transform = reward_transform

    def loss(
        self, batch: dict[str, Tensor], kl: KLLoss, kl_scale: Tensor, gradients: Gradients
    ) -> ModelLoss:
        """The loss of a replayed batch (B, T, ...), from the zero state."""
        # obs (B, T, ...) -> embeddings (B, T, E) -> states (B, T, ...) -> losses (B, T) -> ()
        obs = self.encoder.prepare(batch["obs"])
        post = self.rssm.observe(self.encoder(obs), batch["action"], batch["is_first"])
        prior = self.rssm.prior(post.deter)
        targets = {
            "observation": obs,
            "reward": self.reward_transform(batch["reward"]),
            "discount": self.continuation(batch["is_terminal"]),
        }
        divergence = kl(self.rssm.latent, post.stats, prior)
        feat = post.feat
        losses = {
            name: -head.log_prob(gradients.route(name, feat), targets[name])
            for name, head in self.heads.items()
        }
        losses = {"kl": divergence.loss} | losses
        scales = {"kl": kl_scale} | self.scales
        assert losses.keys() == scales.keys(), f"{losses.keys()} != {scales.keys()}"
        means = {name: loss.mean() for name, loss in losses.items()}
        total = reduce(add, (scales[name] * mean for name, mean in means.items()))
        with torch.no_grad():
            metrics = {f"{name}_loss": mean.detach() for name, mean in means.items()} | {
                "model_loss": total.detach(),
                "kl": divergence.value.mean(),
                "kl_clamped": divergence.clamped,
                "prior_entropy": self.rssm.latent.entropy(prior).mean(),
                "post_entropy": self.rssm.latent.entropy(post.stats).mean(),
            }
        return ModelLoss(total, post.apply(Tensor.detach), metrics)

    def continuation(self, is_terminal: Tensor) -> Tensor:
        """gamma (1 - terminal), in the shape of is_terminal (...) bool."""
        return self.gamma * (1 - is_terminal.float())

    def discount(self, feat: Tensor, is_terminal: Tensor) -> Tensor:
        """Discounts (H + 1, N) of imagined feat (H + 1, N, F), the first from is_terminal (N)."""
        if "discount" not in self.heads:
            return torch.full_like(feat[..., 0], self.gamma)
        return torch.cat(
            [self.continuation(is_terminal).unsqueeze(0), self.heads["discount"](feat[1:])]
        )
