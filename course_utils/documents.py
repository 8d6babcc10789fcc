"""Several sequences in one row: which step belongs to which, and who may look at whom.

Rows of a language model are filled with several *documents* each. ``documents`` is an integer
tensor ``(B, T)``: the number of the document that a step belongs to, and ``NO_DOCUMENT`` at
pads. Rows are read from left to right, and a document is never split.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.checks import check_tensor, check_whole, describe
from course_utils.sequences import Lengths, check_lengths, pad_batch

NO_DOCUMENT = -1
IGNORED = -100
"""The label that ``F.cross_entropy`` leaves out unless told otherwise."""


def document_ids(
    rows: Sequence[Lengths],
    max_length: int | None = None,
    *,
    device: torch.device | str | None = None,
) -> Tensor:
    """The document of every step, ``(B, T)``, ``NO_DOCUMENT`` at the pads behind the last one.

    Args:
        rows: for each row the lengths of its documents, in order, each at least 1.
        max_length: the padded length ``T``; the longest row if not given.
        device: where the result goes; the CPU if not given.

    Raises:
        TypeError, ValueError: as :func:`check_lengths`; no rows, or a row longer than ``T``.
    """
    filled = []
    for row in rows:
        lengths = check_lengths(row, min_length=1)
        numbers = torch.arange(len(lengths), device=lengths.device)
        filled.append(numbers.repeat_interleave(lengths))
    return pad_batch(filled, NO_DOCUMENT, max_length=max_length).to(device or "cpu")


def _check_documents(documents: Tensor) -> None:
    check_tensor(documents, "documents")
    # Without a sign -1 turns into 255, and a document of that number into padding.
    whole = not (documents.is_floating_point() or documents.is_complex())
    if documents.dim() != 2 or not whole or not documents.dtype.is_signed:
        raise ValueError(
            "documents are signed whole numbers of shape (B, T), one for each step, got "
            f"{tuple(documents.shape)} of {documents.dtype}"
        )


def restarted_positions(documents: Tensor) -> Tensor:
    """Position of each step in its own document ``(B, T)``: 0 at a document's first step.

    Pads behind the last document count from 0, too; nothing should read them.

    Raises:
        ValueError: documents that are not whole numbers ``(B, T)``.
    """
    _check_documents(documents)
    steps = torch.arange(documents.shape[1], device=documents.device).expand(documents.shape)
    starts = torch.ones_like(documents, dtype=torch.bool)
    starts[:, 1:] = documents[:, 1:] != documents[:, :-1]
    # The largest start so far is the start of the document that a step stands in.
    return steps - steps.masked_fill(~starts, 0).cummax(1).values


def block_diagonal_mask(documents: Tensor, causal: bool = False) -> Tensor:
    """Boolean mask ``(B, T, T)``: True where a query may attend to a key.

    Queries are rows, keys are columns. A step attends to its own document alone, with
    ``causal=True`` to itself and to earlier steps alone. A pad attends to nothing, and nothing
    attends to it. With heads, as ``F.scaled_dot_product_attention`` has them, use
    ``mask[:, None]``.

    Raises:
        ValueError: documents that are not whole numbers ``(B, T)``.
    """
    _check_documents(documents)
    mask = documents[:, :, None] == documents[:, None, :]
    mask = mask & (documents != NO_DOCUMENT)[:, None, :]
    return mask.tril() if causal else mask


def packed_labels(tokens: Tensor, documents: Tensor) -> Tensor:
    """The next token of the same document ``(B, T)``; ``IGNORED`` where there is none.

    Args:
        tokens: token ids ``(B, T)``; what stands at pads does not matter.
        documents: the document of each step, ``(B, T)``.

    Raises:
        TypeError: tokens that are not whole numbers, or whose dtype cannot hold ``IGNORED``.
        ValueError: shapes that differ, or documents that are not whole numbers ``(B, T)``.
    """
    _check_documents(documents)
    check_whole(tokens, "tokens")
    if not tokens.dtype.is_signed:
        raise TypeError(
            f"tokens: got {describe(tokens)}, which cannot hold the label {IGNORED}: tokens.long()"
        )
    if tokens.shape != documents.shape:
        raise ValueError(
            f"tokens {tuple(tokens.shape)} and documents {tuple(documents.shape)} need the same "
            "shape (B, T): one document number for each token"
        )
    labels = torch.full_like(tokens, IGNORED)
    goes_on = (documents[:, 1:] == documents[:, :-1]) & (documents[:, 1:] != NO_DOCUMENT)
    labels[:, :-1] = tokens[:, 1:].masked_fill(~goes_on, IGNORED)
    return labels
