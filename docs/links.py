"""What mkdocs.yml adds to the pages of docs/: README.md and CONTRIBUTING.md are pages too, and a
link to code leads to `repo_url`, or is plain text where there is none."""

import re
from pathlib import Path
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(!?)\[([^]]*)]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to pages of the site and to the repository."""
    folder = "" if page.file.src_uri in PAGES.values() else "docs/"

    def pointed(link: re.Match) -> str:
        mark, text, target, anchor = link.groups(default="")
        if "://" in target:
            return link[0]
        path = normpath(folder + target)
        own = PAGES.get(path) or path.removeprefix("docs/")
        if files.get_file_from_path(own):
            return f"{mark}[{text}]({own}{anchor})"
        return f"[{text}]({config.repo_url}/blob/main/{path})" if config.repo_url else text

    return LINK.sub(pointed, markdown)
