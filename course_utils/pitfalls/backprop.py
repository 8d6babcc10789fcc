"""Wrong ways to send gradients back, to measure them, and to keep them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.backprop import layer_backward
from course_utils.pitfalls.wrong import wrong

Gradients = tuple[Tensor, Tensor, Tensor]
Function = Callable[[Tensor], Tensor]


@wrong(
    "You send the gradient past the tanh unchanged: multiply it by the derivative, "
    "`1 - output**2`, first.",
    belief="A nonlinearity only matters in the forward pass.",
)
def forgets_tanh(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
    return grad @ weight, grad.T @ x, grad.sum(0)


@wrong(
    "You take the derivative of tanh from what goes into it: it is 1 minus the square of what "
    "comes out.",
    belief="The derivative of tanh at z is 1 - z**2.",
)
def squares_the_input_of_tanh(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
    through = grad * (1 - (x @ weight.T + bias) ** 2)
    return through @ weight, through.T @ x, through.sum(0)


@wrong(
    "You divide by the batch size: the incoming gradient already belongs to the loss, so the "
    "examples' gradients are added.",
    belief="A batch's gradient is always an average.",
)
def averages_the_batch(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
    grad_x, grad_weight, grad_bias = layer_backward(grad, x, weight, bias)
    return grad_x, grad_weight / len(x), grad_bias / len(x)


@wrong(
    "Your gradient for x goes through the transposed weight: the forward pass used `weight.T`, so "
    "the way back uses `weight`.",
    belief="The way back multiplies by the same matrix as the way there.",
)
def goes_back_through_the_transpose(
    grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor
) -> Gradients:
    through = grad * (1 - torch.tanh(x @ weight.T + bias) ** 2)
    return through @ weight.T, through.T @ x, through.sum(0)


@wrong(
    "Your gradient for the weight is transposed: it must have the shape of the weight, (H, F).",
    belief="Inputs come first in a product.",
)
def transposes_the_weight_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor
) -> Gradients:
    grad_x, grad_weight, grad_bias = layer_backward(grad, x, weight, bias)
    return grad_x, grad_weight.T, grad_bias


@wrong(
    "Your gradient for the bias keeps the batch axis: all examples use the same bias, so their "
    "gradients are added.",
    belief="Every example has a gradient of its own, for the bias too.",
)
def keeps_the_batch_axis(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Gradients:
    grad_x, grad_weight, _ = layer_backward(grad, x, weight, bias)
    return grad_x, grad_weight, grad * (1 - torch.tanh(x @ weight.T + bias) ** 2)


def _two_uses(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """What the weight gets from its first and from its second use."""
    zero = torch.zeros_like(weight[0])
    hidden = torch.tanh(x @ weight.T)
    grad_hidden, second, _ = layer_backward(grad, hidden, weight, zero)
    _, first, _ = layer_backward(grad_hidden, x, weight, zero)
    return first, second


@wrong(
    "You keep what the first layer sends and lose what the second one sent before: the weight is "
    "used twice, so the two gradients are added.",
    belief="The gradient that is written last counts.",
)
def overwrites_the_gradient(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return _two_uses(grad, x, weight)[0]


@wrong(
    "You stop after the second layer: the weight is used in the first one, too.",
    belief="A weight has one place in a network.",
)
def stops_after_one_use(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return _two_uses(grad, x, weight)[1]


@wrong(
    "You take the mean of the two gradients: gradients of several uses are added.",
    belief="A shared weight gets the average of its gradients.",
)
def averages_the_uses(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    first, second = _two_uses(grad, x, weight)
    return (first + second) / 2


@wrong(
    "You count the second use twice: each use sends a gradient of its own.",
    belief="Two uses of the same weight send the same gradient.",
)
def doubles_one_use(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return 2 * _two_uses(grad, x, weight)[1]


@wrong(
    "You hand the incoming gradient to the first layer without the second layer's tanh: multiply "
    "by `1 - output**2` before you go through its weight.",
    belief="Only the weights lie on the way back.",
)
def skips_the_second_tanh(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    zero = torch.zeros_like(weight[0])
    second = _two_uses(grad, x, weight)[1]
    return layer_backward(grad @ weight, x, weight, zero)[1] + second


def _slopes(x: Tensor, slope: Callable[[Tensor, Tensor, int], Tensor]) -> Tensor:
    """``slope(flat, nudge direction, index)`` for each entry, computed in float64."""
    flat = x.detach().double().flatten()
    directions = torch.eye(len(flat), dtype=flat.dtype, device=flat.device)
    found = [slope(flat, one, i) for i, one in enumerate(directions)]
    return torch.stack(found).view(x.shape).to(x.dtype)


@wrong(
    "You move each entry up only: move it up and down, and divide by twice the distance. The "
    "error is then much smaller.",
    belief="The definition of the derivative moves x to one side.",
)
def moves_to_one_side(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    def slope(flat: Tensor, one: Tensor, i: int) -> Tensor:
        up, here = (function(p.view(x.shape)) for p in (flat + epsilon * one, flat))
        return (up - here) / epsilon

    return _slopes(x, slope)


@wrong(
    "Your slopes are twice too large: from down to up is a way of two epsilons.",
    belief="The step is epsilon, so divide by epsilon.",
)
def divides_by_one_epsilon(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    def slope(flat: Tensor, one: Tensor, i: int) -> Tensor:
        up, down = (function((flat + s * epsilon * one).view(x.shape)) for s in (1, -1))
        return (up - down) / epsilon

    return _slopes(x, slope)


@wrong(
    "You move all entries together: that gives one slope for all of them. Move one entry at a "
    "time.",
    belief="A tensor is nudged as a whole.",
)
def moves_all_entries(function: Function, x: Tensor, epsilon: float = 1e-6) -> Tensor:
    def slope(flat: Tensor, one: Tensor, i: int) -> Tensor:
        up, down = (function((flat + s * epsilon).view(x.shape)) for s in (1, -1))
        return (up - down) / (2 * epsilon)

    return _slopes(x, slope)


@wrong(
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


@wrong(
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


@wrong(
    "Your loss is a new tensor made from a plain number: it has no history, so no gradient flows.",
    belief="A tensor with the right number is the right tensor.",
)
def rebuilds_the_result(weight: Tensor, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ weight.T)
    loss = (hidden / hidden.abs().max()).square().mean()
    return torch.tensor(loss.item(), dtype=x.dtype, device=x.device)


@wrong(
    "You turn the largest entry into a plain number: the loss also depends on the weight through "
    "it, and that way gets no gradient.",
    belief="A number to divide by is a constant.",
)
def divides_by_a_number(weight: Tensor, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ weight.T)
    return (hidden / hidden.abs().max().item()).square().mean()


@wrong(
    "You compute with a detached weight (`.detach()` or `.data`): the inputs get a gradient, the "
    "weight gets none.",
    belief="The clean way to read a weight is `.data`.",
)
def reads_the_weight_without_history(weight: Tensor, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ weight.detach().T)
    return (hidden / hidden.abs().max()).square().mean()


@wrong(
    "You detach the inputs: the weight gets its gradient, and whatever computed the inputs gets "
    "none.",
    belief="Inputs are data and need no gradient.",
)
def detaches_the_inputs(weight: Tensor, x: Tensor) -> Tensor:
    hidden = torch.tanh(x.detach() @ weight.T)
    return (hidden / hidden.abs().max()).square().mean()
