"""Random and nonsensical calls of ``course_utils.sequences``: right, or refused with reason."""

from __future__ import annotations

import operator
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from random_inputs import (
    DTYPES,
    FEW_OR_ALL,
    Case,
    as_lengths,
    lengths_at_most,
    need,
    numbers,
    try_out,
)
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from course_utils import sequences as s

SIDES = ("right", "left")
FULL = ((), (1,), (3,), (2, 2), (1, 1))  # shapes of a step
SHAPES = (*FULL, (0,))


# --- what arguments mean, in plain Python ----------------------------------------------------


def whole(value: Any, least: int) -> int:
    """A count, as an ``int``."""
    need(not isinstance(value, (bool, np.bool_)), "a truth value is no count")
    need(not isinstance(value, Tensor) or value.dtype != torch.bool)
    number = operator.index(value)
    need(least <= number < 2**63, "out of range")
    return number


def the_lengths(given: Any, longest: Any = None, *, count: Any = None, least: int = 0) -> list:
    """Lengths as a plain list."""
    if isinstance(given, Tensor):
        need(given.dim() == 1 and not given.is_complex())
        need(not given.is_floating_point() and given.dtype != torch.bool)
        found = given.tolist()
    else:
        need(not isinstance(given, (str, bytes, dict, set)), "not a list of numbers")
        need(not isinstance(given, np.ndarray) or given.ndim == 1)
        truths = (bool, Tensor)  # among whole numbers, True is 1 as everywhere in Python
        found = [whole(n.__index__() if isinstance(n, truths) else n, 0) for n in given]
    need(all(n >= least for n in found), "too short")
    if longest is not None:
        limit = whole(longest, 0)
        need(all(n <= limit for n in found), "above T")
    need(count is None or len(found) == whole(count, 0), "another batch")
    return found


def is_real(side: str, length: int, steps: int, t: int) -> bool:
    return t < length if side == "right" else t >= steps - length


def a_batch(rng: random.Random, least: int = 0, rows: int | None = None) -> tuple[list, int]:
    """Lengths and a padded length; B = T in one case of four."""
    steps = rng.randint(max(least, 1), 6)
    count = rows or (steps if rng.random() < 0.25 else rng.randint(1, 5))
    return lengths_at_most(rng, steps, count, least), steps


# --- lengths and masks -----------------------------------------------------------------------


def draw_check_lengths(rng):
    lengths, steps = a_batch(rng)
    least = min(lengths, default=0)
    options = {"batch_size": len(lengths), "min_length": rng.randint(0, least)}
    return [as_lengths(rng, lengths), rng.choice([steps, None, torch.tensor(steps)])], options


def check_lengths(lengths, max_length=None, *, batch_size=None, min_length=0):
    found = the_lengths(lengths, max_length, count=batch_size, least=whole(min_length, 0))
    return torch.tensor(found, dtype=torch.int64)


def draw_lengths_of(rng):
    lengths, _ = a_batch(rng)
    return [[numbers(rng, (n, *rng.choice(SHAPES)), torch.float32) for n in lengths]], {}


def lengths_of(sequences):
    return torch.tensor([len(x) for x in sequences], dtype=torch.int64)


def draw_lengths_to_mask(rng):
    lengths, steps = a_batch(rng)
    return [as_lengths(rng, lengths), rng.choice([steps, None, np.int64(steps)])], {}


def lengths_to_mask(lengths, max_length=None):
    found = the_lengths(lengths, max_length)
    steps = max(found, default=0) if max_length is None else whole(max_length, 0)
    rows = [[t < n for t in range(steps)] for n in found]
    return torch.tensor(rows, dtype=torch.bool).view(len(found), steps)


def draw_mask_to_lengths(rng):
    return [lengths_to_mask(*a_batch(rng))], {}


def mask_to_lengths(mask):
    need(mask.dtype == torch.bool and mask.dim() == 2)
    for row in mask.tolist():
        need(row == sorted(row, reverse=True), "real after pads")
    return torch.tensor([sum(row) for row in mask.tolist()], dtype=torch.int64)


NAMES = ("rnn", "mha", "sdpa", "huggingface")


def draw_convert_mask(rng):
    rows, source = lengths_to_mask(*a_batch(rng)), rng.choice(NAMES)
    return [written(rows.tolist(), tuple(rows.shape), source), rng.choice(NAMES)], {
        "source": source
    }


