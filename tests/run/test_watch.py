"""Videos of an episode: what they show, of every kind of task, and that training is the same."""

from contextlib import closing

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from agent import build, watch
from agent.rssm import State
from agent.run import checkpoint, numerics, video
from agent.run.episodes import evaluate
from agent.run.identity import digest
from agent.run.numerics import Stream
from agent.run.record import Record
from tests import tiny

GRID = ("suite=minatar", "task=minatar_space_invaders", "task.env.max_steps=40", "run.steps=150")
MINI = list(OmegaConf.load(tiny.CONF / "suite" / "mini.yaml").suite.tasks)
TASKS = {
    **{task: ("suite=mini", f"task={task}") for task in MINI},
    "atari": ("suite=atari", "task=pong"),
    "minatar": GRID,
    "pixels": ("suite=gym", "task.env.pixels=true"),
}
UNDRAWN = ("catch", "higher_lower", "minatar")  # environments that draw nothing of themselves


@pytest.fixture(scope="module")
def runs(configure, tmp_path_factory):
    """The records of a short run on grids, not watched, and watched with predictions."""
    records = []
    for looks in ((), ("run.watch=true", "run.predict_every=50")):
        cfg = configure(*GRID, *looks)
        config = OmegaConf.to_container(cfg, resolve=True)
        with closing(Record(tmp_path_factory.mktemp("run"))) as record:
            record.update(task=cfg.task.name, status="under way", config=config)
            tiny.train(cfg, record)
        records.append(record)
    return records


@pytest.fixture
def played(configure):
    """A function from overrides to an episode of an untrained agent, and the two."""

    def play(*overrides):
        cfg = configure(*overrides)
        env = build.environment(cfg)
        agent = build.build(cfg, env.observation_space, env.action_space, torch.device("cpu"))
        return video.play(agent, env, 7, torch.Generator().manual_seed(5), 6), agent, env

    return play


def frames(file):
    with Image.open(file) as picture:
        return picture.n_frames, picture.size


def test_watching_changes_no_result(runs, configure):
    blind, seeing = runs
    assert list(blind.scores()) == list(seeing.scores())
    metrics = [[{**row, "wall_seconds": 0} for row in run.metrics()] for run in runs]
    assert metrics[0] == metrics[1]
    assert digest(configure(*GRID)) == digest(configure(*GRID, "run.watch=true"))
    weights = [checkpoint.load(run.path, run.identity)["agent"] for run in runs]
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    shown = [(name, step, frames(file)[0] > 1) for name, step, file in seeing.pictures()]
    predictions = [("prediction", step, False) for step in (50, 100, 150)]
    assert shown == [("episode", 100, True), ("episode", 150, True), *predictions]
    assert list(blind.pictures()) == []


def test_a_run_is_watched_from_its_folder(runs, tmp_path, capsys):
    run, out = runs[0].path, tmp_path / "a.gif"
    for options in (["--steps", "12"], ["--steps", "3", "--out", str(out)]):
        assert watch.main([str(run), *options]) == 0
    assert capsys.readouterr().out.split() == [str(run / "watch.gif"), str(out)]
    assert frames(out) == (3, (2 * 200 + 8, 2 * 8 + 14 + 192 + 14 + 48 + 16))
    assert 3 < frames(run / "watch.gif")[0] <= 12


@pytest.mark.parametrize("task", TASKS)
def test_every_kind_of_task_is_shown(played, tmp_path, task):
    episode, _, env = played(*TASKS[task])
    env.close()
    drawn, shown = "drawn by the environment", list(episode.panels)
    assert shown[-2:] == ["observed", "imagined, {age} steps after the last look"]
    assert shown[:-2] == ([] if task in UNDRAWN else [drawn])
    for caption, pictures in episode.panels.items():
        assert len(pictures) == len(episode.values) and pictures.dtype == np.uint8, caption
        assert pictures.shape[-1] == 3 and np.ptp(pictures) > 5, caption
    observed, imagined = list(episode.panels.values())[-2:]
    assert (imagined != observed).any() and imagined.shape == observed.shape
    video.save(tmp_path / "a.gif", episode)
    assert frames(tmp_path / "a.gif")[0] > 1


