"""Explorer of attention: where the weight goes, with and without masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from torch import Tensor

from course_utils.data import small_batch
from course_utils.documents import NO_DOCUMENT, block_diagonal_mask, document_ids
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer, lengths_field, parse_lengths
from course_utils.masked import masked_softmax
from course_utils.pictures import Picture, draw_attention

_FEATURES = 4


def _key_mask(documents: Tensor) -> Tensor:
    steps = documents.shape[1]
    return (documents != NO_DOCUMENT)[:, None, :].expand(-1, steps, steps)


# What a learner chooses -> the mask (B, T, T) of documents (B, T), True = attend.
MASKS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda documents: torch.ones_like(_key_mask(documents)),
    "key mask: hide pads": _key_mask,
    "causal: hide later steps": lambda documents: torch.ones_like(_key_mask(documents)).tril(),
    "block-diagonal: own document alone": block_diagonal_mask,
    "block-diagonal and causal": lambda documents: block_diagonal_mask(documents, causal=True),
}


def attention_weights(documents: Tensor, mask: Tensor) -> Tensor:
    """Weights ``(B, T, T)`` of one head over random steps, always the same ones.

    Args:
        documents: ``(B, T)``; only its shape matters.
        mask: boolean ``(B, T, T)``, True = attend.
    """
    rows, steps = documents.shape
    size = [rows * steps]
    queries, keys = (
        small_batch(size, _FEATURES, seed=seed)[0].view(rows, steps, -1) for seed in (1, 2)
    )
    scores = queries @ keys.transpose(1, 2) / _FEATURES**0.5
    return masked_softmax(scores, mask)


def explore_attention(lengths: Sequence[int] = (5, 3, 2)) -> widgets.Widget:
    """Documents in one row, pads behind them, and a mask: see where the weight goes.

    Args:
        lengths: of the documents, at most 8; what the learner starts from, and may edit.
    """

    def draw(lengths: str, mask: str, pads: float) -> Picture:
        row = parse_lengths(lengths, most=8)
        documents = document_ids([row], sum(row) + int(pads))
        weights = attention_weights(documents, MASKS[mask](documents))
        return draw_attention(weights[0], documents[0], title=f"Attention weights, mask: {mask}")

    return explorer(
        draw,
        lengths=lengths_field(lengths, "Documents"),
        mask=Choice(MASKS, description="Mask"),
        pads=Slider(description="Pads", value=3, min=0, max=10),
    )
