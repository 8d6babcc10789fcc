"""HTML that notebooks show: messages, paragraphs, code, tables, links to download.

The parts take their colours from the page, and read well on light and dark themes alike.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from course_utils.colours import BLUE, GREEN, VERMILLION

# kind -> (colour of the border, sign, word): the colour never stands alone
_KINDS = {
    "right": (GREEN, "✓", "Right"),
    "not yet": (VERMILLION, "✗", "Not yet"),
    "not attempted": (BLUE, "○", "Not attempted yet"),
    "not drawn": (VERMILLION, "✗", "Not drawn"),
    "note": (BLUE, "ℹ", "Note"),
}
_INK = "color:var(--jp-content-font-color1,inherit)"
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"


@dataclass(frozen=True)
class Message:
    """Something shown in a cell's output: HTML in a notebook, text elsewhere."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def rich(text: str) -> str:
    """Escaped text in which `words in backticks` are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def block(*parts: str) -> str:
    """HTML parts below each other, in the page's own colour."""
    return f'<div style="line-height:1.5;{_INK}">{"".join(parts)}</div>'


def box(kind: str, title: str, body: str = "", *, alert: bool = False) -> str:
    """HTML of a message.

    Args:
        kind: ``"right"``, ``"not yet"``, ``"not attempted"``, ``"not drawn"`` or ``"note"``.
        title: a sentence, in which `words in backticks` are code.
        body: HTML below it.
        alert: screen readers say it at once.
    """
    colour, sign, word = _KINDS[kind]
    role = ' role="alert"' if alert else ""
    return (
        f'<div{role} style="border-left:4px solid {colour};padding:4px 12px;margin:6px 0;'
        f'max-width:46em;line-height:1.5;{_INK}">'
        f'<div><span aria-hidden="true">{sign} </span><b>{word}.</b> {rich(title)}</div>'
        f"{body}</div>"
    )


def note(text: str) -> Message:
    """A plain message that is about neither right nor wrong."""
    return Message(box("note", text), text)


def broken(error: Exception) -> str:
    """HTML for a fault of the course itself, where a browser would show nothing of it."""
    what = f"This part of the course is broken: {type(error).__name__}: {error}"
    return box("note", what, alert=True)


def sentence(text: str) -> str:
    """A text, such as an exception's, with a capital at its start and a stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(("?", "!", ".")) else f"{text}."


def paragraph(text: str) -> str:
    """One paragraph of HTML from plain text."""
    return f'<p style="margin:4px 0;line-height:1.5">{rich(text)}</p>'


def code_block(text: str) -> str:
    """Preformatted HTML that wraps nothing and scrolls sideways, by the arrow keys, too."""
    return (
        '<pre tabindex="0" style="margin:2px 0 6px;padding:4px 8px;overflow-x:auto;white-space:pre;'
        "font-size:12px;border:1px solid var(--jp-border-color2,#888);background:transparent;"
        'color:inherit">'
        f"{escape(text)}</pre>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """HTML of a table that screen readers can walk: columns and rows have names.

    Args:
        head: the columns' names, HTML.
        rows: for each row its cells, HTML; the first one names the row.
        caption: HTML above the table.
    """
    titles = "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row" style="{_CELL};font-weight:normal">{first}</th>'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    above = f'<caption style="text-align:left">{caption}</caption>' if caption else ""
    return (
        f'<table style="line-height:1.5;{_INK}">{above}<thead><tr>{titles}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def download_link(label: str, name: str, content: str, *, media: str) -> str:
    """HTML of a link that saves a text as a file.

    Args:
        label: what the link says.
        name: of the file.
        content: the text, which the link carries along.
        media: its media type, such as ``"text/html"``.
    """
    data = base64.b64encode(content.encode()).decode()
    return (
        f'<a download="{escape(name)}" style="text-decoration:underline;'
        'color:var(--jp-content-link-color,#0072B2)" '
        f'href="data:{media};base64,{data}">{escape(label)}</a>'
    )
