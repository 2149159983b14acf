"""The gradient step on the meta device, where anything that waits for the device or sits on the
wrong one raises; as one traced graph; and for several seeds at once."""

from functools import partial

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.func import functional_call, grad, stack_module_state, vmap

from agent.build import build
from tests import tiny
from tests.test_toggles import OPTIONS

# PyTorch says of one form of the kernel only what it does to tensors without numbers: nothing
META = torch.library.Library("aten", "IMPL")
META.impl("_fused_adam_.tensor_lr", lambda *_, **__: None, "Meta")
CASES = [([f"{group}={option}"], tiny.VECTOR, tiny.DISCRETE) for group, option in OPTIONS]
CASES += [  # what knows the kind of action
    ([f"{group}={option}"], tiny.VECTOR, tiny.CONTINUOUS)
    for group, option in OPTIONS
    if group in ("actor_grad", "entropy", "explore")
]
CASES += [([], observations, tiny.DISCRETE) for observations in (tiny.GRID, tiny.IMAGE)]


@pytest.mark.parametrize("overrides, observations, actions", CASES, ids=str)
def test_nothing_waits_for_the_device_or_strays_from_it(overrides, observations, actions):
    cfg, meta = tiny.compose(*overrides, numbers=tiny.NUMBERS), torch.device("meta")
    agent = build(cfg, observations, actions, meta)
    batch = {name: tensor.to(meta) for name, tensor in tiny.batch(observations, actions).items()}
    metrics = agent.update(batch, 0.5)
    assert {metric.device.type for metric in metrics.values()} == {"meta"}
    assert {metric.shape for metric in metrics.values()} == {torch.Size()}


SHORT = [*tiny.NUMBERS, "recipe.length=2", "recipe.horizon=2"]
SHORT += ["recipe.start_every=1", "size.layers=1"]
GRAPHS = {  # every kind of toggle in the losses, both kinds of action, bfloat16
    "binary": (
        "latent=binary kl=standard actor_grad=dynamics gru=plain entropy=long_term",
        *(tiny.IMAGE, tiny.DISCRETE),
    ),
    "gaussian": (
        "latent=gaussian kl=free_nats schedule=all actor_grad=mixed gradients=no_reward "
        "run.precision=bf16",
        *(tiny.GRID, tiny.CONTINUOUS),
    ),
}


def small(overrides, observations, actions, seed=0):
    """An agent and a batch of two steps: what is traced grows with them."""
    spaces = {"observations": observations, "actions": actions}
    agent = tiny.agent(*overrides.split(), **spaces, numbers=SHORT, seed=seed)
    batch = tiny.batch(observations, actions)
    return agent, {name: tensor[:, -2:] for name, tensor in batch.items()}


def moving(agent):
    """Where the numbers are that move from update to update."""
    rates = [optimiser.rate for optimiser in agent.optimisers.values()]
    return [number.data_ptr() for number in (*vars(agent.factors).values(), *rates)]


@torch._dynamo.config.patch(trace_autograd_ops=True)
@pytest.mark.parametrize("case", GRAPHS)
def test_both_halves_of_an_update_are_one_graph_each_at_every_time_of_a_schedule(case):
    """Losses, gradients, clipping and Adam; what moves with time is read where it is."""
    torch._dynamo.reset()
    graphs, found = CompileCounter(), []
    for trace in (lambda half: half, partial(torch.compile, backend=graphs, fullgraph=True)):
        agent, batch = small(*GRAPHS[case])
        learn_model, learn_behavior = trace(agent.learn_model), trace(agent.learn_behavior)
        for progress in (0.25, 0.5, 0.75):
            torch.manual_seed(1)
            before = moving(agent)
            agent.begin(progress)
            assert moving(agent) == before, "a captured update reads its numbers where they were"
            post, metrics = learn_model(batch)
            metrics |= learn_behavior(post, batch["is_terminal"])
            found.append([*metrics.values(), *map(torch.clone, agent.parameters())])
    torch.testing.assert_close(found[3:], found[:3], rtol=1e-6, atol=1e-6)
    assert graphs.frame_count == 2, "an update is traced once, for all times"


class Loss(torch.nn.Module):
    """The model's loss as the output of a module, which torch.func asks for."""

    def __init__(self, agent):
        super().__init__()
        self.model, self.toggles = agent.model, agent.toggles

    def forward(self, batch):
        return self.model.loss(batch, self.toggles.kl, 1.0, self.toggles.gradients).loss


@pytest.mark.parametrize("case", GRAPHS)
def test_several_seeds_at_once_have_the_gradients_of_each(case):
    agents, batches = zip(*(small(*GRAPHS[case], seed=seed) for seed in range(2)), strict=True)
    losses = [Loss(agent) for agent in agents]
    stacked, _ = stack_module_state(losses)

    def gradients(parameters):
        return grad(lambda p: functional_call(losses[0], p, (batches[0],)))(parameters)

    torch.manual_seed(1)
    together = vmap(gradients, randomness="same")({k: v.detach() for k, v in stacked.items()})
    for seed, loss in enumerate(losses):
        torch.manual_seed(1)
        loss(batches[0]).backward()
        for name, parameter in loss.named_parameters():
            torch.testing.assert_close(together[name][seed], parameter.grad, rtol=1e-4, atol=1e-5)
