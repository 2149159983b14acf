"""The gradient step on a CUDA device: it never waits for the host, agrees with the CPU, resumes,
and finds NaN. What compares two devices is tried on the CPU against itself."""

import io
import json
from unittest.mock import Mock

import gpu
import pytest
import torch

from agent import heads
from agent.run.progress import Diverged, Meter
from agent.toggles import latent
from tests import tiny
from tests.test_toggles import OPTIONS

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device, and PyTorch sees none"
)
BOTH = [pytest.param(CPU, id="cpu"), pytest.param(CUDA, id="cuda", marks=needs_cuda)]
KINDS = {"discrete": tiny.DISCRETE, "continuous": tiny.CONTINUOUS}
OBSERVATIONS = {"vector": tiny.VECTOR, "grid": tiny.GRID, "image": tiny.IMAGE}
MOVING = ["schedule=all", "recipe.slow_every=3"]
DRAWS = [latent.Categorical, latent.Gaussian, latent.Binary]  # random numbers, in an update
DRAWS += [heads.DiscreteActor, heads.ContinuousActor]


@pytest.fixture
def injected(monkeypatch):
    """Every random number of an update is drawn on the CPU, whatever the device."""
    for kind in DRAWS:

        def noise(self, shape, device, *rest, draw=kind.noise):
            return draw(self, shape, CPU, *rest).to(device)

        monkeypatch.setattr(kind, "noise", noise)


def build(device, *overrides, observations=tiny.VECTOR, actions=tiny.DISCRETE):
    """A tiny agent on a device, the meter of its run, and its batch."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    agent = tiny.agent(*overrides, observations=observations, actions=actions).prepare(device)
    batch = tiny.batch(observations, actions)
    return agent, Meter(), {k: v.to(device) for k, v in batch.items()}


def updates(agent, meter, batch, numbers):
    for number in numbers:
        meter.add(agent.update(batch, number / 100))


def numbers(agent, meter):
    """Weights, Adam's moments, and the metrics of every update."""
    return {**agent.state_dict(), "metrics": meter.rows}


ALIKE = [([f"{group}={option}"], "vector", kind) for group, option in OPTIONS for kind in KINDS]
ALIKE += [
    ([f"run.precision={precision}", *MOVING], observations, "discrete")
    for observations in OBSERVATIONS
    for precision in ("float32", "bf16")
]


@needs_cuda
@pytest.mark.parametrize("options, observations, kind", ALIKE, ids=str)
def test_nothing_waits_for_the_host(options, observations, kind):
    """PyTorch raises where the host would wait, after two updates that fill Adam's state."""
    space = OBSERVATIONS[observations]
    agent, meter, batch = build(CUDA, *options, observations=space, actions=KINDS[kind])
    updates(agent, meter, batch, range(2))
    torch.cuda.set_sync_debug_mode("error")
    try:
        updates(agent, meter, batch, range(2, 5))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    meter.check(agent.updates)


@pytest.mark.parametrize("device", BOTH)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "observations, options",
    [
        ("vector", ()),
        ("grid", MOVING),
        ("image", ("latent=gaussian", "gru=plain", "recipe.clip=0.1")),
    ],
)
def test_three_updates_agree_with_the_cpu_s(injected, device, observations, kind, options):
    results = []
    for where in (CPU, device):
        space = OBSERVATIONS[observations]
        agent, meter, batch = build(where, *options, observations=space, actions=KINDS[kind])
        torch.manual_seed(1)
        updates(agent, meter, batch, range(3))
        results.append(numbers(agent, meter))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4, check_device=False)


@pytest.mark.parametrize("device", BOTH)
def test_updates_before_and_after_a_checkpoint_equal_updates_in_one_go(device):
    agent, meter, batch = build(device, *MOVING)
    torch.manual_seed(1)
    updates(agent, meter, batch, range(5))
    file = io.BytesIO()
    random = torch.cuda.get_rng_state() if device.type == "cuda" else torch.get_rng_state()
    torch.save([agent.state_dict(), meter.state_dict(), random], file)
    updates(agent, meter, batch, range(5, 10))
    file.seek(0)
    other, resumed, _ = build(device, *MOVING)
    weights, metrics, random = torch.load(file, map_location="cpu", weights_only=True)
    other.load_state_dict(weights)
    resumed.load_state_dict(metrics, device)
    (torch.cuda if device.type == "cuda" else torch).set_rng_state(random)
    updates(other, resumed, batch, range(5, 10))
    torch.testing.assert_close(numbers(other, resumed), numbers(agent, meter), rtol=0, atol=0)
    assert resumed.flush() == meter.flush()


@pytest.mark.parametrize("device", BOTH)
def test_the_first_update_that_is_not_finite_is_named(device):
    agent, meter, batch = build(device)
    updates(agent, meter, batch, range(3))
    meter.check(agent.updates)
    updates(agent, meter, batch | {"reward": batch["reward"] * float("inf")}, range(3, 5))
    with pytest.raises(Diverged, match="in reward_loss, model_loss, .* at gradient step 4$"):
        meter.check(agent.updates)


def test_the_benchmark_of_a_card_runs_with_tiny_numbers(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "MODELS", {"small": gpu.MODELS["small"]})
    assert gpu.main(["--device", "cpu", "--only", "ceilings", "update", "act"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["what"] for row in rows] == [
        *("matmul tf32", "matmul bf16", "copy", "eager operator"),
        *(["update"] * len(gpu.MODES)),
        *(["act"] * len(gpu.MODES)),
    ]
    assert all(row["milliseconds"] > 0 for row in rows if row["what"] in ("update", "act"))


def test_names_that_a_program_gives_to_its_parts_are_no_kernels():
    cuda, cpu = torch.autograd.DeviceType.CUDA, torch.autograd.DeviceType.CPU
    events = [
        Mock(device_type=device, is_user_annotation=named)
        for device, named in [(cuda, False), (cuda, True), (cpu, False)]
    ]
    assert gpu.on_card(events) == events[:1]


def test_a_card_that_is_not_there_is_refused_in_one_line(capsys):
    assert gpu.main(["--device", "cuda:99"]) == 2
    assert capsys.readouterr().err.startswith("error: --device cuda:99: not on this machine")
