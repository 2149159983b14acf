"""Parameter counts of the paper, kinds of observation and action, presets."""

import pytest
import torch
from gymnasium.spaces import Discrete

from agent.build import build
from tests import tiny

SIZES = sorted(path.stem for path in (tiny.CONF / "size").glob("*.yaml"))


def counts(*overrides, observations=tiny.IMAGE, actions=tiny.DISCRETE):
    cfg = tiny.compose(*overrides)
    return build(cfg, observations, actions, torch.device("meta")).parameter_counts()


def test_22m_has_the_parameters_of_the_released_model():
    modules = counts("suite=atari", actions=Discrete(18))
    assert modules.pop("total") == 22_245_398 == sum(modules.values())
    assert modules == {
        **{"encoder": 1_549_776, "rssm": 5_664_848, "observation": 10_497_553, "reward": 1_131_601},
        **{"discount": 1_131_601, "actor": 1_138_418, "critic": 1_131_601},
    }


def test_13m_is_13m_and_the_gaussian_model_is_smaller():
    atari = {"actions": Discrete(18)}
    assert counts("suite=atari", "size=13m", **atari)["total"] == pytest.approx(13e6, rel=0.03)
    assert counts("suite=atari", "latent=gaussian", **atari)["total"] == 17_385_366


@pytest.mark.parametrize("observations", [tiny.VECTOR, tiny.GRID, tiny.IMAGE], ids=str)
def test_tiny_is_to_small_what_13m_is_to_22m(observations):
    small, tiny_ = (counts(f"size={s}", observations=observations) for s in ("small", "tiny"))
    assert tiny_["total"] / small["total"] == pytest.approx(13 / 22, rel=0.1)


def test_every_size_builds_a_model_of_its_own():
    assert len({counts(f"size={size}")["total"] for size in SIZES}) == len(SIZES)


CASES = [(tiny.VECTOR, tiny.CONTINUOUS), (tiny.GRID, tiny.DISCRETE), (tiny.IMAGE, tiny.DISCRETE)]


@pytest.mark.parametrize("observations, actions", CASES, ids=str)
def test_every_kind_of_observation_and_action_is_learnt_and_predicted(observations, actions):
    """The observation loss falls on a batch that is learnt by heart; predictions are pictures
    and disturb no training."""
    agent = tiny.agent("recipe.model_lr=1e-2", observations=observations, actions=actions)
    batch = tiny.batch(observations, actions)
    losses = [float(agent.update(batch, 0.0)["observation_loss"]) for _ in range(25)]
    assert losses[-1] < losses[0]
    assert all(torch.isfinite(p).all() for p in agent.parameters())
    before = torch.random.get_rng_state()
    truth, model = agent.predict(batch, 2, torch.Generator().manual_seed(0))
    assert truth.shape == model.shape == batch["obs"].shape
    if observations is not tiny.VECTOR:
        assert min(truth.min(), model.min()) >= 0 and max(truth.max(), model.max()) <= 1
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_users_choice_replaces_a_presets():
    cfg = tiny.compose("preset=dreamer_v1", "latent=categorical")
    assert cfg.latent._target_.endswith("Categorical") and cfg.gru._target_.endswith("PlainGRUCell")
