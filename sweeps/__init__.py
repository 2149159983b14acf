"""Sweeps: which runs a command stands for, starting them, and looking at them."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter


def program(name: str, description: str | None) -> ArgumentParser:
    """The parser of the arguments of `python -m sweeps.NAME`."""
    told = {"description": description, "formatter_class": RawDescriptionHelpFormatter}
    return ArgumentParser(prog=f"python -m sweeps.{name}", **told)
