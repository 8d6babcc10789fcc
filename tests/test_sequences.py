"""Lengths, masks, padding, packing, last steps: against loops and against PyTorch itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.testing import assert_close

from course_utils.sequences import (
    check_lengths,
    convert_mask,
    last_steps,
    lengths_of,
    lengths_to_mask,
    mask_to_lengths,
    pack,
    pad_batch,
    padding_waste,
    unpack,
    unpad_batch,
)

ON_META = torch.tensor([2, 1], device="meta")
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool)
SIDES = st.sampled_from(["right", "left"])
# Some shapes hide mistakes: one sequence, B = T, one feature, equal lengths, full rows.
LENGTHS = st.one_of(
    st.lists(st.integers(1, 8), min_size=1, max_size=6),
    st.sampled_from([[1], [4], [3, 3, 3], [1, 2, 3], [5, 3, 7, 2], [2, 2]]),
)
SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (1, 1)])


def random_sequences(
    lengths: list[int], shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [(10 * torch.randn(n, *shape, generator=generator)).to(dtype) for n in lengths]


def mask_by_hand(lengths: list[int], steps: int) -> Tensor:
    return torch.tensor([[t < n for t in range(steps)] for n in lengths]).view(len(lengths), steps)


# --- lengths ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lengths",
    [[5, 3], (5, 3), torch.tensor([5, 3]), torch.tensor([5, 3], dtype=torch.uint8)],
)
def test_lengths_become_int64(lengths):
    checked = check_lengths(lengths, 5, batch_size=2, min_length=3)
    assert checked.dtype == torch.int64
    assert checked.tolist() == [5, 3]


def test_no_lengths_at_all_are_lengths():
    assert check_lengths([]).shape == (0,)
    assert check_lengths([]).dtype == torch.int64
    assert check_lengths([], 4, batch_size=0, min_length=1).shape == (0,)


@pytest.mark.parametrize("lengths", [[2.0, 1.0], torch.tensor([2.0, 1.0]), [True, False]])
def test_lengths_that_are_not_whole_numbers(lengths):
    with pytest.raises(TypeError, match=r"lengths have dtype torch\.\w+, .*lengths\.long\(\)"):
        check_lengths(lengths)


@pytest.mark.parametrize(
    ("lengths", "options", "message"),
    [
        ([[1, 2]], {}, r"shape \(1, 2\), expected \(B,\)"),
        (torch.tensor(3), {}, r"shape \(\), expected \(B,\)"),
        ([1, 2], {"batch_size": 3}, "got 2 lengths for a batch of 3"),
        ([2, -1], {}, r"lengths\[1\] is -1: a length cannot be negative"),
        ([2, -1], {"min_length": 1}, r"lengths\[1\] is -1: a length cannot be negative"),
        ([2, 0, 3], {"min_length": 1}, r"lengths\[1\] is 0: .*at least 1 real step"),
        ([2, 4, 3], {"max_length": 3}, r"lengths\[1\] is 4, .* only 3 steps: .*axes swapped"),
    ],
)
def test_impossible_lengths(lengths, options, message):
    with pytest.raises(ValueError, match=message):
        check_lengths(lengths, **options)


def test_a_length_of_t_and_a_length_of_zero_are_possible():
    assert check_lengths([3, 0], 3).tolist() == [3, 0]


def test_lengths_of():
    found = lengths_of([torch.zeros(3, 2), torch.zeros(0, 2), torch.zeros(5)])
    assert found.tolist() == [3, 0, 5]
    assert found.dtype == torch.int64


# --- masks -----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 7), max_size=6), st.integers(0, 3))
def test_mask_is_the_loop_s(lengths, extra):
    steps = max(lengths, default=0) + extra
    mask = lengths_to_mask(lengths, steps)
    assert mask.dtype == torch.bool
    assert torch.equal(mask, mask_by_hand(lengths, steps))
    assert mask_to_lengths(mask).tolist() == lengths
    if extra == 0:
        assert torch.equal(lengths_to_mask(lengths), mask)


def test_mask_goes_where_it_is_asked():
    assert lengths_to_mask([2, 1], device="meta").device.type == "meta"
    assert lengths_to_mask(torch.tensor([2, 1]), 4, device="meta").shape == (2, 4)


@pytest.mark.parametrize(
    "rows",
    [
        [[True, False, True]],
        [[True, True, True], [False, True, True]],
        [[True, False, False], [False, False, True]],
    ],
)
def test_holes_and_left_padding_have_no_length(rows):
    row = len(rows) - 1
    with pytest.raises(ValueError, match=f"row {row} of the mask has a real step after padding"):
        mask_to_lengths(torch.tensor(rows))


def test_what_is_no_mask_has_no_lengths():
    with pytest.raises(TypeError, match=r"dtype torch.int64, expected torch.bool"):
        mask_to_lengths(torch.ones(2, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 1\), expected \(B, T\)"):
        mask_to_lengths(torch.ones(2, 3, 1, dtype=torch.bool))


@pytest.mark.parametrize("length_list", [[4, 2, 1], [4], [3, 3, 3], [0, 2]])
@pytest.mark.parametrize("middle", ["rnn", "mha", "sdpa", "huggingface"])
@pytest.mark.parametrize("to", ["rnn", "mha", "sdpa", "huggingface"])
def test_conventions_round_trip(length_list, middle, to):
    mask = mask_by_hand(length_list, 4)
    direct = convert_mask(mask, to)
    detour = convert_mask(convert_mask(mask, middle), to, source=middle)
    assert torch.equal(direct, detour)
    assert direct.dtype == detour.dtype
    assert torch.equal(convert_mask(detour, "rnn", source=to), mask)


def test_conventions_on_one_row():
    mask = torch.tensor([[True, True, False]])
    assert convert_mask(mask, "mha").tolist() == [[False, False, True]]
    assert convert_mask(mask, "sdpa").tolist() == [[[[True, True, False]]]]
    assert convert_mask(mask, "huggingface").tolist() == [[1, 1, 0]]
    assert convert_mask(mask, "huggingface").dtype == torch.int64


@given(LENGTHS, st.sampled_from([1, 2]), st.integers(0, 2**31))
def test_conventions_mean_what_pytorch_means(lengths, heads, seed):
    """Module, function and each sequence alone: the same attention at real positions."""
    torch.manual_seed(seed)
    width = 4
    attention = nn.MultiheadAttention(width, heads, batch_first=True).double()
    x = pad_batch(random_sequences(lengths, (width,), torch.float64, seed), 100.0)
    mask = lengths_to_mask(lengths)
    module, _ = attention(x, x, x, key_padding_mask=convert_mask(mask, "mha"))

    q, k, v = (
        part.unflatten(-1, (heads, -1)).transpose(1, 2)
        for part in F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    )
    function = F.scaled_dot_product_attention(q, k, v, attn_mask=convert_mask(mask, "sdpa"))
    function = attention.out_proj(function.transpose(1, 2).flatten(2))
    for row, length in enumerate(lengths):
        alone = x[row : row + 1, :length]
        expected = attention(alone, alone, alone)[0][0]
        assert_close(module[row, :length], expected)
        assert_close(function[row, :length], expected)


@pytest.mark.parametrize(
    ("mask", "arguments", "error", "message"),
    [
        (torch.ones(2, 3, dtype=torch.bool), {"to": "keras"}, ValueError, "'keras': use one of"),
        (
            torch.ones(2, 3, dtype=torch.bool),
            {"to": "rnn", "source": "numpy"},
            ValueError,
            "'numpy': use one of",
        ),
        (torch.ones(2, 3), {"to": "mha"}, TypeError, "'rnn' is torch.bool, got torch.float32"),
        (
            torch.ones(2, 3, dtype=torch.int64),
            {"to": "rnn", "source": "sdpa"},
            TypeError,
            "'sdpa' is torch.bool",
        ),
        (
            torch.ones(2, 3, 1, dtype=torch.bool),
            {"to": "mha"},
            ValueError,
            r"\(B, T\), got \(2, 3, 1\)",
        ),
        (
            torch.ones(2, 1, 3, 3, dtype=torch.bool),
            {"to": "rnn", "source": "sdpa"},
            ValueError,
            r"\(B, 1, 1, T\), got \(2, 1, 3, 3\)",
        ),
        (
            torch.tensor([[0.0, -1e9]]),
            {"to": "rnn", "source": "huggingface"},
            ValueError,
            "holds only 1 .* and 0",
        ),
    ],
)
def test_masks_of_no_convention(mask, arguments, error, message):
    with pytest.raises(error, match=message):
        convert_mask(mask, **arguments)


# --- padding ---------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    SHAPES,
    st.sampled_from(DTYPES),
    SIDES,
    st.integers(0, 3),
    st.integers(0, 2**31),
)
def test_pad_batch_is_the_loop_s_and_unpad_batch_undoes_it(lengths, shape, dtype, side, more, seed):
    sequences = random_sequences(lengths, shape, dtype, seed)
    steps = max(lengths) + more
    padded = pad_batch(sequences, 1, padding_side=side, max_length=steps)
    expected = torch.ones(len(lengths), steps, *shape, dtype=dtype)
    for row, sequence in enumerate(sequences):
        start = 0 if side == "right" else steps - len(sequence)
        for step in range(len(sequence)):
            expected[row, start + step] = sequence[step]
    assert torch.equal(padded, expected)
    back = unpad_batch(padded, lengths, padding_side=side)
    assert len(back) == len(sequences)
    assert all(torch.equal(a, b) for a, b in zip(back, sequences, strict=True))
    if more == 0:
        assert torch.equal(pad_batch(sequences, 1, padding_side=side), padded)


def test_padding_passes_gradients_to_every_real_step_and_none_to_pads():
    sequences = [s.requires_grad_() for s in random_sequences([3, 1], (2,), torch.float64, 0)]
    pad_batch(sequences, max_length=5).mul(3.0).sum().backward()
    for sequence in sequences:
        assert torch.equal(sequence.grad, torch.full_like(sequence, 3.0))


@pytest.mark.parametrize(
    ("sequences", "options", "error", "message"),
    [
        ([], {}, ValueError, "no sequences to pad"),
        ([torch.ones(2), torch.tensor(1.0)], {}, TypeError, r"sequences\[1\] is tensor\(1"),
        ([[1, 2], [3]], {}, TypeError, r"sequences\[0\] is \[1, 2\], expected a tensor"),
        (
            [torch.ones(2, 3), torch.ones(2, 4)],
            {},
            ValueError,
            r"sequences\[1\] has feature shape \(4,\), but sequences\[0\] has \(3,\)",
        ),
        ([torch.ones(2, 1), torch.ones(2)], {}, ValueError, r"feature shape \(\), .*\(1,\)"),
        ([torch.ones(2), torch.ones(2).double()], {}, ValueError, r"dtype torch.float64"),
        ([torch.ones(2), torch.ones(2, device="meta")], {}, ValueError, "device meta"),
        ([torch.ones(2)], {"padding_side": "top"}, ValueError, "'top', expected 'right' or"),
        ([torch.ones(2), torch.ones(4)], {"max_length": 3}, ValueError, r"lengths\[1\] is 4"),
    ],
)
def test_what_cannot_be_padded(sequences, options, error, message):
    with pytest.raises(error, match=message):
        pad_batch(sequences, **options)


@pytest.mark.parametrize("function", [pack, last_steps, unpad_batch])
@pytest.mark.parametrize(
    ("shape", "lengths", "error", "message"),
    [
        ((2, 3), [4, 1], ValueError, r"lengths\[0\] is 4, but the batch has only 3 steps"),
        ((2, 3, 1), [1, -2], ValueError, r"lengths\[1\] is -2: a length cannot be negative"),
        ((2, 3), [1.0, 2.0], TypeError, "whole numbers"),
        ((2, 3), [1, 2, 3], ValueError, "got 3 lengths for a batch of 2"),
        ((3,), [1, 2, 3], ValueError, r"\(B, T\) or \(B, T, ...\), got \(3,\)"),
        ((2, 3), ON_META, ValueError, "lengths are on meta.*keep (lengths|them) on the CPU"),
    ],
)
def test_lengths_that_do_not_fit_the_batch(function, shape, lengths, error, message):
    with pytest.raises(error, match=message):
        function(torch.zeros(shape), lengths)


@pytest.mark.parametrize("function", [pack, last_steps])
def test_an_empty_row_has_no_last_step_and_cannot_be_packed(function):
    with pytest.raises(ValueError, match=r"lengths\[1\] is 0: every sequence needs at least 1"):
        function(torch.zeros(2, 3, 1), [3, 0])


def test_an_unknown_side():
    for function in (unpad_batch, last_steps):
        with pytest.raises(ValueError, match="'middle', expected 'right' or 'left'"):
            function(torch.zeros(1, 2), [1], padding_side="middle")


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(0, 4))
def test_padding_waste_counts_cells(lengths, extra):
    steps = max(lengths, default=0) + extra
    pads = sum(t >= n for n in lengths for t in range(steps))
    cells = len(lengths) * steps
    assert padding_waste(lengths, steps) == pytest.approx(pads / cells if cells else 0.0)
    if extra == 0:
        assert padding_waste(lengths) == padding_waste(lengths, steps)


def test_padding_waste_of_the_small_batch():
    assert padding_waste([5, 3, 7, 2]) == pytest.approx(11 / 28)
    with pytest.raises(ValueError, match=r"lengths\[2\] is 7"):
        padding_waste([5, 3, 7, 2], 6)


# --- packing ---------------------------------------------------------------------------------


def packed_by_hand(sequences: list[Tensor]) -> tuple[Tensor, list[int]]:
    """Time-major and without padding: the longest sequence comes first within a step."""
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    columns = [
        [sequences[i][t] for i in order if t < len(sequences[i])]
        for t in range(max(map(len, sequences)))
    ]
    return torch.stack([x for column in columns for x in column]), [len(c) for c in columns]


@given(LENGTHS, SHAPES, st.sampled_from(DTYPES), st.integers(0, 3), st.integers(0, 2**31))
def test_packing_and_back(lengths, shape, dtype, extra, seed):
    sequences = random_sequences(lengths, shape, dtype, seed)
    padded = pad_batch(sequences, 1, max_length=max(lengths) + extra)
    packed = pack(padded, lengths)
    _, sizes = packed_by_hand(sequences)
    assert packed.batch_sizes.tolist() == sizes
    assert len(packed.data) == sum(lengths)
    back, back_lengths = unpack(packed, total_length=padded.shape[1], padding_value=1)
    assert torch.equal(back, padded)
    assert back_lengths.tolist() == lengths
    assert back_lengths.device.type == "cpu"
    assert unpack(packed)[0].shape[1] == max(lengths)


def test_packed_data_is_time_major():
    sequences = random_sequences([2, 4, 3], (2,), torch.float32, 0)
    data, sizes = packed_by_hand(sequences)
    packed = pack(pad_batch(sequences), torch.tensor([2, 4, 3], dtype=torch.int32))
    assert torch.equal(packed.data, data)
    assert packed.batch_sizes.tolist() == sizes == [3, 3, 2, 1]
    assert packed.sorted_indices.tolist() == [1, 2, 0]


def test_pytorch_accepts_a_length_above_t_and_we_do_not():
    padded = torch.randn(2, 3, 1)
    corrupt = pack_padded_sequence(padded, torch.tensor([5, 2]), batch_first=True)
    assert int(corrupt.batch_sizes.sum()) != len(corrupt.data)  # no error, and no sense
    with pytest.raises(ValueError, match=r"lengths\[0\] is 5, but the batch has only 3 steps"):
        pack(padded, [5, 2])


def test_swapped_axes_are_noticed_where_a_length_exceeds_the_wrong_t():
    time_major = torch.zeros(7, 4, 2)
    with pytest.raises(ValueError, match="got 4 lengths for a batch of 7"):
        pack(time_major, [5, 3, 7, 2])
    with pytest.raises(ValueError, match="axes swapped"):
        pack(torch.zeros(4, 3, 2), [5, 3, 7, 2])


def test_unpacking_to_fewer_steps_than_there_are():
    packed = pack(torch.zeros(2, 4, 1), [3, 4])
    with pytest.raises(ValueError, match="total_length is 3, but the longest sequence has 4"):
        unpack(packed, total_length=3)


# --- last steps ------------------------------------------------------------------------------


@given(LENGTHS, SHAPES, st.sampled_from(DTYPES), SIDES, st.integers(0, 2), st.integers(0, 2**31))
def test_last_steps_are_the_sequences_own(lengths, shape, dtype, side, extra, seed):
    sequences = random_sequences(lengths, shape, dtype, seed)
    padded = pad_batch(sequences, 1, padding_side=side, max_length=max(lengths) + extra)
    expected = torch.stack([sequence[-1] for sequence in sequences])
    assert torch.equal(last_steps(padded, lengths, padding_side=side), expected)


def test_last_steps_send_gradient_to_one_step_a_row():
    padded = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, 2, dtype=torch.float64)
    (last_steps(padded, [2, 3, 1]) * weights).sum().backward()
    expected = torch.zeros(3, 3, 2, dtype=torch.float64)
    for row, step in enumerate([1, 2, 0]):
        expected[row, step] = weights[row]
    assert torch.equal(padded.grad, expected)


# --- arguments that are nearly right ---------------------------------------------------------


def test_lengths_from_numpy_of_any_layout_and_width():
    for lengths in (np.array([5, 3])[::-1], np.array([3, 5], dtype=np.uint16)):
        assert check_lengths(lengths).tolist() == [3, 5]


@pytest.mark.parametrize("lengths", [None, "53", [5, None], [2**70], [[1], [2, 3]]])
def test_what_holds_no_lengths_is_shown(lengths):
    with pytest.raises(TypeError, match=r"lengths are .*expected whole numbers"):
        check_lengths(lengths)


@pytest.mark.parametrize("steps", [6.5, "6", True])
def test_a_padded_length_is_a_whole_number(steps):
    with pytest.raises(TypeError, match=r"max_length is .*expected a whole number"):
        lengths_to_mask([3, 5], steps)


@pytest.mark.parametrize(
    ("value", "dtype"), [(0.5, torch.int64), (-1, torch.uint8), (2, torch.bool)]
)
def test_pads_that_a_dtype_would_change_in_silence(value, dtype):
    with pytest.raises(ValueError, match=f"padding_value is {value}.*{dtype} cannot hold"):
        pad_batch([torch.ones(2, dtype=dtype), torch.ones(1, dtype=dtype)], value)


def test_batches_without_rows_or_numbers():
    assert last_steps(torch.zeros(0, 0, 3), [], padding_side="left").shape == (0, 3)
    for shape, lengths in (((0, 3, 2), []), ((2, 3, 0), [3, 1])):
        with pytest.raises(ValueError, match="nothing to pack"):
            pack(torch.zeros(shape), lengths)
