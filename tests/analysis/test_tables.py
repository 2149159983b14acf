"""Tables: the lists, the paper beside ours, what a terminal shows, and text that stays tables."""

import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analysis import read, study
from analysis.__main__ import NARROW, WIDE, show, which
from analysis.sentences import FRAMES, INTERACTIONS
from analysis.show import figures, pages, tables
from tests.analysis.runs import HEADER, SEEDS, STUDY, unscaled, write_arms, write_run

HOSTILE = "[click](javascript:alert(1)),<b>=1"


def on_a_terminal(ours, wide=False):
    out = Console(width=WIDE if wide else NARROW, record=True, file=io.StringIO())
    show(out, ours, wide)
    return out.export_text()


def test_every_claim_with_runs_is_on_one_list(judged):
    """What depends on the task is on no other."""
    lists = {title: part.change.tolist() for title, part in tables.lists(judged).items()}
    assert lists == {
        tables.DEPENDS: [],
        "Changes that helped": ["categorical_latents"],
        "Changes that did not help substantially": ["kl_balancing_vs_standard", "binary_latents"],
        "Undecided": ["gru_layer_norm"],
    }
    assert set(lists) == set(tables.EMPTY)
    rows = judged.claims.copy()
    rows.loc[rows.claim == "binary_latents", "depends"] = "better on a; worse on b"
    lists = tables.lists(replace(judged, claims=rows))
    assert lists[tables.DEPENDS].change.tolist() == ["binary_latents"]
    assert sum(map(len, lists.values())) == 4
    shown = tables.brief(judged, rows).set_index("change").verdict
    assert shown["binary_latents"].endswith("; better on a; worse on b"), "kinds, of one task each"


def test_a_row_in_full_has_both_intervals_and_the_paper(judged):
    row = tables.claims(judged).set_index("change").loc["categorical_latents"]
    found = judged.claims.set_index("claim").loc["categorical_latents"]
    assert row.interval == f"[{found.low:+.3f}, {found.high:+.3f}]"
    assert row["tasks like these"] == f"[{found.new_low:+.3f}, {found.new_high:+.3f}]"
    assert row["better / worse / tied"] == "3 / 0 / 0"
    assert (row["the paper"], row["its games"], row.agrees) == ("helps", "42 / 8 / 5", "yes")
    games = [map(int, counts.split(" / ")) for counts in tables.PAPER["games"].values()]
    assert {sum(counts) for counts in games} == {55}


def test_means_are_by_arm_and_kind_of_actions(judged, monkeypatch):
    table = tables.means(judged).set_index(["arm", "actions"])
    assert table.index[0] == ("baseline", "discrete") and len(table) == 2 * len(STUDY)
    own = judged.scores.query("arm == 'baseline' and actions == 'discrete'").normalised
    cell = table.loc[("baseline", "discrete"), "mean score [95%]"]
    mean, low, high = map(float, re.findall(r"[\d.]+", cell))
    assert mean == pytest.approx(own.mean(), abs=6e-4)
    assert (high - low) / 2 == pytest.approx(2.02 * own.std() / np.sqrt(len(own)), rel=0.05)
    assert table.loc[("baseline", "continuous"), "runs"] == SEEDS
    monkeypatch.setattr(tables, "MANY", 3)  # of more arms means are by option
    arms = judged.scores.arm.replace("latent=binary", "gru=mine,latent=binary")
    trial = replace(judged, scores=judged.scores.assign(arm=arms))
    for shown in (tables.means(trial), tables.by_task(trial)):
        assert {"baseline", "gru=mine", "latent=binary"} <= set(shown.option)


def test_contrasts_are_kinds_that_surely_differ(judged):
    rows = [("x", "grid - others", 0.5, 0.1, 0.9), ("x", "image - others", 0.5, -0.1, 1.1)]
    rows += [("x", "grid", 0.5, 0.1, 0.9), ("y", "grid - others", -0.4, -0.7, -0.1)]
    table = tables.contrasts(replace(judged, kinds=pd.DataFrame(rows, columns=FRAMES["kinds"])))
    assert table.values.tolist() == [
        ["x", "grid", "+0.50 [+0.10, +0.90]"],
        ["y", "grid", "-0.40 [-0.70, -0.10]"],
    ]


def test_interactions_are_those_that_are_sure(judged):
    rows = [("a x b", 0.1, 0.0, 0.2, 0.2, False, 2), ("a x c", 0.3, 0.1, 0.5, 0.01, False, 2)]
    rows += [("b x c", 0.0, -0.1, 0.1, 0.01, True, 2), ("b x d", 0.1, 0.05, 0.2, 0.2, True, 2)]
    frame = pd.DataFrame(rows, columns=INTERACTIONS)
    table = tables.interactions(replace(judged, interactions=frame))
    assert table.options.tolist() == ["a x c", "b x d"] and table.tasks.tolist() == [2, 2]


