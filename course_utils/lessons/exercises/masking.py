"""Exercises on masking: a mask, a masked recurrence, a masked softmax, a safe logarithm."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

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
        hints=[
            "Once the logarithm has seen a zero, its gradient is infinite. What should it see "
            "instead?",
            "Replace the masked values *before* the logarithm, by a number that is safe.",
            "The logarithm of 1 is 0, so `values.masked_fill(~mask, 1)` is all it needs.",
        ],
    ),
]
