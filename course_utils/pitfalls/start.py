"""Wrong ways to count the real steps and the pads of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.pitfalls.wrong import wrong


@wrong(
    "Your second number counts all cells of the batch: take the real steps away from it.",
    belief="Every cell of a padded batch is padding.",
)
def counts_all_cells(lengths: Sequence[int]) -> tuple[int, int]:
    return sum(lengths), len(lengths) * max(lengths)


@wrong(
    "Your two numbers are swapped: the real steps come first, then the pads.",
    belief="The order of results does not matter.",
)
def swaps_results(lengths: Sequence[int]) -> tuple[int, int]:
    real = sum(lengths)
    return len(lengths) * max(lengths) - real, real


@wrong(
    "You count the pads of the shortest row only: add up the pads of all rows.",
    belief="Only the shortest sequence is padded.",
)
def pads_of_shortest_row(lengths: Sequence[int]) -> tuple[int, int]:
    return sum(lengths), max(lengths) - min(lengths)
