"""Films of an episode: what they show, that the training does not notice, and what cannot be
filmed."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from omegaconf import OmegaConf
from PIL import Image

from agent import build, watch
from agent.errors import UserError
from agent.rssm import State
from agent.run import film, watched
from agent.run.episodes import evaluate
from agent.run.identity import digest
from agent.run.record import Record
from tests import tiny

GRID = ("suite=minatar", "task=minatar_space_invaders", "task.env.max_steps=40", "run.steps=150")


@pytest.fixture(scope="module")
def runs(configure, tmp_path_factory):
    """The records of a short run on grids, not watched and watched."""
    return [
        trained(configure(*GRID, f"run.watch={flag}"), tmp_path_factory.mktemp(flag))
        for flag in ("false", "true")
    ]


def trained(cfg, folder):
    record = Record(folder)
    config = OmegaConf.to_container(cfg, resolve=True)
    record.update(task=cfg.task.name, status="under way", config=config)
    tiny.train(cfg, record)
    record.close()
    return record


def frames(file):
    with Image.open(file) as picture:
        return picture.n_frames, picture.size


def test_watching_changes_no_result(runs, configure):
    blind, seeing = runs
    assert list(blind.scores()) == list(seeing.scores())
    metrics = [[{**row, "wall_seconds": 0} for row in run.metrics()] for run in runs]
    assert metrics[0] == metrics[1]
    assert digest(configure(*GRID)) == digest(configure(*GRID, "run.watch=true"))
    assert [(name, step) for name, step, _ in blind.pictures()] == []
    films = [(name, step, frames(file)[0] > 1) for name, step, file in seeing.pictures()]
    assert films == [("episode", 100, True), ("episode", 150, True)]


def test_a_run_is_watched_from_its_folder(runs, tmp_path, capsys):
    file = tmp_path / "episode.gif"
    assert watch.main([str(runs[0].path), "--out", str(file), "--steps", "12"]) == 0
    assert capsys.readouterr().out.strip() == str(file)
    number, (width, height) = frames(file)
    assert 1 < number <= 12
    assert width > 2 * film.SMALLEST * 0.9 and height > film.SMALLEST * 0.9


def test_vectors_are_watched_in_the_environments_own_picture(configure, tmp_path):
    cfg = configure("run.steps=80", "run.eval_episodes=1")
    record = trained(cfg, tmp_path)
    assert watch.main([str(record.path), "--out", str(tmp_path / "a.gif"), "--steps", "3"]) == 0
    assert frames(tmp_path / "a.gif") == (3, (400, 364))


def test_the_episode_is_the_one_that_an_evaluation_scores(configure):
    cfg = configure(*GRID)
    env = build.environment(cfg)
    agent = build.build(cfg, env.observation_space, env.action_space, torch.device("cpu"))
    latents = [torch.Generator().manual_seed(5) for _ in range(2)]
    (score,), _ = evaluate(agent, [env], [7], 2500, latents[0])
    episode = watched.play(agent, env, 7, latents[1], longest=2500)
    assert (len(episode.returns), episode.returns[-1]) == (score.length, score.ret)
    assert len(episode.seen) == len(episode.imagined) == len(episode.values) == score.length
    assert episode.ages[:6].tolist() == [0, 1, 2, 3, 0, 1]  # a horizon of 4


def test_an_agent_of_lower_precision_is_watched(configure):
    cfg = configure(*GRID)
    env = build.environment(cfg)
    agent = build.build(cfg, env.observation_space, env.action_space, torch.device("cpu"))
    agent.lower = torch.bfloat16
    episode = watched.play(agent, env, 7, torch.Generator().manual_seed(5), longest=6)
    assert episode.imagined.dtype == np.uint8 and np.isfinite(episode.values).all()


def test_between_its_looks_the_model_imagines_from_the_actions_taken():
    agent = tiny.agent(observations=tiny.GRID)
    torch.manual_seed(1)
    post = State(*(torch.rand(7, size.shape[1]) for size in agent.model.rssm.initial(1)))
    actions = torch.eye(5)[torch.arange(7) % 5]
    draw = lambda: torch.Generator().manual_seed(2)  # noqa: E731
    feats = watched._imagine(agent, post, actions, draw())
    looks = [step for step in range(7) if torch.equal(feats[step], post.feat[step])]
    assert len(feats) == 7 and looks == [0, 4]
    other = actions.clone()
    other[4] = actions[3]
    changed = (watched._imagine(agent, post, other, draw()) != feats).any(1).tolist()
    assert changed == [False, False, False, False, False, True, True]


def test_the_curve_of_a_film_goes_from_the_lowest_to_the_highest_value():
    episode = watched.Episode(
        seen=np.zeros((3, 10, 10, 3), np.uint8),
        imagined=None,
        ages=np.arange(3),
        values=np.array([1.0, 3.0, 2.0]),
        returns=np.zeros(3),
    )
    last = np.asarray(list(film.frames(episode))[-1])
    red = np.argwhere((last == (214, 39, 40)).all(-1))
    assert abs(np.ptp(red[:, 0]) - film.CURVE) <= 2 and red[:, 1].min() <= film.MARGIN + 1


class Blind(gymnasium.Env):
    observation_space, action_space = Box(-1, 1, (2,), np.float32), Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def render(self):
        return None


def test_an_environment_without_a_picture_is_named(monkeypatch):
    with pytest.raises(UserError, match="Blind.* draws no picture"):
        watched.environment(lambda render=False: Blind())
    monkeypatch.setattr(Blind, "render", lambda _: 1 / 0)
    with pytest.raises(UserError, match="Blind.* cannot draw: division by zero"):
        watched.environment(lambda render=False: Blind())


def test_a_run_that_cannot_be_watched_is_refused_before_it_starts(configure, monkeypatch):
    cfg, watched_cfg = configure(), configure("run.watch=true")
    monkeypatch.setattr(build, "instantiate", lambda *_, **__: Blind())
    build.check_machine(cfg)
    with pytest.raises(UserError, match="draws no picture"):
        build.check_machine(watched_cfg)


@pytest.mark.parametrize(
    ("made", "out", "said"),
    [
        ([], "a.gif", "{run} is no run's folder: it has no run.json"),
        (["run.json"], "a.gif", "{run} has no checkpoint yet"),
        (["run.json", "checkpoint.pt"], "a.gif", "no undamaged checkpoint in {run}"),
        ([], "a.avi", "a.avi: allowed: a name that ends in .gif or .mp4"),
        ([], "nowhere/a.gif", "no folder {run}/nowhere"),
        ([], "a.gif --steps 0", "--steps=0 must be a whole number of at least 1"),
        ([], "a.gif --seed -1", "--seed=-1 must be a whole number of at least 0"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_line(tmp_path, capsys, made, out, said):
    for name in made:
        (tmp_path / name).write_text("{}")
    name, *more = out.split()
    assert watch.main([str(tmp_path), "--out", str(tmp_path / name), *more]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and said.format(run=tmp_path) in last
