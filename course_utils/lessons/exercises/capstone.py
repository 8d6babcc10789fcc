"""The capstone's exercise: a pipeline with six planted bugs."""

from __future__ import annotations

import torch
from torch import nn

from course_utils.data import small_batch
from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls.capstone import PIPELINES
from course_utils.sequences import pad_batch


def _case(lengths: list[int], seed: int, *, silent: tuple[int, int] | None = None) -> Case:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rnn = nn.GRU(3, 4, batch_first=True, bidirectional=True, device="cpu").double()
        linear = nn.Linear(8, 3, device="cpu").double()
        # 63 wrong versions are compared: values tell them apart, so the backward pass is spared.
        rnn.requires_grad_(False)
        linear.requires_grad_(False)
        labels = [torch.randint(3, (n,), device="cpu") for n in lengths]
    inputs = pad_batch(small_batch(lengths, 3, seed=seed, dtype=torch.float64))
    if silent:
        inputs[silent] = 0.0
    counts = torch.tensor(lengths, device="cpu")
    return Case((inputs, counts, pad_batch(labels), rnn, linear))


def _cases() -> list[Case]:
    return [
        _case([3, 1], 0),
        _case([4, 2, 3], 1, silent=(0, 3)),
        _case([3, 3, 3], 2, silent=(1, 1)),
    ]


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
        cases=_cases,
        wrong=PIPELINES,
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
