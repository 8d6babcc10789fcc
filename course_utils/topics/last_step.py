"""One vector a sequence: last steps, both directions, pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils import masked, sequences
from course_utils.lessons.case_inputs import random_tensors
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.sequences import lengths_to_mask


@solution("last_step.last_steps", careful=sequences.last_steps)
def my_last_steps(padded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The last real step of every row: (B, T, F) to (B, F)."""
    return padded[torch.arange(len(padded)), lengths - 1]


def _reading(
    name: str,
    lengths: Sequence[int],
    *features: int,
    steps: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Case:
    """Outputs with random numbers everywhere, pads included, and the lengths."""
    shape = (len(lengths), steps or max(lengths), *features)
    (output,) = random_tensors(shape, seed=sum(lengths) + len(features), dtype=dtype)
    return Case(name, (output.requires_grad_(), torch.tensor(lengths, device="cpu")))


@my_last_steps.cases
def _() -> list[Case]:
    return [
        _reading("two sequences", [3, 2], 2),
        _reading("as many sequences as steps", [2, 3, 1], 3),
        _reading("one feature, more padding", [4, 1, 3], 1, steps=6),
        _reading("one sequence, more padding", [3], 2, steps=5),
        _reading("equal lengths", [4, 4], 2),
        _reading("two feature axes", [2, 3], 2, 2),
        _reading("double precision", [5, 3, 7, 2], 4, dtype=torch.float64),
    ]


def _drawn_reading(draw: Draw, *features: int) -> Case:
    """Outputs and lengths; pads may be zero, a last real step, too."""
    lengths = draw.lengths(draw.integer(1, 4), draw.integer(1, 4))
    steps = max(lengths) + draw.choice([0, 0, 1, 2])
    output = draw.normal(len(lengths), steps, *features)
    if draw.chance(0.4):  # as unpacking leaves them
        output[~lengths_to_mask(lengths, steps)] = 0
    if draw.chance(0.3):
        output[-1, lengths[-1] - 1] = 0
    return Case("", (output.requires_grad_(), torch.tensor(lengths, device="cpu")))


@my_last_steps.random
def _(draw: Draw) -> Case:
    return _drawn_reading(draw, *draw.choice([(1,), (2,), (3,), (2, 2), (1, 2, 1)]))


@my_last_steps.trait("a pad is not zero, or a real step is")
def _(padded: Tensor, lengths: Tensor) -> bool:
    real = lengths_to_mask(lengths, padded.shape[1])
    return bool((padded.flatten(2).any(-1) != real).any())


@my_last_steps.trait("a row before the last one has pads")
def _(padded: Tensor, lengths: Tensor) -> bool:
    return bool((lengths[:-1] < padded.shape[1]).any())


@my_last_steps.trait("there is more than one feature axis")
def _(padded: Tensor, lengths: Tensor) -> bool:
    return padded.dim() > 3


@my_last_steps.trait("there is one row, or a feature axis of size 1")
def _(padded: Tensor, lengths: Tensor) -> bool:
    return 1 in (len(padded), *padded.shape[2:])


def _at(padded: Tensor, steps: Tensor) -> Tensor:
    """One step of every row, ``(B, ...)``; a negative step counts from the end."""
    rows = torch.arange(len(padded), device=padded.device)
    return padded[rows, steps]


@my_last_steps.wrong(
    "You read the last column: that is padding in every row but the longest.",
    belief="Index -1 is the last step.",
)
def last_column(padded: Tensor, lengths: Tensor) -> Tensor:
    return padded[:, -1]


@my_last_steps.wrong(
    "You read one step too far: a sequence of length n has the steps 0 to n - 1.",
    belief="The last step of a sequence of length n is step n.",
)
def one_step_too_far(padded: Tensor, lengths: Tensor) -> Tensor:
    return _at(padded, lengths.clamp(max=padded.shape[1] - 1))


@my_last_steps.wrong(
    "You read one step too early: step n - 1 is the last of n, and you subtract twice.",
    belief="Lengths count from zero as well.",
)
def one_step_too_early(padded: Tensor, lengths: Tensor) -> Tensor:
    return _at(padded, (lengths - 2).clamp(min=0))


@my_last_steps.wrong(
    "You index the columns for all rows at once: padded[:, lengths - 1] has a column for each "
    "length, so every row is paired with every length.",
    belief="Two indices with a colon between them are paired row by row.",
)
def every_row_with_every_length(padded: Tensor, lengths: Tensor) -> Tensor:
    return padded[:, lengths - 1]


@my_last_steps.wrong(
    "Your index for gather has one entry a row, so gather brings one feature: expand the index "
    "over all features.",
    belief="The index of gather is broadcast like any other tensor.",
)
def gathers_one_feature(padded: Tensor, lengths: Tensor) -> Tensor:
    index = lengths - 1
    return padded.gather(1, index.view(-1, *[1] * (padded.dim() - 1))).squeeze(1)


@solution("last_step.both_ends")
def both_ends(output: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """What each direction has made of the whole sequence: (B, T, 2 H) to (B, 2 H)."""
    forward, backward = output.chunk(2, dim=-1)
    rows = torch.arange(len(output))
    return torch.cat([forward[rows, lengths - 1], backward[:, 0]], dim=-1)


@both_ends.cases
def _() -> list[Case]:
    return [
        _reading("two sequences, one unit", [2, 3], 2),
        _reading("as many sequences as steps", [1, 3, 2], 4),
        _reading("more padding", [4, 2], 6, steps=6),
        _reading("one sequence, more padding", [3], 4, steps=4),
        _reading("equal lengths", [3, 3], 2),
        _reading("double precision", [5, 3, 7, 2], 8, dtype=torch.float64),
    ]


@both_ends.random
def _(draw: Draw) -> Case:
    return _drawn_reading(draw, 2 * draw.integer(1, 3))


@both_ends.trait("there is one row, or one feature in each half")
def _(output: Tensor, lengths: Tensor) -> bool:
    return len(output) == 1 or output.shape[2] == 2


def _halves(output: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward half of ``(B, T, 2 H)``."""
    return output.chunk(2, dim=-1)


@both_ends.wrong(
    "You read both halves at the last real step: there the backward half has read one step only. "
    "It arrives at step 0.",
    belief="The last step summarises the sequence in both directions.",
)
def both_at_the_end(output: Tensor, lengths: Tensor) -> Tensor:
    return my_last_steps(output, lengths)


@both_ends.wrong(
    "You read both halves at step 0: there the forward half has read one step only.",
    belief="In two directions the first step has seen everything.",
)
def both_at_the_start(output: Tensor, lengths: Tensor) -> Tensor:
    return output[:, 0]


@both_ends.wrong(
    "You read the last column and the first: the forward half ends at each row's own last real "
    "step.",
    belief="The two ends of the batch are the two ends of every sequence.",
)
def ends_of_the_batch(output: Tensor, lengths: Tensor) -> Tensor:
    forward, backward = _halves(output)
    return torch.cat([forward[:, -1], backward[:, 0]], dim=-1)


@both_ends.wrong(
    "You have the ends the wrong way round: forward ends at the last real step, backward at step "
    "0.",
    belief="The backward direction ends at the end.",
)
def ends_exchanged(output: Tensor, lengths: Tensor) -> Tensor:
    forward, backward = _halves(output)
    return torch.cat([forward[:, 0], my_last_steps(backward, lengths)], dim=-1)


@both_ends.wrong(
    "You take every second feature for a direction: the first H features are forward, the last H "
    "backward.",
    belief="The two directions are interleaved.",
)
def interleaves(output: Tensor, lengths: Tensor) -> Tensor:
    return torch.cat([my_last_steps(output[..., ::2], lengths), output[:, 0, 1::2]], dim=-1)


@both_ends.wrong(
    "You add the two halves: join them, so that the result has 2 H features.",
    belief="The two directions are two estimates of the same thing.",
)
def adds_the_halves(output: Tensor, lengths: Tensor) -> Tensor:
    forward, backward = _halves(output)
    return my_last_steps(forward, lengths) + backward[:, 0]


both_ends.equivalent(
    "return torch.cat([forward[rows, lengths - 1], backward[:, 0]], dim=1)",
    because="What is joined has two axes: the last is axis 1.",
)


@solution("last_step.masked_max", careful=masked.masked_max)
def my_masked_max(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The largest real value of each feature: (B, T, F) and (B, T) to (B, F)."""
    return values.masked_fill(~mask[..., None], -torch.inf).amax(1)


@my_masked_max.cases
def _() -> list[Case]:
    def case(
        name: str,
        lengths: Sequence[int],
        features: int,
        *,
        steps: int | None = None,
        shift: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> Case:
        mask = lengths_to_mask(lengths, steps)
        shape = (*mask.shape, features)
        (values,) = random_tensors(shape, seed=sum(lengths) + features, dtype=dtype)
        return Case(name, ((values + shift).requires_grad_(), mask))

    holes = torch.tensor([[True, False, True], [False, True, False]], device="cpu")
    (negative,) = random_tensors((2, 3, 2), seed=3, dtype=torch.float32)
    (unknown,) = random_tensors((2, 4, 3), seed=9, dtype=torch.float32)
    unknown[0, 2:] = torch.nan
    return [
        case("two sequences", [3, 2], 2),
        case("as many sequences as steps", [2, 3, 1], 3, shift=-3.0),
        case("more padding", [2, 1, 2], 2, steps=5, shift=2.0),
        case("one sequence", [4], 3, steps=6, shift=-2.0),
        case("equal lengths", [3, 3], 2, shift=-1.0),
        Case("pads between real steps", ((negative - 2.0).requires_grad_(), holes)),
        Case("NaN in the pads", (unknown.requires_grad_(), lengths_to_mask([2, 4]))),
        case("values far below zero", [2, 1], 2, shift=-1e13, dtype=torch.float64),
        case("double precision", [5, 3, 7, 2], 4, shift=-2.0, dtype=torch.float64),
    ]


@my_masked_max.random
def _(draw: Draw) -> Case:
    rows, steps, features = draw.integer(1, 3), draw.integer(1, 4), draw.integer(1, 3)
    mask = draw.mask(rows, steps)
    mask[~mask.any(1), draw.integer(0, steps - 1)] = True
    values = draw.normal(rows, steps, features) + draw.choice([0, -3, 3, -1e6])
    if draw.chance(0.6):
        fill = draw.choice([torch.nan, torch.inf, -torch.inf, 0, 1e4])
        values = values.masked_fill(~mask[..., None], fill)
    return Case("", (values.requires_grad_(), mask))


@my_masked_max.wrong(
    "You take the maximum over all steps: a large value at a pad wins.",
    belief="Pads are small, so they never win a maximum.",
)
def maximum_over_the_grid(values: Tensor, mask: Tensor) -> Tensor:
    return values.amax(1)


@my_masked_max.wrong(
    "You multiply by the mask, so pads are zero: zero wins where all real values are negative. "
    "Fill pads with minus infinity.",
    belief="Zeros never win a maximum.",
)
def zeros_take_part(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask[..., None]).amax(1)


@my_masked_max.wrong(
    "You add the mask times minus infinity: at real steps that is 0 * inf, which is NaN. Use "
    "masked_fill.",
    belief="Zero times infinity is zero.",
)
def adds_minus_infinity(values: Tensor, mask: Tensor) -> Tensor:
    return (values + (~mask).to(values.dtype)[..., None] * -torch.inf).amax(1)


@my_masked_max.wrong(
    "You take the maximum over the whole batch: each row has a maximum of its own.",
    belief="Selecting with a mask keeps the rows apart.",
)
def mixes_the_rows(values: Tensor, mask: Tensor) -> Tensor:
    return values[mask].amax(0).expand(len(values), -1)
