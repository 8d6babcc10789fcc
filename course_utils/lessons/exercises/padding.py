"""Exercises on padding: make a batch, measure its padding, cut batches by a budget."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from course_utils.data import small_batch
from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import padding as pitfalls


def _ragged(
    lengths: Sequence[int], features: int, padding_value: float, dtype: torch.dtype = torch.float32
) -> Case:
    sequences = [s.requires_grad_() for s in small_batch(lengths, features, dtype=dtype)]
    return Case((sequences,), {"padding_value": padding_value})


def _pad_cases() -> list[Case]:
    return [
        _ragged([2, 1], 1, 9.0),
        _ragged([1, 3, 2], 2, -1.0),
        _ragged([5, 3, 7, 2], 3, 0.5),
        _ragged([3, 3, 3], 2, 4.0),
        _ragged([4], 2, 7.0),
        _ragged([2, 4, 1, 3], 3, -2.0, torch.float64),
        Case(([s.clone() for s in small_batch([3, 2], 2)],)),
    ]


def _lengths_cases() -> list[Case]:
    lists = ([2, 1], [5, 3, 7], [4, 4, 4], [6], [1, 3, 3, 2], [0, 4], [12, 9, 1, 12, 3])
    tensors = [torch.tensor(lengths, device="cpu") for lengths in lists]
    fitted = [Case((lengths,)) for lengths in tensors]
    wider = [Case((tensors[i],), {"max_length": 8}) for i in (0, 1, 3)]
    return [*fitted, *wider]


def _budget_cases() -> list[Case]:
    return [
        Case(([2, 3], 4)),
        Case(([3, 1], 6)),
        Case(([5, 3, 7, 2], 14)),
        Case(([1, 1, 5, 1, 1], 9)),
        Case(([7, 1, 1, 1, 6], 7)),
        Case(([4, 4, 4, 4], 8)),
        Case(([5], 5)),
        Case(([9, 2, 2, 2, 8, 3, 1, 10, 4], 20)),
    ]


EXERCISES = [
    Exercise(
        key="padding.pad_batch",
        number="3.1",
        title="Pad a batch by hand",
        difficulty=2,
        minutes=8,
        task="Stack sequences of shapes `(L_i, F)` into one tensor `(B, T, F)`, where `T` is the "
        "longest length. The real steps come first, then `padding_value`. Keep the order of the "
        "sequences, their dtype, and the gradient.",
        cases=_pad_cases,
        wrong=[
            pitfalls.pads_left,
            pitfalls.ignores_padding_value,
            pitfalls.cuts_to_shortest,
            pitfalls.time_major,
            pitfalls.sorts_rows,
            pitfalls.pads_the_longest,
            pitfalls.leaves_the_graph,
        ],
        hints=[
            "Find `T` first: the longest of the lengths `len(sequence)`.",
            "`sequence.new_full((rows, features), padding_value)` makes pads of the right dtype on "
            "the right device. How many rows does this sequence miss?",
            "`torch.cat([sequence, pads])` for every sequence gives equal lengths, and "
            "`torch.stack` makes the batch. Both keep the gradient.",
        ],
    ),
    Exercise(
        key="padding.padding_waste",
        number="3.2",
        title="Measure the padding",
        difficulty=1,
        minutes=4,
        task="Given the `lengths` of a batch, a tensor `(B,)`, return the share of its cells that "
        "are pads: a plain number from 0 to 1. The batch is padded to `max_length` steps, or to "
        "its longest sequence if that is not given.",
        cases=_lengths_cases,
        wrong=[
            pitfalls.share_of_real,
            pitfalls.waste_per_real_cell,
            pitfalls.counts_pads,
            pitfalls.in_per_cent,
            pitfalls.looks_at_the_shortest,
            pitfalls.ignores_max_length,
        ],
        hints=[
            "A batch of `B` rows and `T` steps has `B * T` cells. `T` is `max_length`, or else "
            "`lengths.max()`.",
            "`lengths.sum()` of these cells are real. The others are pads.",
            "Divide the pads by all cells. `.item()` turns a tensor with one number into that "
            "number.",
        ],
    ),
    Exercise(
        key="padding.token_budget",
        number="3.3",
        title="Batches under a token budget",
        difficulty=3,
        minutes=12,
        task="Cut sequences into batches of at most `max_cells` cells, pads included: a batch of "
        "`B` sequences has `B` times its longest length. Keep the order, and fill every batch as "
        "far as the next sequence fits. Return one list of positions for each batch, such as "
        "`[[0, 1], [2, 3]]`. No sequence alone is longer than `max_cells`.",
        cases=_budget_cases,
        wrong=[
            pitfalls.counts_real_steps,
            pitfalls.forgets_last_batch,
            pitfalls.asks_too_late,
            pitfalls.stays_below_budget,
            pitfalls.sorts_first,
            pitfalls.multiplies_by_newest,
            pitfalls.keeps_old_longest,
        ],
        hints=[
            "Go through the lengths in order, and remember the longest one of the open batch.",
            "With the next sequence the batch would have `(rows + 1) * longest` cells, where "
            "`longest` already counts the newcomer. Does that fit?",
            "If it does not fit, open a new batch, whose longest length is the newcomer's own. "
            "Add the position in either case.",
        ],
    ),
]
