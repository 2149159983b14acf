"""`python -m analysis`: what it prints and writes, and its one-line errors."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from analysis import exported, store
from analysis.__main__ import main
from tests.analysis.runs import SEEDS, STUDY, write_run


def test_analysis_imports_neither_torch_nor_hydra_nor_the_agent():
    code = "import sys, analysis.__main__; print({'torch', 'hydra', 'agent', 'omegaconf'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout.strip() == "set()"


def test_table_prints_verdicts_and_writes_the_lists(study, tmp_path, capsys):
    assert main(["table", "--runs", str(study), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "categorical_latents" in line)
    assert "helps" in line and "yes" in line
    assert "no data: kl_balancing, reinforce, dynamics_backprop, model_size" in " ".join(
        printed.split()
    )
    folder = tmp_path / "mini"
    assert "## Changes that helped\n\n| change |" in (folder / "lists.md").read_text()
    assert r"categorical\_latents & +0." in (folder / "lists.tex").read_text()
    assert "<h2>Changes that helped</h2>" in (folder / "lists.html").read_text()
    assert "gradient mixing" in (folder / "table_2.md").read_text()
    assert pd.read_csv(folder / "games.csv").better.max() == 3
    assert len(pd.read_csv(folder / "scores.csv")) == len(STUDY) * 4 * SEEDS
    assert pd.read_csv(folder / "claims.csv").verdict.value_counts()["helps"] == 2


def test_an_exported_csv_gives_the_same_tables(study, tmp_path, capsys):
    assert main(["export", "--runs", str(study), "--out", str(tmp_path / "runs.csv.gz")]) == 0
    assert f"{len(STUDY) * 4 * SEEDS} runs are in" in capsys.readouterr().out
    for name, runs in (("folder", study), ("csv", tmp_path / "runs.csv.gz")):
        main(["table", "--runs", str(runs), "--out", str(tmp_path / name)])
    for file in ("claims.csv", "lists.md", "table_2.csv", "games.csv"):
        assert (tmp_path / "folder/mini" / file).read_text() == (
            tmp_path / "csv/mini" / file
        ).read_text()


def test_problems_are_printed_and_saved(tmp_path, capsys):
    for seed in range(2):
        write_run(tmp_path / "runs", seed=seed)
    write_run(tmp_path / "runs", "latent=gaussian", status="failed", error="nan in kl_loss")
    assert main(["table", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 0
    assert "not scored: status failed, nan in kl_loss" in capsys.readouterr().out
    saved = pd.read_csv(tmp_path / "mini" / "problems.csv")
    assert saved.source.tolist() == ["mini/cartpole/latent=gaussian/0-abcd"]


def test_suites_are_kept_apart(tmp_path):
    write_run(tmp_path / "runs")
    write_run(tmp_path / "runs", suite="gym", digest="other")
    main(["table", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "mini", "gym"}
    main(
        [
            "table",
            "--runs",
            str(tmp_path / "runs"),
            "--out",
            str(tmp_path / "one"),
            "--suite",
            "gym",
        ]
    )
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["gym"]


def test_a_suite_without_a_margin_does_not_stop_the_others(tmp_path, capsys):
    write_run(tmp_path / "runs")
    write_run(tmp_path / "runs", suite="another", digest="other")
    command = ["table", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert main(command) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "mini"}
    assert "suite another: left out: the claims give no margin for it" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "mini" / "problems.csv").source.tolist() == ["suite another"]
    assert main([*command, "--suite", "another"]) == 2
    assert "no margin for suite 'another'" in capsys.readouterr().err


def test_a_claims_file_of_ones_own(study, tmp_path, capsys):
    own = tmp_path / "mine.yaml"
    row = "{id: mine, paper: none, with: latent=binary, without: latent=gaussian, where: discrete}"
    own.write_text(f"margin: {{mini: 0.1}}\nclaims: [{row}]\n")
    assert main(["table", "--runs", str(study), "--claims", str(own), "--out", str(tmp_path)]) == 0
    claims = pd.read_csv(tmp_path / "mini" / "claims.csv", keep_default_na=False)
    stated = claims[claims.stated]
    assert stated.verdict.tolist() == ["no substantial help"] or stated.verdict.tolist() == [
        "helps"
    ]
    assert stated.agrees.tolist() == [""]


def test_plot_writes_every_figure_twice(study, tmp_path):
    arms = {"baseline", "latent=gaussian"}
    runs = store.load(study)
    few = runs.runs[runs.runs.arm.isin(arms)]
    exported.export(store.Store(few, runs.points), tmp_path / "few.csv")
    assert main(["plot", "--runs", str(tmp_path / "few.csv"), "--out", str(tmp_path)]) == 0
    names = {path.stem for path in (tmp_path / "mini").glob("*.png")}
    assert names == {path.stem for path in (tmp_path / "mini").glob("*.pdf")}
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "--runs", "/nowhere"], "error: /nowhere: no such folder of runs or csv file"),
        (
            ["table", "--runs", "{study}", "--suite", "atari"],
            "no runs of suite 'atari'; there are runs of: mini",
        ),
        (
            ["table", "--runs", "{study}", "--claims", "/none.yaml"],
            "/none.yaml: cannot read the claims",
        ),
        (["published", "--from", "/nowhere"], "/nowhere: cannot read the official score file"),
        (["calibrate", "--studies", "0"], "--studies 0: at least 1 study is needed"),
    ],
)
def test_mistakes_are_one_line(study, tmp_path, capsys, arguments, message):
    arguments = [argument.format(study=study) for argument in arguments]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_an_unwritable_folder_is_named(study, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["table", "--runs", str(study), "--out", str(tmp_path / "file")]) == 2
    assert "error:" in capsys.readouterr().err


def test_every_command_has_help(capsys):
    for command in ("table", "plot", "report", "published", "export", "calibrate"):
        with pytest.raises(SystemExit) as done:
            main([command, "--help"])
        assert done.value.code == 0 and "--out" in capsys.readouterr().out
