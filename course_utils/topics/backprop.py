"""Gradients by hand, by finite differences, and kept in the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils import backprop
from course_utils.lessons.case_inputs import random_tensors
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution

Gradients = tuple[Tensor, Tensor, Tensor]
Function = Callable[[Tensor], Tensor]


@solution(
    "backprop.layer_backward",
    careful=backprop.layer_backward,
    parts=("grad_x", "grad_weight", "grad_bias"),
)
def layer_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of tanh(x @ weight.T + bias): for x, for weight and for bias."""
    output = torch.tanh(x @ weight.T + bias)
    through_tanh = grad * (1 - output**2)
    return through_tanh @ weight, through_tanh.T @ x, through_tanh.sum(0)


@layer_backward.cases
def _() -> list[Case]:
    sizes = {
        "two of everything": (2, 2, 2),
        "one row": (1, 3, 2),
        "four rows": (4, 3, 2),
        "three of everything": (3, 3, 3),
        "one feature": (5, 1, 4),
        "one unit": (2, 4, 1),
    }
    return [
        Case(name, tuple(random_tensors((b, h), (b, f), (h, f), (h,), seed=i)))
        for i, (name, (b, f, h)) in enumerate(sizes.items())
    ]


@layer_backward.random
def _(draw: Draw) -> Case:
    b, f, h = draw.integer(1, 4), draw.integer(1, 3), draw.integer(1, 3)
    return Case("", (draw.normal(b, h), draw.normal(b, f), draw.normal(h, f), draw.normal(h)))


