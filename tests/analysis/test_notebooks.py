"""The notebooks run on small data and show what they promise; the report holds them all."""

import re

import pytest

pytest.importorskip("nbconvert", reason="the report needs the extra: pip install '.[report]'")

from analysis import InputError, claims, report  # noqa: E402
from tests.analysis.runs import SEEDS  # noqa: E402


@pytest.fixture(scope="module")
def executed(study):
    """Function of a notebook's name: its outputs' text, its number of pictures, and the notebook,
    executed once."""
    done = {}

    def run(name, published=None):
        if name not in done:
            values = {
                "runs": str(study),
                "claims_file": str(claims.DEFAULT),
                "suite": "mini",
                "published_scores": published,
                "leave_out": [],
            }
            done[name] = report.execute(name, values)
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
    found = re.search(rf"<th>{re.escape(row)}</th>(.*?)</tr>", text, re.DOTALL)
    return re.findall(r"<td>(.*?)</td>", found.group(1))


def test_learning_curves(executed):
    text, pictures, _ = executed("01_learning_curves")
    assert pictures == 1
    assert cells(text, "baseline")[:4] == [str(SEEDS)] * 4
    assert "Every run is complete." in text
    assert "0.80" in text or "0.79" in text or "0.81" in text


def test_what_helps(executed):
    text, pictures, _ = executed("02_what_helps")
    assert pictures == 4  # forest, one claim's tasks, aggregates, profiles
    assert "helps" in cells(text, "categorical_latents") and f"{3 * SEEDS} + {3 * SEEDS}" in cells(
        text, "categorical_latents"
    )
    assert "binary_latents" not in text
    assert "positive control" in cells(text, "0")


def test_what_does_not(executed):
    text, _, _ = executed("03_what_does_not")
    assert "hurts" in cells(text, "binary_latents")
    assert "undecided" in cells(text, "gru_layer_norm") and "no data" in cells(text, "scheduling")
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
    names = ["01_learning_curves", "05_your_own_toggle"]
    page = report.page({name: executed(name)[2] for name in names}, "Title <x>")
    assert "<title>Title &lt;x&gt;</title>" in page
    assert page.count("data:image/png;base64") == 3
    assert re.findall(r"""(?:src|href)=["'](?!data:|#)""", page) == []
    assert "<script" not in page
    assert 'id="01_learning_curves"' in page and 'href="#05_your_own_toggle"' in page
    assert "study.one" not in page  # prose and results, no code


def test_an_error_in_a_notebook_is_one_line(tmp_path):
    values = {
        "runs": str(tmp_path),
        "claims_file": str(claims.DEFAULT),
        "suite": None,
        "published_scores": None,
        "leave_out": [],
    }
    with pytest.raises(
        InputError, match="notebook 03_what_does_not: InputError: .*no readable run found"
    ) as error:
        report.execute("03_what_does_not", values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", report.NOTEBOOKS)
def test_notebooks_are_prose_calls_and_figures(name):
    source = (report.FOLDER / f"{name}.py").read_text()
    assert not re.search(r"^\s*(def|class|for .*:\n\s+for) ", source, re.MULTILINE)
    assert source.count('# %% tags=["parameters"]') == 1


def test_there_are_five_notebooks():
    assert [name[:2] for name in report.NOTEBOOKS] == ["01", "02", "03", "04", "05"]
