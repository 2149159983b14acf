"""Which modules receive gradient from which loss, for every actor_grad and every choice of
gradients."""

import pytest
import torch

from agent import behavior
from agent.toggles.entropy import ActorOnly
from agent.toggles.schedule import Factors
from tests import tiny

CONSTANT = Factors(1.0, 1.0, 1.0, 1.0, 1.0)


def modules(agent):
    model = agent.model
    parts = {"encoder": model.encoder, "rssm": model.rssm, **dict(model.heads.items())}
    return parts | {"actor": agent.actor, "critic": agent.critic, "slow_critic": agent.slow_critic}


def reached(agent, loss, retain=False):
    """Names of the modules with a gradient other than zero."""
    parts = modules(agent)
    parameters = [
        (name, p) for name, part in parts.items() for p in part.parameters() if p.requires_grad
    ]
    grads = torch.autograd.grad(
        loss, [p for _, p in parameters], allow_unused=True, retain_graph=retain
    )
    return {
        name
        for (name, _), grad in zip(parameters, grads, strict=True)
        if grad is not None and grad.abs().sum() > 0
    }


HEADS = {"all": {"observation", "reward", "discount"}, "no_image": {"reward", "discount"}}
HEADS["no_reward"] = {"observation", "discount"}


@pytest.mark.parametrize("gradients", HEADS)
def test_a_head_shapes_the_representation_unless_it_is_stopped(gradients):
    agent = tiny.agent(f"gradients={gradients}")
    batch, scales = tiny.batch(tiny.VECTOR, tiny.DISCRETE), dict.fromkeys(agent.model.scales, 0.0)
    for head in HEADS["all"]:
        agent.model.scales = scales | {head: 1.0}
        loss = agent.model.loss(batch, agent.toggles.kl, 0.0, agent.toggles.gradients).loss
        shaped = {"encoder", "rssm"} if head in HEADS[gradients] else set()
        assert reached(agent, loss) == {head} | shaped


@pytest.mark.parametrize("kl", ["balanced", "standard"])
def test_the_kl_trains_the_representation_alone(kl):
    agent = tiny.agent(f"kl={kl}")
    agent.model.scales = dict.fromkeys(agent.model.scales, 0.0)
    batch = tiny.batch(tiny.VECTOR, tiny.DISCRETE)
    loss = agent.model.loss(batch, agent.toggles.kl, 1.0, agent.toggles.gradients).loss
    assert reached(agent, loss) == {"encoder", "rssm"}


def model_posteriors(agent, batch):
    return agent.model.loss(batch, agent.toggles.kl, 1.0, agent.toggles.gradients).post


def behavior_losses(agent, actions):
    batch = tiny.batch(tiny.VECTOR, actions)
    return agent.behavior_losses(model_posteriors(agent, batch), batch["is_terminal"], CONSTANT)[:2]


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS], ids=str)
@pytest.mark.parametrize("actor_grad", ["reinforce", "dynamics", "mixed"])
def test_actor_and_critic_are_trained_by_their_own_losses_alone(actor_grad, actions):
    """Reinforce needs no graph through the model, dynamics backpropagation reaches the actor
    through rewards, values and discounts."""
    agent = tiny.agent(f"actor_grad={actor_grad}", "recipe.entropy_scale=0", actions=actions)
    actor_loss, critic_loss = behavior_losses(agent, actions)
    assert reached(agent, critic_loss) == {"critic"}
    found = reached(agent, actor_loss, retain=True)
    if actor_grad == "reinforce":
        assert found == {"actor"}
    else:
        assert {"actor", "rssm", "reward", "discount"} <= found
    before = {name: p.clone() for name, p in agent.model.named_parameters()}
    agent.optimisers["actor"].step(actor_loss, 1.0)
    for name, parameter in agent.model.named_parameters():
        assert parameter.grad is None and torch.equal(parameter, before[name])


def test_imagination_starts_from_every_nth_state_of_a_sequence():
    batch = tiny.batch(tiny.VECTOR, tiny.DISCRETE)
    fewer, usual = (tiny.agent(f"recipe.start_every={every}") for every in (2, 1))
    post = model_posteriors(fewer, batch)
    torch.manual_seed(3)
    found = fewer.behavior_losses(post, batch["is_terminal"], CONSTANT)[:2]
    torch.manual_seed(3)
    chosen = post.apply(lambda x: x[:, ::2])
    expected = usual.behavior_losses(chosen, batch["is_terminal"][:, ::2], CONSTANT)[:2]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_mixed_gradients_are_the_weighted_sum():
    """The official code's `both`: mix * dynamics + (1 - mix) * reinforce."""

    def gradient(option):
        agent = tiny.agent(*option, "recipe.entropy_scale=0")
        torch.manual_seed(3)
        loss = behavior_losses(agent, tiny.DISCRETE)[0]
        gradients = torch.autograd.grad(loss, list(agent.actor.parameters()))
        return torch.cat([part.flatten() for part in gradients])

    weight = 0.3
    mixed = gradient(["actor_grad=mixed", f"actor_grad.dynamics_weight={weight}"])
    dynamics, reinforce = gradient(["actor_grad=dynamics"]), gradient(["actor_grad=reinforce"])
    parts = weight * dynamics + (1 - weight) * reinforce
    torch.testing.assert_close(mixed, parts, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "actor_grad, follows", [("reinforce", False), ("dynamics", True), ("mixed", True)]
)
def test_long_term_entropy_credits_actions_through_the_model_where_it_keeps_its_graph(
    actor_grad, follows
):
    """The bonus of a state has a gradient for the state, hence for the imagined actions before it,
    except under Reinforce; the last state has no reward."""
    agent = tiny.agent(f"actor_grad={actor_grad}", "entropy=long_term", "recipe.entropy_scale=1")
    batch = tiny.batch(tiny.VECTOR, tiny.DISCRETE)
    start = model_posteriors(agent, batch).apply(lambda x: x.flatten(0, 1))
    with torch.set_grad_enabled(agent.toggles.actor_grad.through_model):
        rollout = behavior.imagine(
            agent.model, agent.actor, start, batch["is_terminal"].flatten(), 4
        )
        bonus = agent.toggles.entropy.reward(
            torch.zeros_like(rollout.reward[:-1]),
            lambda: agent.actor(rollout.feat[:-1]).entropy(),
            1.0,
        )
        target, _ = behavior.target(
            rollout, agent.actor, agent.slow_critic, 0.95, agent.toggles.entropy, 1.0
        )
    assert target.requires_grad == bonus.requires_grad == follows
    if follows:
        by_state = torch.autograd.grad(bonus.sum(), rollout.feat, retain_graph=True)[0]
        assert (by_state[:-1].abs().sum((1, 2)) > 0).all() and by_state[-1].abs().sum() == 0
        plain, _ = behavior.target(rollout, agent.actor, agent.slow_critic, 0.95, ActorOnly(), 1.0)
        gradients = [
            torch.autograd.grad(t.sum(), rollout.feat, retain_graph=True)[0]
            for t in (target, plain)
        ]
        assert not torch.allclose(*gradients)


def test_long_term_entropy_raises_the_critic_s_targets():
    losses = []
    for entropy in ("policy", "long_term"):
        agent = tiny.agent(f"entropy={entropy}", "recipe.entropy_scale=1")
        torch.manual_seed(3)
        losses.append(behavior_losses(agent, tiny.DISCRETE)[1])
    assert losses[1] > losses[0]
