"""Padding: make a batch, measure its padding, cut batches by a budget."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from course_utils import data, sequences
from course_utils.data import small_batch
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution


@solution("padding.pad_batch", careful=sequences.pad_batch, exact=("dtype",))
def pad_batch(sequences: list[torch.Tensor], padding_value: float = 0.0) -> torch.Tensor:
    """Stack sequences of shapes (L_i, F) into one (B, max L_i, F) tensor."""
    longest = max(len(sequence) for sequence in sequences)
    rows = []
    for sequence in sequences:
        pads = sequence.new_full((longest - len(sequence), sequence.shape[1]), padding_value)
        rows.append(torch.cat([sequence, pads]))
    return torch.stack(rows)


@pad_batch.cases
def _() -> list[Case]:
    def case(
        name: str,
        lengths: Sequence[int],
        features: int,
        value: float,
        dtype: torch.dtype = torch.float32,
    ) -> Case:
        batch = [s.requires_grad_() for s in small_batch(lengths, features, dtype=dtype)]
        return Case(name, (batch,), {"padding_value": value})

    def silent(name: str, lengths: Sequence[int]) -> Case:
        batch = small_batch(lengths, 2)
        for sequence in batch:
            sequence[-1] = 0.0
        return Case(name, ([s.requires_grad_() for s in batch],), {"padding_value": 5.0})

    return [
        case("two sequences, one feature", [2, 1], 1, 9.0),
        case("as many sequences as steps", [1, 3, 2], 2, -1.0),
        case("four sequences", [5, 3, 7, 2], 3, 0.5),
        case("equal lengths", [3, 3, 3], 2, 4.0),
        case("one sequence", [4], 2, 7.0),
        case("double precision", [2, 4, 1, 3], 3, -2.0, torch.float64),
        silent("a real step of zeros", [3, 1, 2]),
        Case("the usual padding value", ([s.clone() for s in small_batch([3, 2], 2)],)),
    ]


@pad_batch.wrong(
    "Your batch is padded on the left: the pads come before the real steps instead of after them.",
    belief="The last column must be real, so the pads have to go first.",
)
def pads_left(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    backwards = [sequence.flip(0) for sequence in sequences]
    return pad_batch(backwards, padding_value).flip(1)


@pad_batch.wrong(
    "Your batch is cut to the shortest sequence: real steps of the longer ones are lost.",
    belief="Any common length will do.",
)
def cuts_to_shortest(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    shortest = min(len(sequence) for sequence in sequences)
    return torch.stack([sequence[:shortest] for sequence in sequences])


@pad_batch.wrong(
    "Your batch is time-major, (T, B, F): its first axis is time, and (B, T, F) is asked for.",
    belief="PyTorch puts the batch first by default.",
)
def time_major(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    return pad_batch(sequences, padding_value).transpose(0, 1)


@pad_batch.wrong(
    "Your batch has one step too many: it is padded to a step more than the longest sequence.",
    belief="Every row needs at least one pad to mark its end.",
)
def pads_the_longest(sequences: Sequence[Tensor], padding_value: float = 0.0) -> Tensor:
    padded = pad_batch(sequences, padding_value)
    return torch.cat([padded, torch.full_like(padded[:, :1], padding_value)], dim=1)


@pad_batch.trait("a real step is zero")
def _(sequences: Sequence[Tensor]) -> bool:
    return any(bool((s == 0).all(-1).any()) for s in sequences)


@pad_batch.trait("the first sequence is not the longest")
def _(sequences: Sequence[Tensor]) -> bool:
    return any(len(s) > len(sequences[0]) for s in sequences)


@pad_batch.random
def _(draw: Draw) -> Case:
    features = draw.integer(1, 3)
    dtype = draw.choice([torch.float32, torch.float64])
    lengths = draw.lengths(draw.integer(1, 4), most=4)
    rows = [draw.normal(length, features, dtype=dtype) for length in lengths]
    if draw.chance(0.4):  # a real step may be zero
        rows[0][draw.integer(0, lengths[0] - 1)] = 0.0
    rows = [row.requires_grad_() for row in rows]
    options = {} if draw.chance(0.3) else {"padding_value": draw.choice([-1.0, 0.5, 7.0])}
    return Case("", (rows,), options)


@solution("padding.padding_waste", careful=sequences.padding_waste, exact=("kind",))
def padding_waste(lengths: torch.Tensor, max_length: int | None = None) -> float:
    """Share of the B x T cells of a padded batch that hold padding, from 0 to 1."""
    steps = int(lengths.max()) if max_length is None else max_length
    pads = len(lengths) * steps - int(lengths.sum())
    return pads / (len(lengths) * steps)


padding_waste.equivalent(
    "pads = len(lengths) * steps - int(lengths.sum(-1, keepdim=True))",
    because="`int` takes the number from a tensor with one axis of size 1, too.",
)
padding_waste.equivalent(
    "steps = int(lengths.amax(-1, keepdim=True)) if max_length is None else max_length",
    because="`int` takes the number from a tensor with one axis of size 1, too.",
)
padding_waste.equivalent(
    "pads = len(lengths) * steps - int(lengths.sum(0, keepdim=True))",
    because="`int` takes the number from a tensor with one axis of size 1, too.",
)
padding_waste.equivalent(
    "steps = int(lengths.amax(0, keepdim=True)) if max_length is None else max_length",
    because="`int` takes the number from a tensor with one axis of size 1, too.",
)


@padding_waste.cases
def _() -> list[Case]:
    lists = {
        "two sequences": [2, 1],
        "three sequences": [5, 3, 7],
        "equal lengths": [4, 4, 4],
        "one sequence": [6],
        "four sequences": [1, 3, 3, 2],
        "a row without real steps": [0, 4],
        "five sequences": [12, 9, 1, 12, 3],
    }
    lengths = {name: torch.tensor(lists[name], device="cpu") for name in lists}
    fitted = [Case(name, (lengths[name],)) for name in lists]
    padded_further = [
        Case(f"{name}, padded to 8 steps", (lengths[name],), {"max_length": 8})
        for name in ("two sequences", "three sequences", "one sequence")
    ]
    return [*fitted, *padded_further]


@padding_waste.random
def _(draw: Draw) -> Case:
    longest = draw.integer(1, 6)
    lengths = [longest, *draw.lengths(draw.integer(0, 3), longest, least=0)]
    lengths.insert(draw.integer(0, len(lengths)), lengths.pop(0))
    kind = draw.choice([torch.int32, torch.int64])
    further = {"max_length": longest + draw.integer(0, 4)} if draw.chance(0.5) else {}
    return Case("", (torch.tensor(lengths, dtype=kind, device="cpu"),), further)


@padding_waste.trait("the first sequence is not the longest, and `max_length` is not given")
def _(lengths: Tensor, max_length: int | None) -> bool:
    return max_length is None and int(lengths[0]) < int(lengths.max())


@padding_waste.trait("there is padding")
def _(lengths: Tensor, max_length: int | None) -> bool:
    return int(lengths.sum()) < _cells(lengths, max_length)


@padding_waste.trait("the batch is padded further than its longest sequence")
def _(lengths: Tensor, max_length: int | None) -> bool:
    return max_length is not None and max_length > int(lengths.max())


def _cells(lengths: Tensor, max_length: int | None) -> int:
    return len(lengths) * (int(lengths.max()) if max_length is None else max_length)


@padding_waste.wrong(
    "You return the share of real cells, and the share of padded cells is asked for.",
    belief="A full batch has a waste of 1.",
)
def share_of_real(lengths: Tensor, max_length: int | None = None) -> float:
    return int(lengths.sum()) / _cells(lengths, max_length)


@padding_waste.wrong(
    "You divide by the real cells: divide the padded cells by all cells of the batch.",
    belief="Waste is measured against the useful part.",
)
def waste_per_real_cell(lengths: Tensor, max_length: int | None = None) -> float:
    real = int(lengths.sum())
    return (_cells(lengths, max_length) - real) / real


@padding_waste.wrong(
    "You return the number of padded cells, and their share of the batch is asked for.",
    belief="A count of pads can be compared between batches.",
)
def counts_pads(lengths: Tensor, max_length: int | None = None) -> float:
    return float(_cells(lengths, max_length) - int(lengths.sum()))


@padding_waste.wrong(
    "You compare the shortest sequence with the padded length, and leave the others out.",
    belief="The shortest row decides how much padding there is.",
)
def looks_at_the_shortest(lengths: Tensor, max_length: int | None = None) -> float:
    return 1 - int(lengths.min()) * len(lengths) / _cells(lengths, max_length)


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


token_budget.equivalent(
    "batches, longest = ([], -1)", because="The first sequence opens a batch, which sets it anew."
)
token_budget.equivalent(
    "batches, longest = ([], 1)", because="The first sequence opens a batch, which sets it anew."
)
token_budget.equivalent(
    "longest = max(length, longest)", because="The larger of two numbers has no order."
)
token_budget.equivalent(
    "if not position or (len(batches[-1]) + 1) * longest > max_cells:",
    because="There is no batch yet at the first sequence alone.",
)


@token_budget.cases
def _() -> list[Case]:
    return [
        Case("no two fit together", ([2, 3], 4)),
        Case("two fill the budget exactly", ([3, 1], 6)),
        Case("four sequences", ([5, 3, 7, 2], 14)),
        Case("a long sequence among short ones", ([1, 1, 5, 1, 1], 9)),
        Case("short sequences after a long one", ([7, 1, 1, 1, 6], 7)),
        Case("equal lengths", ([4, 4, 4, 4], 8)),
        Case("one sequence", ([5], 5)),
        Case("nine sequences", ([9, 2, 2, 2, 8, 3, 1, 10, 4], 20)),
    ]


@token_budget.random
def _(draw: Draw) -> Case:
    lengths = draw.lengths(draw.integer(1, 8), most=draw.choice([1, 3, 5]))
    room = draw.integer(1, 4) * max(lengths) + draw.integer(0, 2)
    return Case("", (lengths, room))


@token_budget.trait("all sequences fit into one batch")
def _(lengths: Sequence[int], max_cells: int) -> bool:
    return len(token_budget(lengths, max_cells)) == 1


@token_budget.trait("there are several batches")
def _(lengths: Sequence[int], max_cells: int) -> bool:
    return len(token_budget(lengths, max_cells)) > 1


@token_budget.trait("a batch fills the budget exactly")
def _(lengths: Sequence[int], max_cells: int) -> bool:
    batches = token_budget(lengths, max_cells)
    return any(len(b) * max(lengths[i] for i in b) == max_cells for b in batches)


@token_budget.sign("leaves out a sequence")
def _(found: list[list[int]], lengths: Sequence[int]) -> bool:
    return len({position for batch in found for position in batch}) < len(lengths)


@token_budget.sign("has an empty batch")
def _(found: list[list[int]]) -> bool:
    return not all(found)


@token_budget.sign("has a batch with more cells than `max_cells`, pads included")
def _(found: list[list[int]], lengths: Sequence[int], max_cells: int) -> bool:
    return any(len(batch) * max(lengths[i] for i in batch) > max_cells for batch in found)


@token_budget.sign("closes a batch although the next sequence fits")
def _(found: list[list[int]], lengths: Sequence[int], max_cells: int) -> bool:
    longer = [[*batch, after[0]] for batch, after in pairwise(found)]
    return any(len(batch) * max(lengths[i] for i in batch) <= max_cells for batch in longer)


@token_budget.wrong(
    "You count real steps against the budget: the batch also holds pads, so count rows times the "
    "longest length.",
    belief="Padding costs nothing.",
)
def counts_real_steps(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches, total = [], 0
    for index, length in enumerate(lengths):
        total += length
        if not batches or total > max_cells:
            batches.append([])
            total = length
        batches[-1].append(index)
    return batches


@token_budget.wrong(
    "Your last batch is missing: when the loop ends, one batch is still open.",
    belief="A batch is finished when the next one begins.",
)
def forgets_last_batch(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    return token_budget(lengths, max_cells)[:-1]


@token_budget.wrong(
    "Your batches pass the budget: you add a sequence first and ask afterwards whether it fits.",
    belief="A batch is full once it has reached the budget.",
)
def asks_too_late(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches, longest = [[]], 0
    for index, length in enumerate(lengths):
        if len(batches[-1]) * longest > max_cells:
            batches.append([])
            longest = 0
        batches[-1].append(index)
        longest = max(longest, length)
    return batches


@token_budget.wrong(
    "A batch that fills the budget exactly is allowed: you close it one sequence too early.",
    belief="At most means less than.",
)
def stays_below_budget(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches, longest = [], 0
    for index, length in enumerate(lengths):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest >= max_cells:
            batches.append([])
            longest = length
        batches[-1].append(index)
    return batches


@token_budget.wrong(
    "Your batches hold the sequences in order of length: keep the order they are given in.",
    belief="Budgets need sorted sequences.",
)
def sorts_first(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    batches = token_budget([lengths[index] for index in order], max_cells)
    return [[order[position] for position in batch] for batch in batches]


@token_budget.wrong(
    "You multiply by the newest sequence's length: all rows are padded to the longest one.",
    belief="The sequence that comes last decides the padded length.",
)
def multiplies_by_newest(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches = []
    for index, length in enumerate(lengths):
        if not batches or (len(batches[-1]) + 1) * length > max_cells:
            batches.append([])
        batches[-1].append(index)
    return batches


@token_budget.wrong(
    "You never forget the longest length so far: a new batch is padded to its own longest only.",
    belief="All batches are padded to the same length.",
)
def keeps_old_longest(lengths: Sequence[int], max_cells: int) -> list[list[int]]:
    batches, longest = [], 0
    for index, length in enumerate(lengths):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest > max_cells:
            batches.append([])
        batches[-1].append(index)
    return batches
