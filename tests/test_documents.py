"""Rows of several documents, against plain loops and against documents run alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_utils.documents import (
    IGNORED,
    block_diagonal_mask,
    document_ids,
    packed_labels,
    restarted_positions,
)

ROWS = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=4)
EXTRA = st.integers(0, 3)


def with_pads(rows: list[list[int]], extra: int) -> torch.Tensor:
    return document_ids(rows, max(map(sum, rows)) + extra)


def test_document_ids_of_a_full_and_a_padded_row():
    assert document_ids([[2, 1, 3], [4]]).tolist() == [[0, 0, 1, 2, 2, 2], [0, 0, 0, 0, -1, -1]]
    assert document_ids([[1]], 3).tolist() == [[0, -1, -1]]


@pytest.mark.parametrize(
    ("rows", "steps", "said"),
    [
        ([], None, "no sequences"),
        ([[2, 0]], None, r"lengths\[1\] is 0"),
        ([[2, 2]], 3, "only 3 steps"),
    ],
)
def test_document_ids_refuse(rows: list, steps: int | None, said: str):
    with pytest.raises(ValueError, match=said):
        document_ids(rows, steps)


@given(ROWS, EXTRA)
def test_positions_count_each_document_from_zero(rows: list[list[int]], extra: int):
    documents = with_pads(rows, extra)
    positions = restarted_positions(documents)
    for row, lengths in enumerate(rows):
        expected = [step for length in lengths for step in range(length)]
        assert positions[row, : sum(lengths)].tolist() == expected
    assert positions.min() == 0


@given(ROWS, EXTRA, st.booleans())
def test_mask_is_a_block_for_each_document(rows: list[list[int]], extra: int, causal: bool):
    documents = with_pads(rows, extra)
    mask = block_diagonal_mask(documents, causal)
    steps = documents.shape[1]
    for row, lengths in enumerate(rows):
        blocks = [torch.ones(length, length) for length in lengths]
        pads = steps - sum(lengths)
        expected = torch.block_diag(*blocks, torch.zeros(pads, pads))[:steps, :steps].bool()
        assert torch.equal(mask[row], expected.tril() if causal else expected)


@given(ROWS, EXTRA)
def test_labels_are_those_of_each_document_alone(rows: list[list[int]], extra: int):
    documents = with_pads(rows, extra)
    tokens = torch.randint(0, 7, documents.shape)
    before = tokens.clone()
    labels = packed_labels(tokens, documents)
    assert torch.equal(tokens, before)
    for row, lengths in enumerate(rows):
        expected, start = [], 0
        for length in lengths:
            document = tokens[row, start : start + length].tolist()
            expected += [*document[1:], IGNORED]
            start += length
        expected += [IGNORED] * (documents.shape[1] - start)
        assert labels[row].tolist() == expected


@pytest.mark.parametrize("causal", [False, True])
def test_attention_over_a_packed_row_equals_documents_alone(causal: bool):
    """Values and gradients, with numbers in the pads that would be seen."""
    lengths = [5, 3, 1]
    documents = document_ids([lengths], 12)
    torch.manual_seed(0)
    row = (100 * torch.randn(1, 12, 4, dtype=torch.float64)).requires_grad_()
    mask = block_diagonal_mask(documents, causal)
    packed = F.scaled_dot_product_attention(row, row, row, attn_mask=mask)[0, :9]
    parts = row[:, :9].split(lengths, dim=1)
    alone = [F.scaled_dot_product_attention(x, x, x, is_causal=causal)[0] for x in parts]
    torch.testing.assert_close(packed, torch.cat(alone))
    weights = torch.randn_like(packed)
    slopes = [
        torch.autograd.grad((out * weights).sum(), row)[0] for out in (packed, torch.cat(alone))
    ]
    torch.testing.assert_close(*slopes)
    assert slopes[0].abs().sum() > 0


@pytest.mark.parametrize("function", [restarted_positions, block_diagonal_mask])
@pytest.mark.parametrize("documents", [torch.zeros(3), torch.zeros(3, dtype=torch.long)])
def test_documents_are_whole_numbers_for_rows(function, documents: torch.Tensor):
    with pytest.raises(ValueError, match=r"whole numbers of shape \(B, T\)"):
        function(documents)


def test_labels_need_a_document_for_each_token():
    with pytest.raises(ValueError, match=r"tokens \(1, 3\) and documents \(1, 2\)"):
        packed_labels(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 2, dtype=torch.long))


def test_results_stay_where_the_documents_are():
    documents = document_ids([[2, 1], [1]], 4, device="meta")
    for result in (
        restarted_positions(documents), block_diagonal_mask(documents, True),
        packed_labels(documents, documents),
    ):  # fmt: skip
        assert result.device.type == "meta"


def test_numbers_without_a_sign_are_refused():
    """-1 would turn into 255, and the label -100 into 156."""
    row = torch.zeros(1, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="signed whole numbers"):
        block_diagonal_mask(row)
    with pytest.raises(TypeError, match="cannot hold the label -100"):
        packed_labels(row, row.long())
