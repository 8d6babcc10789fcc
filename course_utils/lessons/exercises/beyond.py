"""Exercises beyond recurrent networks: mask conventions, and rows of several documents."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

EXERCISES = [
    Exercise(
        key="beyond.convert_mask",
        number="10.1",
        title="A mask for another library",
        difficulty=2,
        minutes=10,
        task="Return `mask` in the convention `to`. It comes in the convention `source`. The "
        'conventions: `"rnn"`, boolean `(B, T)`, True = real; `"mha"`, boolean `(B, T)`, True = '
        'ignore; `"sdpa"`, boolean `(B, 1, 1, T)`, True = attend; `"huggingface"`, whole numbers '
        "(int64) `(B, T)`, 1 = attend and 0 = ignore.",
        hints=[
            "Go in two steps: from `source` to one convention that you choose, and from there to "
            "`to`. Then four small conversions in each direction are enough.",
            'From `"sdpa"` to True = real: `mask[:, 0, 0]`. From `"huggingface"`: `mask == 1`. '
            'From `"mha"`: `~mask`.',
            'Back: `~mask` for `"mha"`, `mask[:, None, None]` for `"sdpa"`, `mask.long()` for '
            '`"huggingface"`, and `mask` itself for `"rnn"`.',
        ],
    ),
    Exercise(
        key="beyond.block_diagonal_mask",
        number="10.2",
        title="Documents that do not see each other",
        difficulty=2,
        minutes=8,
        task="`documents` `(B, T)` says which document each step belongs to: 0, 1, 2 and so on "
        "within a row, and -1 at pads. Return the boolean mask `(B, T, T)` that is True where the "
        "query (row) may attend to the key (column): both in the same document. With "
        "`causal=True` a key must also not come after its query. Pads attend to nothing, and "
        "nothing attends to them.",
        hints=[
            "Compare every step's document with every other step's: queries in a column, keys in "
            "a row.",
            "`documents[:, :, None] == documents[:, None, :]` is `(B, T, T)`. Which equal numbers "
            "are not a document?",
            "`& (documents != -1)[:, None, :]` hides the pads, and `.tril()` keeps earlier steps "
            "and the step itself.",
        ],
    ),
    Exercise(
        key="beyond.packed_labels",
        number="10.3",
        title="What every step predicts",
        difficulty=2,
        minutes=8,
        task="`tokens` `(B, T)` holds token ids, and `documents` `(B, T)` the document of each "
        "step, -1 at pads. Return the labels `(B, T)`: the next token of the same document, and "
        "-100 where there is none. Token 0 ends every document, and it is also what stands at "
        "pads. Leave `tokens` as they are.",
        hints=[
            "The label of step `t` is the token of step `t + 1`. For which steps is that wrong?",
            "Begin with `torch.full_like(tokens, -100)` and fill all columns but the last.",
            "A step has a label where `documents[:, 1:] == documents[:, :-1]`, and that number is "
            "not -1. The tokens themselves do not matter.",
        ],
    ),
]
