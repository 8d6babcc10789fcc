"""Exercises on reading one vector a sequence: last steps, both directions, pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import last_step as pitfalls
from course_utils.sequences import lengths_to_mask


def _random(
    *shape: int, shift: float = 0.0, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(seed)
    values = torch.randn(*shape, generator=generator, dtype=dtype, device="cpu") + shift
    return values.requires_grad_()


def _reading(
    lengths: Sequence[int],
    *features: int,
    steps: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Case:
    """Outputs with random numbers everywhere, pads included, and the lengths."""
    shape = (len(lengths), steps or max(lengths), *features)
    output = _random(*shape, dtype=dtype, seed=sum(lengths) + len(features))
    return Case((output, torch.tensor(lengths, device="cpu")))


def _reading_cases() -> list[Case]:
    return [
        _reading([3, 2], 2),
        _reading([2, 3, 1], 3),
        _reading([4, 1, 3], 1, steps=6),
        _reading([3], 2, steps=5),
        _reading([4, 4], 2),
        _reading([2, 3], 2, 2),
        _reading([5, 3, 7, 2], 4, dtype=torch.float64),
    ]


def _both_cases() -> list[Case]:
    return [
        _reading([2, 3], 2),
        _reading([1, 3, 2], 4),
        _reading([4, 2], 6, steps=6),
        _reading([3], 4, steps=4),
        _reading([3, 3], 2),
        _reading([5, 3, 7, 2], 8, dtype=torch.float64),
    ]


def _pooling(
    lengths: Sequence[int],
    features: int,
    *,
    steps: int | None = None,
    shift: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Case:
    mask = lengths_to_mask(torch.tensor(lengths, device="cpu"), steps)
    seed = sum(lengths) + features
    return Case((_random(*mask.shape, features, shift=shift, dtype=dtype, seed=seed), mask))


def _pooling_cases() -> list[Case]:
    holes = torch.tensor([[True, False, True], [False, True, False]], device="cpu")
    values = _random(2, 4, 3, seed=9).detach()
    unknown = values.clone()
    unknown[0, 2:] = torch.nan
    end = lengths_to_mask(torch.tensor([2, 4], device="cpu"))
    return [
        _pooling([3, 2], 2),
        _pooling([2, 3, 1], 3, shift=-3.0),
        _pooling([2, 1, 2], 2, steps=5, shift=2.0),
        _pooling([4], 3, steps=6, shift=-2.0),
        _pooling([3, 3], 2, shift=-1.0),
        Case((_random(2, 3, 2, shift=-2.0, seed=3), holes)),
        Case((unknown.requires_grad_(), end)),
        _pooling([5, 3, 7, 2], 4, shift=-2.0, dtype=torch.float64),
    ]


EXERCISES = [
    Exercise(
        key="last_step.last_steps",
        number="7.1",
        title="Read each row at its last real step",
        difficulty=2,
        minutes=8,
        task="`padded` has shape `(B, T, F)`, or more feature axes; `lengths` is `(B,)`, at least "
        "1. Return the last real step of every row, `(B, F)`. Use `gather`, or index with two "
        "tensors. A batch of one row and a single feature must keep their axes.",
        cases=_reading_cases,
        wrong=[
            pitfalls.last_column,
            pitfalls.step_of_the_longest,
            pitfalls.one_step_too_far,
            pitfalls.one_step_too_early,
            pitfalls.every_row_with_every_length,
            pitfalls.gathers_one_feature,
            pitfalls.squeezes_everything,
            pitfalls.leaves_the_graph,
        ],
        hints=[
            "A sequence of length 5 has the steps 0 to 4. Which step is the last one of each row?",
            "With two index tensors of the same length PyTorch pairs their entries: `x[rows, "
            "steps]` reads `x[rows[0], steps[0]]`, then `x[rows[1], steps[1]]`, and so on.",
            "`rows = torch.arange(len(padded))`, then `padded[rows, lengths - 1]`. With `gather` "
            "the index needs the shape `(B, 1, F)`: `expand` gives it.",
        ],
    ),
    Exercise(
        key="last_step.both_ends",
        number="7.2",
        title="Both directions",
        difficulty=2,
        minutes=8,
        task="`output` is `(B, T, 2 * H)`, from a packed run in two directions: the first `H` "
        "features are the forward half, the others the backward half. `lengths` is `(B,)`. Return "
        "`(B, 2 * H)`: each half where its direction has read the whole sequence, forward first.",
        cases=_both_cases,
        wrong=[
            pitfalls.both_at_the_end,
            pitfalls.both_at_the_start,
            pitfalls.ends_of_the_batch,
            pitfalls.ends_exchanged,
            pitfalls.halves_exchanged,
            pitfalls.interleaves,
            pitfalls.adds_the_halves,
        ],
        hints=[
            "The forward direction has read everything at the last real step. Where does the "
            "backward direction arrive?",
            "Split the features: `output[..., :H]` and `output[..., H:]`, with `H` half of the "
            "last axis.",
            "The forward half at `lengths - 1` of each row, the backward half at step 0, joined "
            "with `torch.cat([...], dim=-1)`.",
        ],
    ),
    Exercise(
        key="last_step.masked_max",
        number="7.3",
        title="The largest value over real steps",
        difficulty=2,
        minutes=6,
        task="`values` is `(B, T, F)`, `mask` is boolean `(B, T)` and True = real; every row has "
        "at least one real step. Return the largest real value of each feature, `(B, F)`. Pads "
        "may hold anything, NaN too.",
        cases=_pooling_cases,
        wrong=[
            pitfalls.maximum_over_the_grid,
            pitfalls.zeros_take_part,
            pitfalls.adds_minus_infinity,
            pitfalls.fills_the_real_steps,
            pitfalls.maximum_over_features,
            pitfalls.mixes_the_rows,
        ],
        hints=[
            "Which number can never win a maximum, whatever the other numbers are?",
            "`values.masked_fill(where, number)` writes a number where its mask is True. Pads are "
            "where your mask is False, and the mask misses the feature axis.",
            "`values.masked_fill(~mask[..., None], -torch.inf)`, then the maximum over time: "
            "`.amax(1)`.",
        ],
    ),
]
