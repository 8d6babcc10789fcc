"""Wrong ways to pad a batch, to measure its padding and to cut batches by a budget."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.data import token_budget_batches
from course_utils.pitfalls.wrong import wrong
from course_utils.sequences import lengths_of, pad_batch, padding_waste


@wrong(
    "Your batch is padded on the left: the pads come before the real steps instead of after them.",
    belief="The last column must be real, so the pads have to go first.",
)
def pads_left(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    return pad_batch(sequences, padding_value, padding_side="left")


@wrong(
    "Your pads are always zero: the value given as padding_value is not used.",
    belief="Padding means zeros.",
)
def ignores_padding_value(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    return pad_batch(sequences)


@wrong(
    "Your batch is cut to the shortest sequence: real steps of the longer ones are lost.",
    belief="Any common length will do.",
)
def cuts_to_shortest(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    shortest = min(len(sequence) for sequence in sequences)
    return torch.stack([sequence[:shortest] for sequence in sequences])


@wrong(
    "Your batch is time-major, (T, B, F): its first axis is time, and (B, T, F) is asked for.",
    belief="PyTorch puts the batch first by default.",
)
def time_major(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    return pad_batch(sequences, padding_value).transpose(0, 1)


@wrong(
    "Your rows are sorted by length: row i of the batch is no longer sequence i.",
    belief="Sequences must be sorted before they can be batched.",
)
def sorts_rows(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    return pad_batch(sorted(sequences, key=len, reverse=True), padding_value)


@wrong(
    "Your batch has one step too many: it is padded to a step more than the longest sequence.",
    belief="Every row needs at least one pad to mark its end.",
)
def pads_the_longest(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    longest = int(lengths_of(sequences).max())
    return pad_batch(sequences, padding_value, max_length=longest + 1)


@wrong(
    "Your numbers are right, but no gradient flows through them: they are copied out of the graph.",
    belief="A tensor with the same numbers is the same tensor.",
)
def leaves_the_graph(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    return pad_batch([sequence.detach() for sequence in sequences], padding_value)


def _cells(lengths: Tensor, max_length: int | None) -> int:
    return len(lengths) * (int(lengths.max()) if max_length is None else max_length)


@wrong(
    "You return the share of real cells, and the share of padded cells is asked for.",
    belief="A full batch has a waste of 1.",
)
def share_of_real(lengths: Tensor, max_length: int | None = None) -> float:
    return int(lengths.sum()) / _cells(lengths, max_length)


@wrong(
    "You divide by the real cells: divide the padded cells by all cells of the batch.",
    belief="Waste is measured against the useful part.",
)
def waste_per_real_cell(lengths: Tensor, max_length: int | None = None) -> float:
    real = int(lengths.sum())
    return (_cells(lengths, max_length) - real) / real


@wrong(
    "You return the number of padded cells, and their share of the batch is asked for.",
    belief="A count of pads can be compared between batches.",
)
def counts_pads(lengths: Tensor, max_length: int | None = None) -> float:
    return float(_cells(lengths, max_length) - int(lengths.sum()))


@wrong(
    "You return a percentage from 0 to 100: a share from 0 to 1 is asked for.",
    belief="A share is a number of per cent.",
)
def in_per_cent(lengths: Tensor, max_length: int | None = None) -> float:
    return 100 * padding_waste(lengths, max_length)


@wrong(
    "You compare the shortest sequence with the padded length, and leave the others out.",
    belief="The shortest row decides how much padding there is.",
)
def looks_at_the_shortest(lengths: Tensor, max_length: int | None = None) -> float:
    return 1 - int(lengths.min()) * len(lengths) / _cells(lengths, max_length)


@wrong(
    "You do not use max_length: if it is given, the batch has that many steps, and more pads.",
    belief="A batch is always as long as its longest sequence.",
)
def ignores_max_length(lengths: Tensor, max_length: int | None = None) -> float:
    return padding_waste(lengths)


@wrong(
    "You count real steps against the budget: the batch also holds pads, so count rows times the "
    "longest length.",
    belief="Padding costs nothing.",
)
def counts_real_steps(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches: list[list[int]] = []
    total = 0
    for index, length in enumerate(lengths):
        total += length
        if not batches or total > max_cells:
            batches.append([])
            total = length
        batches[-1].append(index)
    return batches


@wrong(
    "Your last batch is missing: when the loop ends, one batch is still open.",
    belief="A batch is finished when the next one begins.",
)
def forgets_last_batch(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    return token_budget_batches(lengths, max_cells)[:-1]


@wrong(
    "Your batches pass the budget: you add a sequence first and ask afterwards whether it fits.",
    belief="A batch is full once it has reached the budget.",
)
def asks_too_late(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches: list[list[int]] = [[]]
    longest = 0
    for index, length in enumerate(lengths):
        if len(batches[-1]) * longest > max_cells:
            batches.append([])
            longest = 0
        batches[-1].append(index)
        longest = max(longest, length)
    return batches


@wrong(
    "A batch that fills the budget exactly is allowed: you close it one sequence too early.",
    belief="At most means less than.",
)
def stays_below_budget(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches: list[list[int]] = []
    longest = 0
    for index, length in enumerate(lengths):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest >= max_cells:
            batches.append([])
            longest = length
        batches[-1].append(index)
    return batches


@wrong(
    "Your batches hold the sequences in order of length: keep the order they are given in.",
    belief="Budgets need sorted sequences.",
)
def sorts_first(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    batches = token_budget_batches([lengths[index] for index in order], max_cells)
    return [[order[position] for position in batch] for batch in batches]


@wrong(
    "You multiply by the newest sequence's length: all rows are padded to the longest one.",
    belief="The sequence that comes last decides the padded length.",
)
def multiplies_by_newest(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for index, length in enumerate(lengths):
        if not batches or (len(batches[-1]) + 1) * length > max_cells:
            batches.append([])
        batches[-1].append(index)
    return batches


@wrong(
    "You never forget the longest length so far: a new batch is padded to its own longest only.",
    belief="All batches are padded to the same length.",
)
def keeps_old_longest(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches: list[list[int]] = []
    longest = 0
    for index, length in enumerate(lengths):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest > max_cells:
            batches.append([])
        batches[-1].append(index)
    return batches
