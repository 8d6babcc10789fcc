"""Right answers to the exercises on masking, in unlike styles."""

from __future__ import annotations

import torch


def by_exponentials(scores, mask):
    largest = scores.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True)
    largest = torch.where(largest.isinf(), 0.0, largest)
    parts = torch.where(mask, torch.exp(torch.where(mask, scores - largest, 0.0)), 0.0)
    total = parts.sum(-1, keepdim=True)
    return parts / torch.where(total == 0, 1.0, total)


def large_negative_and_zeros(scores, mask):
    lowest = torch.finfo(scores.dtype).min
    weights = torch.softmax(torch.where(mask, scores, lowest), dim=-1)
    return torch.where(mask, weights, 0.0)


def row_by_row(scores, mask):
    full = mask.expand_as(scores).reshape(-1, scores.shape[-1])
    rows = []
    for row, real in zip(scores.reshape(-1, scores.shape[-1]), full, strict=True):
        weights = torch.zeros_like(row)
        if real.any():
            weights[real] = torch.softmax(row[real], 0)
        rows.append(weights)
    return torch.stack(rows).reshape(scores.shape)


def through_the_logarithm(scores, mask):
    filled = scores.masked_fill(~mask, -1e30)
    logs = filled - torch.logsumexp(filled, dim=-1, keepdim=True)
    return logs.exp() * mask


def fills_rows(lengths, max_length=None):
    steps = int(lengths.max()) if max_length is None else max_length
    mask = torch.zeros(len(lengths), steps, dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        row[:length] = True
    return mask


def nested_lists(lengths, max_length=None):
    steps = max_length or max(lengths.tolist())
    return torch.tensor([[t < n for t in range(steps)] for n in lengths.tolist()])


def counts_up(lengths, max_length=None):
    steps = max_length if max_length is not None else lengths.max().item()
    return torch.ones(len(lengths), steps).cumsum(dim=1).le(lengths.unsqueeze(1))


def rows_of_a_triangle(lengths, max_length=None):
    steps = int(lengths.max()) if max_length is None else max_length
    return torch.ones(steps + 1, steps).tril(-1).bool()[lengths]


def one_row_at_a_time(cell, inputs, mask):
    outputs, finals = [], []
    for steps, reals in zip(inputs, mask.tolist(), strict=True):
        state, row = inputs.new_zeros(1, cell.hidden_size), []
        for step, real in zip(steps, reals, strict=True):
            state = cell(step[None], state) if real else state
            row.append(state[0] if real else torch.zeros_like(state[0]))
        outputs.append(torch.stack(row))
        finals.append(state[0])
    return torch.stack(outputs), torch.stack(finals)


def weighs_new_and_old(cell, inputs, mask):
    weights = mask.to(inputs.dtype).unsqueeze(-1)
    state, states = inputs.new_zeros(len(inputs), cell.hidden_size), []
    for step, weight in zip(inputs.unbind(1), weights.unbind(1), strict=True):
        state = weight * cell(step, state) + (1 - weight) * state
        states.append(state)
    return torch.stack(states, 1) * weights, state


def real_rows_alone(cell, inputs, mask):
    state = torch.zeros(len(inputs), cell.hidden_size, dtype=inputs.dtype)
    columns = []
    for t in range(mask.shape[1]):
        rows = mask[:, t].nonzero().flatten()
        column = torch.zeros_like(state)
        if len(rows):
            new = cell(inputs[rows, t], state[rows])
            state, column = state.index_copy(0, rows, new), column.index_copy(0, rows, new)
        columns.append(column)
    return [torch.stack(columns, dim=1), state]


def fills_a_buffer(cell, inputs, mask):
    outputs = inputs.new_zeros(*mask.shape, cell.hidden_size)
    state = inputs.new_zeros(len(inputs), cell.hidden_size)
    for t in range(inputs.size(1)):
        real = mask[:, t].unsqueeze(1).expand_as(state)
        new = cell(inputs[:, t], state)
        outputs[:, t] = torch.where(real, new, torch.zeros_like(new))
        state = torch.where(real, new, state)
    return outputs, state


def one_where_real(values, mask):
    return torch.where(mask, values, 1.0).log()


def two_choices(values, mask):
    safe = torch.where(mask, values, torch.ones_like(values))
    return torch.where(mask, torch.log(safe), 0)


def writes_into_zeros(values, mask):
    result = torch.zeros_like(values)
    result[mask] = values[mask].log()
    return result


def number_by_number(values, mask):
    pairs = zip(values.flatten(), mask.flatten(), strict=True)
    return torch.stack([v.log() if m else v.new_tensor(0.0) for v, m in pairs]).view_as(values)


STYLES = {
    "masking.lengths_to_mask": [fills_rows, nested_lists, counts_up, rows_of_a_triangle],
    "masking.masked_recurrence": [
        one_row_at_a_time,
        weighs_new_and_old,
        real_rows_alone,
        fills_a_buffer,
    ],
    "masking.safe_log": [one_where_real, two_choices, writes_into_zeros, number_by_number],
    "masking.masked_softmax": [
        by_exponentials,
        large_negative_and_zeros,
        row_by_row,
        through_the_logarithm,
    ],
}
