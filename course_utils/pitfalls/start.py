"""Wrong ways to count the real steps of a batch."""

from __future__ import annotations

from torch import Tensor

from course_utils.pitfalls.wrong import wrong


@wrong(
    "You count all cells of the padded batch, pads included: only real steps are asked for.",
    belief="Every cell of the batch is a step of the data.",
)
def counts_all_cells(lengths: Tensor) -> int:
    return len(lengths) * int(lengths.max())


@wrong(
    "You count the sequences: each of them has as many real steps as its length says.",
    belief="One length stands for one step.",
)
def counts_sequences(lengths: Tensor) -> int:
    return len(lengths)


@wrong(
    "You count the pads: the other cells of the batch are asked for.",
    belief="Real steps are those that were filled up.",
)
def counts_the_pads(lengths: Tensor) -> int:
    return len(lengths) * int(lengths.max()) - int(lengths.sum())


@wrong(
    "You take the longest length: add up the lengths of all sequences.",
    belief="A batch has as many steps as its longest sequence.",
)
def takes_the_longest(lengths: Tensor) -> int:
    return int(lengths.max())