def written(rows: list, shape: tuple, name: str) -> Tensor:
    """True = real, in another convention."""
    values = [[real != (name == "mha") for real in row] for row in rows]
    dtype = torch.int64 if name == "huggingface" else torch.bool
    found = torch.tensor(values, dtype=dtype).view(shape)
    return found.view(shape[0], 1, 1, shape[1]) if name == "sdpa" else found


def convert_mask(mask, to, *, source="rnn"):
    need(to in NAMES and source in NAMES)
    need(source == "huggingface" or mask.dtype == torch.bool)
    if source == "sdpa":
        need(mask.dim() == 4 and mask.shape[1:3] == (1, 1))
        mask = mask[:, 0, 0]
    need(mask.dim() == 2)
    for row in mask.tolist():
        need(all(entry in (0, 1) for entry in row))
    rows = [[bool(entry) != (source == "mha") for entry in row] for row in mask.tolist()]
    return written(rows, tuple(mask.shape), to)


# --- padding ---------------------------------------------------------------------------------


def draw_pad_batch(rng):
    (lengths, steps), shape, dtype = a_batch(rng), rng.choice(SHAPES), rng.choice(DTYPES)
    values = [numbers(rng, (n, *shape), dtype) for n in lengths]
    value = rng.choice([0, 0.0, 1, True, *([-1.5, 1e4, float("nan")] * dtype.is_floating_point)])
    options = {
        "padding_side": rng.choice(SIDES),
        "max_length": rng.choice([None, steps, steps + 2]),
    }
    return [rng.choice([list, tuple])(values), value], options


def pad_batch(sequences, padding_value=0.0, *, padding_side="right", max_length=None):
    need(padding_side in SIDES and len(sequences) > 0)
    first = sequences[0]
    for x in sequences:
        need(isinstance(x, Tensor) and x.dim() > 0)
        need(x.shape[1:] == first.shape[1:] and x.dtype == first.dtype)
    found = [len(x) for x in sequences]
    steps = max(found) if max_length is None else whole(max_length, max(found))
    kinds = (Tensor, np.generic)
    pad = padding_value.item() if isinstance(padding_value, kinds) else padding_value
    need(isinstance(pad, (bool, int, float, complex)), "no number")
    need(first.is_complex() or not isinstance(pad, complex), "complex pads in real data")
    if not (first.is_floating_point() or first.is_complex()):
        info = (0, 1) if first.dtype == torch.bool else torch.iinfo(first.dtype)
        low, high = info if isinstance(info, tuple) else (info.min, info.max)
        need(pad == int(pad) and low <= pad <= high, "the dtype cannot hold it")
    elif first.is_floating_point() and abs(pad) < float("inf"):
        need(abs(pad) <= torch.finfo(first.dtype).max)
    expected = torch.zeros(len(found), steps, *first.shape[1:], dtype=first.dtype)
    for row, x in enumerate(sequences):
        for t in range(steps):
            start = 0 if padding_side == "right" else steps - len(x)
            real = is_real(padding_side, len(x), steps, t)
            expected[row, t] = x.detach()[t - start] if real else pad
    return expected


def draw_padded(rng, least=0, shapes=SHAPES):
    (lengths, steps), shape = a_batch(rng, least), rng.choice(shapes)
    values = numbers(rng, (len(lengths), steps, *shape), rng.choice(DTYPES))
    return [values, as_lengths(rng, lengths)], {}


def draw_sided(rng, least=0):
    args, _ = draw_padded(rng, least)
    return args, {"padding_side": rng.choice(SIDES)}


def unpad_batch(padded, lengths, *, padding_side="right"):
    need(isinstance(padded, Tensor) and padded.dim() >= 2 and padding_side in SIDES)
    found = the_lengths(lengths, padded.shape[1], count=len(padded))
    steps = padded.shape[1]
    empty = padded.detach()[:0].reshape(0, *padded.shape[2:])
    rows = []
    for row, n in zip(padded.detach(), found, strict=True):
        kept = [row[t] for t in range(steps) if is_real(padding_side, n, steps, t)]
        rows.append(torch.stack(kept) if kept else row[:0] if len(row) else empty)
    return rows


def draw_padding_waste(rng):
    return draw_lengths_to_mask(rng)


def padding_waste(lengths, max_length=None):
    cells = [entry for row in lengths_to_mask(lengths, max_length).tolist() for entry in row]
    return cells.count(False) / len(cells) if cells else 0.0


