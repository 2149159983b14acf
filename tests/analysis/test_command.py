"""`python -m analysis`: what it prints and writes, and its one-line errors."""

import pandas as pd
import pytest

from analysis import claims
from analysis.__main__ import COMMANDS, main
from analysis.show import figures
from sweeps import grid
from tests.analysis.runs import SEEDS, STUDY, write_arms, write_run

CLAIMS = "claim effect low high level tau new_low new_high better worse tied words depends"


def few(root, **changes):
    write_arms(root, {"baseline": 0.7, "kl=standard": 0.2}, **changes)
    return ["--runs", str(root)]


def printed(capsys):
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture(scope="module")
def tabled(study, tmp_path_factory):
    """The folder of the tables of the study."""
    out = tmp_path_factory.mktemp("tables")
    assert main(["table", "--runs", str(study), "--out", str(out)]) == 0
    return out / "gym"


def test_table_writes_what_others_read(tabled):
    effects, found = (pd.read_csv(tabled / f"{name}.csv") for name in ("effects", "claims"))
    assert effects.columns.tolist() == ["claim", "task", "effect", "error", "df", "runs"]
    assert found.columns.tolist()[:13] == CLAIMS.split()
    assert len(found) == len(claims.load().claims) and len(effects) == 4 * 3
    row = found.set_index("claim").loc["categorical_latents"]
    mean = effects[effects.claim == "categorical_latents"].effect.mean()
    assert row.effect == pytest.approx(mean) == pytest.approx(0.5, abs=0.02)
    assert len(pd.read_csv(tabled / "scores.csv")) == len(STUDY) * 4 * SEEDS
    text = (tabled / "lists.md").read_text()
    assert "## Changes that helped\n\n| change |" in text and "| `categorical_latents` |" in text
    assert r"categorical\_latents & +0." in (tabled / "lists.tex").read_text()
    page = (tabled / "lists.html").read_text()
    helped = page.partition("<h2>Changes that helped</h2>")[2].partition("<h2>")[0]
    assert "<td>categorical_latents</td>" in helped and "binary_latents" not in helped
    files = [(tabled / f"lists.{ending}").read_text() for ending in ("md", "tex", "html")]
    assert all(f"claims file {claims.load().digest}" in text for text in files)


def test_an_exported_csv_gives_the_same_tables(study, tabled, tmp_path, capsys):
    assert main(["export", "--runs", str(study), "--out", str(tmp_path / "runs.csv.gz")]) == 0
    assert f"{len(STUDY) * 4 * SEEDS} runs are in" in capsys.readouterr().out
    main(["table", "--runs", str(tmp_path / "runs.csv.gz"), "--out", str(tmp_path)])
    for name in ("claims", "effects", "kinds", "budget"):
        own, theirs = (pd.read_csv(folder / f"{name}.csv") for folder in (tmp_path / "gym", tabled))
        pd.testing.assert_frame_equal(own, theirs)  # to 5 digits


def test_after_the_first_sweep_one_sentence_says_what_was_seen(tmp_path, capsys):
    """As `make ablation` does: figures, each twice, then the table."""
    options = [*few(tmp_path / "runs"), "--out", str(tmp_path)]
    assert main(["plot", *options, "--width", "3.3"]) == 0
    assert "figures are in" in printed(capsys)
    for kind in ("png", "pdf"):
        names = {path.stem for path in (tmp_path / "gym").glob(f"*.{kind}")}
        assert names == {*figures.NAMES, "kl_balancing_vs_standard_curves"}
    assert main(["table", *options]) == 0
    said = printed(capsys)
    assert said.startswith("Effect on the score") and "untrained_model_continuous" not in said
    assert "+0.500 too few runs for an interval" in said and "0.750" in said
    last = said.rpartition("Tables are in")[2]
    assert "On cartpole the baseline scored 0.50 more than kl=standard (4 runs)" in last
    assert "not sure: too few runs for an interval" in last
    assert last.endswith("/kl_balancing_vs_standard_curves.png")


