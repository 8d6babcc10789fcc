"""A computation graph as a table with arrows: one operation a row, from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping

import drawsvg as dw
from torch import Tensor

from course_utils.colours import ON_FILL, SKY, VERMILLION
from course_utils.graphs import CONSTANT, Graph, GraphState, Operation, leaves_of, uses_of
from course_utils.pictures.base import Picture, arrow, new_drawing, text, to_picture

_ROW, _HEIGHT = 62, 32
_LEAF, _GAP = 186, 92
_SPINE, _WIDTH = _LEAF + _GAP + 8, 292
_RIGHT = _SPINE + _WIDTH

Place = tuple[float, float, float]  # left, middle, width


def _number(value: Tensor | None, digits: int = 3) -> str:
    return "" if value is None else f"{float(value.detach()):.{digits}f}".replace("-", "−")


class _Layout:
    """Where every box goes: operations in the spine, leaves beside the rows that use them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.row = {operation.name: number for number, operation in enumerate(graph)}
        self.place: dict[str, Place] = {}
        uses, leaves = uses_of(graph), [n for n in leaves_of(graph) if n != CONSTANT]
        single = [name for name in leaves if uses[name] == 1]
        first = [name for name in graph[0].inputs if name in single]
        # The last leaf of the first operation begins the spine.
        top = first[-1] if first else None
        self.start = 44.0 + (_ROW if top else 0)
        for operation in graph:
            self.place[operation.name] = (_SPINE, self._y(operation.name), _WIDTH)
            beside = [n for n in operation.inputs if n in single and n != top]
            for number, name in enumerate(beside):
                y = self._y(operation.name) + (number - (len(beside) - 1) / 2) * 36
                self.place[name] = (4, y, _LEAF)
        if top:
            self.place[top] = (_SPINE, self.start - _ROW + _HEIGHT / 2, _WIDTH)
        for name in leaves:
            if uses[name] > 1:
                rows = [self._y(o.name) for o in graph if name in o.inputs]
                self.place[name] = (_RIGHT + _GAP + 24, sum(rows) / len(rows), _LEAF)
        self.width = max(left + width for left, _, width in self.place.values()) + 8
        self.arcs = [
            (operation, number)
            for operation in graph
            for number, name in enumerate(operation.inputs)
            if self.row.get(name, self.row[operation.name]) < self.row[operation.name] - 1
        ]
        if self.arcs:
            self.width = max(self.width, _RIGHT + 150)
        self.height = self.start + len(graph) * _ROW - (_ROW - _HEIGHT) + 8

    def _y(self, operation: str) -> float:
        return self.start + self.row[operation] * _ROW + _HEIGHT / 2


def draw_graph(graph: Graph, state: GraphState | None = None, *, title: str = "") -> Picture:
    """A graph with what is known of it: a value and a gradient in each box.

    Boxes with a filled background are leaves. An arrow points the way of the forward sweep. What
    the backward sweep sends along it stands beside the arrow, behind a triangle; the gradient of
    a value is the sum of what it was sent.

    Args:
        graph: operations in the order in which they run.
        state: values and gradients from :func:`step_through`; empty boxes if not given.
        title: a line above the graph.
    """
    state = state or GraphState({}, {}, {}, None, False)
    layout = _Layout(graph)
    top = 26 if title else 0
    drawing = new_drawing(max(layout.width, 8.5 * len(title)), layout.height + top)
    if title:
        drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    group = dw.Group(transform=f"translate(0 {top})")
    drawing.append(group)
    if state.values:
        _add_heads(group, layout)
    for operation in graph:
        for number, name in enumerate(operation.inputs):
            if name != CONSTANT:
                _add_edge(group, layout, operation, number, state.messages)
    formulas = {operation.name: operation.formula for operation in graph}
    for name, place in layout.place.items():
        current = state.current is not None and state.current.name == name
        _add_box(group, place, formulas.get(name), name, state, current)
    return to_picture(drawing, _describe(graph, state, title))


def _add_heads(group: dw.Group, layout: _Layout) -> None:
    places = {(left, width) for left, _, width in layout.place.values()}
    for left, width in sorted(places):
        group.append(text("value", left + width - 82, 12, anchor="end", size=12))
        group.append(text("gradient", left + width - 8, 12, anchor="end", size=12))


