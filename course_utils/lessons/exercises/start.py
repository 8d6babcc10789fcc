"""The first exercise: how exercises work."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import start as pitfalls


def count_steps(lengths: Sequence[int]) -> tuple[int, int]:
    """Number of real steps and number of pads in the padded batch of these sequences."""
    real = sum(lengths)
    cells = len(lengths) * max(lengths)
    return real, cells - real


EXERCISES = [
    Exercise(
        key="start.count_steps",
        number="0.1",
        title="Count real steps and pads",
        difficulty=1,
        minutes=3,
        task="Sequences of these `lengths` become one batch: every row is filled up to the "
        "longest sequence. Return two whole numbers: how many real steps the batch holds, and "
        "how many pads.",
        reference=count_steps,
        cases=lambda: [
            Case(([3, 1],)),
            Case(([5, 3, 7],)),
            Case(([4, 4, 4],)),
            Case(([6],)),
            Case(([2, 9, 9, 1],)),
        ],
        wrong=[pitfalls.counts_all_cells, pitfalls.swaps_results, pitfalls.pads_of_shortest_row],
        hints=[
            "The real steps are the lengths, added up.",
            "The batch has `len(lengths)` rows and `max(lengths)` columns. What is not a real "
            "step is a pad.",
            "`real = sum(lengths)`, and the pads are `len(lengths) * max(lengths) - real`.",
        ],
    )
]
