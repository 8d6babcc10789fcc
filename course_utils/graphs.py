"""Computation graphs of scalars: described by us, recorded by autograd, run one step at a time.

A graph is a tuple of operations in the order in which they run; the last one is the result.
Names that no operation makes are the graph's leaves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from course_utils.checks import check_count, check_tensor, describe

CONSTANT = "constant"
"""Stands for an input that needs no gradient: autograd keeps no name and no edge for it."""


@dataclass(frozen=True)
class Operation:
    """One operation, ``name = kind(*inputs)``; values are known by their names."""

    name: str
    kind: str
    inputs: tuple[str, ...]

    @property
    def formula(self) -> str:
        """The operation as it is written, such as ``u = w · x``."""
        if self.kind in RULES:
            return f"{self.name} = {RULES[self.kind].pattern.format(*self.inputs)}"
        return f"{self.name} = {self.kind}({', '.join(self.inputs)})"


Graph = tuple[Operation, ...]


class Rule(NamedTuple):
    """How an operation is written and run, and what it sends back.

    ``backward(gradient, result, *inputs)`` takes the gradient of the result and gives one
    gradient for each input: the gradient times the local derivative.
    """

    pattern: str
    forward: Callable[..., Tensor]
    backward: Callable[..., tuple[Tensor, ...]]


RULES = {
    "add": Rule("{} + {}", torch.add, lambda g, y, a, b: (g, g)),
    "sub": Rule("{} − {}", torch.sub, lambda g, y, a, b: (g, -g)),
    "mul": Rule("{} · {}", torch.mul, lambda g, y, a, b: (g * b, g * a)),
    "tanh": Rule("tanh({})", torch.tanh, lambda g, y, a: (g * (1 - y * y),)),
    "square": Rule("{}²", torch.square, lambda g, y, a: (2 * g * a,)),
}

TWO_LAYERS: Graph = (
    Operation("u", "mul", ("w1", "x")),
    Operation("a", "add", ("u", "b1")),
    Operation("h", "tanh", ("a",)),
    Operation("v", "mul", ("w2", "h")),
    Operation("p", "add", ("v", "b2")),
    Operation("e", "sub", ("p", "y")),
    Operation("loss", "square", ("e",)),
)
"""Two layers on one example: prediction ``p = w2 · tanh(w1 · x + b1) + b2``, squared error."""

WEIGHT_TWICE: Graph = (
    Operation("a", "mul", ("w", "x")),
    Operation("h", "tanh", ("a",)),
    Operation("p", "mul", ("w", "h")),
    Operation("e", "sub", ("p", "y")),
    Operation("loss", "square", ("e",)),
)
"""The same weight ``w`` in both layers, without biases."""

STATE_TWICE: Graph = (
    Operation("h", "tanh", ("x",)),
    Operation("v", "mul", ("w", "h")),
    Operation("p", "add", ("v", "h")),
    Operation("loss", "square", ("p",)),
)
"""A result that is used twice: ``h`` goes on through a weight and past it."""


def _check_graph(graph: Graph) -> None:
    """Refuse what is not a row of operations that can run in this order."""
    if not isinstance(graph, (tuple, list)):
        raise TypeError(f"graph is {describe(graph)}, expected a tuple of operations")
    for i, operation in enumerate(graph):
        if not isinstance(operation, Operation):
            raise TypeError(f"graph[{i}] is {describe(operation)}, expected an Operation")


def _check_runs(graph: Graph) -> None:
    """Refuse a graph that cannot run: empty, without a rule, or in the wrong order."""
    if not graph:
        raise ValueError("the graph has no operations")
    names = [operation.name for operation in graph]
    for place, (name, kind, inputs) in enumerate((o.name, o.kind, o.inputs) for o in graph):
        if kind not in RULES or len(inputs) != RULES[kind].pattern.count("{}"):
            raise ValueError(f"{name!r} is {kind}{inputs}, which no rule of {list(RULES)} fits")
        if name in names[:place] or set(inputs) & set(names[place:]):
            raise ValueError(f"{name!r} is made twice, or used before it is made")


def leaves_of(graph: Graph) -> list[str]:
    """Names of the graph's leaves, in the order of their first use."""
    _check_graph(graph)
    made = {operation.name for operation in graph}
    used = [name for operation in graph for name in operation.inputs]
    return [name for name in dict.fromkeys(used) if name not in made]


def uses_of(graph: Graph) -> Counter[str]:
    """How often each value is used."""
    _check_graph(graph)
    return Counter(name for operation in graph for name in operation.inputs)


@dataclass(frozen=True)
class GraphState:
    """What is known after some clicks; everything by the name of its value.

    ``messages`` are the gradients that operations have sent back, by operation and number of
    the input. ``gradients`` are the sums of the messages that have arrived so far.
    """

    values: dict[str, Tensor]
    messages: dict[tuple[str, int], Tensor]
    gradients: dict[str, Tensor]
    current: Operation | None
    backward: bool


