"""What makes an update quick leaves its numbers alone: each shortcut against the long way."""

import kernels
import pytest
import torch
from torch import nn
from torch.autograd import grad
from torch.nn import functional

from agent import behavior, distributions
from agent.heads import Actor
from agent.networks import Decoder, Encoder, mlp
from agent.rssm import State
from agent.toggles.gru import PlainGRUCell
from tests import tiny


def same(left, right):
    assert len(left) == len(right) and all(map(torch.equal, left, right))


def copies(tensor):
    """How often the graph behind a tensor writes into a view."""
    nodes, seen = [tensor.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes += [following for following, _ in node.next_functions]
    return sum("CopySlices" in node.name() for node in seen)


def test_dense_layers_of_any_shape_give_the_same_gradients_without_copies():
    torch.manual_seed(0)
    net, x = mlp(5, 7, 2, 3), torch.randn(4, 6, 5, requires_grad=True)
    long = nn.Sequential(*net)
    ours, theirs = net(x), long(x)
    assert torch.equal(ours, theirs) and copies(ours) == 0 and copies(theirs) == 2
    inputs = [x, *net.parameters()]
    same(grad(ours.square().sum(), inputs), grad(theirs.square().sum(), inputs))


@pytest.mark.parametrize("observations", [tiny.IMAGE, tiny.GRID, tiny.VECTOR])
def test_no_loss_of_the_model_writes_into_a_view(observations):
    agent = tiny.agent(observations=observations)
    batch = tiny.batch(observations, tiny.DISCRETE)
    loss = agent.model.loss(batch, agent.toggles.kl, 1.0, agent.toggles.gradients).loss
    assert copies(loss) == 0


@pytest.mark.parametrize("classes", [2, 8, 32])
def test_samples_are_those_without_a_graph_and_log_probabilities_pytorch_s(classes):
    torch.manual_seed(0)
    logits, weight = torch.randn(2, 50, 6, classes)
    logits.mul_(3).requires_grad_()
    noise = distributions.gumbel_noise(logits.shape, logits.device)
    with torch.no_grad():
        expected = distributions.one_hot(logits, noise)
    assert torch.equal(distributions.one_hot(logits, noise), expected)
    ours, theirs = distributions.log_softmax(logits), logits.log_softmax(-1)
    torch.testing.assert_close(ours, theirs)
    left, right = (grad((found * weight).sum(), logits) for found in (ours, theirs))
    torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)


def test_posteriors_are_those_of_the_whole_layers_step_by_step():
    """`observe` splits a layer and projects all embeddings at once."""
    agent, batch = tiny.agent(), tiny.batch(tiny.VECTOR, tiny.DISCRETE)
    rssm, embed = agent.model.rssm, torch.randn(3, 5, agent.model.encoder.embed_size)
    noise, state, expected = torch.randn(5, 3, 4, 4), rssm.initial(3), []
    for t in range(5):
        keep = 1 - batch["is_first"][:, t, None].float()
        stoch, deter, action = (x * keep for x in (state.stoch, state.deter, batch["action"][:, t]))
        x = functional.elu(rssm.input(torch.cat([stoch, action], -1)))
        deter = rssm.cell(x, deter)
        hidden = functional.elu(rssm.post_hidden(torch.cat([deter, embed[:, t]], -1)))
        stats = rssm.post_stats(hidden)
        state = State(deter, rssm.latent.sample(stats, noise[t]), stats)
        expected.append(state)
    rssm.noise = lambda steps, batch, generator: noise.unbind()
    found = rssm.observe(embed, batch["action"], batch["is_first"])
    for ours, theirs in zip(found, zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(theirs, 1), rtol=1e-5, atol=1e-6)


def test_the_plain_cell_is_pytorch_s():
    torch.manual_seed(0)
    cell, x, deter = PlainGRUCell(6, 8), torch.randn(4, 6), torch.randn(4, 8)
    nn.init.normal_(cell.bias_ih)
    nn.init.normal_(cell.bias_hh)
    torch.testing.assert_close(cell(x, deter), nn.GRUCell.forward(cell, x, deter))


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS], ids=["one_hot", "numbers"])
def test_imagination_draws_at_once_what_it_would_draw_step_by_step(actions, monkeypatch):
    agent = tiny.agent(actions=actions)
    start = agent.model.rssm.initial(6)
    terminal = torch.zeros(6, dtype=torch.bool)

    def rollout():
        torch.manual_seed(2)
        return behavior.imagine(agent.model, agent.actor, start, terminal, 5)

    at_once, noise = rollout(), type(agent.actor).noise

    def step_by_step(actor, shape, device):
        return torch.stack([noise(actor, shape[1:], device) for _ in range(shape[0])])

    monkeypatch.setattr(type(agent.actor), "noise", step_by_step)
    same(at_once, rollout())


def test_an_update_of_the_small_model_stays_below_its_number_of_kernels():
    agent = tiny.agent(numbers=["recipe.batch_size=3"])
    assert kernels.count(agent, tiny.batch(tiny.VECTOR, tiny.DISCRETE, 3, 16)).kernels <= 1747


@pytest.mark.parametrize("base", [Encoder, Decoder, Actor])
def test_a_class_that_lacks_a_method_cannot_be_made(base):
    """Of an nn.Module, a method that is only marked as abstract would not be asked for."""
    methods = {name: lambda *args: None for name in base.__abstractmethods__}
    assert "forward" in methods and type("Whole", (base,), methods)()
    for name in methods:
        fewer = {other: method for other, method in methods.items() if other != name}
        with pytest.raises(TypeError, match=name):
            type("Lacking", (base,), fewer)()
