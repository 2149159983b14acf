"""What README and docs say of the committed results is made from them, and says what they show."""

import re
from dataclasses import replace

import pytest
from PIL import Image

from analysis import InputError, claims, committed, findings, pages, read
from analysis.study import one
from tests.analysis.runs import SEEDS, write_run


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without results, with a README and a page of docs."""
    (tmp_path / "docs").mkdir()
    part = "<!-- results: {} -->\nold\n<!-- end -->\n"
    (tmp_path / "README.md").write_text("By hand.\n" + part.format("lists") + "The end.\n")
    text = "".join(
        map(part.format, ("claim kl_balancing_vs_standard", "forest", "baseline", "time"))
    )
    (tmp_path / "docs" / "page.md").write_text(text)
    (tmp_path / "docs" / "other.md").write_text("No part of it is made.\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(committed, "RUNS", tmp_path / "rounds")
    monkeypatch.setattr(committed, "HELD_OUT", tmp_path / "held_out")
    monkeypatch.setattr(committed, "SUITE", "gym")  # which has no ladder
    for folder in ("rounds", "held_out"):
        (tmp_path / folder).mkdir()
    return tmp_path


def small(root):
    for arm, score in (("baseline", 0.5), ("latent=gaussian", 0.4)):
        for seed in (0, 1):
            write_run(root, arm, seed=seed, finals=score + 0.1 * seed)
    return one(root, suite="gym")


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_pages_are_fresh(page):
    assert page.read_text() == pages.filled(page, committed.judged()), "run make results"


def test_the_forest_plot_is_fresh():
    if findings.is_waiting(committed.judged()):
        assert not pages.forest().exists()
    else:
        assert Image.open(pages.forest()).text["Description"] == pages.made_from(), "make results"


def test_every_claim_has_its_sentences():
    """What the paper found, what was found here, and why they may differ, in this order."""
    page = (pages.ROOT / "docs" / "results.md").read_text()
    sections = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    named = [re.search(r"<!-- results: claim (\w+) -->", section).group(1) for section in sections]
    assert sorted(named) == sorted(row.id for row in claims.load().claims)
    for section in sections:
        starts = [section.index(f"**{start}:**") for start in ("The paper", "Here")]
        assert starts == sorted(starts) and starts[1] < section.index("**Why they may differ:**")
    assert "contradict" not in page


def test_results_fill_the_pages(study, project, capsys):
    read.export(read.load(study), project / "rounds" / "round1.csv.gz")
    assert pages.main() == 0
    readme = (project / "README.md").read_text()
    assert readme.startswith("By hand.\n") and readme.endswith("<!-- end -->\nThe end.\n")
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    order = [row.split(" | ")[2].partition(":")[0] for row in rows]
    assert order == sorted(order, key=findings.ORDER.index) and len(rows) == 14
    assert re.search(rf"`categorical_latents` \| \+0\..* \| helps \| helps \| {SEEDS} \|", readme)
    assert re.search(r"`binary_latents` .* \| hurts \| no substantial help: worse", readme)
    assert re.search(r"`gru_layer_norm` .* \| undecided: \d+ seeds may decide it \|", readme)
    assert findings.summary(committed.judged()) in " ".join(readme.split())
    assert "`untrained_model` (positive control, discrete) -0.7" in readme
    assert "does not differ" in readme and findings.HERE in readme
    page = (project / "docs" / "page.md").read_text()
    found = (
        r"\*\*Here:\*\* on this suite.*: no substantial help; other than in the paper at its scale"
    )
    assert re.search(found, " ".join(page.split()))
    assert "A run took 10 s, 10 s on average" in page
    assert "](forest.png)" in page and "| `acrobot` | -500 | " in page
    assert (project / "docs" / "other.md").read_text() == "No part of it is made.\n"
    picture = Image.open(project / "docs" / "forest.png")
    assert picture.text["Description"] == pages.made_from() and "round1.csv.gz" in pages.made_from()
    assert pages.main() == 0  # and once more, without a change
    assert (project / "README.md").read_text() == readme


def test_the_decided_rows_are_counted_beside_the_paper(study):
    ours = one(study)
    said = (
        "Decided: 3 of 14; 2 as in the paper; 1 other than in the paper at its scale "
        "(`kl_balancing_vs_standard`); help by at least 0.1, the margin, is shown of "
        "`categorical_latents`"
    )
    assert findings.summary(ours) == f"{said}."
    one_task = ours.verdicts.carried_by.where(ours.verdicts.claim != "binary_latents", "cartpole")
    carried = replace(ours, verdicts=ours.verdicts.assign(carried_by=one_task))
    assert (
        findings.summary(carried) == f"{said}; carried by one task, `cartpole`: `binary_latents`."
    )


def test_before_a_round_is_complete_the_pages_say_so(project, monkeypatch):
    monkeypatch.setattr(committed, "SUITE", "mini")  # which has a ladder
    for seed in (0, 1):
        write_run(project / "runs", seed=seed, suite="mini", points=8)
    read.export(read.load(project / "runs"), project / "rounds" / "round1.csv.gz")
    assert pages.main() == 0
    readme = " ".join((project / "README.md").read_text().split())
    assert "No claim is judged yet. Round 1 lacks" in readme and "| `" not in readme
    assert findings.held_out(committed.judged()).startswith("No claim is judged yet. Round 1 lacks")
    page = (project / "docs" / "page.md").read_text()
    assert "no data: round 1 is not complete" in page and "| `cartpole` | 20 | " in page
    assert not (project / "docs" / "forest.png").exists()


def test_few_results_say_what_would_decide(tmp_path):
    ours = small(tmp_path)
    said = " ".join(findings.claim(ours, "categorical_latents").split())
    assert re.search(r"over 1 task, 2 seeds: undecided: \d+ seeds may decide it", said)
    assert "no comparison with the paper" in said
    assert findings.claim(ours, "gru_layer_norm") == "**Here:** no data: no runs of gru=plain."
    assert "nothing is no substantial help" in " ".join(findings.lists(ours).split())


def test_rows_run_again_stand_beside_their_verdicts(study, project):
    arms = {"baseline": 0.8, "latent=gaussian": 0.0, "recipe.model_lr=0": 0.0}
    for arm, score in arms.items():
        for seed in (200, 201):
            for task in ("cartpole", "acrobot", "space_invaders"):
                write_run(project / "runs", arm, task, seed, finals=score + 0.1 * (seed - 200))
    read.export(read.load(project / "runs"), project / "held_out" / "again.csv.gz")
    ours = one(study)
    (row,) = findings.held_out(ours).splitlines()[2:]  # of the claim, not of the control
    name, verdict, effect, again, runs, inside, alike = row.strip("| ").split(" | ")
    stated = ours.verdicts[ours.verdicts.stated]
    (judged,) = stated[stated.claim == "categorical_latents"].itertuples()
    assert (name, verdict, runs) == ("`categorical_latents`", "helps", "6 + 6")
    assert effect == f"{judged.effect:+.3f} [{judged.low:+.3f}, {judged.high:+.3f}]"
    assert again.startswith("+0.800 [") and (inside, alike) == ("no", "no")


def test_what_runs_took_is_the_mean_of_those_that_are_done(project):
    for seed, seconds in enumerate((10.0, 20.0, 60.0)):
        write_run(project / "runs", seed=seed, wall_seconds=seconds)
    write_run(project / "runs", seed=3, wall_seconds=1.0, status="failed")
    read.export(read.load(project / "runs"), project / "rounds" / "round1.csv.gz")
    said = " ".join(findings.time().split())
    assert said == "A run took 10-60 s, 30 s on average; two at a time, 60 take about 15 minutes."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- results: wishes -->\n<!-- end -->", "README.md: no part 'wishes'; there are: lists"),
        ("<!-- results: lists -->\n", "README.md: a part is not closed by <!-- end -->"),
        (
            "<!-- results: lists -->\n<!-- results: baseline -->\n<!-- end -->",
            "README.md: no part|a part is not closed",
        ),
    ],
)
def test_a_wrong_mark_is_one_line(project, capsys, text, message):
    (project / "README.md").write_text(text)
    with pytest.raises(InputError, match=message):
        pages.filled(project / "README.md", small(project / "runs"))
    read.export(read.load(project / "runs"), project / "rounds" / "round1.csv.gz")
    assert pages.main() == 2 and capsys.readouterr().err.count("\n") == 1


def test_scheduling_at_full_scale_is_that_of_the_published_scores(tmp_path, monkeypatch):
    said = " ".join((pages.ROOT / "docs" / "results.md").read_text().split())
    assert "220 runs with schedules and 440 without" in said
    assert "+0.004 [-0.019, +0.024]" in said and "no substantial help, as in the paper" in said
    monkeypatch.setattr(committed, "SCORE_FILES", tmp_path / "absent")
    assert findings.scheduling() is None
    assert said == " ".join(
        pages.filled(pages.ROOT / "docs/results.md", committed.judged()).split()
    )