def step_through(
    graph: Graph, leaves: Mapping[str, Tensor], clicks: int | None = None
) -> GraphState:
    """What is known after ``clicks`` operations, forward through the graph and then backward.

    Args:
        graph: operations with a rule in ``RULES``.
        leaves: a number for each leaf, tensors of shape ``()``.
        clicks: from 0 to twice the number of operations; both sweeps to the end if not given.

    Raises:
        TypeError: a leaf that is no tensor, or clicks that are no whole number.
        ValueError: an operation without a rule or used before it is made, a leaf that is missing
            or no scalar, or clicks out of range.
    """
    _check_graph(graph)
    _check_runs(graph)
    if not isinstance(leaves, Mapping):
        raise TypeError(f"leaves are {describe(leaves)}, expected a tensor for each name")
    count = len(graph)
    clicks = 2 * count if clicks is None else clicks
    check_count(abs(clicks) if isinstance(clicks, int) else clicks, "clicks")
    if not 0 <= clicks <= 2 * count:
        raise ValueError(f"clicks is {clicks}, expected 0 to {2 * count}: there and back")
    for name in leaves_of(graph):
        if name in leaves:
            check_tensor(leaves[name], f"the leaf {name!r}")
        if name not in leaves or leaves[name].dim() != 0:
            given = f"shape {tuple(leaves[name].shape)}" if name in leaves else "nothing"
            raise ValueError(f"got {given} for the leaf {name!r}, expected a tensor of shape ()")
    values = {name: leaves[name] for name in leaves_of(graph)}
    for operation in graph[:clicks]:
        inputs = [values[name] for name in operation.inputs]
        values[operation.name] = RULES[operation.kind].forward(*inputs)
    done = graph[::-1][: max(clicks - count, 0)]
    messages, gradients = _send_back(graph[-1].name, done, values)
    current = done[-1:] or graph[:clicks][-1:]
    return GraphState(values, messages, gradients, current[0] if current else None, bool(done))


def _send_back(
    result: str, operations: Graph, values: Mapping[str, Tensor]
) -> tuple[dict[tuple[str, int], Tensor], dict[str, Tensor]]:
    """Messages and gradients after these operations have sent theirs, the last one first."""
    messages: dict[tuple[str, int], Tensor] = {}
    gradients = {result: torch.ones_like(values[result])} if operations else {}
    for operation in operations:
        if operation.name not in gradients:
            continue  # the result does not depend on it
        inputs = [values[name] for name in operation.inputs]
        gradient, value = gradients[operation.name], values[operation.name]
        sent = RULES[operation.kind].backward(gradient, value, *inputs)
        for number, (name, message) in enumerate(zip(operation.inputs, sent, strict=True)):
            messages[operation.name, number] = message
            # A value that is used twice gets two messages, and its gradient is their sum.
            gradients[name] = gradients[name] + message if name in gradients else message
    return messages, gradients


def _edges(result: Tensor) -> dict[Any, list[Any]]:
    """The nodes that autograd recorded for a result, and the nodes of each one's inputs."""
    edges: dict[Any, list[Any]] = {}
    waiting = [get_gradient_edge(result).node]
    while waiting:
        node = waiting.pop()
        if node not in edges:
            edges[node] = [following for following, _ in node.next_functions]
            waiting += [following for following in edges[node] if following is not None]
    return edges


def _check_history(result: Tensor) -> None:
    check_tensor(result, "result")
    if not result.requires_grad:
        raise ValueError("autograd recorded nothing for this result: no input requires a gradient")


def recorded_nodes(result: Tensor) -> Counter[str]:
    """How many nodes of each kind autograd recorded for a result, such as ``TanhBackward0``.

    ``AccumulateGrad`` is the node of a leaf.

    Raises:
        TypeError, ValueError: the result is no tensor, or has no history.
    """
    _check_history(result)
    return Counter(node.name().split("::")[-1] for node in _edges(result))


def recorded_graph(result: Tensor, named: Mapping[str, Tensor]) -> Graph:
    """The graph that autograd recorded for a result, in the form of our own descriptions.

    Args:
        result: a tensor with a history.
        named: tensors of the computation by name; a value without a name is called after its
            operation.

    Raises:
        TypeError, ValueError: the result has no history, or something named is no tensor.
    """
    _check_history(result)
    for name, tensor in named.items():
        check_tensor(tensor, f"named[{name!r}]")
    names = {get_gradient_edge(t).node: name for name, t in named.items() if t.requires_grad}
    edges = _edges(result)
    inputs_first = {node: [n for n in following if n] for node, following in edges.items()}
    graph = []
    for node in TopologicalSorter(inputs_first).static_order():
        if hasattr(node, "variable"):  # a leaf, which no operation made
            names.setdefault(node, f"leaf{len(names)}")
            continue
        kind = node.name().removesuffix("0").removesuffix("Backward").lower()
        if kind == "pow" and node._saved_exponent == 2:
            kind = "square"
        names.setdefault(node, f"{kind}{len(names)}")
        inputs = tuple(CONSTANT if n is None else names[n] for n in edges[node])
        graph.append(Operation(names[node], kind, inputs))
    return tuple(graph)
