"""Beyond recurrent networks: mask conventions, and rows of several documents."""

from __future__ import annotations

import torch

from course_utils import documents, sequences
from course_utils.lessons.solutions import solution


@solution("beyond.convert_mask", careful=sequences.convert_mask)
def convert_mask(mask: torch.Tensor, to: str, *, source: str = "rnn") -> torch.Tensor:
    """The mask in another convention: "rnn", "mha", "sdpa" or "huggingface"."""
    if source == "mha":
        mask = ~mask
    elif source == "sdpa":
        mask = mask[:, 0, 0]
    elif source == "huggingface":
        mask = mask == 1
    if to == "mha":
        return ~mask
    if to == "sdpa":
        return mask[:, None, None]
    if to == "huggingface":
        return mask.long()
    return mask


@solution("beyond.block_diagonal_mask", careful=documents.block_diagonal_mask)
def block_diagonal_mask(documents: torch.Tensor, causal: bool = False) -> torch.Tensor:
    """Boolean mask (B, T, T), True where a query may attend to a key."""
    same = documents[:, :, None] == documents[:, None, :]
    mask = same & (documents != -1)[:, None, :]
    return mask.tril() if causal else mask


@solution("beyond.packed_labels", careful=documents.packed_labels)
def packed_labels(tokens: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
    """The next token of the same document (B, T), -100 where there is none."""
    goes_on = (documents[:, 1:] == documents[:, :-1]) & (documents[:, 1:] != -1)
    labels = torch.full_like(tokens, -100)
    labels[:, :-1] = tokens[:, 1:].masked_fill(~goes_on, -100)
    return labels
