"""README, docs and notebooks say what the committed results show, and the report fits a window."""

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from analysis import InputError, claims, committed
from analysis.__main__ import main
from analysis.sentences import RECOMMENDATION
from analysis.show import figures, notebooks, pages


@pytest.fixture(scope="module")
def ours():
    """The committed results, judged."""
    return committed.judged()


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_pages_are_fresh(page, ours):
    assert page.read_text() == pages.filled(page, ours), "run make results"


def test_the_readme_shows_the_map_and_the_claims_and_whose_rule_came_later(ours):
    stored = Image.open(pages.ROOT / pages.MAP).text["Description"]
    assert stored == pages.description(), "run make results"
    readme = (pages.ROOT / "README.md").read_text()
    assert f"]({pages.MAP})" in readme
    rows = re.findall(r"^\| `(\w+)` \| [+-]\d\.\d{3} \[", readme, flags=re.MULTILINE)
    assert rows == ours.claims.claim.tolist()
    assert "mini, by a rule that was fixed after its 1,720 runs" in " ".join(readme.split())


def test_every_claim_has_its_sentences():
    """What the paper found, what was found here, and why they may differ, in this order."""
    page = (pages.ROOT / "docs" / "results.md").read_text()
    sections = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    named = [re.search(r"<!-- results: claim (\w+) -->", section).group(1) for section in sections]
    assert sorted(named) == sorted(row.id for row in claims.load().claims)
    for section in sections:
        starts = [section.index(f"**{start}") for start in ("The paper:", "Here:", "Why")]
        assert starts == sorted(starts)


def test_a_claims_sentence_says_mean_tasks_kinds_and_budget(ours):
    said = " ".join(pages.parts(ours)["claim categorical_latents"]().split())
    row = ours.claims.set_index("claim").loc["categorical_latents"]
    assert f"{row.effect:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" in said
    assert f"better on {row.better}, worse on {row.worse}, tied on {row.tied} tasks" in said
    assert "on `mini`: +0.026" in said and "worse on cartpole" in said
    for kind in ("grid", "image", "vector"):
        assert f" on {kind} tasks" in said
    assert list(figures.kinds_of_tasks(ours)) == ["vector"] * 12 + ["grid"] * 4 + ["image"] * 4
    end = ours.budget[(ours.budget.claim == row.name) & (ours.budget.step == 1)].effect.iloc[0]
    assert f"{end:+.2f} after all of it" in said


def test_what_is_recommended_is_a_line_a_kind(ours):
    vector, grid = "discrete, vector", "discrete, grid"
    rows = [(vector, "latent", "latent=gaussian", 0.2, 0.1, 0.3, True)]
    rows += [(vector, "gru", "gru=plain", 0.3, 0.2, 0.4, True)]
    rows += [(grid, "gru", "gru=plain", 0.1, -0.1, 0.3, False)]
    frame = pd.DataFrame(rows, columns=[*RECOMMENDATION, "recommended"])
    said = pages.parts(replace(ours, recommendation=frame))["recommendation"]()
    effects = "`latent=gaussian` +0.200 [+0.100, +0.300], `gru=plain` +0.300 [+0.200, +0.400]"
    assert said.split("\n") == [f"- {vector}: {effects}", "- other tasks: the paper's options"]


def test_a_part_that_is_not_known_or_not_closed_is_named(ours, tmp_path, monkeypatch):
    """What needs the paper's scores stays as it is where they are not."""
    page = tmp_path / "page.md"
    page.write_text("<!-- results: nonsense -->\n<!-- end -->\n")
    with pytest.raises(InputError, match="page.md: no part 'nonsense'; there are: claims"):
        pages.filled(page, ours)
    page.write_text("<!-- results: time -->\n")
    with pytest.raises(InputError, match="not closed"):
        pages.filled(page, ours)
    monkeypatch.setattr(committed, "SCORE_FILES", tmp_path / "absent")
    page.write_text("<!-- results: scheduling -->\nbefore\n<!-- end -->\n")
    assert pages.filled(page, ours) == page.read_text()


