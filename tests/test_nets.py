"""What makes an update quick leaves its numbers alone: each shortcut against the long way."""

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from agent import behavior, distributions
from agent.networks import Repeated, mlp
from agent.toggles.gru import LayerNorm, Plain
from tests import tiny

CELLS = {"layer_norm": lambda: LayerNorm(6, 8, 1e-3, -1.0), "plain": lambda: Plain(6, 8)}


def gradients(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


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
    same(gradients(ours.square().sum(), *inputs), gradients(theirs.square().sum(), *inputs))


@pytest.mark.parametrize("observations", [tiny.IMAGE, tiny.GRID, tiny.VECTOR])
def test_no_loss_of_the_model_writes_into_a_view(observations):
    agent = tiny.agent(observations=observations)
    batch = tiny.batch(observations, tiny.DISCRETE)
    loss = agent.model.loss(batch, agent.toggles.kl, 1.0, agent.toggles.gradients).loss
    assert copies(loss) == 0


@pytest.mark.parametrize("classes", [2, 8, 32])
def test_sampling_as_one_node_is_bit_for_bit_the_attached_probabilities(classes):
    torch.manual_seed(0)
    logits = torch.randn(50, 6, classes).mul_(3).requires_grad_()
    noise = distributions.gumbel_noise(logits.shape, logits.device)
    weight = torch.randn_like(logits)
    ours = distributions.one_hot(logits, noise)
    sample = distributions.one_hot_mode(logits.detach() + noise)
    theirs = distributions.attach(sample, distributions.log_softmax(logits).exp())
    assert torch.equal(ours, sample)
    same(gradients((ours * weight).sum(), logits), gradients((theirs * weight).sum(), logits))


def test_the_fused_softmax_has_the_same_values_and_gradients(monkeypatch):
    torch.manual_seed(0)
    logits, noise = torch.randn(50, 8, requires_grad=True), torch.randn(50, 8)
    found = {}
    for fused in (False, True):
        monkeypatch.setattr(distributions, "fused", lambda logits, fused=fused: fused)
        sample = distributions.one_hot(logits, noise)
        log_probs = distributions.log_softmax(logits)
        found[fused] = [sample, log_probs]
        found[fused] += gradients((sample * noise).sum(), logits)
        found[fused] += gradients((log_probs * noise).sum(), logits)
    for ours, theirs in zip(*found.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_repeated_layer_has_the_gradients_of_its_calls_in_turn():
    torch.manual_seed(0)
    weight, bias = torch.randn(7, 5, requires_grad=True), torch.randn(7, requires_grad=True)
    first = torch.randn(4, 5, requires_grad=True)
    results = []
    for repeat in (
        Repeated(weight, bias.expand(9, 4, -1)),
        lambda x: functional.linear(x, weight, bias),
    ):
        x, outputs = first, []
        for _ in range(9):
            outputs.append(repeat(x).tanh())
            x = outputs[-1][:, :5]
        loss = (torch.stack(outputs) ** 2).sum()
        results.append([loss.detach(), *gradients(loss, weight, bias, first)])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).norm() <= 2e-6 * theirs.norm()


@pytest.mark.parametrize("cell", CELLS)
def test_an_unrolled_cell_is_the_cell(cell):
    torch.manual_seed(0)
    cell = CELLS[cell]()
    inputs, start = torch.randn(10, 4, 6), torch.randn(4, 8, requires_grad=True)
    results = []
    for step in (cell, cell.unroll(10, 4)):
        deter = start
        for x in inputs:
            deter = step(x, deter)
        results.append([deter.detach(), *gradients(deter.sum(), start, *cell.parameters())])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).norm() <= 2e-6 * theirs.norm()


def test_the_plain_cell_is_pytorch_s():
    torch.manual_seed(0)
    cell, x, deter = Plain(6, 8), torch.randn(4, 6), torch.randn(4, 8)
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


def test_an_update_of_the_small_model_stays_below_its_number_of_kernels(monkeypatch):
    """1,967 before activations on two dimensions, one node a sample, and gradients of the weights
    over time as one product."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "benchmarks")
    kernels = importlib.import_module("kernels")
    agent = tiny.agent(numbers=["recipe.batch_size=3"])
    assert kernels.count(agent, tiny.batch(tiny.VECTOR, tiny.DISCRETE, 3, 16)).kernels <= 1573