def test_a_drawing_that_fails_leaves_what_is_observed(played, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "no_such_backend")
    episode, _, _ = played("task=inverted_pendulum")
    assert len(episode.panels) == 2


def test_the_episode_is_the_one_that_an_evaluation_scores_in_any_precision(played):
    _, agent, env = played(*GRID)
    for precision in (None, torch.bfloat16):
        agent.compute_dtype = precision
        start = numerics.derive(0, Stream.EVAL_EPISODE, 40, 0)
        latents = numerics.torch_generator(0, Stream.EVAL_LATENTS, 40, agent.device)
        episode = video.play(agent, env, start, latents, 2500)
        (score,) = evaluate(agent, [env], seed=0, step=40, most_steps=2500)
        assert (len(episode.returns), episode.returns[-1]) == (score.length, score.ret)
        assert all(len(pictures) == score.length for pictures in episode.panels.values())
        assert len(episode.values) == score.length and np.isfinite(episode.values).all()
        assert episode.horizon == agent.recipe.horizon


def test_between_its_looks_the_model_imagines_from_the_actions_taken():
    agent = tiny.agent(observations=tiny.GRID)
    torch.manual_seed(1)
    post = State(*(torch.rand(6, size.shape[1]) for size in agent.model.rssm.initial(1)))
    actions = torch.eye(5)[torch.arange(6) % 5]
    draw = lambda: torch.Generator().manual_seed(2)  # noqa: E731
    feats = video.imagine(agent, post, actions, draw())
    looks = [step for step in range(6) if torch.equal(feats[step], post.feat[step])]
    assert len(feats) == 6 and looks == [0, 4]
    other = actions.clone()
    other[4] = actions[3]
    changed = (video.imagine(agent, post, other, draw()) != feats).any(1).tolist()
    assert changed == [False] * 5 + [True]


def test_the_curve_goes_from_the_lowest_to_the_highest_value():
    panels, values = {"observed": np.zeros((3, 10, 10, 3), np.uint8)}, np.array([0.1, 0.3, 0.2])
    *_, last = video.frames(video.Film(panels, values, returns=np.zeros(3), horizon=2))
    red = np.argwhere((np.asarray(last) == (214, 39, 40)).all(-1))
    assert abs(np.ptp(red[:, 0]) - video.CURVE) <= 2 and red[:, 1].min() <= video.MARGIN + 1
    assert abs(red[:, 1].max() - (last.width - video.MARGIN)) <= 1


def test_a_strip_has_rows_of_truth_model_and_error_whatever_is_observed():
    truth, model = np.full((2, 5, 64, 64, 1), 0.2), np.full((2, 5, 64, 64, 1), 1.5)
    picture = np.asarray(video.strip(truth, model))
    assert picture.shape == (2 * 3 * 64, 5 * 64, 3)
    assert (picture[::64, 0].T == [51, 255, 230] * 2).all()
    assert np.asarray(video.strip(truth, truth))[128, 0, 0] == 128

    planes = np.zeros((1, 2, 10, 10, 4))  # of a grid: a colour for each, and enlarged
    planes[0, 1, 0, :4] = np.eye(4)
    picture = np.asarray(video.strip(planes, planes))
    assert picture.shape == (3 * 60, 2 * 60, 3) and not picture[:60, :60].any()
    assert len({tuple(colour) for colour in picture[0, 60:84:6]}) == 4

    vector = np.array([[[2.0, -1.0], [0.0, 4.0]]])  # bars up and down from the middle
    picture = np.asarray(video.strip(vector, 9 * vector)).any(-1)
    assert picture.shape == (3 * 64, 2 * 64)
    assert picture[:64, 16::32].sum(0).tolist() == [16, 8, 0, 32]
    assert picture[16:32, 16].all() and picture[32:40, 48].all()
    assert picture[64:128, 16].sum() == 32
