"""measure.py: what it writes composes to what was measured, and what it refuses."""

import gymnasium
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.envs.registration import EnvSpec

import measure
from agent.run.compose import composed, project_config
from agent.run.identity import identify


class Ends(CartPoleEnv):
    """Fails at its third step."""

    def step(self, action):
        raise KeyError("third")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(gymnasium.registry, "Ends-v0", EnvSpec("Ends-v0", Ends))


def test_what_is_written_is_the_task_that_was_measured():
    given = "task.id=Pendulum-v1 task.action_repeat=2 +task.env.kwargs.g=9 task.name=mine"
    assert measure.main([*given.split(), "--episodes=3"]) == 0
    with project_config():
        cfg, choices = composed(("suite=gym", "task=mine", "task.env.flatten=true"))
        assert identify(cfg, choices).arm == "baseline"
    task = cfg.task
    assert (task.id, task.actions, task.action_repeat) == ("Pendulum-v1", "continuous", 2)
    assert task.env.kwargs == {"g": 9} and len(task.env.scale) == 3
    assert -2000 < task.random < -500 and task.reference is None and task.traits == []


def test_a_grid_needs_its_id_alone():
    assert measure.main(["task.id=BabyAI-GoToObjS6-v1", "task.name=room", "--episodes=1"]) == 0
    with project_config():
        assert composed(("suite=gym", "task=room"))[0].task.id == "BabyAI-GoToObjS6-v1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("task.id=CartPole-v1 task.name=cartpole", "task=cartpole is there already; task.name="),
        ("task.id=CartPole-v1 task.name=a/b", "task.name=a/b: allowed: letters, digits and _"),
        ("task.id=CartPole-v1 kl=standard", "kl=standard: allowed with task.id: task.KEY="),
        ("task.id=CartPole-v1 task.env.flaten=true", "task.env.flaten is not known; did you mean"),
        ("task.id=CartPole-v1 --episodes=0", "--episodes=0 must be a whole number greater than 0"),
        ("task.id=Ends-v0", "the task cannot be played: KeyError: 'third'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(given, said, tmp_path, capsys):
    assert measure.main(given.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}") and not [*tmp_path.rglob("*.yaml")]
