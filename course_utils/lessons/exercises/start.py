"""The first exercise: how exercises work."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

EXERCISES = [
    Exercise(
        key="start.count_real_steps",
        number="0.1",
        title="Count the real steps",
        difficulty=1,
        minutes=2,
        task="Sequences of these `lengths`, a tensor `(B,)`, become one padded batch. Return how "
        "many real steps it holds: one whole number.",
        hints=[
            "A sequence of length 5 brings 5 real steps, whatever is filled up after it.",
            "`lengths.sum()` adds them up, and gives a tensor with one number.",
            "`int(...)` makes a plain number of it: `return int(lengths.sum())`.",
        ],
    )
]
