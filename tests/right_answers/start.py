"""Right answers to the exercise on how exercises work, in unlike styles."""

from __future__ import annotations

import torch


def by_item(lengths):
    return lengths.sum().item()


def as_a_tensor(lengths):
    return torch.sum(lengths, dim=0)


def adds_in_a_loop(lengths):
    total = 0
    for length in lengths:
        total += length
    return total


def counts_a_mask(lengths):
    steps = torch.arange(int(lengths.max()))
    return int((steps < lengths.unsqueeze(1)).sum())


def as_a_list(lengths):
    return sum(lengths.tolist())


STYLES = {
    "start.count_real_steps": [by_item, as_a_tensor, adds_in_a_loop, counts_a_mask, as_a_list],
}
