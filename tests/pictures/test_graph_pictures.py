"""Pictures of graphs and of unrolled networks: their numbers, and no arrow through a label."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
import torch

from course_utils.graphs import (
    STATE_TWICE,
    TWO_LAYERS,
    WEIGHT_TWICE,
    Graph,
    GraphState,
    Operation,
    leaves_of,
    recorded_graph,
    step_through,
)
from course_utils.pictures import Picture, draw_gradient_flow, draw_graph, draw_unrolled

Point = tuple[float, float]
Box = tuple[float, float, float, float]
GRAPHS = (
    TWO_LAYERS,
    WEIGHT_TWICE,
    STATE_TWICE,
    (Operation("y", "mul", ("x", "x")), Operation("z", "tanh", ("y",))),
    (Operation("a", "tanh", ("x",)), Operation("b", "mul", ("a", "a"))),
)


def known(graph: Graph, clicks: int | None = None) -> GraphState:
    leaves = {n: torch.randn((), dtype=torch.float64).requires_grad_() for n in leaves_of(graph)}
    return step_through(graph, leaves, clicks)


def shapes(picture: Picture, tag: str) -> Iterator[tuple[ElementTree.Element, float]]:
    """Elements of a kind and how far down their group has moved them."""

    def walk(element: ElementTree.Element, down: float) -> Iterator:
        if moved := re.fullmatch(r"translate\(0 ([\d.]+)\)", element.get("transform", "")):
            down += float(moved[1])
        if element.tag.endswith(tag):
            yield element, down
        for child in element:
            yield from walk(child, down)

    yield from walk(ElementTree.fromstring(picture.svg), 0.0)


def labels(picture: Picture) -> list[tuple[str, Box]]:
    """Every text and the box that it fills, a little smaller than it may be drawn."""
    found = []
    for element, down in shapes(picture, "text"):
        content, size = "".join(element.itertext()), float(element.get("font-size"))
        width, x, y = 0.5 * size * len(content), float(element.get("x")), float(element.get("y"))
        left = {"start": x, "middle": x - width / 2, "end": x - width}[element.get("text-anchor")]
        found.append((content, (left, y + down - 0.4 * size, left + width, y + down + 0.4 * size)))
    return found


def between(one: Point, other: Point, count: int = 400) -> Iterator[Point]:
    for i in range(count + 1):
        share = i / count
        yield tuple(a + share * (b - a) for a, b in zip(one, other, strict=True))


def strokes(picture: Picture) -> Iterator[Point]:
    """Points along all lines, arrow heads and curves."""
    for element, down in shapes(picture, "line"):
        x1, y1, x2, y2 = (float(element.get(name)) for name in ("x1", "y1", "x2", "y2"))
        yield from between((x1, y1 + down), (x2, y2 + down))
    for element, down in shapes(picture, "path"):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", element.get("d"))]
        points = [(x, y + down) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if "C" in element.get("d"):
            yield from curve(points)
        else:
            for one, other in itertools.pairwise(points):
                yield from between(one, other, 50)


def curve(points: list[Point]) -> Iterator[Point]:
    for i in range(401):
        t = i / 400
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        yield tuple(
            sum(w * p[axis] for w, p in zip(weights, points, strict=True)) for axis in (0, 1)
        )


def crossings(picture: Picture) -> list[str]:
    points = list(strokes(picture))
    return [
        content
        for content, (left, top, right, bottom) in labels(picture)
        if any(left < x < right and top < y < bottom for x, y in points)
    ]


def overlaps(picture: Picture) -> list[tuple[str, str]]:
    every = [(content, box) for content, box in labels(picture) if content]
    return [
        (one, other)
        for i, (one, (a, b, c, d)) in enumerate(every)
        for other, (e, f, g, h) in every[i + 1 :]
        if a < g and e < c and b < h and f < d
    ]


@functools.cache
def drawn() -> dict[str, Picture]:
    found = {}
    for i, graph in enumerate(GRAPHS):
        found[f"graph {i}, empty"] = draw_graph(graph)
        for clicks in (0, len(graph), len(graph) + 1, 2 * len(graph)):
            state = known(graph, clicks)
            found[f"graph {i}, {clicks} clicks"] = draw_graph(graph, state, title="A title")
    for lengths in ([1], [3, 5, 7], [12]):
        found[f"unrolled {lengths}"] = draw_unrolled(lengths, title="A title")
    found["cut"] = draw_unrolled([7, 4], cuts=[1, 3, 6])
    for length in (1, 2, 7, 30):
        for weight in (0.1, 0.9, 1.0, 1.7):
            sizes = weight ** torch.arange(length - 1, -1, -1, dtype=torch.float64)
            found[f"flow {length} {weight}"] = draw_gradient_flow(sizes, title="A title")
    return found


@pytest.mark.parametrize("name", list(drawn()))
def test_no_line_crosses_a_label_and_no_two_labels_overlap(name: str):
    picture = drawn()[name]
    assert crossings(picture) == []
    assert overlaps(picture) == []
    root = ElementTree.fromstring(picture.svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for content, (left, top, right, bottom) in labels(picture):
        assert left >= 0, content
        assert right <= width, content
        assert top >= 0, content
        assert bottom <= height, content


def test_the_crossing_test_sees_a_crossing():
    line = '<line x1="0" y1="5" x2="50" y2="5"/>'
    text = '<text x="10" y="6" font-size="12" text-anchor="start">label</text>'
    picture = Picture(f'<svg width="60" height="20">{line}{text}{text}</svg>', "")
    assert crossings(picture) == ["label", "label"]
    assert overlaps(picture) == [("label", "label")]


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_has_a_box_for_each_value_and_an_arrow_for_each_use(graph: Graph):
    picture = draw_graph(graph, known(graph))
    assert picture.svg.count("<rect") == len(graph) + len(leaves_of(graph))
    arrows = picture.svg.count('<g stroke="currentColor"')
    assert arrows == sum(len(operation.inputs) for operation in graph)


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_shows_its_numbers_in_boxes_and_in_words(graph: Graph):
    state = known(graph)
    picture = draw_graph(graph, state)
    texts = [content for content, _ in labels(picture)]
    for numbers in (state.values, state.gradients):
        for value in numbers.values():
            written = f"{value.item():.3f}".replace("-", "−")
            assert written in texts
            assert written in picture.alt
    for message in state.messages.values():
        assert any(f"{message.item():.3f}".replace("-", "−") in t and t[0] in "▲◀▶" for t in texts)


def test_nothing_is_shown_before_it_is_known():
    state = known(TWO_LAYERS, 3)
    texts = " ".join(content for content, _ in labels(draw_graph(TWO_LAYERS, state)))
    assert not re.search("[▲◀▶]", texts)
    assert len(re.findall(r"\d\.\d\d\d", texts)) == 6 + 3
    assert "Last done: h = tanh(a)." in draw_graph(TWO_LAYERS, state).alt


def test_two_messages_of_one_value_are_told():
    state = known(WEIGHT_TWICE)
    first, second = (f"{state.messages[key].item():.3f}".replace("-", "−") for key in
                     (("a", 0), ("p", 0)))  # fmt: skip
    alt = draw_graph(WEIGHT_TWICE, state).alt
    assert f"w is used 2 times and gets {first} and {second}." in alt


def test_recorded_and_described_graph_are_the_same_picture():
    state = known(TWO_LAYERS)
    recorded = recorded_graph(state.values["loss"], state.values)
    assert draw_graph(recorded, state).svg == draw_graph(TWO_LAYERS, state).svg


def test_a_constant_has_no_box():
    leaves = {n: torch.randn(()).requires_grad_(n != "x") for n in leaves_of(TWO_LAYERS)}
    values = step_through(TWO_LAYERS, leaves, len(TWO_LAYERS)).values
    picture = draw_graph(recorded_graph(values["loss"], values))
    assert picture.svg.count("<rect") == 7 + 5
    assert "u = w1 · constant" in picture.alt


@pytest.mark.parametrize("lengths", [[1], [3, 5, 7], [2, 2]])
def test_unrolled_has_a_box_and_an_input_for_each_step(lengths: list[int]):
    picture = draw_unrolled(lengths)
    assert picture.svg.count("<rect") == 2 * sum(lengths) + 1  # and one in the legend
    for length in lengths:
        assert f"length {length}" in picture.alt
    assert ("once" if sum(lengths) == 1 else f"{sum(lengths)} times") in picture.alt


def test_cuts_take_the_place_of_a_state():
    plain, cut = draw_unrolled([7]), draw_unrolled([7], cuts=[3, 6])
    gone = {t for t, _ in labels(plain)} - {t for t, _ in labels(cut)}
    assert gone == {"h₂", "h₅"}
    assert "cut before step 3 and before step 6" in cut.alt


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lengths": [3, 0]}, r"lengths are \[3, 0\]"),
        ({"lengths": []}, "at least one step"),
        ({"lengths": [3], "cuts": [3]}, r"cuts are \[3\], expected steps 1 to 2"),
        ({"lengths": [3], "cuts": [0]}, r"cuts are \[0\]"),
    ],
)
def test_unrolled_refuses_what_does_not_fit(options: dict, said: str):
    with pytest.raises(ValueError, match=said):
        draw_unrolled(**options)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([1e-6, 1e-3, 1.0], "vanishes: 1 at step 2, 0.001 at step 1, 1e-06 at step 0"),
        ([1e4, 1e2, 1.0], "explodes: 1 at step 2, 1e+02 at step 1, 1e+04 at step 0"),
        ([1.0], "stays as it is"),
        ([0.0, 1.0], "vanishes"),
    ],
)
def test_gradient_flow_says_what_happens(sizes: list[float], said: str):
    assert said in draw_gradient_flow(torch.tensor(sizes, dtype=torch.float64)).alt


def test_bars_go_up_above_one_and_down_below():
    picture = draw_gradient_flow(torch.tensor([100.0, 0.01, 1.0], dtype=torch.float64))
    bars = [e for e, _ in shapes(picture, "rect") if e.get("fill") not in ("#E69F00", None)]
    up, down, flat = (float(bar.get("height")) for bar in bars)
    assert up == pytest.approx(down)
    assert float(bars[0].get("y")) + up == pytest.approx(float(bars[1].get("y")))
    assert flat == 1