def test_runs_without_any_score_are_one_line(tmp_path, capsys):
    write_run(tmp_path / "runs", points=0)
    for command in ("report", "plot", "table"):
        assert main([command, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert "no run of suite gym has a score" in error and error.count("\n") == 1


def test_problems_are_printed_and_saved(tmp_path, capsys):
    options = few(tmp_path / "runs")
    write_run(tmp_path / "runs", "latent=gaussian", status="failed", error="nan in kl_loss")
    for command in ("table", "recommend"):
        assert main([command, *options, "--out", str(tmp_path / command)]) == 0
        assert "not scored: status failed, nan in kl_loss" in printed(capsys)
        saved = pd.read_csv(tmp_path / command / "gym" / "problems.csv")
        assert "gym/cartpole/latent=gaussian/0-abcd" in saved.source.tolist()


def test_suites_are_kept_apart(tmp_path):
    options = few(tmp_path / "runs")
    few(tmp_path / "runs", suite="minigrid", digest="other")
    main(["table", *options, "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "gym", "minigrid"}
    main(["table", *options, "--out", str(tmp_path / "one"), "--suite", "minigrid"])
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["minigrid"]


def test_runs_made_again_stand_beside_the_first(study, tmp_path, capsys):
    for task in ("cartpole", "acrobot", "space_invaders"):
        arms = {"baseline": -3.2, "latent=gaussian": -3.7}  # 0.8 and 0.3 with seed 200
        for root, own in (("again", {}), ("renamed", {"digest": "cccc"})):
            write_arms(tmp_path / root, arms, task, seeds=range(200, 206), more=0.02, **own)
    command = ["repeat", "--of", str(study), "--out", str(tmp_path), "--runs"]
    assert main([*command, str(tmp_path / "again")]) == 0
    said = printed(capsys)
    assert "categorical_latents" in said and "digests" not in said
    row = pd.read_csv(tmp_path / "gym" / "repeat.csv").iloc[0]
    assert (row.claim, row.tasks, row.again_runs) == ("categorical_latents", 3, 36)
    assert row.again_effect == pytest.approx(0.5) and (row.alike, row.inside) == ("yes", "yes")
    assert row.difference_effect == pytest.approx(row.again_effect - row.effect)
    assert main([*command, str(tmp_path / "renamed")]) == 0
    assert "The digests differ: other settings, or other names in the code" in printed(capsys)
    assert main([*command, str(study)]) == 2
    assert "both have" in capsys.readouterr().err


def test_a_recommendation_is_tested_on_new_seeds_and_new_tasks(tmp_path, capsys):
    """All its options at once, by kind, in a table of its own."""
    both, again = "gru=plain,latent=gaussian", tmp_path / "again"
    kinds = {"cartpole": "vector", "acrobot": "vector", "space_invaders": "grid"}
    for task, seen in kinds.items():
        gain = 0.2 if seen == "vector" else -0.5
        arms = {"baseline": 0.3, "gru=plain": 0.3 + gain, "latent=gaussian": 0.3 + gain}
        write_arms(tmp_path / "runs", arms, task, range(12), more=0.001, observations=seen)
    out = tmp_path / "out"
    assert main(["recommend", "--runs", str(tmp_path / "runs"), "--out", str(out)]) == 0
    said, file = printed(capsys), out / "gym" / "recommendation.yaml"
    assert f"discrete, vector: {both.replace(',', ' ')}" in said and "discrete: the paper's" in said
    assert "[discrete_vector_again]' 'run.seed=range(12,22)' \\ suite=gym task=acrobot,cart" in said
    arms = [[], both.split(",")]
    assert grid.of_claims(str(file), ["discrete_vector_again"], "gym", "discrete") == arms
    for task, score in {"cartpole": 0.6, "acrobot": 0.6, "new": 0.1, "space_invaders": 0.9}.items():
        scores, seen = {"baseline": 0.3, both: score}, kinds.get(task, "vector")
        write_arms(again, scores, task, range(12, 24), more=0.001, observations=seen)
    command = ["table", "--runs", str(again), "--claims", str(file), "--out", str(tmp_path)]
    assert main(command) == 0
    found = pd.read_csv(tmp_path / "gym" / "claims.csv").set_index("claim")
    assert found.effect["discrete_vector_again"] == pytest.approx(0.3)
    assert found.effect["discrete_vector_new"] == pytest.approx(-0.2)
    assert found.words.tolist() == ["helps substantially", "hurts"] and found.shape[0] == 2
    effects = pd.read_csv(tmp_path / "gym" / "effects.csv")
    assert effects.task.tolist() == ["acrobot", "cartpole", "new"]


def test_without_a_sure_option_there_is_nothing_to_test(tmp_path, capsys):
    assert main(["recommend", *few(tmp_path / "runs"), "--out", str(tmp_path)]) == 0
    assert "Nothing to test: no option is surely better than the paper's" in printed(capsys)
    assert not (tmp_path / "gym" / "recommendation.yaml").exists()


def test_arms_with_runs_are_named_where_claims_have_none(study, tmp_path, capsys):
    own = tmp_path / "mine.yaml"
    row = "{id: mine, paper: none, with: latent=gausian, without: baseline, where: discrete}"
    own.write_text(f"margin: {{gym: 0.1}}\nclaims: [{row}]\n")
    assert main(["table", "--runs", str(study), "--claims", str(own), "--out", str(tmp_path)]) == 0
    said = printed(capsys)
    assert "No runs for: mine" in said and "latent=gaussian" in said


def test_runs_can_be_left_out_by_their_digest(tmp_path, capsys):
    write_run(tmp_path / "runs", seed=0, digest="aaaa")
    write_run(tmp_path / "runs", seed=1, digest="bbbb")
    command = ["export", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "runs.csv")]
    assert main(command) == 2 and "--leave-out" in capsys.readouterr().err
    assert main([*command, "--leave-out", "aaaa"]) == 0
    assert pd.read_csv(tmp_path / "runs.csv").digest.unique().tolist() == ["bbbb"]


def test_published_writes_table_1(published_folder, tmp_path, capsys):
    assert main(["published", "--from", str(published_folder), "--out", str(tmp_path)]) == 0
    line = "| DreamerV2 | 2.15 | 11.33 | 0.44 | 0.28 | 8 | 55 |"
    assert line in capsys.readouterr().out and line in (tmp_path / "table_1.md").read_text()
    assert len(pd.read_csv(tmp_path / "table_k1.csv")) == 55
    assert pd.read_csv(tmp_path / "scheduling.csv").words[0] == "no substantial help"
    assert len(pd.read_csv(tmp_path / "early_ended.csv")) == 56


def test_every_command_has_help(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as done:
            main([command, "--help"])
        said = capsys.readouterr().out
        assert done.value.code == 0 and all(flag in said for flag in COMMANDS[command][1])
    with pytest.raises(SystemExit):
        main(["plot", "--width", "1"])
    assert "invalid choice: 1.0 (choose from 6.9, 3.3)" in capsys.readouterr().err
