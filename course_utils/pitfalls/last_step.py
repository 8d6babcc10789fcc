"""Wrong ways to read one vector a sequence from the outputs of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.pitfalls.wrong import wrong
from course_utils.sequences import Lengths, check_lengths, last_steps


def _at(padded: Tensor, steps: Tensor) -> Tensor:
    """One step of every row, ``(B, ...)``; a negative step counts from the end."""
    rows = torch.arange(len(padded), device=padded.device)
    return padded[rows, steps.to(padded.device)]


@wrong(
    "You read the last column: that is padding in every row but the longest.",
    belief="Index -1 is the last step.",
)
def last_column(padded: Tensor, lengths: Lengths) -> Tensor:
    return padded[:, -1]


@wrong(
    "You read the step of the longest length in every row: each row has a last step of its own.",
    belief="All rows end where the longest one ends.",
)
def step_of_the_longest(padded: Tensor, lengths: Lengths) -> Tensor:
    return padded[:, int(check_lengths(lengths).max()) - 1]


@wrong(
    "You read one step too far: a sequence of length n has the steps 0 to n - 1.",
    belief="The last step of a sequence of length n is step n.",
)
def one_step_too_far(padded: Tensor, lengths: Lengths) -> Tensor:
    return _at(padded, check_lengths(lengths).clamp(max=padded.shape[1] - 1))


@wrong(
    "You read one step too early: step n - 1 is the last of n, and you subtract twice.",
    belief="Lengths count from zero as well.",
)
def one_step_too_early(padded: Tensor, lengths: Lengths) -> Tensor:
    return _at(padded, (check_lengths(lengths) - 2).clamp(min=0))


@wrong(
    "You index the columns for all rows at once: padded[:, lengths - 1] has a column for each "
    "length, so every row is paired with every length.",
    belief="Two indices with a colon between them are paired row by row.",
)
def every_row_with_every_length(padded: Tensor, lengths: Lengths) -> Tensor:
    return padded[:, (check_lengths(lengths) - 1).to(padded.device)]


@wrong(
    "Your index for gather has one entry a row, so gather brings one feature: expand the index "
    "over all features.",
    belief="The index of gather is broadcast like any other tensor.",
)
def gathers_one_feature(padded: Tensor, lengths: Lengths) -> Tensor:
    index = (check_lengths(lengths) - 1).to(padded.device)
    return padded.gather(1, index.view(-1, *[1] * (padded.dim() - 1))).squeeze(1)


@wrong(
    "You squeeze all axes of size one: a batch of one row, or a single feature, loses an axis that "
    "it needs. Say squeeze(1).",
    belief="Only the time axis can have size one here.",
)
def squeezes_everything(padded: Tensor, lengths: Lengths) -> Tensor:
    return last_steps(padded, lengths).squeeze()


@wrong(
    "Your numbers are right, but no gradient flows through them: they are copied out of the graph.",
    belief="Picking numbers by hand is the same as indexing.",
)
def leaves_the_graph(padded: Tensor, lengths: Lengths) -> Tensor:
    return last_steps(padded.detach(), lengths)


def _halves(output: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward half of ``(B, T, 2 H)``."""
    return output.chunk(2, dim=-1)


@wrong(
    "You read both halves at the last real step: there the backward half has read one step only. "
    "It arrives at step 0.",
    belief="The last step summarises the sequence in both directions.",
)
def both_at_the_end(output: Tensor, lengths: Lengths) -> Tensor:
    return last_steps(output, lengths)


@wrong(
    "You read both halves at step 0: there the forward half has read one step only.",
    belief="In two directions the first step has seen everything.",
)
def both_at_the_start(output: Tensor, lengths: Lengths) -> Tensor:
    return output[:, 0]


@wrong(
    "You read the last column and the first: the forward half ends at each row's own last real "
    "step.",
    belief="The two ends of the batch are the two ends of every sequence.",
)
def ends_of_the_batch(output: Tensor, lengths: Lengths) -> Tensor:
    forward, backward = _halves(output)
    return torch.cat([forward[:, -1], backward[:, 0]], dim=-1)


@wrong(
    "You have the ends the wrong way round: forward ends at the last real step, backward at step "
    "0.",
    belief="The backward direction ends at the end.",
)
def ends_exchanged(output: Tensor, lengths: Lengths) -> Tensor:
    forward, backward = _halves(output)
    return torch.cat([forward[:, 0], last_steps(backward, lengths)], dim=-1)


@wrong(
    "Your halves are joined backward first: PyTorch's order is forward, then backward.",
    belief="The order of the two halves does not matter.",
)
def halves_exchanged(output: Tensor, lengths: Lengths) -> Tensor:
    forward, backward = _halves(output)
    return torch.cat([backward[:, 0], last_steps(forward, lengths)], dim=-1)


@wrong(
    "You take every second feature for a direction: the first H features are forward, the last H "
    "backward.",
    belief="The two directions are interleaved.",
)
def interleaves(output: Tensor, lengths: Lengths) -> Tensor:
    return torch.cat([last_steps(output[..., ::2], lengths), output[:, 0, 1::2]], dim=-1)


@wrong(
    "You add the two halves: join them, so that the result has 2 H features.",
    belief="The two directions are two estimates of the same thing.",
)
def adds_the_halves(output: Tensor, lengths: Lengths) -> Tensor:
    forward, backward = _halves(output)
    return last_steps(forward, lengths) + backward[:, 0]


@wrong(
    "You take the maximum over all steps: a large value at a pad wins.",
    belief="Pads are small, so they never win a maximum.",
)
def maximum_over_the_grid(values: Tensor, mask: Tensor) -> Tensor:
    return values.amax(1)


@wrong(
    "You multiply by the mask, so pads are zero: zero wins where all real values are negative. "
    "Fill pads with minus infinity.",
    belief="Zeros never win a maximum.",
)
def zeros_take_part(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask[..., None]).amax(1)


@wrong(
    "You add the mask times minus infinity: at real steps that is 0 * inf, which is NaN. Use "
    "masked_fill.",
    belief="Zero times infinity is zero.",
)
def adds_minus_infinity(values: Tensor, mask: Tensor) -> Tensor:
    return (values + (~mask).to(values.dtype)[..., None] * -torch.inf).amax(1)


@wrong(
    "You fill the real steps and keep the pads: masked_fill fills where its mask is True, so it "
    "needs ~mask.",
    belief="The mask of masked_fill says what to keep.",
)
def fills_the_real_steps(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(mask[..., None], -torch.inf).amax(1)


@wrong(
    "You take the maximum over features: pool over time, the axis 1, and keep the features.",
    belief="The last axis is the one to pool over.",
)
def maximum_over_features(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask[..., None], -torch.inf).amax(-1)


@wrong(
    "You take the maximum over the whole batch: each row has a maximum of its own.",
    belief="Selecting with a mask keeps the rows apart.",
)
def mixes_the_rows(values: Tensor, mask: Tensor) -> Tensor:
    return values[mask].amax(0).expand(len(values), -1)
