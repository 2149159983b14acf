"""`python -m analysis`: what it prints and writes, and its one-line errors."""

import pandas as pd
import pytest

from analysis import canvas, claims, committed, read, schema
from analysis.__main__ import main
from tests.analysis.runs import SEEDS, STUDY, write_run


def test_table_prints_verdicts_and_writes_the_lists(study, tmp_path, capsys):
    assert main(["table", "--runs", str(study), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "categorical_latents" in line)
    assert "helps" in line and "yes" in line
    assert "no data: kl_balancing, reinforce, dynamics_backprop, model_size" in " ".join(
        printed.split()
    )
    folder = tmp_path / "gym"
    assert "## Changes that helped\n\n| change |" in (folder / "lists.md").read_text()
    assert r"categorical\_latents & +0." in (folder / "lists.tex").read_text()
    page = (folder / "lists.html").read_text()
    helped = page.partition("<h2>Changes that helped</h2>")[2].partition("<h2>")[0]
    assert "<td>categorical_latents</td>" in helped and "binary_latents" not in helped
    assert "gradient mixing" in (folder / "table_2.md").read_text()
    assert pd.read_csv(folder / "games.csv").better.max() == 3
    assert len(pd.read_csv(folder / "scores.csv")) == len(STUDY) * 4 * SEEDS
    assert pd.read_csv(folder / "claims.csv").verdict.value_counts()["helps"] == 2


def test_where_no_terminal_limits_it_a_table_is_not_cut(tmp_path, capsys):
    main(["table", "--runs", str(committed.RUNS), "--ladder", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert " substantial " in out and " no help, worse " in out and "…" not in out


def test_an_exported_csv_gives_the_same_tables(study, tmp_path, capsys):
    assert main(["export", "--runs", str(study), "--out", str(tmp_path / "runs.csv.gz")]) == 0
    assert f"{len(STUDY) * 4 * SEEDS} runs are in" in capsys.readouterr().out
    for name, runs in (("folder", study), ("csv", tmp_path / "runs.csv.gz")):
        main(["table", "--runs", str(runs), "--out", str(tmp_path / name)])
    for file in ("claims.csv", "lists.md", "table_2.csv", "games.csv"):
        assert (tmp_path / "folder/gym" / file).read_text() == (
            tmp_path / "csv/gym" / file
        ).read_text()


def test_problems_are_printed_and_saved(tmp_path, capsys):
    for seed in range(2):
        write_run(tmp_path / "runs", seed=seed)
    write_run(tmp_path / "runs", "latent=gaussian", status="failed", error="nan in kl_loss")
    assert main(["table", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 0
    assert "not scored: status failed, nan in kl_loss" in capsys.readouterr().out
    saved = pd.read_csv(tmp_path / "gym" / "problems.csv")
    assert saved.source.tolist() == ["gym/cartpole/latent=gaussian/0-abcd"]


def test_suites_are_kept_apart(tmp_path):
    write_run(tmp_path / "runs")
    write_run(tmp_path / "runs", suite="minigrid", digest="other")
    main(["table", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "gym", "minigrid"}
    main(
        [
            "table",
            "--runs",
            str(tmp_path / "runs"),
            "--out",
            str(tmp_path / "one"),
            "--suite",
            "minigrid",
        ]
    )
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["minigrid"]


def test_a_suite_without_a_margin_does_not_stop_the_others(tmp_path, capsys):
    write_run(tmp_path / "runs")
    write_run(tmp_path / "runs", suite="another", digest="other")
    command = ["table", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert main(command) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "gym"}
    assert "suite another: left out: the claims give no margin for it" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "gym" / "problems.csv").source.tolist() == ["suite another"]
    assert main([*command, "--suite", "another"]) == 2
    assert "no margin for suite 'another'" in capsys.readouterr().err


def test_a_claims_file_of_ones_own(study, tmp_path, capsys):
    own = tmp_path / "mine.yaml"
    row = "{id: mine, paper: none, with: latent=binary, without: latent=gaussian, where: discrete}"
    own.write_text(f"margin: {{gym: 0.1}}\nclaims: [{row}]\n")
    assert main(["table", "--runs", str(study), "--claims", str(own), "--out", str(tmp_path)]) == 0
    claims = pd.read_csv(tmp_path / "gym" / "claims.csv", keep_default_na=False)
    stated = claims[claims.stated]
    assert stated.verdict.tolist() == ["no substantial help"] or stated.verdict.tolist() == [
        "helps"
    ]
    assert stated.agrees.tolist() == [""]


def test_plot_writes_every_figure_twice(study, tmp_path):
    arms = {"baseline", "latent=gaussian"}
    runs = read.load(study)
    few = runs.runs[runs.runs.arm.isin(arms)]
    read.export(schema.Store(few, runs.points), tmp_path / "few.csv")
    assert main(["plot", "--runs", str(tmp_path / "few.csv"), "--out", str(tmp_path)]) == 0
    names = {path.stem for path in (tmp_path / "gym").glob("*.png")}
    assert names == {path.stem for path in (tmp_path / "gym").glob("*.pdf")}
    claim = {"categorical_latents_curves", "categorical_latents_tasks"}
    assert names == {"forest", "learning_curves", "aggregates", "profiles"} | claim


def test_published_writes_table_1(published_folder, tmp_path, capsys):
    assert main(["published", "--from", str(published_folder), "--out", str(tmp_path)]) == 0
    line = "| DreamerV2 | 2.15 | 11.33 | 0.44 | 0.28 | 8 | 55 |"
    assert line in capsys.readouterr().out and line in (tmp_path / "table_1.md").read_text()
    assert len(pd.read_csv(tmp_path / "table_k1.csv")) == 55
    assert pd.read_csv(tmp_path / "scheduling.csv").verdict[0] == "no substantial help"
    assert len(pd.read_csv(tmp_path / "early_ended.csv")) == 56


def test_calibrate_writes_a_page(tmp_path):
    assert main(["calibrate", "--studies", "2", "--out", str(tmp_path / "page.md")]) == 0
    page = (tmp_path / "page.md").read_text()
    assert "| collapsed seeds | 10 |" in page and "2 per row" in page


def test_another_window_is_marked_wherever_its_numbers_are(study, tmp_path, capsys, monkeypatch):
    captions = []
    monkeypatch.setattr(canvas, "save", lambda figure, path: captions.append((path.stem, figure)))
    options = ["--runs", str(study), "--out", str(tmp_path), "--window"]
    mark = "not the registered score: last_tenth instead of last"
    assert main(["table", *options, "area"]) == 0
    assert mark in " ".join(capsys.readouterr().out.split())
    folder = tmp_path / "gym"
    for name in ("lists.md", "lists.html", "lists.tex", "table_2.md", "games.md"):
        text = (folder / name).read_text()
        assert mark in text.replace("\\_", "_"), name
    claims = pd.read_csv(folder / "claims.csv")
    assert set(claims.score) == {"area"} and not claims.registered.any()
    assert main(["plot", *options, "area"]) == 0
    for name, figure in captions:
        if not name.endswith("curves"):  # which show all evaluations
            assert mark in figure._supxlabel.get_text(), name
    assert main(["table", *options, "last"]) == 0
    assert "not the registered score" not in capsys.readouterr().out
    assert "not the registered" not in (folder / "lists.md").read_text()


def test_tables_name_the_claims_file(study, tmp_path):
    assert main(["table", "--runs", str(study), "--out", str(tmp_path)]) == 0
    digest = claims.load().digest
    for name in ("lists.md", "lists.html", "lists.tex", "table_2.md", "games.md"):
        assert f"claims file {digest}" in (tmp_path / "gym" / name).read_text(), name
    assert set(pd.read_csv(tmp_path / "gym" / "claims.csv").registration) == {digest}


def test_the_controls_are_printed_by_themselves(study, tmp_path, capsys):
    assert main(["table", "--runs", str(study), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    controls, _, rest = printed.partition("Effect on normalised score")
    line = next(line for line in controls.splitlines() if "untrained_model " in line)
    assert "hurts" in line and "A/A" in controls and "does not differ" in controls
    assert "untrained_model" not in rest and "untrained_model" not in (
        (tmp_path / "gym" / "lists.tex").read_text()
    )
    assert len(pd.read_csv(tmp_path / "gym" / "controls.csv")) == 4
    assert len(pd.read_csv(tmp_path / "gym" / "control_tasks.csv")) == 4


def test_arms_with_runs_are_named_where_claims_have_none(study, tmp_path, capsys):
    own = tmp_path / "mine.yaml"
    row = "{id: mine, paper: none, with: latent=gausian, without: baseline, where: discrete}"
    own.write_text(f"margin: {{gym: 0.1}}\nclaims: [{row}]\n")
    assert main(["table", "--runs", str(study), "--claims", str(own), "--out", str(tmp_path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "no data: mine arms with runs: baseline, gru=plain, kl=standard" in printed
    assert "did you mean latent=gaussian instead of latent=gausian?" in printed


def test_runs_can_be_left_out_by_their_digest(study, tmp_path, capsys):
    write_run(tmp_path / "runs", seed=0, digest="aaaa")
    write_run(tmp_path / "runs", seed=1, digest="bbbb")
    command = ["export", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "runs.csv")]
    assert main(command) == 2 and "--leave-out" in capsys.readouterr().err
    assert main([*command, "--leave-out", "aaaa"]) == 0
    assert pd.read_csv(tmp_path / "runs.csv").digest.unique().tolist() == ["bbbb"]


def test_every_command_has_help(capsys):
    for command in ("table", "plot", "report", "published", "export", "calibrate"):
        with pytest.raises(SystemExit) as done:
            main([command, "--help"])
        assert done.value.code == 0 and "--out" in capsys.readouterr().out
