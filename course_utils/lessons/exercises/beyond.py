"""Exercises beyond recurrent networks: mask conventions, and rows of several documents."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.documents import document_ids
from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import beyond as pitfalls
from course_utils.sequences import MaskConvention, convert_mask, lengths_to_mask


def _convert_cases() -> list[Case]:
    masks = [
        lengths_to_mask([2, 1]),  # B = T
        lengths_to_mask([5, 3, 7, 2]),
        lengths_to_mask([3, 3]),  # no pads
        torch.tensor([[False, True, True, True], [True, False, True, False]], device="cpu"),
        lengths_to_mask([4]),
    ]
    names: tuple[MaskConvention, ...] = ("mha", "sdpa", "huggingface", "rnn")
    from_ours = [Case((mask, to)) for mask in masks[:4] for to in names[:3]]
    others = [
        Case((convert_mask(mask, source), to), {"source": source})
        for mask in (masks[1], masks[3])
        for source in names
        for to in names
        if source != to and source != "rnn"
    ]
    return [*from_ours, *others, Case((masks[4], "rnn"))]


# Rows of documents: each row has the lengths of its documents; then the padded length.
_ROWS = (
    ([[2, 1]], 4),
    ([[5, 3, 2], [7]], None),
    ([[1, 1, 1], [3], [2]], 3),  # B = T
    ([[4]], None),
    ([[2, 2], [2, 2]], 4),  # no pads
    ([[6, 1], [3, 2, 1]], 8),
)


def _mask_cases() -> list[Case]:
    documents = [document_ids(rows, steps) for rows, steps in _ROWS]
    plain = [Case((numbers,)) for numbers in documents]
    return [*plain, *(Case((numbers,), {"causal": True}) for numbers in documents)]


def _tokens(documents: Tensor, seed: int) -> Tensor:
    """Random tokens from 1 to 9; token 0 ends every document and stands at pads."""
    generator = torch.Generator("cpu").manual_seed(seed)
    tokens = torch.randint(1, 10, documents.shape, generator=generator, device="cpu")
    last = torch.ones_like(documents, dtype=torch.bool)
    last[:, :-1] = documents[:, :-1] != documents[:, 1:]
    return tokens.masked_fill(last | (documents < 0), 0)


def _label_cases() -> list[Case]:
    documents = [document_ids(rows, steps) for rows, steps in _ROWS]
    return [Case((_tokens(numbers, i), numbers)) for i, numbers in enumerate(documents)]


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
        cases=_convert_cases,
        wrong=[
            pitfalls.returns_it_unchanged,
            pitfalls.inverts_for_all_attention,
            pitfalls.keeps_two_axes,
            pitfalls.masks_the_queries,
            pitfalls.stays_boolean,
            pitfalls.ignores_the_source,
            pitfalls.inverts_numbers,
        ],
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
        cases=_mask_cases,
        wrong=[
            pitfalls.causal_alone,
            pitfalls.pads_see_pads,
            pitfalls.true_hides,
            pitfalls.sees_the_future,
            pitfalls.not_itself,
            pitfalls.always_causal,
            pitfalls.neighbours_alone,
        ],
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
        cases=_label_cases,
        wrong=[
            pitfalls.crosses_borders,
            pitfalls.not_shifted,
            pitfalls.shifted_right,
            pitfalls.shifted_twice,
            pitfalls.goes_round,
            pitfalls.ignores_the_first,
            pitfalls.ignores_by_token,
            pitfalls.pads_predict_pads,
        ],
        hints=[
            "The label of step `t` is the token of step `t + 1`. For which steps is that wrong?",
            "Begin with `torch.full_like(tokens, -100)` and fill all columns but the last.",
            "A step has a label where `documents[:, 1:] == documents[:, :-1]`, and that number is "
            "not -1. The tokens themselves do not matter.",
        ],
    ),
]
