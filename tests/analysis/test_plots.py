"""Figures: what they show and that each names its number of runs."""

import numpy as np
import pandas as pd
import pytest

from analysis import canvas, plots
from analysis import study as studies
from tests.analysis.runs import SEEDS, STUDY, write_run


@pytest.fixture(scope="module")
def ours(study):
    return studies.one(study)


def texts(figure):
    figure.draw_without_rendering()
    axes = [text for own in figure.axes for text in (*own.get_yticklabels(), *own.texts, own.title)]
    children = [child.get_yticklabels() for own in figure.axes for child in own.child_axes]
    legends = [text for legend in figure.legends for text in legend.get_texts()]
    everything = [
        *axes,
        *(text for group in children for text in group),
        *legends,
        figure._supxlabel,
    ]
    return [text.get_text() for text in everything]


def test_the_forest_shows_every_claim_with_data(ours):
    figure = plots.forest(ours)
    shown = texts(figure)
    assert f"categorical_latents  ({3 * SEEDS}+{3 * SEEDS} runs)" in shown
    assert f"categorical_latents, continuous  ({SEEDS}+{SEEDS} runs)" in shown
    assert "helps (paper: helps)" in shown and "hurts (paper: no help, worse)" in shown
    assert not any("long_term_entropy" in text for text in shown)
    assert any(
        text.startswith(f"{len(STUDY) * 4 * SEEDS} runs, 4 tasks, suite gym") for text in shown
    )
    row = ours.verdicts.iloc[0]
    ends = [tuple(line.get_xdata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert (row.low, row.high) in ends


def test_learning_curves_are_means_with_bands(ours):
    figure = plots.learning_curves(ours, ["baseline", "kl=standard"])
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert sorted(panels) == ["acrobot", "cartpole", "pendulum", "space_invaders"]
    line = panels["cartpole"].lines[0]
    own = ours.scores[(ours.scores.arm == "baseline") & (ours.scores.task == "cartpole")]
    assert line.get_xdata().tolist() == [2000, 4000, 6000, 8000]
    assert line.get_ydata()[-1] == pytest.approx(own.score.mean())
    band = panels["cartpole"].collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(own.score.max())
    assert any(f"{8 * SEEDS} runs" in text for text in texts(figure))
    assert {"baseline", "kl=standard"} <= set(texts(figure))


def test_aggregates_and_profiles_use_the_common_tasks(ours):
    figure = plots.aggregates(ours)
    assert [axes.get_title() for axes in figure.axes] == [
        "mean",
        "median",
        "IQM",
        "optimality gap ↓",
    ]
    assert (
        f"{3 * len(STUDY) * SEEDS} runs, 3 tasks, suite gym; 95% stratified bootstrap intervals"
        in texts(figure)
    )
    profile = plots.profiles(ours)
    heights = profile.axes[0].lines[0].get_ydata()
    assert heights[0] == 1 and heights[-1] == 0 and (np.diff(heights) <= 0).all()
    assert any(f"{3 * len(STUDY) * SEEDS} runs" in text for text in texts(profile))


def test_arms_without_a_common_task_do_not_mix(tmp_path):
    for arm, task in (
        ("baseline", "cartpole"),
        ("baseline", "acrobot"),
        ("a=1", "cartpole"),
        ("b=1", "acrobot"),
    ):
        for seed in range(2):
            write_run(tmp_path, arm, task, seed, finals=0.5 + seed / 10)
    labels = texts(plots.aggregates(studies.one(tmp_path)))
    assert any(text.startswith("4 runs, 2 tasks") for text in labels) and "a=1" not in labels


def test_an_arm_with_few_tasks_is_left_out_and_named(tmp_path):
    for arm in ("baseline", "latent=gaussian"):
        for task in ("cartpole", "acrobot", "space_invaders"):
            for seed in range(2):
                write_run(tmp_path, arm, task, seed, finals=0.5 + seed / 10)
    write_run(tmp_path, "kl.alpha=0.5", "cartpole")
    ours = studies.one(tmp_path)
    for draw in (plots.aggregates, plots.profiles):
        labels = texts(draw(ours))
        caption = next(text for text in labels if text.startswith("12 runs, 3 tasks"))
        assert caption.endswith("left out, as tasks are missing: kl.alpha=0.5")
        assert "latent=gaussian" in labels and "kl.alpha=0.5" not in labels


def test_task_bars_are_sorted_and_coloured(ours):
    figure = plots.games(ours, "categorical_latents")
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == sorted(widths) and len(widths) == 3
    assert {"better (3)", "tied (0)", "worse (0)"} <= set(texts(figure))
    assert any(f"{6 * SEEDS} runs, 3 tasks" in text for text in texts(figure))


def test_fifty_five_games_fit(ours):
    table = pd.DataFrame(
        {"task": [f"t{i}" for i in range(55)], "difference": np.linspace(-1, 50, 55), "runs": 2}
    )
    table["result"] = np.where(table.difference > 0, "better", "worse")
    figure = plots.bars(table, "x", "y", "z")
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(low.y1 <= high.y0 + 2 for low, high in zip(boxes, boxes[1:], strict=False))


def test_a_study_of_one_run_can_be_drawn(tmp_path):
    write_run(tmp_path)
    ours = studies.one(tmp_path)
    for draw in (plots.forest, plots.learning_curves, plots.aggregates, plots.profiles):
        draw(ours).draw_without_rendering()


def test_the_forest_says_where_the_suite_shows_no_effect(ours, tmp_path):
    assert not any("positive control" in text for text in texts(plots.forest(ours)))
    for arm in ("baseline", "latent=gaussian"):
        for seed in range(2):
            write_run(tmp_path, arm, seed=seed, finals=0.5 + seed / 10)
    shown = texts(plots.forest(studies.one(tmp_path)))
    assert any("the positive control does not hurt by the margin" in text for text in shown)


def test_curves_that_end_early_are_counted(tmp_path):
    write_run(tmp_path, seed=0)
    write_run(tmp_path, seed=1, status="diverged", points=2)
    shown = texts(plots.learning_curves(studies.one(tmp_path)))
    assert any(text.startswith("2 runs") and "1 diverged, drawn until" in text for text in shown)


def test_figures_are_saved_as_picture_and_vector(ours, tmp_path):
    canvas.save(plots.forest(ours), tmp_path / "forest")
    assert (tmp_path / "forest.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "forest.pdf").read_bytes().startswith(b"%PDF")
