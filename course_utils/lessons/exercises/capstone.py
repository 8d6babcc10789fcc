"""The capstone's exercise: a pipeline with six planted bugs."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

EXERCISES = [
    Exercise(
        key="capstone.pipeline",
        number="9.1",
        title="Six bugs in one pipeline",
        difficulty=3,
        minutes=20,
        task="The function runs, and its loss falls when it is trained. It has six bugs, all of "
        "them about padding, one for each entry of its result. Remove the line with `raise`, run "
        "the cell, and mend one bug after another: the check tells you which ones are left. "
        "`outputs` must be zero at pads, and `last` joins both directions' final states.",
        hints=[
            "Ask of every line: what would it do with a row that has more padding? And what would "
            "it do with a real step that happens to be zero?",
            "`lengths` are given: the mask, the packed run and both means follow from them. "
            "`course_utils` has `lengths_to_mask`, `pack`, `unpack`, `masked_mean`, "
            "`masked_cross_entropy` and `masked_accuracy`.",
            "A packed run returns the final states of both directions: "
            "`packed, hidden = rnn(pack(inputs, lengths))`. Restore the padded length with "
            "`unpack(packed, total_length=inputs.shape[1])`.",
        ],
    )
]
