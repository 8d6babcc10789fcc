"""How exercises work: count the real steps of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution


@solution("start.count_real_steps")
def count_real_steps(lengths: torch.Tensor) -> int:
    """Number of real steps in a padded batch with these lengths."""
    return int(lengths.sum())


@count_real_steps.cases
def _() -> list[Case]:
    lists = {
        "two sequences": [3, 1],
        "three sequences": [5, 3, 7],
        "equal lengths": [4, 4, 4],
        "one sequence": [6],
        "a row without real steps": [3, 0, 2],
        "a long sequence after a short one": [1, 9],
    }
    return [Case(name, (torch.tensor(lists[name], device="cpu"),)) for name in lists]


@count_real_steps.random
def _(draw: Draw) -> Case:
    lengths = draw.lengths(draw.integer(1, 5), most=9, least=draw.choice([0, 1, 2]))
    return Case("", (torch.tensor(lengths, device="cpu"),))


@count_real_steps.wrong(
    "You count all cells of the padded batch, pads included: only real steps are asked for.",
    belief="Every cell of the batch is a step of the data.",
)
def counts_all_cells(lengths: Tensor) -> int:
    return len(lengths) * int(lengths.max())


count_real_steps.equivalent(
    "return lengths.sum()", because="A tensor without axes is as good as a number here."
)
for _axis in (0, -1):
    count_real_steps.equivalent(
        f"return int(lengths.sum({_axis}, keepdim=True))",
        because="The lengths have one axis, and `int` takes a tensor of one entry.",
    )


@count_real_steps.wrong(
    "You count the sequences: each of them has as many real steps as its length says.",
    belief="One length stands for one step.",
)
def counts_sequences(lengths: Tensor) -> int:
    return len(lengths)