# --- packing and last steps ------------------------------------------------------------------


def pack(padded, lengths):
    need(isinstance(padded, Tensor) and padded.dim() >= 2 and padded.numel() > 0)
    found = the_lengths(lengths, padded.shape[1], count=len(padded), least=1)
    order = sorted(range(len(found)), key=lambda i: -found[i])
    steps = [[i for i in order if found[i] > t] for t in range(max(found))]
    data = torch.stack([padded.detach()[i, t] for t, rows in enumerate(steps) for i in rows])
    sizes = torch.tensor([len(rows) for rows in steps])
    return PackedSequence(data, sizes, torch.tensor(order), torch.tensor(order).argsort())


def run_pack(padded: Tensor, lengths: Sequence[int]) -> PackedSequence:
    """PyTorch may sort rows of equal lengths as it likes: put them into the first order."""
    packed = s.pack(padded, lengths)
    found, order = the_lengths(lengths), packed.sorted_indices.tolist()
    need([found[i] for i in order] == sorted(found, reverse=True), "not sorted")
    need(packed.unsorted_indices.tolist() == packed.sorted_indices.argsort().tolist())
    stable = sorted(range(len(found)), key=lambda i: -found[i])
    columns, start = [], 0
    for size in packed.batch_sizes.tolist():
        rows = dict(zip(order[:size], packed.data[start : start + size], strict=True))
        columns += [rows[i] for i in stable if i in rows]
        start += size
    need(start == len(packed.data))
    data = torch.stack(columns).detach()
    return PackedSequence(
        data, packed.batch_sizes, torch.tensor(stable), torch.tensor(stable).argsort()
    )


def draw_unpack(rng):
    args, _ = draw_padded(rng, 1, FULL)
    found = the_lengths(args[1])
    total = rng.choice([None, max(found), max(found) + 2])
    return [pack(*args)], {"total_length": total, "padding_value": rng.choice([0, 0.0, 1])}


def unpack(packed, *, total_length=None, padding_value=0.0):
    need(isinstance(packed, PackedSequence))
    sizes, order = packed.batch_sizes.tolist(), packed.sorted_indices.tolist()
    rows, start = [[] for _ in order], 0
    for size in sizes:
        for i, x in zip(order[:size], packed.data[start : start + size], strict=True):
            rows[i].append(x)
        start += size
    stacked = [torch.stack(row) for row in rows]
    padded = pad_batch(stacked, padding_value, max_length=total_length)
    return padded, torch.tensor([len(row) for row in rows])


def last_steps(padded, lengths, *, padding_side="right"):
    need(isinstance(padded, Tensor) and padded.dim() >= 2 and padding_side in SIDES)
    found = the_lengths(lengths, padded.shape[1], count=len(padded), least=1)
    values, steps = padded.detach(), padded.shape[1]
    places = [n - 1 if padding_side == "right" else steps - 1 for n in found]
    rows = [values[i, t] for i, t in enumerate(places)]
    return torch.stack(rows) if rows else values.new_zeros(0, *values.shape[2:])


CASES = {
    "check_lengths": Case(s.check_lengths, draw_check_lengths, check_lengths),
    "lengths_of": Case(s.lengths_of, draw_lengths_of, lengths_of, words=("int",)),
    "lengths_to_mask": Case(s.lengths_to_mask, draw_lengths_to_mask, lengths_to_mask),
    "mask_to_lengths": Case(s.mask_to_lengths, draw_mask_to_lengths, mask_to_lengths),
    "convert_mask": Case(s.convert_mask, draw_convert_mask, convert_mask),
    "pad_batch": Case(s.pad_batch, draw_pad_batch, pad_batch),
    "unpad_batch": Case(s.unpad_batch, draw_sided, unpad_batch),
    "padding_waste": Case(s.padding_waste, draw_padding_waste, padding_waste),
    "pack": Case(run_pack, lambda rng: draw_padded(rng, 1, FULL), pack),
    "unpack": Case(s.unpack, draw_unpack, unpack),
    "last_steps": Case(s.last_steps, lambda rng: draw_sided(rng, 1), last_steps, slopes=True),
}


@FEW_OR_ALL
@pytest.mark.parametrize("name", CASES)
def test_sequences_answer_rightly_or_refuse(name: str, part: float):
    print(f"\n{name}: {dict(try_out(CASES[name], part))}")
