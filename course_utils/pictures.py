"""What every picture of the course has in common: colours, a text alternative, a way to show.

A :class:`Picture` is inline SVG. Text and lines take the colour of the page around them, so it
reads well on light and dark themes alike.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

# Okabe and Ito's colours, told apart by colour-blind readers too (Okabe & Ito 2008).
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)

# Dark text on these fills has a contrast of at least 4.5 to 1.
ON_FILL = "#111111"
FONT = "system-ui, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Picture:
    """An inline SVG with its text alternative."""

    svg: str
    """One ``<svg>`` element."""
    alt: str
    """What the picture shows, with its numbers."""

    @property
    def html(self) -> str:
        """The picture as HTML, named by its text alternative."""
        label = html.escape(self.alt, quote=True)
        head, body = re.match(r"<svg\b([^>]*)>(.*)\Z", self.svg, re.DOTALL).groups()
        return (
            '<div style="color:var(--jp-content-font-color1,#1f1f1f);overflow-x:auto">'
            f'<svg role="img" aria-label="{label}"{head}>{body}</div>'
        )

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.alt

    def save(self, path: str | Path) -> None:
        """Write a stand-alone SVG file on a white card, readable on any page."""
        label = html.escape(self.alt, quote=True)
        head, body = re.match(r"<svg\b([^>]*)>(.*)\Z", self.svg, re.DOTALL).groups()
        card = '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>'
        svg = f'<svg role="img" aria-label="{label}"{head}>{card}{body}\n'
        Path(path).write_text(svg, encoding="utf-8")


def percent(share: float) -> str:
    """A share from 0 to 1 as text, such as ``32 %``."""
    return f"{100 * share:.0f} %"


def message(text: str, *, kind: str = "note") -> str:
    """HTML for one sentence to the learner; ``kind`` is ``"note"``, ``"right"`` or ``"wrong"``.

    A screen reader says it as soon as it appears.
    """
    colour, sign = {"note": (BLUE, "ℹ"), "right": (GREEN, "✓"), "wrong": (VERMILLION, "✗")}[kind]
    return (
        f'<div role="status" style="border-left:4px solid {colour};padding:4px 10px;margin:4px 0;'
        'color:var(--jp-content-font-color1,#1f1f1f)">'
        f'<span aria-hidden="true">{sign} </span>{html.escape(text)}</div>'
    )
