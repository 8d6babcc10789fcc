"""Exercises on reading one vector a sequence: last steps, both directions, pooling."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

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
        hints=[
            "Which number can never win a maximum, whatever the other numbers are?",
            "`values.masked_fill(where, number)` writes a number where its mask is True. Pads are "
            "where your mask is False, and the mask misses the feature axis.",
            "`values.masked_fill(~mask[..., None], -torch.inf)`, then the maximum over time: "
            "`.amax(1)`.",
        ],
    ),
]
