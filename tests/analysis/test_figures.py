"""Figures: what they show, that nothing covers anything, and that each says what it is of."""

from dataclasses import replace
from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest

from analysis import read, study
from analysis.show import figures
from tests.analysis.runs import SEEDS, write_arms, write_run


def texts(figure):
    """All texts of a figure that are drawn: labels of ticks beyond the ends of an axis are not."""
    figure.draw_without_rendering()
    beyond = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_major_ticks(), axis.get_majorticklocs(), strict=True)
        out = [tick for tick, place in ticks if not low <= place <= high]
        beyond |= {label for tick in out for label in (tick.label1, tick.label2)}
    found = figure.findobj(matplotlib.text.Text)
    return [t for t in found if t.get_visible() and t.get_text().strip() and t not in beyond]


def said(figure):
    return [text.get_text() for text in texts(figure)]


def boxes_inside(figure, width):
    """The boxes of a figure's texts, which lie all on a paper of this width."""
    assert figure.get_figwidth() == width
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for text, box in boxes:
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, text
    return boxes


def test_words_are_whole_in_the_narrowest_panel():
    assert figures.wrapped("categorical latents", 0.1, 8) == ["categorical", "latents"]


def test_of_runs_that_no_claim_names_there_are_curves(tmp_path):
    write_arms(tmp_path, {"baseline": 0.5, "kl.alpha=0.5": 0.4})
    drawn = figures.of(study.judge(read.load(tmp_path)))
    assert list(drawn) == ["learning_curves"]
    assert {"baseline", "kl.alpha=0.5"} <= set(said(drawn["learning_curves"]))


def test_curves_of_more_arms_than_colours_can_tell_apart_are_one(tmp_path):
    """And four long names of tasks beside each other lie on the page."""
    for size in range(5, 9):
        arms = {f"kl.alpha=0.{number}": 0.5 for number in range(10, 23)}
        write_arms(tmp_path, arms, task=f"minigrid_empty_random_{size}x{size}", seeds=[0])
    (drawn,) = figures.of(study.judge(read.load(tmp_path))).values()
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [figures.EVERY]
    boxes_inside(drawn, figures.PAGE)


def test_every_figure_can_be_printed_and_says_what_it_is_of(judged, drawn):
    """No two texts overlap, all lie on a page, or in a paper's column, and no letter is small."""
    for name, figure in drawn.items():
        note = figure._supxlabel.get_text().replace("\n", " ")
        assert f"{len(judged.scores)} runs, 4 tasks, suite gym" in note, name
        assert "claims file" in note, name
        assert min(text.get_fontsize() for text in texts(figure)) >= 7, name
        for (first, one), (second, other) in combinations(boxes_inside(figure, figures.PAGE), 2):
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(wide, high) < 2, (name, first, second)
    for draw in (figures.effect_map, figures.forest, figures.task_effects):
        boxes_inside(draw(judged, figures.COLUMN), figures.COLUMN)


def test_the_map_has_a_cell_for_each_claim_and_task(judged, drawn):
    left = drawn["map"].axes[0]
    cells = left.images[0].get_array()
    tasks, claims = list(figures.kinds_of_tasks(judged).index), list(judged.effects.claim.unique())
    assert cells.shape == (len(claims), len(tasks))
    assert left.get_ylim() == (len(claims) - 0.5, -0.5)  # the first claim above
    numbers = {text.get_position(): text.get_text() for text in left.texts}
    sure = judged.by_task.set_index(["claim", "task"]).result != "tied"
    assert sure.any() and not sure.all()
    for row in judged.effects.itertuples():
        x, y = tasks.index(row.task), claims.index(row.claim)
        assert cells[y, x] == pytest.approx(row.effect)
        assert numbers[x, y].endswith("•") == sure[row.claim, row.task]
    assert figures.EFFECTS(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)  # no effect is white
    low, high = (np.array(figures.EFFECTS(end)[:3]) for end in (0.25, 0.75))
    assert low[0] > low[2] and high[2] > high[0]  # orange and purple: red against blue


def test_the_means_have_both_intervals_and_words(judged, drawn):
    rows = judged.claims[judged.claims.effect.notna()]
    for name, axes in (("map", drawn["map"].axes[1]), ("forest", drawn["forest"].axes[0])):
        ends = {tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2}
        for row in rows.itertuples():
            assert (row.low, row.high) in ends and (row.new_low, row.new_high) in ends, name
    assert {"categorical latents", *rows["mean"]} <= set(said(drawn["map"]))


def test_what_depends_on_the_task_says_so_first(tmp_path):
    for task, score in (("cartpole", 0), ("acrobot", 1)):
        scores = {"baseline": 0.5, "latent=gaussian": score}
        write_arms(tmp_path, scores, task, seeds=range(12), more=0.01)
    ours = study.judge(read.load(tmp_path))
    assert "depends on the task" in said(figures.effect_map(ours))
    assert any("depends on the task" in text for text in said(figures.forest(ours)))


