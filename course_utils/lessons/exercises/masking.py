"""Exercises on masking: a mask, a masked recurrence, a masked softmax, a safe logarithm."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import masking as pitfalls
from course_utils.sequences import lengths_to_mask


def _mask_cases() -> list[Case]:
    lists = ([1, 2], [5, 3, 7, 2], [3, 3, 3], [2, 0, 1], [4], [1, 2, 3])
    tensors = [torch.tensor(lengths, device="cpu") for lengths in lists]
    fitted = [Case((lengths,)) for lengths in tensors]
    return [*fitted, Case((tensors[0],), {"max_length": 4}), Case((tensors[2],), {"max_length": 5})]


def _random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")


def _recurrence(mask: Tensor, features: int, hidden: int) -> Case:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(features + hidden)
        cell = nn.RNNCell(features, hidden, dtype=torch.float64, device="cpu")
    inputs = _random(*mask.shape, features, seed=mask.numel()).requires_grad_()
    return Case((cell, inputs, mask))


def _recurrence_cases() -> list[Case]:
    holes = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 1, 1], [0, 1, 1, 1, 0]], dtype=torch.bool)
    masks = [lengths_to_mask(lengths) for lengths in ([1, 2], [5, 3, 7, 2], [3, 2, 3], [2, 2], [4])]
    return [
        _recurrence(masks[0], 1, 1),
        _recurrence(masks[1], 3, 4),
        _recurrence(masks[2], 2, 3),  # B = T
        _recurrence(masks[3], 2, 2),  # no pads
        _recurrence(masks[4], 1, 3),
        _recurrence(holes, 2, 3),
        _recurrence(lengths_to_mask([2, 0], 3), 2, 2),  # a row without real steps, and more pads
    ]


def _softmax_cases() -> list[Case]:
    def case(mask: list, *shape: int, scale: float = 1.0) -> Case:
        real = torch.tensor(mask, dtype=torch.bool, device="cpu")
        scores = scale * _random(*(shape or real.shape), seed=real.numel())
        return Case((scores.requires_grad_(), real))

    return [
        case([[1, 1, 0]]),
        case([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]),
        case([[1, 1], [0, 0]]),  # an empty row
        case([[1, 1, 0], [1, 1, 1], [0, 1, 1]]),  # B = T
        case([[[1, 1, 0]], [[1, 0, 0]]], 2, 4, 3),  # the same keys for four queries
        case([[1, 1, 1, 0], [1, 0, 1, 1]], scale=2000.0),
    ]


def _log_cases() -> list[Case]:
    nan, inf = torch.nan, torch.inf

    def case(values: list, mask: list, dtype: torch.dtype = torch.float64) -> Case:
        numbers = torch.tensor(values, dtype=dtype, device="cpu").requires_grad_()
        return Case((numbers, torch.tensor(mask, dtype=torch.bool, device="cpu")))

    return [
        case([2.0, 0.0], [1, 0]),
        case([[0.5, 3.0, 0.0], [1.5, 0.0, 0.0]], [[1, 1, 0], [1, 0, 0]]),
        case([[0.25, nan], [-1.0, 4.0]], [[1, 0], [0, 1]]),
        case([0.7, 1.3, 2.0], [1, 1, 1]),
        case([1e-9, 1e-3, inf], [1, 1, 0]),
        case([0.0, 0.0], [0, 0], torch.float32),
    ]


EXERCISES = [
    Exercise(
        key="masking.lengths_to_mask",
        number="4.1",
        title="From lengths to a mask",
        difficulty=1,
        minutes=5,
        task="Given `lengths`, a tensor `(B,)`, return the boolean mask `(B, T)` that is True at "
        "real steps. `T` is `max_length`, or the longest length if that is not given. A length "
        "of 0 gives a row of False.",
        cases=_mask_cases,
        wrong=[
            pitfalls.one_step_too_long,
            pitfalls.real_on_the_right,
            pitfalls.true_is_padding,
            pitfalls.ones_and_zeros,
            pitfalls.time_first,
            pitfalls.ignores_max_length,
            pitfalls.asks_for_zero,
        ],
        hints=[
            "Number the steps of a row: `torch.arange(T)` gives 0, 1, 2 and so on. Which of them "
            "are real in a sequence of length 3?",
            "Comparing a row `(1, T)` with a column `(B, 1)` gives all `B` times `T` answers.",
            "`torch.arange(T)[None, :] < lengths[:, None]`",
        ],
    ),
    Exercise(
        key="masking.masked_recurrence",
        number="4.2",
        title="Carry the state across padding",
        difficulty=2,
        minutes=10,
        task="Run `cell`, an `nn.RNNCell`, over `inputs` `(B, T, F)`, beginning with a state of "
        "zeros. Where `mask` `(B, T)` is False the state stays as it was. Return the outputs "
        "`(B, T, H)`, with zeros where the mask is False, and the final states `(B, H)`. "
        "`cell(x, state)` makes one step of all rows.",
        cases=_recurrence_cases,
        wrong=[
            pitfalls.masks_outputs_alone,
            pitfalls.zeroes_the_inputs,
            pitfalls.resets_the_state,
            pitfalls.swaps_the_branches,
            pitfalls.detaches_at_pads,
            pitfalls.shows_the_carried_state,
            pitfalls.returns_the_last_column,
        ],
        hints=[
            "Loop over the columns. In each one, some rows have a real step and others do not: "
            "compute the new state of all rows, then choose row by row.",
            "`torch.where(real, new, state)` chooses. `real` must have one entry a row, and be "
            "`(B, 1)` to fit `(B, H)`: `mask[:, t, None]`.",
            "The output of the step is the chosen state, with zeros at pads: "
            "`state.masked_fill(~real, 0)`. Collect these in a list, and `torch.stack` it along "
            "axis 1.",
        ],
    ),
    Exercise(
        key="masking.masked_softmax",
        number="4.3",
        title="A softmax that knows empty rows",
        difficulty=2,
        minutes=8,
        task="Return the softmax of `scores` over the last axis, among real positions only: pads "
        "get weight 0, and the real weights of a row sum to 1. A row without any real position "
        "gets zeros, and no gradient. `mask` has as many axes as `scores`; some may be of size 1.",
        cases=_softmax_cases,
        wrong=[
            pitfalls.masks_afterwards,
            pitfalls.scores_of_zero,
            pitfalls.large_negative_scores,
            pitfalls.empty_rows_are_nan,
            pitfalls.repairs_afterwards,
            pitfalls.divides_by_scores,
            pitfalls.overflows,
            pitfalls.softmax_over_rows,
        ],
        hints=[
            "Which score gives a weight of exactly zero? Not zero: its exponential is one.",
            "`scores.masked_fill(~mask, -torch.inf).softmax(-1)` is right for every row that has a "
            "real position. What does it give for the others, and why?",
            "Afterwards `masked_fill(~mask, 0)` sets all pads to zero, those of empty rows "
            "included, and lets no gradient through.",
        ],
    ),
    Exercise(
        key="masking.safe_log",
        number="4.4",
        title="A logarithm that stays finite",
        difficulty=2,
        minutes=6,
        task="Return the logarithm of `values` where `mask` is True, and 0 elsewhere, in the shape "
        "of `values`. Masked values may be 0, negative, infinite or NaN: neither the result nor "
        "its gradient may be NaN because of them.",
        cases=_log_cases,
        wrong=[
            pitfalls.multiplies_the_log,
            pitfalls.chooses_after_the_log,
            pitfalls.adds_epsilon,
            pitfalls.clamps_everything,
            pitfalls.leaves_the_graph,
            pitfalls.drops_the_rest,
        ],
        hints=[
            "Once the logarithm has seen a zero, its gradient is infinite. What should it see "
            "instead?",
            "Replace the masked values *before* the logarithm, by a number that is safe.",
            "The logarithm of 1 is 0, so `values.masked_fill(~mask, 1)` is all it needs.",
        ],
    ),
]
