"""The notebooks run on small data and show what they promise; the report holds them all."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest

needed = "the report needs the extra: pip install '.[report]'"
jupytext = pytest.importorskip("jupytext", reason=needed)
pytest.importorskip("nbconvert", reason=needed)

from analysis import InputError, claims, committed, report  # noqa: E402
from analysis import executed as executed_  # noqa: E402
from tests.analysis.runs import SEEDS, STUDY, write_run  # noqa: E402


def parameters(runs, published=None, suite="gym"):
    return {
        "runs": str(runs),
        "claims_file": str(claims.DEFAULT),
        "suite": suite,
        "published_scores": published,
        "leave_out": [],
        "ladder": False,
    }


@pytest.fixture(scope="module")
def executed(study):
    """Function of a notebook's name: its outputs' text, its number of pictures, and the notebook,
    executed once."""
    done = {}

    def run(name, published=None):
        if name not in done:
            done[name] = executed_.execute(name, parameters(study, published))
        outputs = [output for cell in done[name].cells for output in cell.get("outputs", [])]
        data = [output.get("data", {}) for output in outputs]
        text = "\n".join(
            [output.get("text", "") for output in outputs]
            + [own.get("text/html", "") for own in data]
        )
        markdown = "\n".join(own.get("text/markdown", "") for own in data)
        return text + markdown, sum("image/png" in own for own in data), done[name]

    return run


def cells(text, row):
    """The cells of the HTML table row that starts with `row`."""
    found = re.search(rf"<tr>\s*<td>{re.escape(row)}</td>(.*?)</tr>", text, re.DOTALL)
    return re.findall(r"<td>(.*?)</td>", found.group(1))


def test_the_two_lists(executed):
    text, pictures, _ = executed("01_the_two_lists")
    assert pictures == 1  # forest
    helped, _, rest = text.partition("<caption>Effect surely below the margin</caption>")
    refused, _, rest = rest.partition("<caption>Claims without a verdict</caption>")
    assert "helps" in cells(helped, "categorical_latents")
    assert f"{3 * SEEDS} + {3 * SEEDS}" in cells(helped, "categorical_latents")
    assert "hurts" in cells(refused, "binary_latents")
    assert "undecided" in cells(rest, "gru_layer_norm") and "no data" in cells(rest, "scheduling")
    assert "positive control" in cells(rest, "untrained_model")
    assert f"**On {len(STUDY) * 4 * SEEDS} runs, 4 tasks, suite gym" in rest


def test_lists_without_rows_say_so(tmp_path):
    """Two arms with two seeds on one task decide nothing, and no table is a header alone."""
    for arm, score in (("baseline", 0.5), ("latent=gaussian", 0.4)):
        for seed in (0, 1):
            write_run(tmp_path, arm, seed=seed, finals=score + 0.1 * seed)
    notebook = executed_.execute("01_the_two_lists", parameters(tmp_path))
    page = report.page({"01_the_two_lists": notebook}, "small")
    assert "<strong>No change is here: that takes an effect surely above 0." in page
    assert "<strong>No change is here: that takes an effect surely below the margin" in page
    assert "nothing is no substantial help" in page
    assert "<tbody>\n  </tbody>" not in page
    captions = re.findall(r"<table[^>]*><caption>(.+?)</caption>", page)
    assert len(captions) == page.count("<table") - 1 and len({*captions}) == len(captions)


def test_learning_curves(executed):
    text, pictures, _ = executed("02_learning_curves")
    assert pictures == 1
    assert cells(text.split("<caption>Scored runs")[1], "baseline") == [str(SEEDS)] * 4
    assert "Every run is complete." in text
    (score,) = set(cells(text.split("<caption>Mean normalised score")[1], "baseline"))
    assert score == "0.80"


def test_task_by_task(executed):
    text, pictures, _ = executed("03_task_by_task")
    assert pictures == 5  # three claims with a verdict, aggregates, profiles
    assert "gradient mixing" in text
    assert cells(text, "No Layer Norm")[:4] == ["1.66", "5.95", "0.38", "0.25"]


def test_the_paper(executed, published_folder):
    text, pictures, _ = executed("04_the_paper", str(published_folder))
    assert pictures == 2
    assert cells(text, "DreamerV2")[:4] == ["2.15", "11.33", "0.44", "0.28"]
    assert text.count("no substantial help") == 5
    assert cells(text, "breakout")[-2] == "312"


def test_your_own_toggle(executed):
    text, pictures, notebook = executed("05_your_own_toggle")
    assert pictures == 2
    assert "id: my_toggle, paper: none, with: 'latent=gaussian', without: baseline" in text
    assert "my_toggle" in text and "hurts" in text


def test_a_report_is_one_page_without_links(executed):
    names = ["02_learning_curves", "05_your_own_toggle"]
    page = report.page({name: executed(name)[2] for name in names}, "Title <x>")
    assert "<title>Title &lt;x&gt;</title>" in page
    assert page.count("data:image/png;base64") == 3
    assert re.findall(r"""(?:src|href)=["'](?!data:|#)""", page) == []
    assert "<script" not in page
    assert 'id="02_learning_curves"' in page and 'href="#05_your_own_toggle"' in page
    assert "study.one" not in page  # prose and results, no code


def test_an_error_in_a_notebook_is_one_line(tmp_path):
    with pytest.raises(
        InputError, match="notebook 03_task_by_task: InputError: .*no readable run found"
    ) as error:
        executed_.execute("03_task_by_task", parameters(tmp_path, suite=None))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", executed_.NOTEBOOKS)
def test_notebooks_are_prose_calls_and_figures(name):
    source = (executed_.FOLDER / f"{name}.py").read_text()
    assert not re.search(r"^\s*(def|class|for .*:\n\s+for) ", source, re.MULTILINE)
    assert source.count('# %% tags=["parameters"]') == 1


def test_there_are_five_notebooks():
    assert [name[:2] for name in executed_.NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("name", executed_.NOTEBOOKS)
def test_committed_notebooks_are_fresh(name):
    """Each was executed on the source and the results that are here now, and can be read alone."""
    path = executed_.FOLDER / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    stored, now = notebook["metadata"]["made_from"], executed_.made_from(name)
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
    for own in (str(executed_.FOLDER.parents[1]), tempfile.gettempdir(), str(Path.home())):
        assert own not in path.read_text()


def test_a_rebuild_without_the_score_files_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(committed, "SCORE_FILES", tmp_path / "absent")
    monkeypatch.setattr(executed_, "NOTEBOOKS", [executed_.PAPER_NOTEBOOK])
    assert executed_.main() == 0
    said = capsys.readouterr()
    assert said.out == "" and "baselines.json" in said.err and "absent" in said.err


def test_a_rebuild_writes_the_same_file(tmp_path, monkeypatch):
    """Nothing in a notebook comes from the clock, the machine or chance."""
    shutil.copy(executed_.FOLDER / "02_learning_curves.py", tmp_path)
    monkeypatch.setattr(executed_, "FOLDER", tmp_path)
    again = executed_.rebuild("02_learning_curves").read_text()
    first = json.loads((committed.PACKAGE / "notebooks/02_learning_curves.ipynb").read_text())
    again = json.loads(again)
    for notebook in (first, again):  # pictures and their sizes depend on the fonts' rendering
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                output["data"].pop("image/png", None)
    assert again == first
