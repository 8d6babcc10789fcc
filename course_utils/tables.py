"""Tables of results, as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; the first cell of each row is its name.

    Raises:
        ValueError: a row that has not one cell for each header.
    """
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in headers)
    lines = [_line(headers, row) for row in rows]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _line(headers: Sequence[str], row: Sequence[object]) -> str:
    if len(row) != len(headers):
        raise ValueError(f"a row has {len(row)} cells, expected {len(headers)}: {list(headers)}")
    name, *cells = (html.escape(str(cell)) for cell in row)
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
