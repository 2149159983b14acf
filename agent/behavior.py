"""Actor and critic learn in imagination (section 2.3).

All arrays have the same index. With a horizon of 3:

    actions       0   [a1]  [a2]   a3       a_t led to state t; a0 is empty
                     ^  |  ^  |  ^  |
                    /   v /   v /   v
    states       [s0]->[s1]-> s2 -> s3      s0 is a posterior state from replay
    rewards      [r0]  [r1]  [r2]   r3
    discounts    [d0]  [d1]  [d2]   d3      d0 from replay's terminal flag
    values       [v0]  [v1]  [v2]  [v3]     slow critic; v3 is the bootstrap
    targets       t0   [t1]  [t2]
    weights       1    [w1]  [w2]   w3      w_t = d0 ... d_{t-1}: is state t still in the episode
    actor loss          l1    l2            policy(s_{t-1}) at a_t, t_t - v_{t-1}, weight w_{t-1}
    critic loss   l0    l1    l2            value(s_t) towards t_t, weight w_t
"""

from typing import NamedTuple

import torch
from torch import Tensor

from agent.heads import Actor, Scalar
from agent.rssm import State
from agent.toggles.actor_grad import ActorGrad
from agent.toggles.entropy import Entropy
from agent.world_model import WorldModel


class Rollout(NamedTuple):
    """Imagined feat (H + 1, N, F), action (H + 1, N, A), reward and discount (H + 1, N), and the
    discounted probability (H + 1, N) that the episode goes on to a state, detached."""

    feat: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    weight: Tensor


def imagine(
    model: WorldModel, actor: Actor, start: State, is_terminal: Tensor, horizon: int
) -> Rollout:
    """Follow the actor for `horizon` steps from posterior states (N, ...).

    No gradient flows from a policy to its state.
    """
    # H of (N, ...) each: noise of the latents and of the actions
    state, feats = start, [start.feat]
    batch, device = len(start.deter), start.deter.device
    latents = model.rssm.noise(horizon, batch)
    choices = actor.noise((horizon, batch), device).unbind()
    actions = [torch.zeros(batch, actor.actions, device=device)]
    for latent, choice in zip(latents, choices, strict=True):
        actions.append(actor(feats[-1].detach()).sample(choice))
        state = model.rssm.imagine(state, actions[-1], latent)
        feats.append(state.feat)
    feat = torch.stack(feats)  # H + 1 of (N, F) -> (H + 1, N, F)
    reward, discount = model.heads["reward"](feat), model.discount(feat, is_terminal)
    earlier = torch.cat([torch.ones_like(discount[:1]), discount[:-1]]).detach()
    return Rollout(feat, torch.stack(actions), reward, discount, earlier.cumprod(0))


def lambda_return(
    reward: Tensor, value: Tensor, discount: Tensor, bootstrap: Tensor, lambda_: float
) -> Tensor:
    """V_t = r_t + d_t ((1 - lambda) v_{t+1} + lambda V_{t+1}), with V_H = v_H = bootstrap.

    reward, value, discount (H, ...), bootstrap (...), result (H, ...).

        states   s0  s1  s2 [s3]
        rewards  r0  r1  r2          reward of arriving in the state
        discount d0  d1  d2          whether the next state counts
        values   v0  v1  v2 [v3]     v3 = bootstrap; v0 is not read
        targets  V0  V1  V2
    """
    following = torch.cat([value[1:], bootstrap.unsqueeze(0)])  # (H, ...): v1 ... vH
    inputs = reward + discount * following * (1 - lambda_)
    returns, last = [], bootstrap
    weights = (discount * lambda_).unbind()
    for now, weight in zip(reversed(inputs.unbind()), reversed(weights), strict=True):
        last = torch.addcmul(now, weight, last)
        returns.append(last)
    return torch.stack(returns[::-1])


def target(
    rollout: Rollout,
    actor: Actor,
    slow_critic: Scalar,
    lambda_: float,
    entropy: Entropy,
    entropy_scale: Tensor,
) -> tuple[Tensor, Tensor]:
    """Lambda-returns (H, N) and the slow critic's values (H + 1, N).

    `entropy` may add the actor's, times `entropy_scale`, to the reward.
    """
    value = slow_critic(rollout.feat)
    reward = entropy.reward(
        rollout.reward[:-1], lambda: actor(rollout.feat[:-1]).entropy(), entropy_scale
    )
    return lambda_return(reward, value[:-1], rollout.discount[:-1], value[-1], lambda_), value


def actor_loss(
    rollout: Rollout,
    actor: Actor,
    target: Tensor,
    value: Tensor,
    actor_grad: ActorGrad,
    mix: Tensor,
    entropy_scale: Tensor,
) -> tuple[Tensor, Tensor]:
    """The loss () of equation 6 and the policy's mean entropy (); `entropy_scale` is eta."""
    # all (H - 1, N): policies of s0 ... s_{H-2}, targets and log-probabilities one step later
    policy = actor(rollout.feat[:-2].detach())
    advantage = target[1:] - value[:-2]
    entropy = policy.entropy()
    objective = actor_grad.objective(
        policy.log_prob(rollout.action[1:-1]), advantage, target[1:], mix
    )
    weighted = rollout.weight[:-2] * (objective + entropy_scale * entropy)
    return -weighted.mean(), entropy.detach().mean()


def critic_loss(rollout: Rollout, critic: Scalar, target: Tensor) -> Tensor:
    """The loss () of equation 5."""
    log_prob = critic.log_prob(rollout.feat[:-1].detach(), target.detach())
    return -(rollout.weight[:-1] * log_prob).mean()
