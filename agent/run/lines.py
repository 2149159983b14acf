"""Text files that grow by lines and are cut back: what a kill leaves of them is still readable."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


def whole_lines(path: Path) -> Iterator[str]:
    """Lines without their ends; a last one that was cut off is left out."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("\n"):
                yield line[:-1]


def rewrite(file: TextIO, lines: list[str]) -> TextIO:
    """Replace an open file's contents atomically and return it open for appending."""
    path = Path(file.name)
    file.close()
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, path)
    return open(path, "a", encoding="utf-8")
