"""The first exercise: how exercises work."""

from __future__ import annotations

import torch

from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import start as pitfalls


def _cases() -> list[Case]:
    lists = ([3, 1], [5, 3, 7], [4, 4, 4], [6], [3, 0, 2], [1, 9])
    return [Case((torch.tensor(lengths, device="cpu"),)) for lengths in lists]


EXERCISES = [
    Exercise(
        key="start.count_real_steps",
        number="0.1",
        title="Count the real steps",
        difficulty=1,
        minutes=2,
        task="Sequences of these `lengths`, a tensor `(B,)`, become one padded batch. Return how "
        "many real steps it holds: one whole number.",
        cases=_cases,
        wrong=[
            pitfalls.counts_all_cells,
            pitfalls.counts_sequences,
            pitfalls.counts_the_pads,
            pitfalls.takes_the_longest,
        ],
        hints=[
            "A sequence of length 5 brings 5 real steps, whatever is filled up after it.",
            "`lengths.sum()` adds them up, and gives a tensor with one number.",
            "`int(...)` makes a plain number of it: `return int(lengths.sum())`.",
        ],
    )
]
