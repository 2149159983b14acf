"""Replay: what is written comes back aligned, uniformly, first in first out, and survives being cut
off."""

import numpy as np
import psutil
import pytest
from gymnasium.spaces import Box

from agent.errors import UserError
from agent.run.replay import Replay

SPACE = Box(0, 10_000, (2,), np.int32)  # observation: (episode, step of the episode)


def make(folder, capacity=1000, space=SPACE):
    return Replay(folder, space, actions=2, capacity=capacity)


def add_episode(replay, number, length, terminal=True):
    """`length` rows whose action and reward are functions of the observation's step."""
    for t in range(length):
        obs, action = np.array([number, t], np.int32), np.array([t, number * (t > 0)], np.float32)
        replay.add(obs, action, float(t), t == 0, terminal and t == length - 1)


def sample(replay, batch, length, generator=None):
    found = replay.sample(batch, length, generator or np.random.default_rng(0))
    return {name: values.numpy() for name, values in found.items()}


def test_the_first_row_is_usable_and_on_disk_at_once_whatever_was_cut_off_before(tmp_path):
    replay = make(tmp_path)
    (tmp_path / "000000.partial").write_bytes(b"cut")
    add_episode(replay, 0, 1, terminal=False)
    batch = sample(replay, 2, 3)
    assert batch["is_first"].all() and not batch["action"].any()
    assert [path.name for path in tmp_path.iterdir()] == ["000000.npy"]
    add_episode(replay, 1, 2)
    rows = np.load(tmp_path / "000000.npy", mmap_mode="r")
    assert len(rows) == replay.segment_rows and rows["obs"][:3].tolist() == [[0, 0], [1, 0], [1, 1]]


def test_sequences_are_aligned_and_run_on_at_marked_first_rows(tmp_path):
    replay, lengths = make(tmp_path), np.array([1, 3, 7, 40, 2])
    for number, length in enumerate(lengths):
        add_episode(replay, number, length)
    batch = sample(replay, 200, 12)
    assert batch["obs"].shape == (200, 12, 2) and batch["obs"].dtype == np.int32
    assert batch["action"].shape == (200, 12, 2) and batch["reward"].shape == (200, 12)
    episode, t, first = batch["obs"][..., 0], batch["obs"][..., 1], batch["is_first"]
    assert np.array_equal(batch["reward"], t)
    assert np.array_equal(batch["action"][..., 0], t)
    assert np.array_equal(batch["action"][..., 1], np.where(first, 0, episode))
    assert np.array_equal(batch["is_terminal"], t == lengths[episode] - 1)
    assert np.array_equal(first, t == 0)
    followed = batch["is_terminal"][:, :-1]
    assert np.array_equal(first[:, 1:], followed)
    assert (np.diff(t)[~followed] == 1).all()
    assert set(episode.flat) == set(range(5))


def documented(lengths, length):
    """Expected occurrences of every row in a sequence, by the law on the page: (rows,) for each
    episode."""
    rows, long = sum(lengths), [n for n in lengths if n >= length]
    frequencies = []
    for n in lengths:
        if n < length:
            frequencies.append(np.full(n, length / rows))
            continue
        t = np.arange(n)
        starts = np.minimum(t, n - length) - np.maximum(0, t - length + 1) + 1
        drawn = (starts + (length - 1) * (t >= n - length)) / n
        frequencies.append(sum(long) / rows / len(long) * drawn)
    return frequencies


