"""Exercises on padding: make a batch, measure its padding, cut batches by a budget."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

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
        hints=[
            "Go through the lengths in order, and remember the longest one of the open batch.",
            "With the next sequence the batch would have `(rows + 1) * longest` cells, where "
            "`longest` already counts the newcomer. Does that fit?",
            "If it does not fit, open a new batch, whose longest length is the newcomer's own. "
            "Add the position in either case.",
        ],
    ),
]