@layer_backward.wrong(
    "You send the gradient past the tanh unchanged: multiply it by the derivative, "
    "`1 - output**2`, first.",
    belief="A nonlinearity only matters in the forward pass.",
)
def forgets_tanh(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
    return grad @ weight, grad.T @ x, grad.sum(0)


@layer_backward.wrong(
    "You take the derivative of tanh from what goes into it: it is 1 minus the square of what "
    "comes out.",
    belief="The derivative of tanh at z is 1 - z**2.",
)
def squares_the_input_of_tanh(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
    through = grad * (1 - (x @ weight.T + bias) ** 2)
    return through @ weight, through.T @ x, through.sum(0)


@solution("backprop.shared_layer_backward")
def shared_layer_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Gradient for the weight of tanh(tanh(x @ weight.T) @ weight.T)."""
    hidden = torch.tanh(x @ weight.T)
    output = torch.tanh(hidden @ weight.T)
    through_second = grad * (1 - output**2)
    through_first = (through_second @ weight) * (1 - hidden**2)
    return through_second.T @ hidden + through_first.T @ x


@shared_layer_backward.cases
def _() -> list[Case]:
    sizes = {
        "one row, one unit": (1, 1),
        "two rows, two units": (2, 2),
        "one row": (1, 3),
        "four rows": (4, 2),
        "as many rows as units": (3, 3),
    }
    return [
        Case(name, tuple(random_tensors((b, h), (b, h), (h, h), seed=i)))
        for i, (name, (b, h)) in enumerate(sizes.items())
    ]


@shared_layer_backward.random
def _(draw: Draw) -> Case:
    b, h = draw.integer(1, 4), draw.integer(1, 3)
    return Case("", (draw.normal(b, h), draw.normal(b, h), draw.normal(h, h)))


def _two_uses(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """What the weight gets from its first and from its second use."""
    zero = torch.zeros_like(weight[0])
    hidden = torch.tanh(x @ weight.T)
    grad_hidden, second, _ = layer_backward(grad, hidden, weight, zero)
    _, first, _ = layer_backward(grad_hidden, x, weight, zero)
    return first, second


@shared_layer_backward.wrong(
    "You keep what the first layer sends and lose what the second one sent before: the weight is "
    "used twice, so the two gradients are added.",
    belief="The gradient that is written last counts.",
)
def overwrites_the_gradient(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return _two_uses(grad, x, weight)[0]


@shared_layer_backward.wrong(
    "You stop after the second layer: the weight is used in the first one, too.",
    belief="A weight has one place in a network.",
)
def stops_after_one_use(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return _two_uses(grad, x, weight)[1]


@shared_layer_backward.wrong(
    "You hand the incoming gradient to the first layer without the second layer's tanh: multiply "
    "by `1 - output**2` before you go through its weight.",
    belief="Only the weights lie on the way back.",
)
def skips_the_second_tanh(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    zero = torch.zeros_like(weight[0])
    second = _two_uses(grad, x, weight)[1]
    return layer_backward(grad @ weight, x, weight, zero)[1] + second


@solution(
    "backprop.numerical_gradient",
    careful=backprop.numerical_gradient,
    gradients=False,
    exact=("dtype",),
)
def numerical_gradient_by_hand(function, x: torch.Tensor, epsilon: float = 1e-6) -> torch.Tensor:
    """Gradient of function at x by central differences, computed in float64."""
    flat = x.double().flatten()
    slopes = torch.zeros_like(flat)
    for i in range(len(flat)):
        nudge = torch.zeros_like(flat)
        nudge[i] = epsilon
        up = function((flat + nudge).view(x.shape))
        down = function((flat - nudge).view(x.shape))
        slopes[i] = (up - down) / (2 * epsilon)
    return slopes.view(x.shape).to(x.dtype)


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
_RUNNING = Formula("lambda x: (x.cumsum(-1) ** 3).sum()", lambda x: (x.cumsum(-1) ** 3).sum())
_WAVES = Formula(
    "lambda x: (x.sin() * x.flatten()[0].exp()).sum()",
    lambda x: (x.sin() * x.flatten()[0].exp()).sum(),
)
_PRODUCT = Formula("lambda x: x.exp().prod()", lambda x: x.exp().prod())


@numerical_gradient_by_hand.cases
def _() -> list[Case]:
    def case(name: str, function: Formula, *shape: int, **options: float) -> Case:
        (x,) = random_tensors(shape, seed=sum(shape), dtype=torch.float32)
        return Case(name, (function, x), options)

    return [
        case("a sum of cubes", _CUBES, 2, epsilon=1e-3),
        case("one entry", _WAVES, 1, epsilon=1e-3),
        case("a matrix", _WAVES, 2, 3, epsilon=1e-3),
        case("a running sum along the rows", _RUNNING, 3, 2, epsilon=1e-3),
        case("a product", _PRODUCT, 3, epsilon=1e-4),
        case("a long way up and down", _CUBES, 3, epsilon=0.5),
        case("three axes, the usual epsilon", _CUBES, 2, 2, 2),
        case("the usual epsilon", _WAVES, 4),
    ]


@numerical_gradient_by_hand.random
def _(draw: Draw) -> Case:
    shape = [draw.integer(1, 3) for _ in range(draw.integer(1, 3))]
    x = draw.normal(*shape, dtype=draw.choice([torch.float32, torch.float64]))
    options = {} if draw.chance(0.3) else {"epsilon": draw.choice([1e-4, 0.1, 0.5])}
    return Case("", (draw.choice([_CUBES, _WAVES, _PRODUCT, _RUNNING]), x), options)


@numerical_gradient_by_hand.trait("`epsilon` is 0.1 or more")
def _(epsilon: float | None) -> bool:
    return epsilon is not None and epsilon >= 0.1


@numerical_gradient_by_hand.trait("`x` has more than one entry")
def _(x: Tensor) -> bool:
    return x.numel() > 1


@numerical_gradient_by_hand.trait("the function looks at the axes of `x`")
def _(function: Function, x: Tensor) -> bool:
    return function is _RUNNING and x.dim() > 1


numerical_gradient_by_hand.equivalent(
    "slopes = torch.ones_like(flat)", because="Every entry is written afterwards."
)


def _slopes(x: Tensor, slope: Callable[[Tensor, Tensor, int], Tensor]) -> Tensor:
    """``slope(flat, nudge direction, index)`` for each entry, computed in float64."""
    flat = x.detach().double().flatten()
    directions = torch.eye(len(flat), dtype=flat.dtype, device=flat.device)
    found = [slope(flat, one, i) for i, one in enumerate(directions)]
    return torch.stack(found).view(x.shape).to(x.dtype)


@numerical_gradient_by_hand.wrong(
    "You move each entry up only: move it up and down, and divide by twice the distance. The "
    "error is then much smaller.",
    belief="The definition of the derivative moves x to one side.",
)
def moves_to_one_side(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    def slope(flat: Tensor, one: Tensor, i: int) -> Tensor:
        up, here = (function(p.view(x.shape)) for p in (flat + epsilon * one, flat))
        return (up - here) / epsilon

    return _slopes(x, slope)


@numerical_gradient_by_hand.wrong(
    "You move all entries together: that gives one slope for all of them. Move one entry at a "
    "time.",
    belief="A tensor is nudged as a whole.",
)
def moves_all_entries(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    def slope(flat: Tensor, one: Tensor, i: int) -> Tensor:
        up, down = (function((flat + s * epsilon).view(x.shape)) for s in (1, -1))
        return (up - down) / (2 * epsilon)

    return _slopes(x, slope)


@numerical_gradient_by_hand.wrong(
    "You never move an entry back: the slopes of later entries are taken at another place.",
    belief="Such a small change does not matter afterwards.",
)
def leaves_entries_moved(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    def slope(flat: Tensor, one: Tensor, i: int) -> Tensor:
        moved = flat.clone()
        moved[:i] -= epsilon
        up, down = (function((moved + s * epsilon * one).view(x.shape)) for s in (1, -1))
        return (up - down) / (2 * epsilon)

    return _slopes(x, slope)


@numerical_gradient_by_hand.wrong(
    "You compute in float32: the difference of two nearly equal numbers keeps few right digits. "
    "Turn x into float64 first, and the result back.",
    belief="The dtype of the input is precise enough.",
)
def stays_in_single_precision(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    slopes = torch.zeros_like(x).flatten()
    for i in range(len(slopes)):
        nudge = torch.zeros_like(slopes)
        nudge[i] = epsilon
        up, down = (function((x.flatten() + s * nudge).view(x.shape)) for s in (1, -1))
        slopes[i] = (up - down) / (2 * epsilon)
    return slopes.view(x.shape)


@solution("backprop.scaled_loss")
def scaled_loss(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Mean square of tanh(x @ weight.T) after division by its largest absolute value."""
    hidden = torch.tanh(x @ weight.T)
    return (hidden / hidden.abs().max()).square().mean()


@scaled_loss.cases
def _() -> list[Case]:
    sizes = {
        "one row, one feature": (1, 1, 2),
        "two rows": (2, 3, 2),
        "one unit": (4, 2, 1),
        "three of everything": (3, 3, 3),
    }
    cases = [Case("the value alone", tuple(random_tensors((2, 2), (2, 2), seed=9)))]
    for i, (name, (b, f, h)) in enumerate(sizes.items()):
        weight, x = random_tensors((h, f), (b, f), seed=i)
        cases.append(Case(name, (weight.requires_grad_(), x.requires_grad_())))
    return cases


@scaled_loss.random
def _(draw: Draw) -> Case:
    b, f, h = draw.integer(1, 4), draw.integer(1, 3), draw.integer(1, 3)
    weight, x = draw.normal(h, f), draw.normal(b, f)
    return Case("", (weight.requires_grad_(), x.requires_grad_()))


scaled_loss.equivalent(
    "hidden = torch.tanh(weight @ x.T)",
    because="It is the same, transposed, and neither the largest number nor the mean minds.",
)


@scaled_loss.wrong(
    "Your loss is a new tensor made from a plain number: it has no history, so no gradient flows.",
    belief="A tensor with the right number is the right tensor.",
)
def rebuilds_the_result(weight: Tensor, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ weight.T)
    loss = (hidden / hidden.abs().max()).square().mean()
    return torch.tensor(loss.item(), dtype=x.dtype, device=x.device)


@scaled_loss.wrong(
    "You turn the largest entry into a plain number: the loss also depends on the weight through "
    "it, and that way gets no gradient.",
    belief="A number to divide by is a constant.",
)
def divides_by_a_number(weight: Tensor, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ weight.T)
    return (hidden / hidden.abs().max().item()).square().mean()
