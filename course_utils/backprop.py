"""Gradients by hand: of a layer, of a network over time, and by finite differences.

One sequence has inputs ``(L, F)`` and states ``(L, H)``; a state is
``h_t = tanh(w_x x_t + w_h h_(t-1) + b)`` with ``w_x`` ``(H, F)``, ``w_h`` ``(H, H)`` and ``b``
``(H,)``, and the state before the first step is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.checks import check_count, check_float, check_number, check_shape, check_tensor


def compare(name: str, got: Tensor, tolerance: float = 1e-6, **others: Tensor) -> str:
    """One line that compares a gradient with others: shapes, and how far apart the numbers are.

    Args:
        name: what is compared.
        got: the gradient in question.
        tolerance: largest distance allowed, as a share of the gradient's largest entry, or of
            0.001 if all entries are smaller: finite differences see no finer.
        others: what it must agree with, by name: ``autograd=...``, ``differences=...``.

    Raises:
        AssertionError: a shape differs, or a number by more than the tolerance.
        TypeError: something that is not a tensor of numbers.
    """
    check_float(got, "got")
    parts = [f"{name:<13} {tuple(got.shape)!s:<8}"]
    for other, expected in others.items():
        check_tensor(expected, other)
        if got.shape != expected.shape:
            raise AssertionError(
                f"{name} has shape {tuple(got.shape)}, but {other} has {tuple(expected.shape)}"
            )
        apart = float((got - expected).detach().abs().max()) if got.numel() else 0.0
        size = max(float(expected.detach().abs().max()) if got.numel() else 0.0, 1e-3)
        verdict = "equal" if apart <= tolerance * size else "DIFFERENT"
        parts.append(f"{other} {verdict}, off by {apart:.0e}")
        if verdict != "equal":
            raise AssertionError("  ".join(parts))
    return "  ".join(parts)


def numerical_gradient(
    function: Callable[[Tensor], Tensor], x: Tensor, epsilon: float = 1e-6
) -> Tensor:
    """Gradient of a function by central differences, in the shape and dtype of ``x``.

    Args:
        function: takes a tensor like ``x``, in float64, and returns one number.
        x: where to take the gradient; not changed.
        epsilon: how far each entry is moved, up and down.

    Raises:
        TypeError, ValueError: ``x`` is not floating-point, the step is not above 0, or the
            function returns something else than one number.
    """
    check_float(x, "x")
    check_number(epsilon, "epsilon", above=0)
    epsilon = float(epsilon)
    flat = x.detach().double().flatten()
    slopes = torch.zeros_like(flat)
    for i in range(len(flat)):
        nudge = torch.zeros_like(flat)
        nudge[i] = epsilon
        up = function((flat + nudge).view(x.shape))
        down = function((flat - nudge).view(x.shape))
        slope = (up - down) / (2 * epsilon)
        if isinstance(slope, Tensor) and slope.numel() != 1:
            raise ValueError(
                f"the function returns shape {tuple(slope.shape)}, expected one number"
            )
        slopes[i] = slope.detach() if isinstance(slope, Tensor) else slope
    return slopes.view(x.shape).to(x.dtype)


def _matrix(values: Tensor, name: str) -> tuple[int, int]:
    """Rows and columns."""
    check_float(values, name)
    if values.dim() != 2:
        raise ValueError(f"{name} has shape {tuple(values.shape)}, expected two axes")
    return values.shape[0], values.shape[1]


def _check_fits(values: Tensor, name: str, shape: tuple[int, ...], like: Tensor) -> None:
    """Refuse another shape, or another dtype than that of the inputs."""
    check_shape(values, name, shape)
    if values.dtype != like.dtype:
        raise TypeError(f"{name} is {values.dtype}, but x is {like.dtype}")


def _check_network(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> None:
    """Refuse parameters that do not fit a sequence ``(L, F)`` of at least one step."""
    steps, features = _matrix(x, "x")
    hidden, _ = _matrix(w_h, "w_h")
    if steps == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: a sequence needs at least one step")
    _check_fits(w_x, "w_x", (hidden, features), x)
    _check_fits(w_h, "w_h", (hidden, hidden), x)
    _check_fits(b, "b", (hidden,), x)


def layer_backward(
    grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the layer ``tanh(x @ weight.T + bias)``: for ``x``, ``weight`` and ``bias``.

    Args:
        grad: gradient of the loss for the layer's output, ``(B, H)``.
        x: inputs ``(B, F)``.
        weight: ``(H, F)``.
        bias: ``(H,)``.

    Raises:
        TypeError, ValueError: shapes that do not fit.
    """
    batch, inputs = _matrix(x, "x")
    outputs, _ = _matrix(weight, "weight")
    _check_fits(weight, "weight", (outputs, inputs), x)
    _check_fits(bias, "bias", (outputs,), x)
    _check_fits(grad, "grad", (batch, outputs), x)
    output = torch.tanh(x @ weight.T + bias)
    through_tanh = grad * (1 - output**2)
    return through_tanh @ weight, through_tanh.T @ x, through_tanh.sum(0)