def _add_box(
    group: dw.Group, place: Place, formula: str | None, name: str, state: GraphState, current: bool
) -> None:
    left, middle, width = place
    leaf = formula is None
    stroke, line = (VERMILLION, 3.5) if current else (ON_FILL if leaf else "currentColor", 1)
    group.append(
        dw.Rectangle(
            left, middle - _HEIGHT / 2, width, _HEIGHT, rx=5, fill=SKY if leaf else "none",
            stroke=stroke, stroke_width=line,
        )
    )  # fmt: skip
    ink = ON_FILL if leaf else "currentColor"
    weight = "bold" if current else "normal"
    label = formula or name
    group.append(text(label, left + 10, middle, anchor="start", fill=ink, weight=weight))
    value, gradient = _number(state.values.get(name)), _number(state.gradients.get(name))
    group.append(text(value, left + width - 82, middle, anchor="end", fill=ink))
    group.append(text(gradient, left + width - 8, middle, anchor="end", fill=ink, weight="bold"))


def _add_edge(
    group: dw.Group, layout: _Layout, operation: Operation, number: int,
    messages: Mapping[tuple[str, int], Tensor],
) -> None:  # fmt: skip
    name = operation.inputs[number]
    left, from_y, width = layout.place[name]
    to_left, to_y, _ = layout.place[operation.name]
    message = messages.get((operation.name, number))
    label = "" if message is None else f"▲ {_number(message)}"
    again = operation.inputs[:number].count(name)  # as in x · x
    if (operation, number) in layout.arcs:
        _add_arc(group, from_y, to_y, label)
    elif left == to_left:  # from the row above
        x = left + width * (0.22 + 0.28 * again)
        group.append(arrow(x, from_y + _HEIGHT / 2, x, to_y - _HEIGHT / 2))
        group.append(text(label, x + 12, (from_y + to_y) / 2, anchor="start"))
    elif left < to_left:
        group.append(arrow(left + width, from_y, to_left, to_y))
        label = label.replace("▲", "◀")
        group.append(text(label, left + width + _GAP / 2, (from_y + to_y) / 2 - 12))
    else:
        to_y += 10 * again
        group.append(arrow(left, from_y, _RIGHT, to_y))
        label = label.replace("▲", "▶")
        # Above a line that climbs to its operation, below one that falls.
        away = -1 if to_y <= from_y and not again else 1
        group.append(text(label, _RIGHT + 14, to_y + away * 18, anchor="start"))


def _add_arc(group: dw.Group, from_y: float, to_y: float, label: str) -> None:
    """An arrow past the operations in between, along their right side."""
    start, end, out = from_y + 6, to_y - 6, _RIGHT + 44
    path = dw.Path(stroke="currentColor", stroke_width=1.4, fill="none")
    path.M(_RIGHT, start).C(out + 14, start, out + 14, end, _RIGHT + 10, end)
    group.append(path)
    group.append(arrow(_RIGHT + 12, end, _RIGHT, end))
    group.append(text(label, out + 6, (start + end) / 2, anchor="start"))


def _describe(graph: Graph, state: GraphState, title: str) -> str:
    def known(name: str) -> str:
        parts = [name]
        if name in state.values:
            parts.append(f"value {_number(state.values[name])}")
        if name in state.gradients:
            parts.append(f"gradient {_number(state.gradients[name])}")
        return ", ".join(parts)

    leaves = "; ".join(known(name) for name in leaves_of(graph) if name != CONSTANT)
    steps = "; ".join(
        f"{operation.formula}{known(operation.name).removeprefix(operation.name)}"
        for operation in graph
    )
    twice = [
        f"{name} is used {count} times and gets "
        + " and ".join(
            _number(state.messages[o.name, i])
            for o in graph
            for i, source in enumerate(o.inputs)
            if source == name and (o.name, i) in state.messages
        )
        for name, count in uses_of(graph).items()
        if count > 1 and name in state.gradients
    ]
    now = f" Last done: {state.current.formula}." if state.current else ""
    sums = f" {'; '.join(twice)}." if twice else ""
    head = f"{title}. " if title else ""
    return (
        f"{head}A graph of {len(graph)} operations. Leaves: {leaves}. Operations in order: "
        f"{steps}.{sums}{now}"
    )