def test_the_row_that_docs_recompute_is_the_tables():
    page = (pages.ROOT / "docs" / "analysis.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    found = {}
    exec(code.replace("analysis/results", str(committed.PACKAGE / "results")), found)
    effects = committed.judged(committed.MINI).effects.set_index(["claim", "task"])
    row = effects.loc[("categorical_latents", "catch")]
    assert (found["effect"], found["error"]) == pytest.approx((row.effect, row.error))


@pytest.mark.parametrize("name", notebooks.NAMES)
def test_committed_notebooks_are_fresh(name):
    """Each was executed on the source and the results that are here now, and can be read alone."""
    jupytext = pytest.importorskip("jupytext", reason="pip install '.[report]'")
    path = notebooks.FOLDER / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    stored, now = notebook["metadata"]["made_from"], notebooks.made_from(name)
    if not committed.SCORE_FILES.is_dir():
        stored = {file: own for file, own in stored.items() if not file.endswith(".json")}
    assert stored == now, "run make notebooks"
    sources = [("".join(cell["source"]), cell["cell_type"]) for cell in notebook["cells"]]
    paired = jupytext.read(path.with_suffix(".py")).cells
    assert sources == [(cell.source, cell.cell_type) for cell in paired]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert outputs and not any(output["output_type"] == "error" for output in outputs)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert path.stat().st_size < 1_000_000
    for output in outputs:
        output.get("data", {}).pop("image/png", None)  # its letters can spell anything
    for own in (str(pages.ROOT), tempfile.gettempdir(), str(Path.home())):
        assert own not in json.dumps(notebook)


def test_the_notebooks_show_what_they_promise():
    shown = {name[:2]: (notebooks.FOLDER / f"{name}.ipynb").read_text() for name in notebooks.NAMES}
    assert list(shown) == ["01", "02", "03", "04", "05"]
    for title in ("Depends on the task", "Changes that helped", "Changes that did not help"):
        assert f"**{title}" in shown["01"]
    assert "<td>2.15</td>" in shown["04"] and "<td>11.33</td>" in shown["04"]
    assert "depends on the task" in shown["05"] and "better on catch" in shown["05"]


def test_a_notebook_runs_in_a_real_kernel(tmp_path):
    """Whatever kernels a reader has registered; an error in it is one line."""
    pytest.importorskip("nbclient", reason="pip install '.[report]'")
    source = tmp_path / "99_mine.py"
    source.write_text("# %%\nfrom analysis import study\nprint(study.KNOWN)\n# %%\n1 + 1\n")
    notebook = notebooks.execute(source)
    assert [cell.id for cell in notebook.cells] == ["99-01", "99-02"]
    assert notebook.cells[0].outputs[0].text == "known\n"
    source.write_text("# %%\nraise ValueError('no runs')\n")
    with pytest.raises(InputError, match="ValueError: no runs") as error:
        notebooks.execute(source)
    assert "\n" not in str(error.value)


def test_a_rebuild_without_the_score_files_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(committed, "SCORE_FILES", tmp_path / "absent")
    monkeypatch.setattr(notebooks, "NAMES", [notebooks.PAPER])
    assert main(["notebooks"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and "baselines.json" in said.err and "absent" in said.err


def test_a_rebuilt_notebook_lies_beside_its_source_and_names_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "one.py").write_text("# %%\nprint(1)\n")
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "NAMES", ["one"])
    empty, executed = pytest.importorskip("nbformat").v4.new_notebook(), []
    monkeypatch.setattr(notebooks, "execute", lambda source: executed.append(source) or empty)
    assert main(["notebooks"]) == 0 and capsys.readouterr().out == f"{tmp_path / 'one.ipynb'}\n"
    written = json.loads((tmp_path / "one.ipynb").read_text())["metadata"]
    assert written["made_from"] == notebooks.made_from("one")
    assert executed == [tmp_path / "one.py"]


def test_the_report_fits_any_window(page):
    """What is wide scrolls in a box of its own, pictures shrink, and no letter is small."""
    assert page.count("<table") == page.count('<div class="wide"><table') > 5
    for rule in ("width=device-width", "img { max-width: 100%", ".wide { overflow-x: auto"):
        assert rule in page
    assert min(map(int, re.findall(r"font(?:-size)?: (\d+)px", page))) >= 12
