"""Explorer of a computation graph: forward and backward, one operation a click."""

from __future__ import annotations

import ipywidgets as widgets
import torch

from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer
from course_utils.graphs import (
    STATE_TWICE,
    TWO_LAYERS,
    WEIGHT_TWICE,
    Graph,
    GraphState,
    leaves_of,
    step_through,
)
from course_utils.pictures import Picture, draw_graph

_NUMBERS = {"w1": 0.8, "x": 1.5, "b1": -0.2, "w2": 1.2, "b2": 0.1, "y": 0.5, "w": 0.8}
_GRAPHS = {
    "two layers": TWO_LAYERS,
    "one weight used twice": WEIGHT_TWICE,
    "one result used twice": STATE_TWICE,
}


def explore_graph() -> widgets.Widget:
    """Step through a graph: values on the way forward, gradients on the way back."""

    def draw(click: float, graph: str) -> Picture:
        operations = _GRAPHS[graph]
        leaves = {
            name: torch.tensor(_NUMBERS[name], dtype=torch.float64, device="cpu")
            for name in leaves_of(operations)
        }
        # Small graphs are done after fewer clicks.
        clicks = min(int(click), 2 * len(operations))
        state = step_through(operations, leaves, clicks)
        return draw_graph(operations, state, title=_title(operations, clicks, state))

    most = 2 * max(map(len, _GRAPHS.values()))
    return explorer(
        draw,
        click=Slider(description="Clicks", value=0, min=0, max=most, buttons=True),
        graph=Choice(_GRAPHS, description="Graph"),
    )


def _title(graph: Graph, clicks: int, state: GraphState) -> str:
    if state.current is None:
        return f"0 of {2 * len(graph)}: the leaves have values"
    name, inputs = state.current.name, " and ".join(dict.fromkeys(state.current.inputs))
    did = f"{name} sends gradients to {inputs}" if state.backward else f"compute {name}"
    way = "backward" if state.backward else "forward"
    return f"{clicks} of {2 * len(graph)}, {way}: {did}"
