"""Exercises on backpropagation through a fixed graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import backprop as pitfalls


def _random(*shapes: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float64) -> list:
    generator = torch.Generator("cpu").manual_seed(seed)
    return [torch.randn(s, generator=generator, dtype=dtype, device="cpu") for s in shapes]


def _layer_cases() -> list[Case]:
    sizes = [(2, 2, 2), (1, 3, 2), (4, 3, 2), (3, 3, 3), (5, 1, 4), (2, 4, 1)]
    return [
        Case(tuple(_random((b, h), (b, f), (h, f), (h,), seed=i)))
        for i, (b, f, h) in enumerate(sizes)
    ]


def _shared_cases() -> list[Case]:
    sizes = [(1, 1), (2, 2), (1, 3), (4, 2), (3, 3)]
    return [Case(tuple(_random((b, h), (b, h), (h, h), seed=i))) for i, (b, h) in enumerate(sizes)]


@dataclass(frozen=True)
class Formula:
    """A function that shows how it is computed instead of its address."""

    text: str
    function: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """The function's value."""
        return self.function(x)

    def __repr__(self) -> str:
        return self.text


_CUBES = Formula("lambda x: (x**3).sum()", lambda x: (x**3).sum())
_WAVES = Formula(
    "lambda x: (x.sin() * x.flatten()[0].exp()).sum()",
    lambda x: (x.sin() * x.flatten()[0].exp()).sum(),
)
_PRODUCT = Formula("lambda x: x.exp().prod()", lambda x: x.exp().prod())


def _difference_cases() -> list[Case]:
    def case(function: Formula, *shape: int, **options: float) -> Case:
        (x,) = _random(shape, seed=sum(shape), dtype=torch.float32)
        return Case((function, x), options)

    return [
        case(_CUBES, 2, epsilon=1e-3),
        case(_WAVES, 1, epsilon=1e-3),
        case(_WAVES, 2, 3, epsilon=1e-3),
        case(_PRODUCT, 3, epsilon=1e-4),
        case(_CUBES, 2, 2, 2),
        case(_WAVES, 4),
    ]


def _scaled_cases() -> list[Case]:
    sizes = [(1, 1, 2), (2, 3, 2), (4, 2, 1), (3, 3, 3)]
    cases = [Case(tuple(_random((2, 2), (2, 2), seed=9)))]
    for i, (b, f, h) in enumerate(sizes):
        weight, x = _random((h, f), (b, f), seed=i)
        cases.append(Case((weight.requires_grad_(), x.requires_grad_())))
    return cases


EXERCISES = [
    Exercise(
        key="backprop.layer_backward",
        number="1.1",
        title="Go back through a layer",
        difficulty=2,
        minutes=8,
        task="A layer computes `tanh(x @ weight.T + bias)` for a batch `x` of shape `(B, F)`. "
        "Given `grad`, the gradient of the loss for the layer's output, return three gradients: "
        "for `x`, for `weight` and for `bias`. Write them by hand, without autograd.",
        cases=_layer_cases,
        wrong=[
            pitfalls.forgets_tanh,
            pitfalls.squares_the_input_of_tanh,
            pitfalls.averages_the_batch,
            pitfalls.goes_back_through_the_transpose,
            pitfalls.transposes_the_weight_gradient,
            pitfalls.keeps_the_batch_axis,
        ],
        hints=[
            "Go through the operations from the last to the first: `tanh`, then the bias, then the "
            "product. A gradient has the shape of the tensor that it belongs to.",
            "Through `tanh`: multiply `grad` by `1 - output**2`, entry by entry. Call the result "
            "`through_tanh`; its shape is `(B, H)`.",
            "`through_tanh @ weight` has the shape of `x`, `through_tanh.T @ x` that of `weight`, "
            "and `through_tanh.sum(0)` that of `bias`.",
        ],
    ),
    Exercise(
        key="backprop.shared_layer_backward",
        number="1.2",
        title="A weight that is used twice",
        difficulty=2,
        minutes=8,
        task="A network uses one weight in both of its layers: `hidden = tanh(x @ weight.T)`, then "
        "`output = tanh(hidden @ weight.T)`. Given `grad`, the gradient for the output, return the "
        "gradient for `weight`. Write it by hand, without autograd.",
        cases=_shared_cases,
        wrong=[
            pitfalls.overwrites_the_gradient,
            pitfalls.stops_after_one_use,
            pitfalls.averages_the_uses,
            pitfalls.doubles_one_use,
            pitfalls.skips_the_second_tanh,
        ],
        hints=[
            "Give the weight two names for a moment, one for each layer. What gradient does each "
            "of the two get?",
            "The second layer sends two gradients: one to its weight, `through_second.T @ hidden`, "
            "and one to `hidden`, `through_second @ weight`. With the latter go through the first "
            "layer.",
            "The first layer sends `through_first.T @ x` to the weight. Return the sum of both.",
        ],
    ),
    Exercise(
        key="backprop.numerical_gradient",
        number="1.3",
        title="Finite differences",
        difficulty=2,
        minutes=8,
        task="Measure the gradient of `function`, which takes a tensor like `x` and returns one "
        "number. Move one entry of `x` at a time by `epsilon`, up and down, and divide by the "
        "distance. Compute in float64, whatever the dtype of `x`, and return a tensor with the "
        "shape and the dtype of `x`.",
        cases=_difference_cases,
        wrong=[
            pitfalls.moves_to_one_side,
            pitfalls.divides_by_one_epsilon,
            pitfalls.moves_all_entries,
            pitfalls.leaves_entries_moved,
            pitfalls.stays_in_single_precision,
        ],
        hints=[
            "Work on `flat = x.double().flatten()`: one index reaches every entry, and "
            "`.view(x.shape)` brings the shape back.",
            "For entry `i` make a tensor of zeros with `epsilon` at `i`, and evaluate the function "
            "at `flat + nudge` and at `flat - nudge`.",
            "The slope is `(up - down) / (2 * epsilon)`. At the end: "
            "`slopes.view(x.shape).to(x.dtype)`.",
        ],
    ),
    Exercise(
        key="backprop.scaled_loss",
        number="1.4",
        title="Bring the lost gradient back",
        difficulty=2,
        minutes=6,
        task="Compute `hidden = tanh(x @ weight.T)`, divide it by its largest absolute value, and "
        "return the mean of the squares. The number alone is easy. The gradient must reach "
        "`weight` and `x` on every way on which the loss depends on them.",
        cases=_scaled_cases,
        wrong=[
            pitfalls.rebuilds_the_result,
            pitfalls.divides_by_a_number,
            pitfalls.reads_the_weight_without_history,
            pitfalls.detaches_the_inputs,
        ],
        hints=[
            "Stay with tensors from the inputs to the result. `.item()`, `.data`, `.detach()`, "
            "`.numpy()` and `torch.tensor(...)` leave the graph.",
            "The largest entry depends on the weight, too. `hidden.abs().max()` is a tensor, and a "
            "tensor can be divided by a tensor.",
            "One line: `return (hidden / hidden.abs().max()).square().mean()`.",
        ],
    ),
]