def test_curves_are_means_with_their_bands(judged, drawn):
    figure = drawn["categorical_latents_curves"]
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert set(panels) == {"acrobot", "cartpole", "space invaders"}  # the claim's kind of actions
    panel = panels["cartpole"]
    own = judged.scores[(judged.scores.arm == "baseline") & (judged.scores.task == "cartpole")]
    (line,) = [line for line in panel.lines if line.get_label() == "baseline"]
    assert line.get_xdata().tolist() == [2000, 4000, 6000, 8000]
    assert line.get_ydata()[-1] == pytest.approx(own.score.mean())
    half = 2.160 * own.score.std() / np.sqrt(SEEDS)  # Student's t, 13 degrees of freedom
    band = panel.collections[0].get_paths()[0].vertices
    last = band[band[:, 0] == 8000][:, 1]
    assert last.max() - own.score.mean() == pytest.approx(half, rel=1e-3)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["baseline", "latent=gaussian"]


def test_an_arm_has_one_colour(judged, drawn):
    colour = figures.colours(judged)
    assert colour["baseline"] == figures.BLACK
    first = {line.get_color() for line in drawn["categorical_latents_curves"].axes[0].lines}
    assert first == {figures.BLACK, colour["latent=gaussian"]}
    panel = {axes.get_title(): axes for axes in drawn["learning_curves"].axes}["latent=gaussian"]
    assert panel.title.get_color() == colour["latent=gaussian"]
    assert drawn["learning_curves"]._supxlabel.get_text().endswith("Black: baseline's option.")
    assert {line.get_color() for line in panel.lines} == first


def test_in_a_trial_curves_are_by_option(judged, tmp_path):
    """Runs that drew other options too stand for their side; else curves are of the two arms."""
    points = figures.curves(judged, "categorical_latents")
    assert set(points.arm) == {"baseline", "latent=gaussian"} and (points.arm == points.side).all()
    scores = {"gru=plain,latent=gaussian": 0.4, "latent=gaussian": 0.2}
    write_arms(tmp_path, scores | {"baseline": 0.8, "gru=plain": 0.6}, more=0)
    write_run(tmp_path, "recipe.model_lr=0", finals=0)  # a control is of no side
    points = figures.curves(study.judge(read.load(tmp_path)), "categorical_latents")
    last = points[points.step == 1].groupby("side").normalised.agg(["mean", "size"])
    assert last.loc["latent=gaussian"].tolist() == [pytest.approx(0.3), 4]
    assert last.loc[figures.TRIAL].tolist() == [pytest.approx(0.7), 4]


def test_effects_by_task_and_over_the_budget_have_a_panel_a_claim(judged, drawn):
    rows, budget = judged.effects, judged.budget
    panels = {axes.get_title().replace("\n", " "): axes for axes in drawn["task_effects"].axes}
    panel = panels["categorical latents"]
    middles = sorted(bar.lines[0].get_xdata()[0] for bar in panel.containers)
    assert middles == pytest.approx(sorted(rows[rows.claim == "categorical_latents"].effect))
    labels = [text.get_text() for text in panel.get_yticklabels()]
    assert labels == [task.replace("_", " ") for task in figures.kinds_of_tasks(judged).index]
    own = budget[budget.claim == budget.claim.iloc[0]]
    line = max(drawn["over_the_budget"].axes[0].lines, key=lambda line: len(line.get_xdata()))
    assert np.array_equal(line.get_xydata(), own[["step", "effect"]])


def test_where_tasks_have_no_room_the_map_is_by_kind(judged, monkeypatch):
    monkeypatch.setattr(figures, "NARROWEST", 9)
    kinds = ["grid", "vector", "grid - others"]
    rows = pd.DataFrame({"claim": "binary_latents", "kind": kinds, "effect": 0.1, "high": 0.2})
    rows["low"] = [0.05, 0, 0]
    left = figures.effect_map(replace(judged, kinds=rows)).axes[0]
    assert [label.get_text() for label in left.get_xticklabels()] == ["grid", "vector"]
    assert sorted(text.get_text() for text in left.texts if text.get_text()) == ["+.10", "+.10•"]


def test_what_is_left_out_stands_in_the_note(tmp_path):
    write_arms(tmp_path, {"baseline": 0.5, "latent=gaussian": 0.4})
    write_run(tmp_path, seed=7, status="failed", error="full disk")
    write_run(tmp_path, seed=8, status="diverged", points=2)
    note = " ".join(said(figures.forest(study.judge(read.load(tmp_path))))).replace("\n", " ")
    assert "1 run without a score, see problems.csv" in note and "1 run diverged" in note


def test_files_are_pictures_and_pdf_with_letters(drawn, tmp_path):
    figures.save(drawn["forest"], tmp_path / "a.b")  # a name with a dot keeps it
    assert (tmp_path / "a.b.png").read_bytes().startswith(b"\x89PNG")
    pdf = (tmp_path / "a.b.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and b"/CIDFontType2" in pdf and b"/Type3" not in pdf


def test_a_readers_own_matplotlibrc_changes_nothing(judged):
    """usetex needs LaTeX, which need not be there; a large font does not fit."""
    plain = figures.png(figures.forest(judged))
    with matplotlib.rc_context({"text.usetex": True, "font.size": 30, "font.family": "serif"}):
        assert figures.png(figures.forest(judged)) == plain
