"""`run.precision=bf16`: products in bfloat16, everything else in float32, and an arm of its own."""

import pytest
import torch

from agent import behavior
from tests import tiny
from tests.test_cuda import BOTH, OBSERVATIONS, build

CASES = [  # every latent with every cell; all gradients of the actor, both kinds of action
    ("categorical", "layer_norm", "reinforce", tiny.DISCRETE),
    ("categorical", "plain", "dynamics", tiny.CONTINUOUS),
    ("gaussian", "layer_norm", "dynamics", tiny.CONTINUOUS),
    ("gaussian", "plain", "mixed", tiny.DISCRETE),
    ("binary", "layer_norm", "mixed", tiny.DISCRETE),
    ("binary", "plain", "reinforce", tiny.CONTINUOUS),
]


def first_update(device, actions, *overrides):
    agent, _, batch = build(device, *overrides, actions=actions)
    torch.manual_seed(1)
    return agent, agent.update(batch, 0.0)


@pytest.mark.parametrize("device", BOTH)
@pytest.mark.parametrize("latent, cell, actor_grad, actions", CASES, ids=str)
def test_losses_are_close_and_the_optimiser_stays_in_float32(
    device, latent, cell, actor_grad, actions
):
    options = (f"latent={latent}", f"gru={cell}", f"actor_grad={actor_grad}")
    _, full = first_update(device, actions, *options)
    agent, lower = first_update(device, actions, *options, "run.precision=bf16")
    assert lower["model_loss"] != full["model_loss"]
    for name in ("actor_grad_norm", "critic_grad_norm"):
        assert lower[name] > 0
        torch.testing.assert_close(lower[name], full[name], rtol=0.3, atol=0)
    for name in ("model_loss", "kl_loss", "critic_loss", "model_grad_norm"):
        torch.testing.assert_close(lower[name], full[name], rtol=0.05, atol=0.01)
    state = [t for o in agent.optimisers.values() for t in (*o.means, *o.squares)]
    kept = [*lower.values(), *agent.parameters(), *(p.grad for p in agent.actor.parameters())]
    assert {tensor.dtype for tensor in (*state, *kept)} == {torch.float32}


@pytest.mark.parametrize("observations", OBSERVATIONS)
def test_samples_divergences_and_returns_are_float32(observations):
    space = OBSERVATIONS[observations]
    agent = tiny.agent("run.precision=bf16", observations=space)
    batch = tiny.batch(space, tiny.DISCRETE)
    with agent.autocast():
        result = agent.model.loss(batch, agent.toggles.kl, 1.0, agent.toggles.gradients)
        start = result.post.apply(lambda x: x.flatten(0, 1))
        rollout = behavior.imagine(
            agent.model, agent.actor, start, batch["is_terminal"].flatten(), 4
        )
        target = behavior.target(
            rollout, agent.actor, agent.slow_critic, 0.95, agent.toggles.entropy, 1.0
        )
        embed = agent.model.encoder(agent.model.encoder.prepare(batch["obs"]))
    assert embed.dtype == result.post.stats.dtype == torch.bfloat16
    tensors = [result.loss, result.post.stoch, result.post.deter, *rollout, *target]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}
