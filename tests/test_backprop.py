"""Gradients by hand, each against two oracles that know nothing of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from course_utils.backprop import (
    bptt,
    compare,
    layer_backward,
    numerical_gradient,
    rnn_forward,
    rnn_forward_truncated,
    state_gradients,
)

DOUBLE = torch.float64
# length, features, hidden: one step, one feature, one unit, all equal
SIZES = [(1, 3, 2), (5, 1, 3), (6, 3, 1), (4, 4, 4), (7, 2, 3)]


def random_network(length: int, features: int, hidden: int) -> list[Tensor]:
    """``x``, ``w_x``, ``w_h`` and ``b``."""
    shapes = (length, features), (hidden, features), (hidden, hidden), (hidden,)
    return [torch.randn(shape, dtype=DOUBLE) for shape in shapes]


@pytest.mark.parametrize("sizes", [(1, 3, 2), (4, 3, 2), (3, 3, 3), (5, 1, 4), (2, 4, 1)])
def test_layer_backward(sizes: tuple[int, int, int]):
    batch, features, hidden = sizes
    grad = torch.randn(batch, hidden, dtype=DOUBLE)
    tensors = [
        torch.randn(s, dtype=DOUBLE) for s in ((batch, features), (hidden, features), hidden)
    ]

    def loss(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return (torch.tanh(nn.functional.linear(x, weight, bias)) * grad).sum()

    mine = layer_backward(grad, *tensors)
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    autograd = torch.autograd.grad(loss(*leaves), leaves)
    for i, gradient in enumerate(mine):
        measured = numerical_gradient(
            lambda v, i=i: loss(*tensors[:i], v, *tensors[i + 1 :]), tensors[i]
        )
        torch.testing.assert_close(gradient, autograd[i])
        torch.testing.assert_close(gradient, measured, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("sizes", SIZES)
def test_forward_is_pytorchs_rnn(sizes: tuple[int, int, int]):
    x, w_x, w_h, b = random_network(*sizes)
    rnn = nn.RNN(sizes[1], sizes[2], batch_first=True).to(DOUBLE)
    with torch.no_grad():
        for p, value in zip(rnn.parameters(), (w_x, w_h, 0.3 * b, 0.7 * b), strict=True):
            p.copy_(value)
    torch.testing.assert_close(rnn_forward(x, w_x, w_h, b), rnn(x[None])[0][0])


@pytest.mark.parametrize("sizes", SIZES)
def test_bptt(sizes: tuple[int, int, int]):
    x, *params = random_network(*sizes)
    weights = torch.randn(sizes[0], sizes[2], dtype=DOUBLE)

    def loss(*values: Tensor) -> Tensor:
        return (rnn_forward(x, *values) * weights).sum()

    mine = bptt(weights, x, rnn_forward(x, *params), params[1])
    leaves = [p.clone().requires_grad_() for p in params]
    autograd = torch.autograd.grad(loss(*leaves), leaves)
    for i, gradient in enumerate(mine):
        measured = numerical_gradient(
            lambda v, i=i: loss(*params[:i], v, *params[i + 1 :]), params[i]
        )
        torch.testing.assert_close(gradient, autograd[i])
        torch.testing.assert_close(gradient, measured, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("window", [1, 2, 3, 7, 9])
def test_truncated_gradient_is_the_sum_of_windows_on_their_own(window: int):
    """The oracle: each window alone, from a state that is a constant."""
    x, w_x, w_h, b = random_network(7, 2, 3)
    w_h.requires_grad_()
    weights = torch.randn(7, 3, dtype=DOUBLE)
    states = rnn_forward_truncated(x, w_x, w_h, b, window)
    torch.testing.assert_close(states, rnn_forward(x, w_x, w_h, b))
    (found,) = torch.autograd.grad((states * weights).sum(), w_h)

    def piece(value: Tensor, start: int) -> Tensor:
        state = states[start - 1].detach() if start > 0 else torch.zeros_like(b)
        total = torch.zeros((), dtype=DOUBLE)
        for t in range(start, min(start + window, 7)):
            state = torch.tanh(w_x @ x[t] + value @ state + b)
            total = total + (state * weights[t]).sum()
        return total

    starts = range(0, 7, window)
    alone = [torch.autograd.grad(piece(w_h, start), w_h)[0] for start in starts]
    measured = [numerical_gradient(lambda v, s=start: piece(v, s), w_h) for start in starts]
    torch.testing.assert_close(found, sum(alone))
    torch.testing.assert_close(found, sum(measured), rtol=1e-7, atol=1e-8)


def test_windows_cut_the_gradient_where_they_should():
    x, *params = random_network(7, 2, 3)
    x.requires_grad_()
    states = rnn_forward_truncated(x, *params, 3)
    rows = [torch.autograd.grad(s.sum(), x, retain_graph=True)[0] for s in states]
    reach = [(row != 0).any(1).nonzero().flatten().tolist() for row in rows]
    assert reach == [[0], [0, 1], [0, 1, 2], [3], [3, 4], [3, 4, 5], [6]]


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 2)])
def test_finite_differences_of_closed_forms(shape: tuple[int, ...]):
    x = torch.randn(shape, dtype=DOUBLE)
    before = x.clone()
    torch.testing.assert_close(
        numerical_gradient(lambda v: v.sin().sum(), x), x.cos(), rtol=1e-7, atol=1e-8
    )
    torch.testing.assert_close(
        numerical_gradient(lambda v: (v**3).sum(), x), 3 * x**2, rtol=1e-7, atol=1e-8
    )
    assert torch.equal(x, before)


def test_finite_differences_keep_the_dtype_and_compute_in_double():
    x = torch.randn(4)
    seen = []
    found = numerical_gradient(lambda v: seen.append(v.dtype) or v.square().sum(), x)
    assert found.dtype == torch.float32
    assert set(seen) == {DOUBLE}
    torch.testing.assert_close(found, 2 * x)
    with_history = torch.randn(2, dtype=DOUBLE, requires_grad=True)
    assert not numerical_gradient(lambda v: (v * with_history).sum(), with_history).requires_grad


def test_state_gradients_of_a_chain_are_powers():
    state, states = torch.ones((), dtype=DOUBLE, requires_grad=True), []
    for _ in range(6):
        state = 0.5 * state
        states.append(state)
    expected = 0.5 ** torch.arange(5, -1, -1, dtype=DOUBLE)
    torch.testing.assert_close(state_gradients(states), expected)


def test_compare_says_how_far_apart():
    a = torch.tensor([1.0, -2.0], dtype=DOUBLE)
    line = compare("w", a, autograd=a, differences=a + 1e-9)
    assert "autograd equal, off by 0e+00" in line
    assert "differences equal, off by 1e-09" in line
    assert "(2,)" in line


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (torch.tensor([1.0, -2.001]), "autograd DIFFERENT, off by 1e-03"),
        (torch.tensor([1.0, float("nan")]), "DIFFERENT"),
        (torch.tensor([[1.0, -2.0]]), r"w has shape \(2,\), but autograd has \(1, 2\)"),
    ],
)
def test_compare_refuses_what_differs(other: Tensor, said: str):
    with pytest.raises(AssertionError, match=said):
        compare("w", torch.tensor([1.0, -2.0]), autograd=other)


def test_nothing_is_made_on_another_device():
    """On CPU data a tensor made without ``device=`` would be on the meta device."""
    x, w_x, w_h, b = random_network(5, 2, 3)
    weights = torch.randn(5, 3, dtype=DOUBLE)
    states = rnn_forward(x, w_x, w_h, b)
    expected = (
        states,
        rnn_forward_truncated(x, w_x, w_h, b, 2),
        *bptt(weights, x, states, w_h),
        numerical_gradient(lambda v: v.square().sum(), x),
    )
    torch.set_default_device("meta")
    try:
        found = (
            rnn_forward(x, w_x, w_h, b),
            rnn_forward_truncated(x, w_x, w_h, b, 2),
            *bptt(weights, x, states, w_h),
            numerical_gradient(lambda v: v.square().sum(), x),
        )
    finally:
        torch.set_default_device(None)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_shapes_that_would_broadcast():
    x, weight = torch.randn(3, 2), torch.randn(4, 2)
    with pytest.raises(ValueError, match=r"grad has shape \(1, 4\), expected \(3, 4\)"):
        layer_backward(torch.randn(1, 4), x, weight, torch.randn(4))