def rnn_forward(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    """All states ``(L, H)`` of a recurrent network that reads one sequence ``x`` ``(L, F)``.

    Raises:
        TypeError, ValueError: no step, or parameters that do not fit.
    """
    _check_network(x, w_x, w_h, b)
    state = torch.zeros_like(b)
    states = []
    for step in x:
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


def bptt(
    grad_states: Tensor, x: Tensor, states: Tensor, w_h: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Backpropagation through time over one sequence: gradients for ``w_x``, ``w_h``, ``b``.

    Args:
        grad_states: how the loss depends on each state directly, ``(L, H)``.
        x: inputs ``(L, F)``.
        states: all states ``(L, H)`` of the forward pass.
        w_h: recurrent weight ``(H, H)``.

    Raises:
        TypeError, ValueError: no step, or shapes that do not fit.
    """
    hidden, _ = _matrix(w_h, "w_h")
    _check_network(x, w_h.new_zeros(hidden, _matrix(x, "x")[1]), w_h, w_h.new_zeros(hidden))
    _check_fits(states, "states", (len(x), hidden), x)
    _check_fits(grad_states, "grad_states", (len(x), hidden), x)
    sum_x = x.new_zeros(len(w_h), x.shape[1])
    sum_h, sum_b = torch.zeros_like(w_h), torch.zeros_like(w_h[0])
    from_later = torch.zeros_like(states[0])
    for t in reversed(range(len(x))):
        before = states[t - 1] if t > 0 else torch.zeros_like(states[0])
        through_tanh = (grad_states[t] + from_later) * (1 - states[t] ** 2)
        sum_x = sum_x + torch.outer(through_tanh, x[t])
        sum_h = sum_h + torch.outer(through_tanh, before)
        sum_b = sum_b + through_tanh
        from_later = w_h.T @ through_tanh
    return sum_x, sum_h, sum_b


def rnn_forward_truncated(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, window: int) -> Tensor:
    """The states of :func:`rnn_forward`, with the graph cut every ``window`` steps.

    Args:
        x: inputs ``(L, F)``.
        w_x, w_h, b: the parameters.
        window: gradients flow back through at most this many steps; steps 0 to ``window - 1``
            are the first window.

    Raises:
        TypeError, ValueError: as :func:`rnn_forward`, or a window below 1.
    """
    _check_network(x, w_x, w_h, b)
    check_count(window, "window", 1)
    state = torch.zeros_like(b)
    states = []
    for t, step in enumerate(x):
        if t % window == 0:
            state = state.detach()
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


def state_gradients(states: Sequence[Tensor]) -> Tensor:
    """How much the last state depends on each state, ``(L,)``: norms of gradients.

    The gradient is that of the sum of the last state's entries.

    Args:
        states: tensors of any shape, each computed from the one before.

    Raises:
        TypeError, ValueError: no states, or one that the last one does not depend on.
    """
    for i, state in enumerate(states):
        check_float(state, f"states[{i}]")
        if not state.requires_grad:
            raise ValueError(f"states[{i}] has no history: was it detached?")
    if len(states) == 0:
        raise ValueError(f"states is {states!r:.40}, expected at least one tensor")
    found = torch.autograd.grad(
        states[-1].sum(), list(states), retain_graph=True, allow_unused=True
    )
    if any(gradient is None for gradient in found):
        first = next(i for i, gradient in enumerate(found) if gradient is None)
        raise ValueError(f"the last state does not depend on states[{first}]")
    return torch.stack([gradient.norm() for gradient in found])