@pytest.mark.parametrize(
    "lengths",
    [
        (22, 150, 500),
        (500, 150, 22),
        (22, 22, 49, 50, 51, 99, 100),
        (22, 7, 1, 30),  # all short
        (60, 60, 60),  # all long
        (3, 5, 3, 300),  # a long one under way
        (30,),  # too few for one sequence
    ],
)
def test_every_row_is_as_frequent_as_the_page_says(tmp_path, lengths):
    replay = make(tmp_path)
    for number, rows in enumerate(lengths):
        add_episode(replay, number, rows, terminal=number < len(lengths) - 1)
    draws, generator = 20_000, np.random.default_rng(0)
    found = [np.zeros(n) for n in lengths]
    for _ in range(20):
        seen = sample(replay, draws // 20, 50, generator)["obs"].reshape(-1, 2)
        for number, steps in enumerate(found):
            steps += np.bincount(seen[seen[:, 0] == number, 1], minlength=len(steps))
    for steps, expected in zip(found, documented(lengths, 50), strict=True):
        noise = 5 * np.sqrt(expected / draws)  # more than a fifth at the rarest rows alone
        assert (np.abs(steps / draws - expected) <= np.maximum(0.2 * expected, noise)).all()


def test_rows_go_one_by_one_and_a_lost_head_is_marked_where_a_sequence_runs_on_into_it(tmp_path):
    replay = make(tmp_path, capacity=15)
    for number, length in enumerate((3, 20, 5)):
        add_episode(replay, number, length)
        assert len(replay) == (3, 15, 15)[number]
    batch = sample(replay, 300, 12)
    rows = {(episode, t) for episode, t in batch["obs"].reshape(-1, 2).tolist()}
    assert rows == {(1, t) for t in range(10, 20)} | {(2, t) for t in range(5)}
    headless = (batch["obs"] == (1, 10)).all(-1)
    assert headless[:, 1:].any() and headless[:, 0].any()
    assert batch["is_first"][:, 1:][headless[:, 1:]].all()
    assert not batch["action"][:, 1:][headless[:, 1:]].any()
    assert not batch["is_first"][:, 0][headless[:, 0]].any()


@pytest.mark.parametrize("more", [3, 60, 400])
def test_cut_back_to_a_checkpoint_however_much_was_written_after_it(tmp_path, more):
    replay = make(tmp_path, capacity=100)
    for number in range(30):
        add_episode(replay, number, 7)
    state, expected = replay.state_dict(), sample(replay, 20, 9)
    replay.commit()
    add_episode(replay, 200, more, terminal=False)
    replay.close()
    resumed = make(tmp_path, capacity=100)
    resumed.load_state_dict(state)
    for name, values in sample(resumed, 20, 9).items():
        assert np.array_equal(values, expected[name]), name
    add_episode(resumed, 201, 5)
    assert not (sample(resumed, 200, 9)["obs"][..., 0] == 200).any()


def test_the_checkpoint_before_the_last_one_can_still_be_used_and_disk_use_is_bounded(tmp_path):
    replay, before = make(tmp_path, capacity=80), None
    for number in range(100):
        add_episode(replay, number, 20)
        state, expected = replay.state_dict(), sample(replay, 5, 6)["obs"]
        replay.commit()
        rows_on_disk = len(list(tmp_path.glob("*.npy"))) * replay.segment_rows
        assert rows_on_disk <= 80 + 20 + 2 * replay.segment_rows
        assert len(replay.starts) <= 6
        if before:
            previous = make(tmp_path, capacity=80)
            previous.load_state_dict(before[0])
            assert np.array_equal(sample(previous, 5, 6)["obs"], before[1])
            previous.close()
        before = state, expected


def test_resuming_without_the_rows_is_refused(tmp_path):
    replay = make(tmp_path)
    add_episode(replay, 0, 300)
    state = replay.state_dict()
    replay.close()
    with pytest.raises(UserError, match="holds rows of"):
        make(tmp_path, space=Box(0, 255, (3,), np.uint8)).load_state_dict(state)
    segment = tmp_path / "000001.npy"
    content = segment.read_bytes()
    for damaged in (content[:-1000], content[:1500] + bytes([content[1500] ^ 1]) + content[1501:]):
        segment.write_bytes(damaged)
        with pytest.raises(UserError, match="000001.npy is not as the checkpoint left it"):
            make(tmp_path).load_state_dict(state)
    segment.write_bytes(content)
    make(tmp_path).load_state_dict(state)
    segment.unlink()
    with pytest.raises(UserError, match="000001.npy is missing"):
        make(tmp_path).load_state_dict(state)


def test_memory_stays_flat(tmp_path):
    replay = make(tmp_path, capacity=200_000, space=Box(0, 255, (64, 64, 1), np.uint8))
    image, process, before = np.full((64, 64, 1), 7, np.uint8), psutil.Process(), None
    for count in (100, 20_000):
        for t in range(count):
            replay.add(image, np.zeros(2), 0.0, t == 0, False)
        for _ in range(5):
            sample(replay, 16, 50)
        before = before or process.memory_info().rss
    assert sum(path.stat().st_blocks * 512 for path in tmp_path.glob("*.npy")) > 80e6
    assert process.memory_info().rss - before < 30e6
