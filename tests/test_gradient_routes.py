"""Which modules receive gradient from which loss, for every actor_grad and every choice of
gradients."""

import re

import pytest
import torch

from agent import behavior
from agent.toggles.entropy import ActorOnly
from tests import tiny


def reached(agent, loss):
    """Names of the modules with a gradient other than zero."""
    named = {name: p for name, p in agent.named_parameters() if p.requires_grad}
    grads = torch.autograd.grad(loss, [*named.values()], retain_graph=True, allow_unused=True)
    found = [n for n, grad in zip(named, grads, strict=True) if grad is not None and grad.any()]
    return {re.sub(r"model\.(heads\.)?", "", name).split(".")[0] for name in found}


def model_output(agent, actions=tiny.DISCRETE, kl_scale=1.0):
    batch = tiny.batch(tiny.VECTOR, actions)
    output = agent.model.loss(batch, agent.toggles.kl, kl_scale, agent.toggles.gradients)
    return output, batch["is_terminal"]


def behavior_losses(agent, actions=tiny.DISCRETE):
    output, terminal = model_output(agent, actions)
    return agent.behavior_losses(output.post, terminal)[:2]


HEADS = {"all": {"observation", "reward", "discount"}, "no_image": {"reward", "discount"}}
HEADS["no_reward"] = {"observation", "discount"}


@pytest.mark.parametrize("gradients", HEADS)
def test_a_head_shapes_the_representation_unless_it_is_stopped(gradients):
    agent = tiny.agent(f"gradients={gradients}")
    scales = dict.fromkeys(agent.model.scales, 0.0)
    for head in HEADS["all"]:
        agent.model.scales = scales | {head: 1.0}
        shaped = {"encoder", "rssm"} if head in HEADS[gradients] else set()
        assert reached(agent, model_output(agent, kl_scale=0.0)[0].loss) == {head} | shaped


@pytest.mark.parametrize("kl", ["balanced", "standard"])
def test_the_kl_trains_the_representation_alone(kl):
    agent = tiny.agent(f"kl={kl}")
    agent.model.scales = dict.fromkeys(agent.model.scales, 0.0)
    assert reached(agent, model_output(agent)[0].loss) == {"encoder", "rssm"}


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS], ids=str)
@pytest.mark.parametrize("actor_grad", ["reinforce", "dynamics", "mixed"])
def test_actor_and_critic_are_trained_by_their_own_losses_alone(actor_grad, actions):
    agent = tiny.agent(f"actor_grad={actor_grad}", "recipe.entropy_scale=0", actions=actions)
    actor_loss, critic_loss = behavior_losses(agent, actions)
    assert reached(agent, critic_loss) == {"critic"}
    found = reached(agent, actor_loss)
    if actor_grad == "reinforce":
        assert found == {"actor"}
    else:
        assert {"actor", "rssm", "reward", "discount"} <= found
    before = {name: p.clone() for name, p in agent.model.named_parameters()}
    agent.begin(0.0)
    agent.optimisers["actor"].step(actor_loss, torch.ones(()))
    for name, parameter in agent.model.named_parameters():
        assert parameter.grad is None and torch.equal(parameter, before[name])


def test_imagination_starts_from_every_nth_state_of_a_sequence():
    fewer, usual = (tiny.agent(f"recipe.start_every={every}") for every in (2, 1))
    output, terminal = model_output(fewer)
    torch.manual_seed(3)
    found = fewer.behavior_losses(output.post, terminal)[:2]
    torch.manual_seed(3)
    chosen = output.post.apply(lambda x: x[:, ::2])
    expected = usual.behavior_losses(chosen, terminal[:, ::2])[:2]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_mixed_gradients_are_the_weighted_sum():
    """The official code's `both`: mix * dynamics + (1 - mix) * reinforce."""

    def gradient(option):
        agent = tiny.agent(*option, "recipe.entropy_scale=0")
        torch.manual_seed(3)
        loss = behavior_losses(agent)[0]
        gradients = torch.autograd.grad(loss, list(agent.actor.parameters()))
        return torch.cat([part.flatten() for part in gradients])

    weight = 0.3
    mixed = gradient(["actor_grad=mixed", f"actor_grad.dynamics_weight={weight}"])
    dynamics, reinforce = gradient(["actor_grad=dynamics"]), gradient(["actor_grad=reinforce"])
    parts = weight * dynamics + (1 - weight) * reinforce
    torch.testing.assert_close(mixed, parts, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("actor_grad", ["reinforce", "dynamics", "mixed"])
def test_long_term_entropy_credits_actions_through_the_model_where_it_keeps_its_graph(actor_grad):
    """The bonus of a state has a gradient for the state, hence for the imagined actions before it,
    except under Reinforce; the last state has no reward. It raises the targets of the critic."""
    agent = tiny.agent(f"actor_grad={actor_grad}", "entropy=long_term", "recipe.entropy_scale=1")
    output, terminal = model_output(agent)
    start, entropy = output.post.apply(lambda x: x.flatten(0, 1)), agent.toggles.entropy
    with torch.set_grad_enabled(agent.toggles.actor_grad.through_model):
        rollout = behavior.imagine(agent.model, agent.actor, start, terminal.flatten(), 4)
        policy, none = agent.actor(rollout.feat[:-1]), torch.zeros_like(rollout.reward[:-1])
        bonus = entropy.reward(none, policy.entropy, 1.0)
        given = rollout, agent.actor, agent.slow_critic, 0.95
        target, plain = (behavior.target(*given, by, 1.0)[0] for by in (entropy, ActorOnly()))
    assert (target > plain).all()
    assert target.requires_grad == bonus.requires_grad == (actor_grad != "reinforce")
    if target.requires_grad:
        by_bonus, by_target, by_plain = (
            torch.autograd.grad(t.sum(), rollout.feat, retain_graph=True)[0]
            for t in (bonus, target, plain)
        )
        assert (by_bonus[:-1].abs().sum((1, 2)) > 0).all() and by_bonus[-1].abs().sum() == 0
        assert not torch.allclose(by_target, by_plain)
