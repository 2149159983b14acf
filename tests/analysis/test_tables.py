"""The two lists, the paper's numbers beside ours, and how tables are written."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis import formats, published, score_files, tables
from analysis import study as studies
from tests.analysis.runs import SEEDS, write_run


@pytest.fixture(scope="module")
def ours(study):
    return studies.one(study)


def test_the_two_lists(ours):
    lists = tables.lists(ours.verdicts)
    assert lists[tables.HELPED].change.tolist() == ["categorical_latents"]
    assert lists[tables.NOT_HELPED].change.tolist() == [
        "kl_balancing_vs_standard",
        "binary_latents",
    ]
    assert lists[tables.NOT_HELPED].verdict.tolist() == ["no substantial help", "hurts"]
    assert lists[tables.NOT_HELPED].agrees.tolist() == ["no", "yes"]
    assert "gru_layer_norm" in lists[tables.OPEN].change.tolist()
    assert sum(map(len, lists.values())) == len(ours.verdicts)
    row = lists[tables.HELPED].iloc[0]
    assert re.fullmatch(r"\[\+0\.\d{3}, \+0\.\d{3}\]", row.interval) and row.level == "99.6%"
    assert (row.runs, row.seeds, row.tasks, row.parameters) == (
        f"{3 * SEEDS} + {3 * SEEDS}",
        str(SEEDS),
        "3",
        "100,000 vs 90,000",
    )
    assert row.substantial == "yes"
    assert row["probability of improvement"] == "1.00"
    open_row = lists[tables.OPEN].set_index("change").loc["gru_layer_norm"]
    assert int(open_row["seeds to decide"]) > SEEDS


def test_table_2_shows_both(ours):
    table = tables.table_2(ours).set_index("agent")
    assert table.loc["No KL Balancing", "clipped record mean"] == 0.16
    assert table.loc["DreamerV2", "ours: mean"] == pytest.approx(0.8, abs=0.02)
    assert table.loc["No Discrete Latents", "ours: median"] == pytest.approx(0.3, abs=0.03)
    assert (
        table.loc["DreamerV2", "our runs"] == 3 * SEEDS
    )  # three discrete tasks; the continuous one is left out
    assert np.isnan(table.loc["No Image Gradients", "ours: mean"])
    assert "mixing" in tables.TABLE_2_CAPTION and "schedules" in tables.TABLE_2_CAPTION


def test_table_2_on_atari_has_the_papers_columns(tmp_path):
    config = {
        "task": {"random": None, "reference": None},
        "run": {"steps": 8000},
        "suite": {"normalisation": "clipped_record"},
    }
    for task, score in (("pong", 21), ("breakout", 864)):
        for seed in range(2):
            folder = write_run(tmp_path, "baseline", task, seed, suite="atari", config=config)
            lines = f"8000,32000,eval,0,{score},9\n"
            (folder / "scores.csv").write_text(
                "step,env_frames,kind,episode,return,length\n" + lines
            )
    row = tables.table_2(studies.one(tmp_path)).iloc[0]
    assert row["ours: record mean"] == pytest.approx(1) and row[
        "ours: clipped record mean"
    ] == pytest.approx(1)
    gamer = [(21 + 20.7) / (14.6 + 20.7), (864 - 1.7) / (30.5 - 1.7)]
    assert row["ours: gamer mean"] == pytest.approx(np.mean(gamer))


def test_better_worse_and_tied_within_5_percent():
    first = {
        "a": np.array([1.0, 1.0]),
        "b": np.array([0.5]),
        "c": np.array([-0.2]),
        "only": np.array([1.0]),
    }
    second = {"a": np.array([0.96]), "b": np.array([0.6, 0.6]), "c": np.array([-0.3])}
    table = tables.better_worse_tied(first, second).set_index("task")
    assert table.result.to_dict() == {"b": "worse", "a": "tied", "c": "better"}
    assert table.runs.to_dict() == {"b": 3, "a": 3, "c": 2}


def test_games_count_tasks_beside_the_papers(ours):
    table = tables.games(ours).set_index("change")
    assert table.loc["categorical_latents", ["better", "worse", "tied"]].tolist() == [3, 0, 0]
    assert table.loc["categorical_latents"].iloc[-1] == "42 / 8 / 5"
    assert table.loc["binary_latents", "worse"] == 3
    assert "long_term_entropy" not in table.index


def test_games_are_counted_on_the_runs_of_the_verdict(tmp_path):
    for task in ("cartpole", "acrobot", "space_invaders"):
        for seed in range(3):
            write_run(tmp_path, "baseline", task, seed, finals=0.5 + 0.02 * seed)
        for seed in range(2):
            write_run(tmp_path, "latent=gaussian", task, seed, finals=0.4 + 0.02 * seed)
    for arm, seed in (("baseline", 0), ("baseline", 1), ("latent=gaussian", 0)):
        # a single seed beside tasks of two
        write_run(tmp_path, arm, "breakout", seed, finals=3.0 + seed)
    ours = studies.one(tmp_path)
    row, table = ours.verdicts.iloc[0], tables.by_task(ours, "categorical_latents")
    assert sorted(table.task) == ["acrobot", "cartpole", "space_invaders"] and row.tasks == 3
    assert table.runs.sum() == row.runs_with + row.runs_without == 15
    assert table.difference.mean() == pytest.approx(row.effect)


def test_controls_are_tables_of_their_own(ours):
    summary, by_task = tables.controls(ours).values()
    assert summary.control.tolist() == [
        *("untrained_model", "untrained_model_continuous", "same_arm", "same_arm_continuous")
    ]
    assert summary.verdict[0] == "hurts" and summary.verdict[2] == "does not differ"
    assert by_task.task.tolist() == ["acrobot", "cartpole", "space_invaders", "pendulum"]
    assert by_task.effect[0].startswith("-0.") and by_task.interval[0].startswith("[-0.")
    listed = pd.concat(tables.lists(ours.verdicts).values())
    assert not set(summary.control) & set(listed.change)


def test_a_study_whose_control_does_not_hurt_says_so(tmp_path):
    for arm in ("baseline", "latent=gaussian"):
        for seed in range(3):
            write_run(tmp_path, arm, seed=seed, finals=0.5 + seed / 10)
    ours = studies.one(tmp_path)
    assert tables.insensitive(ours) == [
        "discrete: the positive control does not hurt by the margin: untrained_model; "
        "so nothing is no substantial help, and nothing agrees or disagrees"
    ]


def test_seeds_to_decide_are_spoken_of_where_there_are_some(ours):
    decided = replace(ours, verdicts=ours.verdicts.assign(seeds_needed=None))
    assert tables.looking(ours) == [tables.LOOKING] and tables.looking(decided) == []
    ladder = SimpleNamespace(next=lambda: "The ladder has ended.")
    assert tables.looking(replace(decided, standing=ladder)) == ["The ladder has ended."]
    [some] = tables.looking(replace(ours, standing=ladder))
    assert some.startswith(f"The ladder has ended. {tables.IF_STAYED}")


def test_the_papers_counts_add_up_to_55():
    assert {sum(counts) for counts in tables.PAPER_GAMES.values()} == {55}


def test_scheduling_by_game(published_folder):
    counts = published.scheduling_games(
        score_files.load(str(published_folder))
    ).result.value_counts()
    assert counts.to_dict() == {"tied": 22, "worse": 18, "better": 15}


FRAME = pd.DataFrame({"a_b": ["x|y", "5%"], "n": [1, 2], "v": [0.123, np.nan]})


def test_markdown():
    assert (
        formats.markdown(FRAME)
        == "| a_b | n | v |\n| --- | ---: | ---: |\n| x/y | 1 | 0.12 |\n| 5% | 2 |  |\n"
    )


def test_latex_escapes():
    text = formats.latex(FRAME, "50% of a_b")
    assert (
        r"\caption{50\% of a\_b}" in text
        and r"a\_b & n & v \\" in text
        and r"5\% & 2 &  \\" in text
    )


def test_html_escapes():
    text = formats.html(pd.DataFrame({"a": ["<b>"]}))
    assert "&lt;b&gt;" in text and "<table" in text
