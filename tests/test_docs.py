"""Generated pages are fresh, and name what they should."""

import importlib.util
from pathlib import Path

from tests.test_toggles import OPTIONS

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_of_toggles_is_fresh_and_complete():
    spec = importlib.util.spec_from_file_location("toggles_page", DOCS / "toggles.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = (DOCS / "toggles.md").read_text()
    assert page == generator.page(), "run python docs/toggles.py"
    assert all(f"`{group}={option}`" in page for group, option in OPTIONS)
