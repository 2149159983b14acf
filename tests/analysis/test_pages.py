"""The HTML pages in a real browser: nothing sticks out of a window, wide or narrow."""

import json
import re
import shutil
import subprocess
from html import escape, unescape

import pytest

from analysis import claims, executed, html_page, report, tables
from analysis.study import one
from tests.analysis.runs import write_run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
WIDE, NARROW = 1280, 400
# Shows the page in frames of both widths and writes what sticks out, of the page and of the boxes
# that scroll by themselves, and the smallest letters.
MEASURE = """<!DOCTYPE html><body>%s<pre id="result"></pre><script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, root = page.documentElement;
    const boxes = [...page.querySelectorAll("body *")];
    const own = (box) => frame.contentWindow.getComputedStyle(box);
    return {
      window: root.clientWidth,
      page: root.scrollWidth,
      scrolling: boxes.filter((box) => box.scrollWidth > box.clientWidth + 1
        && own(box).overflowX === "auto").length,
      letters: Math.min(...boxes.map((box) => parseFloat(own(box).fontSize))),
    };
  });
  document.getElementById("result").textContent = JSON.stringify(found);
});
</script></body>"""


@pytest.fixture(scope="session")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser to look at pages: none of {', '.join(BROWSERS)} is installed")
    return found


def measured(browser, page, folder):
    """What the page measures in a wide and a narrow window."""
    frames = [
        f'<iframe style="width:{width}px; height:900px; border:0" srcdoc="{escape(page)}"></iframe>'
        for width in (WIDE, NARROW)
    ]
    (folder / "measure.html").write_text(MEASURE % "".join(frames))
    own = f"--user-data-dir={folder / 'profile'}"
    command = [browser, *QUIET, own, "--dump-dom", (folder / "measure.html").as_uri()]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    (result,) = re.findall(r'<pre id="result">(.*?)</pre>', answer.stdout[-2000:], re.DOTALL)
    return json.loads(unescape(result))


def check(browser, page, folder):
    wide, narrow = measured(browser, page, folder)
    assert (wide["window"], narrow["window"]) == (WIDE, NARROW)
    assert wide["page"] <= WIDE and narrow["page"] <= NARROW
    assert wide["scrolling"] == 0
    assert min(wide["letters"], narrow["letters"]) >= 12
    return narrow["scrolling"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two arms, two seeds, one task."""
    root = tmp_path_factory.mktemp("small")
    for arm, score in (("baseline", 0.5), ("latent=gaussian", 0.4)):
        for seed in (0, 1):
            write_run(root, arm, seed=seed, finals=score + 0.1 * seed)
    return root


def lists_page(runs):
    ours = one(runs, suite="gym")
    parts = tables.lists(ours.verdicts) | tables.controls(ours)
    return html_page.lists(parts, "The two lists", " ".join(tables.insensitive(ours)))


def test_the_lists_fit_any_window(browser, study, small, tmp_path):
    assert check(browser, lists_page(study), tmp_path) > 0  # wide tables scroll by themselves
    check(browser, lists_page(small), tmp_path)


def test_the_report_fits_any_window(browser, study, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="the report needs: pip install '.[report]'")
    committed = {
        name: nbformat.read(executed.FOLDER / f"{name}.ipynb", as_version=4)
        for name in executed.NOTEBOOKS
    }
    values = {"runs": str(study), "claims_file": str(claims.DEFAULT), "suite": "gym"}
    values |= {"published_scores": None, "leave_out": [], "ladder": False}
    lists = executed.execute("01_the_two_lists", values)
    for notebooks in (committed, {"01_the_two_lists": lists}):
        check(browser, report.page(notebooks, "Report"), tmp_path)


def test_a_page_that_sticks_out_is_found(browser, tmp_path):
    broken = html_page.document("broken", '<p style="width: 1500px">wide</p>')
    with pytest.raises(AssertionError):
        check(browser, broken, tmp_path)


def test_a_list_without_rows_says_so_and_no_table_lacks_a_heading(small):
    page = lists_page(small)
    assert all(f"<h2>{title}</h2>\n<p>{tables.EMPTY[title]}" in page for title in tables.LISTS)
    assert "<tbody>\n  </tbody>" not in page
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert len({*headings}) == len(headings) > page.count("<table")
    assert "https:" not in page and "<script" not in page
