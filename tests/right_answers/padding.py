"""Right answers to the exercises on padding, in unlike styles."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch.nn.utils.rnn import pad_sequence


def pads_by_library(sequences, padding_value=0.0):
    return pad_sequence(sequences, batch_first=True, padding_value=padding_value)


def fills_a_tensor(sequences, padding_value=0.0):
    lengths = [s.shape[0] for s in sequences]
    first = sequences[0]
    size = (len(sequences), max(lengths), first.shape[1])
    out = torch.full(size, padding_value, dtype=first.dtype, device=first.device)
    for i, s in enumerate(sequences):
        out[i, : len(s)] = s
    return out


def pads_by_functional(sequences, padding_value=0.0):
    longest = max(map(len, sequences))
    return torch.stack(
        [
            torch.nn.functional.pad(s, (0, 0, 0, longest - len(s)), value=padding_value)
            for s in sequences
        ]
    )


def step_by_step(sequences, padding_value=0.0):
    longest = 0
    for s in sequences:
        if len(s) > longest:
            longest = len(s)
    pad = torch.ones_like(sequences[0][0]) * padding_value
    rows = []
    for s in sequences:
        steps = list(s)
        while len(steps) < longest:
            steps.append(pad)
        rows.append(torch.stack(steps, dim=0))
    return torch.cat([row.unsqueeze(0) for row in rows], dim=0)


def mean_of_a_mask(lengths, max_length=None):
    steps = max_length or int(lengths.max())
    pads = torch.arange(steps)[None, :] >= lengths[:, None]
    return pads.double().mean().item()


def counts_in_a_loop(lengths, max_length=None):
    longest = max(lengths.tolist()) if max_length is None else max_length
    pads = cells = 0
    for length in lengths.tolist():
        pads += longest - length
        cells += longest
    return pads / cells


def mean_length_by_longest(lengths, max_length=None):
    if max_length is None:
        max_length = lengths.max()
    return float(1 - lengths.double().mean() / max_length)


def with_lists(lengths, max_length=None):
    plain = [int(length) for length in lengths]
    longest = max(plain) if max_length is None else max_length
    return 1.0 - sum(plain) / longest / len(plain)


def open_batch_apart(lengths, max_cells):
    batches, batch = [], []
    for i, length in enumerate(lengths):
        longest = max([length] + [lengths[j] for j in batch])
        if batch and longest * (len(batch) + 1) > max_cells:
            batches.append(batch)
            batch = []
        batch.append(i)
    if batch:
        batches.append(batch)
    return batches


def farthest_end(lengths, max_cells):
    batches, start = [], 0
    while start < len(lengths):
        end = start + 1
        while end < len(lengths):
            if (end + 1 - start) * max(lengths[start : end + 1]) > max_cells:
                break
            end += 1
        batches.append(list(range(start, end)))
        start = end
    return batches


def by_recursion(lengths, max_cells, first=0):
    if not lengths:
        return []
    fits = [n for n in range(1, len(lengths) + 1) if n * max(lengths[:n]) <= max_cells]
    n = fits[-1]
    mine = [first + i for i in range(n)]
    return [mine, *by_recursion(lengths[n:], max_cells, first + n)]


def as_tuples(lengths, max_cells):
    cuts, longest, rows = [0], 0, 0
    for i, length in enumerate(lengths):
        longest, rows = max(longest, length), rows + 1
        if longest * rows > max_cells:
            cuts.append(i)
            longest, rows = length, 1
    cuts.append(len(lengths))
    return tuple(tuple(range(a, b)) for a, b in pairwise(cuts))


STYLES = {
    "padding.pad_batch": [pads_by_library, fills_a_tensor, pads_by_functional, step_by_step],
    "padding.padding_waste": [
        mean_of_a_mask,
        counts_in_a_loop,
        mean_length_by_longest,
        with_lists,
    ],
    "padding.token_budget": [open_batch_apart, farthest_end, by_recursion, as_tuples],
}
