"""What every HTML page has: one file with its style inside, as wide as its window and no wider."""

from html import escape

import pandas as pd

from analysis import formats, tables

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; }
body { max-width: 1500px; margin: 0 auto; padding: 1rem; }
nav { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #ccc; padding: .5rem 0; }
nav a { display: inline-block; margin-right: 1.5rem; color: #0072B2; text-decoration: none; }
section { border-bottom: 1px solid #ccc; padding-bottom: 1rem; }
h1 { scroll-margin-top: 3rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 13px; border: none; margin: .5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: .25rem .5rem; }
th, td { padding: .25rem .5rem; border: none; border-bottom: 1px solid #ddd; }
th, td { text-align: left !important; vertical-align: top !important; }
.wide, .output_subarea, .text_cell_render { overflow-x: auto; }
.anchor-link { display: none; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 800px) {
  body { overflow-wrap: anywhere; }
  nav { position: static; }
  img { max-width: none; }
  table { width: max-content; max-width: 55rem; overflow-wrap: normal; }
}
"""


def document(title: str, body: str) -> str:
    """A page that opens without a server and asks nothing of the network."""
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def lists(parts: dict[str, pd.DataFrame], title: str, text: str) -> str:
    """The page of printable lists and controls by title; one without rows says so in words.

    What a reader compares comes first; the other columns of the lists have a table of their own.
    """
    first = [*tables.NARROW, "seeds to decide", "note"]
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(text)}</p>"]
    claims = pd.concat([part for part in parts.values() if "change" in part])
    for name, part in parts.items():
        body.append(f"<h2>{escape(name)}</h2>")
        shown = part[first] if "change" in part else part
        body.append(_table(shown) if len(part) else f"<p>{escape(tables.EMPTY[name])}</p>")
    rest = claims.drop(columns=first[1:])
    body += [f"<h2>{tables.DETAILS}</h2>", _table(rest)]
    return document(title, "\n".join(body))


def _table(frame: pd.DataFrame) -> str:
    return f'<div class="wide">{formats.html(formats.filled(frame))}</div>'
