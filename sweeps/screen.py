"""The terminal that plans and reports are printed to."""

import sys

from rich.console import Console

FILE_WIDTH = 200  # columns where the output is no terminal


def console() -> Console:
    """A console that wraps at the terminal's width, and hardly ever elsewhere."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
