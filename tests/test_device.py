"""The gradient step on the meta device, where anything that waits for the device or sits on the
wrong one raises."""

import pytest
import torch

from agent.build import build
from tests import tiny
from tests.test_toggles import OPTIONS


@pytest.mark.parametrize("group, option", OPTIONS)
@pytest.mark.parametrize(
    "actions", [tiny.DISCRETE, tiny.CONTINUOUS], ids=["discrete", "continuous"]
)
def test_no_option_waits_for_the_device_or_strays_from_it(group, option, actions):
    meta = torch.device("meta")
    agent = build(
        tiny.compose(f"{group}={option}", numbers=tiny.NUMBERS), tiny.VECTOR, actions, meta
    )
    batch = {name: tensor.to(meta) for name, tensor in tiny.batch(tiny.VECTOR, actions).items()}
    metrics = agent.update(batch, 0.5)
    assert {metric.device.type for metric in metrics.values()} == {"meta"}
    assert {metric.shape for metric in metrics.values()} == {torch.Size()}


@pytest.mark.parametrize("observations", [tiny.GRID, tiny.IMAGE], ids=["grid", "image"])
def test_nor_does_any_kind_of_observation(observations):
    meta = torch.device("meta")
    agent = build(tiny.compose(numbers=tiny.NUMBERS), observations, tiny.DISCRETE, meta)
    batch = {
        name: tensor.to(meta) for name, tensor in tiny.batch(observations, tiny.DISCRETE).items()
    }
    assert agent.update(batch, 0.5)["model_loss"].device == meta


def test_the_meta_device_finds_a_synchronisation():
    """What the tests above rely on."""
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.ones((), device="meta").item()
    with pytest.raises(RuntimeError):
        torch.ones(2, device="meta") + torch.ones(2)
