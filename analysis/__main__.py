"""Command line: `python -m analysis COMMAND --help`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from analysis import InputError, claims, commands, score
from analysis.show import style

OUT = "folder for what is written (results)"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; a user's mistake is one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands_ = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable) -> argparse.ArgumentParser:
        text = run.__doc__.rstrip(".")
        own = commands_.add_parser(name, help=text, description=text)
        own.set_defaults(run=run)
        return own

    for name, run in (
        ("table", commands.table),
        ("plot", commands.plot),
        ("report", commands.page),
        ("recommend", commands.recommended),
        ("repeat", commands.repeat),
    ):
        own = command(name, run)
        _runs(own)
        _judged(own)
        if name == "table":
            own.add_argument("--wide", action="store_true", help="print everything, in 200 columns")
        if name == "plot":
            own.add_argument(
                "--width",
                type=_inches,
                default=style.PAGE,
                help=f"inches of a figure ({style.PAGE}: a page; {style.COLUMN}: a paper's column)",
            )
        if name == "repeat":
            own.add_argument("--of", required=True, help="what they repeat, as --runs takes it")

    own = command("published", commands.paper)
    source = "folder or URL of the official score files"
    own.add_argument("--from", dest="source", required=True, help=source)
    own.add_argument("--out", type=Path, default=Path("results"), help=OUT)

    own = command("export", commands.export)
    _runs(own)
    own.add_argument("--out", type=Path, required=True, help="file to write, as in runs.csv.gz")
    own.add_argument(
        "--train", action="store_true", help="training episodes too, not only evaluations"
    )

    own = command("calibrate", commands.calibrate)
    own.add_argument("--studies", type=int, default=2000, help="simulated studies per row (2000)")
    own.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    return parser


def _runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", default="runs", help="folder of runs, or of exported csv files, or such a file"
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="DIGEST",
        help="not the runs with this digest, their own or their baseline's; may be repeated",
    )


def _judged(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("results"), help=OUT)
    parser.add_argument(
        "--claims", type=Path, default=claims.DEFAULT, help="claims file (sweeps/claims.yaml)"
    )
    parser.add_argument("--suite", help="only this suite (default: every suite that has runs)")
    parser.add_argument(
        "--references",
        type=Path,
        metavar="FILE",
        help="YAML with random and reference scores by task, in place of those that the runs carry",
    )
    parser.add_argument(
        "--window",
        choices=score.WINDOWS,
        help="another score than the one that the claims file registers, marked as such",
    )


def _inches(text: str) -> float:
    if not 3 <= (width := float(text)) <= 30:
        raise argparse.ArgumentTypeError(f"{text}: a width is from 3 to 30 inches")
    return width


if __name__ == "__main__":
    sys.exit(main())
