"""Right answers to the exercises beyond recurrent networks, in unlike styles."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def two_tables(mask, to, *, source="rnn"):
    read = {
        "rnn": lambda m: m.clone(),
        "mha": torch.logical_not,
        "sdpa": lambda m: m.squeeze(2).squeeze(1),
        "huggingface": lambda m: m.eq(1),
    }
    write = {
        "rnn": lambda m: m,
        "mha": torch.logical_not,
        "sdpa": lambda m: m.unsqueeze(1).unsqueeze(2),
        "huggingface": lambda m: m.to(torch.int64),
    }
    return write[to](read[source](mask))


def reshaped_and_turned(mask, to, *, source="rnn"):
    rows, steps = mask.shape[0], mask.shape[-1]
    flat = mask.reshape(rows, steps).bool() ^ ((source == "mha") != (to == "mha"))
    shape = (rows, 1, 1, steps) if to == "sdpa" else (rows, steps)
    return flat.reshape(shape).to(torch.int64 if to == "huggingface" else torch.bool)


def numbers_in_between(mask, to, *, source="rnn"):
    numbers = mask.long().flatten(1)
    numbers = 1 - numbers if source == "mha" else numbers
    if to == "huggingface":
        return numbers
    real = numbers != (1 if to == "mha" else 0)
    return real[:, None][:, None] if to == "sdpa" else real


def lists_of_flags(mask, to, *, source="rnn"):
    rows = [[bool(flag) for flag in row.flatten().tolist()] for row in mask]
    if (source == "mha") != (to == "mha"):
        rows = [[not flag for flag in row] for row in rows]
    if to == "sdpa":
        rows = [[[row]] for row in rows]
    return torch.tensor(rows, dtype=torch.int64 if to == "huggingface" else torch.bool)


def three_loops(documents, causal=False):
    rows, steps = documents.shape
    mask = torch.zeros(rows, steps, steps, dtype=torch.bool)
    for row, numbers in enumerate(documents.tolist()):
        for query, number in enumerate(numbers):
            for key in range(query + 1 if causal else steps):
                mask[row, query, key] = number >= 0 and numbers[key] == number
    return mask


def one_hot_products(documents, causal=False):
    hot = F.one_hot(documents + 1)[..., 1:].double()
    mask = (hot @ hot.mT).bool()
    return torch.tril(mask) if causal else mask


def nan_at_pads(documents, causal=False):
    numbers = documents.double().masked_fill(documents == -1, torch.nan)
    mask = numbers.unsqueeze(-1).eq(numbers.unsqueeze(-2))
    return mask.logical_and(torch.ones_like(mask).tril()) if causal else mask


def document_by_document(documents, causal=False):
    mask = torch.zeros(*documents.shape, documents.shape[1], dtype=torch.bool)
    for row, numbers in enumerate(documents):
        for number in numbers[numbers >= 0].unique():
            where = (numbers == number).nonzero()
            mask[row, where, where.T] = True
    return mask.tril() if causal else mask


def two_loops(tokens, documents):
    labels = torch.full_like(tokens, -100)
    for row in range(len(tokens)):
        for step in range(tokens.shape[1] - 1):
            if documents[row, step] == documents[row, step + 1] >= 0:
                labels[row, step] = tokens[row, step + 1]
    return labels


def padded_by_one(tokens, documents):
    after = F.pad(tokens, (0, 1), value=-100)[:, 1:]
    owner = F.pad(documents, (0, 1), value=-1)[:, 1:]
    return torch.where((owner == documents) & (owner != -1), after, -100)


def rolled(tokens, documents):
    keep = documents.roll(-1, 1).eq(documents) & documents.ge(0)
    keep[:, -1] = False
    labels = tokens.roll(-1, 1)
    labels[~keep] = -100
    return labels


def differences(tokens, documents):
    border = (torch.diff(documents, dim=1) != 0) | (documents[:, 1:] < 0)
    column = torch.full_like(tokens[:, :1], -100)
    return torch.cat([tokens[:, 1:].masked_fill(border, -100), column], dim=1)


STYLES = {
    "beyond.convert_mask": [two_tables, reshaped_and_turned, numbers_in_between, lists_of_flags],
    "beyond.block_diagonal_mask": [
        three_loops,
        one_hot_products,
        nan_at_pads,
        document_by_document,
    ],
    "beyond.packed_labels": [two_loops, padded_by_one, rolled, differences],
}
