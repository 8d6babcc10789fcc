"""Right answers to the exercises on backpropagation through a fixed graph, in unlike styles."""

from __future__ import annotations

import torch


def layer_by_einsum(grad, x, weight, bias):
    output = torch.einsum("bf,hf->bh", x, weight).add(bias).tanh()
    before = grad * (1 - output.square())
    return [
        torch.einsum("bh,hf->bf", before, weight),
        torch.einsum("bh,bf->hf", before, x),
        torch.einsum("bh->h", before),
    ]


def layer_row_by_row(grad, x, weight, bias):
    grad_x = torch.zeros_like(x)
    grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
    for i in range(len(x)):
        output = torch.tanh(weight @ x[i] + bias)
        before = grad[i] * (1 - output) * (1 + output)
        grad_x[i] = weight.T @ before
        grad_weight += torch.outer(before, x[i])
        grad_bias += before
    return grad_x, grad_weight, grad_bias


def layer_by_autograd(grad, x, weight, bias):
    leaves = [t.detach().clone().requires_grad_() for t in (x, weight, bias)]
    out = torch.tanh(torch.nn.functional.linear(*leaves))
    out.backward(grad)
    return tuple(leaf.grad for leaf in leaves)


def layer_by_cosh(grad, x, weight, bias):
    sums = torch.addmm(bias, x, weight.t())
    before = grad / torch.cosh(sums) ** 2
    ones = torch.ones(1, len(x), dtype=x.dtype)
    return before.mm(weight), before.t().mm(x), ones.mm(before).squeeze(0)


def shared_by_two_names(grad, x, weight):
    first, second = weight, weight
    h = (x @ first.T).tanh()
    y = (h @ second.T).tanh()
    dy = grad * (1 - y * y)
    d_second = dy.T @ h
    dh = dy @ second * (1 - h * h)
    return d_second + dh.T @ x


def shared_row_by_row(grad, x, weight):
    total = torch.zeros_like(weight)
    for g, row in zip(grad, x, strict=True):
        h = torch.tanh(weight @ row)
        y = torch.tanh(weight @ h)
        dy = g * (1 - y**2)
        dh = (weight.T @ dy) * (1 - h**2)
        total = total + dy[:, None] * h[None] + dh[:, None] * row[None]
    return total


def shared_by_autograd(grad, x, weight):
    copy = weight.clone().requires_grad_(True)
    loss = (torch.tanh(torch.tanh(x @ copy.T) @ copy.T) * grad).sum()
    loss.backward()
    return copy.grad


def shared_stacked(grad, x, weight):
    h = torch.tanh(x.matmul(weight.mT))
    dy = grad - grad * torch.tanh(h.matmul(weight.mT)).pow(2)
    dh = dy.matmul(weight)
    dh = dh - dh * h.pow(2)
    return torch.cat([dy, dh]).mT.matmul(torch.cat([h, x]))


def slopes_by_index(function, x, epsilon=1e-6):
    moved = x.to(torch.float64, copy=True).reshape(-1)
    result = []
    for i in range(moved.numel()):
        old = moved[i].item()
        moved[i] = old + epsilon
        up = function(moved.reshape(x.shape)).item()
        moved[i] = old - epsilon
        down = function(moved.reshape(x.shape)).item()
        moved[i] = old
        result.append((up - down) / (2 * epsilon))
    return torch.tensor(result, dtype=x.dtype).reshape(x.shape)


def slopes_by_unit_vectors(function, x, epsilon=1e-6):
    nudges = epsilon * torch.eye(x.numel(), dtype=torch.double)
    wide = x.double()
    found = [
        (function(wide + n.view_as(x)) - function(wide - n.view_as(x))) / epsilon / 2
        for n in nudges
    ]
    return torch.stack(found).view_as(x).type_as(x)


def slopes_by_places(function, x, epsilon=1e-6):
    slopes = torch.empty_like(x)
    wide = x.detach().clone().double()
    for place in torch.cartesian_prod(*(torch.arange(n) for n in x.shape)).view(-1, x.dim()):
        at = tuple(place.tolist())
        up, down = wide.clone(), wide.clone()
        up[at] += epsilon
        down[at] -= epsilon
        slopes[at] = (function(up) - function(down)) / (up[at] - down[at])
    return slopes


def slopes_with_numpy(function, x, epsilon=1e-6):
    import numpy as np

    wide = x.numpy().astype(np.float64)
    slopes = np.zeros_like(wide)
    for at in np.ndindex(*wide.shape):
        values = []
        for sign in (1, -1):
            moved = wide.copy()
            moved[at] += sign * epsilon
            values.append(float(function(torch.from_numpy(moved))))
        slopes[at] = (values[0] - values[1]) / (2 * epsilon)
    return torch.from_numpy(slopes).to(x.dtype)


def scaled_first(weight, x):
    hidden = (x @ weight.T).tanh()
    largest = torch.max(torch.abs(hidden))
    return (hidden.div(largest) ** 2).mean()


def mean_over_square(weight, x):
    squares = torch.tanh(torch.nn.functional.linear(x, weight)).square()
    return squares.mean() / squares.max()


def scaled_by_norm(weight, x):
    hidden = torch.tanh(torch.einsum("bf,hf->bh", x, weight))
    scaled = hidden / torch.linalg.vector_norm(hidden, torch.inf)
    return (scaled * scaled).sum() / scaled.numel()


def number_by_number(weight, x):
    numbers = [torch.tanh((row * unit).sum()) for row in x for unit in weight]
    largest = max((number.abs() for number in numbers), key=lambda n: n.item())
    return sum((number / largest) ** 2 for number in numbers) / len(numbers)


STYLES = {
    "backprop.layer_backward": [
        layer_by_einsum,
        layer_row_by_row,
        layer_by_autograd,
        layer_by_cosh,
    ],
    "backprop.shared_layer_backward": [
        shared_by_two_names,
        shared_row_by_row,
        shared_by_autograd,
        shared_stacked,
    ],
    "backprop.numerical_gradient": [
        slopes_by_index,
        slopes_by_unit_vectors,
        slopes_by_places,
        slopes_with_numpy,
    ],
    "backprop.scaled_loss": [scaled_first, mean_over_square, scaled_by_norm, number_by_number],
}
