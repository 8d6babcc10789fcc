"""Padding: make a batch, measure its padding, cut batches by a budget."""

from __future__ import annotations

import torch

from course_utils import data, sequences
from course_utils.lessons.draws import Draw
from course_utils.lessons.entries import Case
from course_utils.lessons.solutions import solution


@solution("padding.pad_batch", careful=sequences.pad_batch, exact=("dtype",))
def pad_batch(sequences: list[torch.Tensor], padding_value: float = 0.0) -> torch.Tensor:
    """Stack sequences of shapes (L_i, F) into one (B, max L_i, F) tensor."""
    longest = max(len(sequence) for sequence in sequences)
    rows = []
    for sequence in sequences:
        pads = sequence.new_full((longest - len(sequence), sequence.shape[1]), padding_value)
        rows.append(torch.cat([sequence, pads]))
    return torch.stack(rows)


@pad_batch.random
def _(draw: Draw) -> Case:
    features = draw.integer(1, 3)
    dtype = draw.choice([torch.float32, torch.float64])
    lengths = draw.lengths(draw.integer(1, 4), most=4)
    rows = [draw.normal(length, features, dtype=dtype).requires_grad_() for length in lengths]
    options = {} if draw.chance(0.3) else {"padding_value": draw.choice([-1.0, 0.5, 7.0])}
    return Case((rows,), options)


@solution("padding.padding_waste", careful=sequences.padding_waste)
def padding_waste(lengths: torch.Tensor, max_length: int | None = None) -> float:
    """Share of the B x T cells of a padded batch that hold padding, from 0 to 1."""
    steps = int(lengths.max()) if max_length is None else max_length
    return 1 - int(lengths.sum()) / (len(lengths) * steps)


@solution("padding.token_budget", careful=data.token_budget_batches)
def token_budget(lengths: list[int], max_cells: int) -> list[list[int]]:
    """Cut sequences 0, 1, 2, ... into consecutive batches of at most max_cells padded cells."""
    batches, longest = [], 0
    for position, length in enumerate(lengths):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest > max_cells:
            batches.append([])
            longest = length
        batches[-1].append(position)
    return batches
