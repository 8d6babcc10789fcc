"""Computation graphs: judged by autograd and by finite differences, recorded as described."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from course_utils.backprop import numerical_gradient
from course_utils.graphs import (
    CONSTANT,
    RULES,
    STATE_TWICE,
    TWO_LAYERS,
    WEIGHT_TWICE,
    Graph,
    Operation,
    leaves_of,
    recorded_graph,
    recorded_nodes,
    step_through,
    uses_of,
)

SQUARE_BY_PRODUCT = (Operation("y", "mul", ("x", "x")),)
FAN = (
    Operation("a", "tanh", ("x",)),
    Operation("b", "sub", ("a", "x")),
    Operation("c", "add", ("b", "a")),
    Operation("d", "mul", ("c", "a")),
)
GRAPHS = {
    "two layers": TWO_LAYERS,
    "weight twice": WEIGHT_TWICE,
    "state twice": STATE_TWICE,
    "product of equals": SQUARE_BY_PRODUCT,
    "fan": FAN,
}


@pytest.fixture(params=GRAPHS.values(), ids=list(GRAPHS))
def graph(request: pytest.FixtureRequest) -> Graph:
    return request.param


def random_leaves(graph: Graph) -> dict[str, Tensor]:
    return {n: torch.randn((), dtype=torch.float64).requires_grad_() for n in leaves_of(graph)}


def test_gradients_agree_with_autograd_and_finite_differences(graph: Graph):
    leaves = random_leaves(graph)
    state = step_through(graph, leaves)
    result = state.values[graph[-1].name]
    found = torch.autograd.grad(result, list(leaves.values()))
    for (name, leaf), gradient in zip(leaves.items(), found, strict=True):
        torch.testing.assert_close(state.gradients[name], gradient)

        def moved(value: Tensor, name: str = name) -> Tensor:
            changed = {**leaves, name: value.reshape(())}
            return step_through(graph, changed, len(graph)).values[graph[-1].name]

        measured = numerical_gradient(moved, leaf)
        torch.testing.assert_close(state.gradients[name], measured, rtol=1e-7, atol=1e-8)


def test_gradients_of_results_agree_with_autograd(graph: Graph):
    state = step_through(graph, random_leaves(graph))
    names = [operation.name for operation in graph]
    found = torch.autograd.grad(state.values[names[-1]], [state.values[n] for n in names])
    for name, gradient in zip(names, found, strict=True):
        torch.testing.assert_close(state.gradients[name], gradient)


def test_each_click_does_one_operation(graph: Graph):
    leaves, count = random_leaves(graph), len(graph)
    for clicks in range(2 * count + 1):
        state = step_through(graph, leaves, clicks)
        assert len(state.values) == len(leaves) + min(clicks, count)
        done = graph[::-1][: max(0, clicks - count)]
        assert {name for name, _ in state.messages} == {operation.name for operation in done}
        assert state.backward == (clicks > count)
        expected = graph[clicks - 1] if 0 < clicks <= count else (done[-1] if done else None)
        assert state.current == expected
        assert bool(state.gradients) == state.backward


def test_gradient_is_the_sum_of_the_messages(graph: Graph):
    state = step_through(graph, random_leaves(graph))
    sums = {}
    for operation in graph:
        for number, name in enumerate(operation.inputs):
            sums[name] = sums.get(name, 0) + state.messages[operation.name, number]
    for name, total in sums.items():
        torch.testing.assert_close(state.gradients[name], total)
    assert sum(uses_of(graph).values()) == len(state.messages)


def test_autograd_records_what_is_described(graph: Graph):
    values = step_through(graph, random_leaves(graph), len(graph)).values
    assert recorded_graph(values[graph[-1].name], values) == graph


def test_data_without_gradient_is_a_constant():
    leaves = random_leaves(TWO_LAYERS)
    leaves["x"], leaves["y"] = leaves["x"].detach(), leaves["y"].detach()
    values = step_through(TWO_LAYERS, leaves, len(TWO_LAYERS)).values
    recorded = recorded_graph(values["loss"], values)
    assert recorded[0] == Operation("u", "mul", ("w1", CONSTANT))
    assert recorded[5] == Operation("e", "sub", ("p", CONSTANT))
    assert recorded[1:5] == TWO_LAYERS[1:5]


def test_operations_without_a_rule_and_values_without_a_name():
    weight = torch.randn(2, 3, requires_grad=True)
    cubes, norm = recorded_graph((weight**3).norm(), {"weight": weight})
    assert cubes.kind == "pow"  # only the power of two is a square
    assert cubes.inputs == ("weight",)
    assert norm.inputs == (cubes.name,)
    assert cubes.formula == f"{cubes.name} = pow(weight)"
    (unnamed,) = recorded_graph(weight.exp(), {})
    assert unnamed.kind == "exp"
    assert unnamed.inputs[0].startswith("leaf")


def test_nodes_are_counted_once_each():
    w = torch.randn((), requires_grad=True)
    state = torch.zeros(())
    for step in torch.randn(200):
        state = torch.tanh(step + w * state)
    nodes = recorded_nodes(state)
    assert nodes["TanhBackward0"] == nodes["MulBackward0"] == nodes["AddBackward0"] == 200
    assert nodes["AccumulateGrad"] == 1
    assert nodes.total() == 601


def test_formulas_are_readable():
    assert TWO_LAYERS[0].formula == "u = w1 · x"
    assert [o.formula for o in WEIGHT_TWICE][-1] == "loss = e²"
    assert set(RULES) >= {operation.kind for operation in TWO_LAYERS}


def test_what_does_not_fit_is_refused():
    leaves = random_leaves(TWO_LAYERS)
    with pytest.raises(ValueError, match="clicks is 15, expected 0 to 14"):
        step_through(TWO_LAYERS, leaves, 15)
    with pytest.raises(ValueError, match="clicks is -1"):
        step_through(TWO_LAYERS, leaves, -1)
    with pytest.raises(ValueError, match=r"shape \(2,\) for the leaf 'x'"):
        step_through(TWO_LAYERS, {**leaves, "x": torch.randn(2)})
    del leaves["b2"]
    with pytest.raises(ValueError, match="nothing for the leaf 'b2'"):
        step_through(TWO_LAYERS, leaves)
    with pytest.raises(ValueError, match="recorded nothing"):
        recorded_graph(torch.randn(3).sum(), {})


def test_a_value_that_the_result_does_not_use_gets_no_gradient():
    graph = (Operation("a", "square", ("x",)), Operation("b", "tanh", ("y",)),
             Operation("c", "mul", ("a", "x")))  # fmt: skip
    x, y = torch.tensor(2.0), torch.tensor(3.0)
    found = step_through(graph, {"x": x, "y": y}).gradients
    assert found["x"] == 3 * x**2
    assert "y" not in found
