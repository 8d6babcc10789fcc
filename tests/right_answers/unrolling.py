"""Right answers to the exercises on going through time, in unlike styles."""

from __future__ import annotations

import torch


def collects_and_multiplies(grad_states, x, states, w_h):
    length = len(x)
    arrived = torch.zeros_like(states)
    later = states.new_zeros(states.shape[1])
    for t in range(length - 1, -1, -1):
        arrived[t] = (grad_states[t] + later) * (1 - states[t].square())
        later = arrived[t] @ w_h
    before = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
    return [arrived.T @ x, arrived.T @ before, arrived.sum(dim=0)]


def with_autograd(grad_states, x, states, w_h):
    # The states of the forward pass hold w_x and b implicitly: they come from a straight line.
    before = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
    sums = torch.atanh(states)
    w_x = torch.zeros(len(w_h), x.shape[1], dtype=x.dtype, requires_grad=True)
    w_h = w_h.clone().requires_grad_()
    b = torch.zeros(len(w_h), dtype=x.dtype, requires_grad=True)
    fixed = sums - before @ w_h.detach().T
    state, loss = torch.zeros_like(b), 0
    for t in range(len(x)):
        new = torch.tanh(fixed[t] + w_x @ x[t] + w_h @ state + b)
        loss = loss + (grad_states[t] * new).sum()
        state = new
    return torch.autograd.grad(loss, (w_x, w_h, b))


def in_place(grad_states, x, states, w_h):
    grads = grad_states.clone()
    g_x = torch.zeros(w_h.shape[0], x.shape[1], dtype=x.dtype)
    g_h, g_b = torch.zeros_like(w_h), torch.zeros(w_h.shape[0], dtype=x.dtype)
    for t in reversed(range(len(x))):
        delta = grads[t] * (1 - states[t] ** 2)
        g_x += delta[:, None] * x[t][None, :]
        g_b += delta
        if t > 0:
            g_h += delta[:, None] * states[t - 1][None, :]
            grads[t - 1] += w_h.T @ delta
    return g_x, g_h, g_b


def by_recursion(grad_states, x, states, w_h):
    def back(t, later):
        delta = (grad_states[t] + later) * (1 - states[t] * states[t])
        mine = (torch.outer(delta, x[t]), torch.zeros_like(w_h), delta)
        if t == 0:
            return mine
        before = back(t - 1, torch.mv(w_h.t(), delta))
        return (
            mine[0] + before[0],
            torch.outer(delta, states[t - 1]) + before[1],
            mine[2] + before[2],
        )

    return back(len(x) - 1, torch.zeros(states.shape[1], dtype=states.dtype))


def steps_by_index(x, w_x, w_h, b):
    states = [torch.zeros(len(b), dtype=b.dtype)]
    for t in range(x.size(0)):
        states.append(torch.tanh(torch.mv(w_x, x[t]) + torch.mv(w_h, states[-1]) + b))
    return torch.stack(states[1:], dim=0)


def inputs_at_once(x, w_x, w_h, b):
    arriving = x @ w_x.T + b
    h = arriving.new_zeros(1, w_h.shape[0])
    found = []
    for row in arriving.split(1):
        h = (row + h @ w_h.mT).tanh()
        found.append(h)
    return torch.cat(found)


def by_library_layer(x, w_x, w_h, b):
    layer = torch.nn.RNN(x.shape[1], len(b), dtype=x.dtype)
    weights = {"weight_ih_l0": w_x, "weight_hh_l0": w_h, "bias_ih_l0": b}
    weights["bias_hh_l0"] = torch.zeros_like(b)
    return torch.func.functional_call(layer, weights, (x,))[0]


def fills_rows(x, w_x, w_h, b):
    out = torch.zeros(len(x), len(b), dtype=x.dtype)
    hidden = torch.zeros(len(b), dtype=x.dtype)
    for t, step in enumerate(x):
        hidden = torch.tanh(w_x.matmul(step) + w_h.matmul(hidden) + b)
        out[t] = hidden
    return out