def test_table_2_is_shown_for_atari_alone(page, tmp_path):
    for task, score in (("pong", 21), ("breakout", 864)):
        for seed in range(2):
            more = {"suite": "atari", **unscaled("clipped_record")}
            folder = write_run(tmp_path, "baseline", task, seed, **more)
            (folder / "scores.csv").write_text(f"{HEADER}\n8000,32000,eval,0,{score},9\n")
    atari = study.judge(read.load(tmp_path))
    row = tables.table_2(atari).iloc[0]
    assert row["ours: record mean"] == pytest.approx(1)
    gamer = [(21 + 20.7) / (14.6 + 20.7), (864 - 1.7) / (30.5 - 1.7)]
    assert row["ours: gamer mean"] == pytest.approx(np.mean(gamer))
    assert "gradient mixing" in pages.report(atari) and "gradient mixing" not in page


def test_a_terminal_of_80_columns_shows_everything(judged):
    said = on_a_terminal(judged)
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said
    found = judged.claims.set_index("claim").loc["categorical_latents"]
    effect = f"{found.effect:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert effect in rows["categorical_latents"] and "helps" in rows["categorical_latents"]
    assert "hurts by at least" in rows["untrained_model"]
    assert tables.seen(judged).startswith("3 of 4 claims with runs are answered")
    alone = tables.seen(replace(judged, claims=judged.claims[judged.claims.claim == found.name]))
    assert "0.50 more than latent=gaussian (84 runs); helps substantially, its int" in alone
    assert "No runs for: kl_balancing, reinforce" in said and "gru=plain" in said
    wide = on_a_terminal(judged, wide=True)
    assert "tasks like these" in wide and "42 / 8 / 5" in wide and "…" not in wide


def test_the_file_to_open_is_named(judged, tmp_path):
    assert "analysis plot" in which(judged, tmp_path)
    (tmp_path / "map.png").touch()
    assert which(judged, tmp_path) == f"open {tmp_path / 'map.png'}"


def test_warnings_come_first(judged):
    ours = replace(judged, warnings=["The placebo differs."])
    assert on_a_terminal(ours).startswith("The placebo differs.")
    assert '<p class="warning">The placebo differs.</p>' in pages.text("lists.html", ours)


def test_raw_returns_are_tabled_and_drawn(tmp_path):
    arms = {"baseline": 50, "latent=gaussian": 40}
    write_arms(tmp_path, arms, "mine", more=1, **unscaled("reference"))
    ours = study.judge(read.load(tmp_path))
    said = on_a_terminal(ours)
    assert "raw returns" in said and "50.500" in said
    assert "raw returns" in pages.report(ours)
    cells = [text.get_text() for text in figures.effect_map(ours).axes[0].texts]
    assert "+10.00" in cells


def test_names_stay_text_in_markdown_and_html(tmp_path):
    write_arms(tmp_path, {"baseline": 1, HOSTILE: 1})
    ours = study.judge(read.load(tmp_path))
    page = pages.report(ours)
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert f"`{HOSTILE}`" in tables.markdown(tables.means(ours), codes=("arm",))
    loose = tables.markdown(pd.DataFrame({"a": [HOSTILE, "![x](http://y)", "`c` *d* |"]}))
    assert "](" not in loose and "<b>" not in loose.replace("\\<", "") and "\\|" in loose


def test_a_report_is_one_page_with_everything_inside(judged, page):
    assert page.count("data:image/png;base64") == 5 + 4
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page
    assert tables.caption(judged) in page and "Every run is complete." in page
    assert "<td>categorical_latents</td>" in page


def test_markdown_and_latex():
    frame = pd.DataFrame({"a_b": ["x|y", "5%"], "n": [1, 2], "v": [0.123, np.nan]})
    assert tables.markdown(frame).splitlines()[2:] == ["| x\\|y | 1 | 0.12 |", "| 5% | 2 |  |"]
    latex = tables.latex(frame, "50% of a_b")
    assert r"\caption{50\% of a\_b}" in latex and r"5\% & 2 &  \\" in latex


def test_an_interval_that_says_nothing_is_not_printed(judged):
    assert tables.interval(np.nan, np.nan) == tables.TOO_FEW
    assert tables.interval(-0.1, 0.2) == "[-0.100, +0.200]"
    rows = pd.DataFrame({"low": [-35.2, -0.9], "high": [36.3, 0.9]})
    assert tables.legible(judged, rows).low.tolist() == [pytest.approx(np.nan, nan_ok=True), -0.9]
    raw = replace(judged, scheme="raw", scores=judged.scores.assign(normalised=judged.scores.score))
    assert tables.legible(raw, rows).low.tolist() == [-35.2, -0.9]  # returns span over a thousand
