"""`run.precision=bf16`: products in bfloat16, everything else in float32, and an arm of its own."""

import itertools

import pytest
import torch

from agent import behavior
from agent.run.identity import digest
from tests import tiny

LATENTS, CELLS = ("categorical", "gaussian", "binary"), ("layer_norm", "plain")
CASES = [  # every pair of latent, cell and kind of action
    (*case, (tiny.DISCRETE, tiny.CONTINUOUS)[sum(divmod(i, 2)) % 2])
    for i, case in enumerate(itertools.product(LATENTS, CELLS))
]
OBSERVATIONS = {"vector": tiny.VECTOR, "grid": tiny.GRID, "image": tiny.IMAGE}


def first_update(*overrides, actions=tiny.DISCRETE, observations=tiny.VECTOR):
    agent = tiny.agent(*overrides, actions=actions, observations=observations)
    torch.manual_seed(1)
    return agent, agent.update(tiny.batch(observations, actions), 0.0)


@pytest.mark.parametrize("latent, cell, actions", CASES, ids=str)
def test_losses_are_close_and_the_optimiser_stays_in_float32(latent, cell, actions):
    options = (f"latent={latent}", f"gru={cell}")
    _, full = first_update(*options, actions=actions)
    agent, lower = first_update(*options, "run.precision=bf16", actions=actions)
    assert lower["model_loss"] != full["model_loss"]
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


@pytest.mark.parametrize("actor_grad", ["reinforce", "dynamics", "mixed"])
def test_the_actor_learns_from_weights_that_imagination_lowered_before(actor_grad):
    _, full = first_update(f"actor_grad={actor_grad}")
    _, lower = first_update(f"actor_grad={actor_grad}", "run.precision=bf16")
    for name in ("actor_grad_norm", "critic_grad_norm"):
        assert lower[name] > 0
        torch.testing.assert_close(lower[name], full[name], rtol=0.3, atol=0)


def test_a_run_in_bf16_records_scores(configure, record):
    tiny.train(configure("run.precision=bf16", "run.steps=120", "run.eval_every=60"), record)
    assert [row["kind"] for row in record.scores()].count("eval") >= 2


def test_bf16_is_another_run_than_the_baseline():
    assert digest(tiny.compose()) == digest(tiny.compose("run.precision=float32"))
    assert digest(tiny.compose()) != digest(tiny.compose("run.precision=bf16"))