def window_by_window(x, w_x, w_h, b, window):
    h, found = torch.zeros_like(b), []
    for part in x.split(window):
        h = h.detach()
        for step in part:
            h = torch.tanh(w_x @ step + w_h @ h + b)
            found.append(h)
    return torch.stack(found)


def cuts_after_the_last_step(x, w_x, w_h, b, window):
    h, found = b.new_zeros(len(b)), []
    for t in range(len(x)):
        h = (w_x @ x[t] + w_h @ h + b).tanh()
        found.append(h)
        if (t + 1) % window == 0:
            h = h.detach()
    return torch.stack(found)


def counts_down(x, w_x, w_h, b, window):
    h, left, found = torch.zeros(len(b), dtype=x.dtype), window, []
    for step in x:
        if left == 0:
            h, left = h.data, window
        h = torch.tanh(torch.cat([w_x, w_h], 1) @ torch.cat([step, h]) + b)
        found.append(h.unsqueeze(0))
        left -= 1
    return torch.cat(found)


def starts_anew_with_the_value(x, w_x, w_h, b, window):
    rows = []
    for start in range(0, x.shape[0], window):
        state = rows[-1].clone().detach() if rows else torch.zeros_like(b)
        for t in range(start, min(start + window, x.shape[0])):
            state = torch.tanh(w_x @ x[t] + w_h @ state + b)
            rows.append(state)
    return torch.vstack(rows)


def through_backward(model, sequences, targets):
    model.zero_grad()
    total = sum(t.numel() for t in targets)
    value = 0.0
    for sequence, target in zip(sequences, targets, strict=True):
        output = model(sequence[None], [len(sequence)])[0]
        loss = ((output - target) ** 2).sum() / total
        loss.backward()
        value += loss.item()
    return value, {name: p.grad.clone() for name, p in model.named_parameters()}


def all_errors_together(model, sequences, targets):
    pairs = zip(sequences, targets, strict=True)
    errors = [(model(s[None], [len(s)])[0] - t).flatten() for s, t in pairs]
    loss = torch.cat(errors).pow(2).mean()
    names, parameters = zip(*model.named_parameters(), strict=True)
    return float(loss), dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def weighs_the_means(model, sequences, targets):
    sizes = [t.numel() for t in targets]
    loss = torch.zeros(())
    for s, t, n in zip(sequences, targets, sizes, strict=True):
        mse = torch.nn.functional.mse_loss(model(s.unsqueeze(0), [s.shape[0]])[0], t)
        loss = loss + mse * n / sum(sizes)
    for p in model.parameters():
        p.grad = None
    loss.backward()
    return [loss.item(), {n: p.grad for n, p in model.named_parameters()}]


def sums_then_divides(model, sequences, targets):
    sums, loss, count = {}, 0.0, 0
    for s, t in zip(sequences, targets, strict=True):
        out = model(s[None], [len(s)])[0]
        error = torch.nn.functional.mse_loss(out, t, reduction="sum")
        for name, p in model.named_parameters():
            g = torch.autograd.grad(error, p, retain_graph=True)[0]
            sums[name] = sums.get(name, 0) + g
        loss, count = loss + error.item(), count + t.numel()
    return loss / count, {name: g / count for name, g in sums.items()}


STYLES = {
    "unrolling.rnn_forward": [steps_by_index, inputs_at_once, by_library_layer, fills_rows],
    "unrolling.bptt": [collects_and_multiplies, with_autograd, in_place, by_recursion],
    "unrolling.truncated": [
        window_by_window,
        cuts_after_the_last_step,
        counts_down,
        starts_anew_with_the_value,
    ],
    "unrolling.mean_step_oracle": [
        through_backward,
        all_errors_together,
        weighs_the_means,
        sums_then_divides,
    ],
}
