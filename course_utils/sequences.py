"""Lengths, masks, padding, packing and last steps.

Shapes: ``B`` sequences in a batch, ``T`` steps after padding, ``F`` features,
lengths ``(B,)``. Everything is batch first, and a mask is boolean with
``True`` = real.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)

from course_utils.checks import (
    Lengths,
    check_alike,
    check_choice,
    check_count,
    check_lengths,
    check_tensor,
    describe,
)

Side = Literal["right", "left"]
MaskConvention = Literal["rnn", "mha", "sdpa", "huggingface"]

_CPU = torch.device("cpu")


def _check_padded(padded: Tensor) -> None:
    check_tensor(padded, "padded")
    if padded.dim() < 2:
        raise ValueError(f"a padded batch is (B, T) or (B, T, ...), got {tuple(padded.shape)}")


def _check_side(side: str) -> None:
    check_choice(side, "padding_side", ("right", "left"))


def _check_same_device(lengths: Lengths, values: Tensor) -> None:
    if isinstance(lengths, Tensor) and lengths.device not in (_CPU, values.device):
        raise ValueError(
            f"lengths are on {lengths.device} and the batch is on {values.device}: "
            "keep lengths on the CPU, which works with a batch on any device"
        )


def _padded_length(lengths: Tensor, max_length: int | None) -> int:
    if max_length is None:
        return int(lengths.max()) if len(lengths) else 0
    return check_count(max_length, "max_length")


def lengths_of(sequences: Sequence[Tensor]) -> Tensor:
    """Number of steps of each sequence, an int64 CPU tensor of shape ``(B,)``."""
    return torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64, device="cpu")


def lengths_to_mask(
    lengths: Lengths, max_length: int | None = None, *, device: torch.device | str | None = None
) -> Tensor:
    """Boolean mask of shape ``(B, T)``: True where a step is real.

    Args:
        lengths: real steps of each sequence, ``(B,)``; 0 gives a row without real steps.
        max_length: the padded length ``T``; the longest length if not given.
        device: where the mask goes; where the lengths are if not given.

    Raises:
        TypeError, ValueError: as :func:`check_lengths`.
    """
    lengths = check_lengths(lengths, max_length)
    max_length = _padded_length(lengths, max_length)
    if device is not None:
        lengths = lengths.to(device)
    steps = torch.arange(max_length, device=lengths.device)
    return steps[None, :] < lengths[:, None]


def mask_to_lengths(mask: Tensor) -> Tensor:
    """Lengths ``(B,)`` of a right-padded boolean mask ``(B, T)``.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: the mask is not ``(B, T)``, or a real step follows padding in some row.
    """
    check_tensor(mask, "mask")
    if mask.dtype != torch.bool:
        raise TypeError(f"the mask has dtype {mask.dtype}, expected torch.bool with True = real")
    if mask.dim() != 2:
        raise ValueError(f"the mask has shape {tuple(mask.shape)}, expected (B, T)")
    lengths = mask.sum(1)
    broken = (mask != lengths_to_mask(lengths, mask.shape[1])).any(1)
    if broken.any():
        row = int(broken.int().argmax())
        raise ValueError(
            f"row {row} of the mask has a real step after padding (a hole, or left padding), so "
            "one length cannot describe it; mask.sum(1) counts its real steps"
        )
    return lengths


def _from_huggingface(mask: Tensor) -> Tensor:
    if bool(((mask != 0) & (mask != 1)).any()):
        raise ValueError("a Hugging Face attention mask holds only 1 (attend) and 0 (ignore)")
    return mask == 1


# convention -> (number of dimensions, boolean?, to True = real (B, T), from True = real (B, T))
_CONVENTIONS = {
    "rnn": (2, True, lambda m: m, lambda m: m),
    "mha": (2, True, lambda m: ~m, lambda m: ~m),
    "sdpa": (4, True, lambda m: m[:, 0, 0, :], lambda m: m[:, None, None, :]),
    "huggingface": (2, False, _from_huggingface, lambda m: m.long()),
}


def convert_mask(mask: Tensor, to: MaskConvention, *, source: MaskConvention = "rnn") -> Tensor:
    """The same mask in another library's convention.

    ========== =========================================== ============== =================
    name       used by                                     shape, dtype   True or 1 means
    ========== =========================================== ============== =================
    rnn        this course, masked losses                  (B, T) bool    real
    mha        ``nn.MultiheadAttention(key_padding_mask)`` (B, T) bool    **ignore**
    sdpa       ``F.scaled_dot_product_attention``          (B,1,1,T) bool attend
    huggingface ``attention_mask`` of transformers         (B, T) int64   attend
    ========== =========================================== ============== =================

    Raises:
        ValueError: an unknown convention, or a mask that does not follow ``source``.
        TypeError: a mask of the wrong dtype for ``source``.
    """
    for name in (source, to):
        if not isinstance(name, str) or name not in _CONVENTIONS:
            raise ValueError(f"unknown mask convention {name!r}: use one of {list(_CONVENTIONS)}")
    check_tensor(mask, "mask")
    dims, boolean, to_real, _ = _CONVENTIONS[source]
    if boolean and mask.dtype != torch.bool:
        raise TypeError(f"a mask in convention {source!r} is torch.bool, got {mask.dtype}")
    if mask.dim() != dims or (dims == 4 and mask.shape[1:3] != (1, 1)):
        expected = "(B, 1, 1, T)" if dims == 4 else "(B, T)"
        raise ValueError(
            f"a mask in convention {source!r} has shape {expected}, got {tuple(mask.shape)}"
        )
    return _CONVENTIONS[to][3](to_real(mask))


def _check_padding_value(value: float, dtype: torch.dtype) -> None:
    """Refuse what the dtype cannot hold: PyTorch would cut 0.5 to 0 among whole numbers."""
    try:
        held = torch.full((), value, dtype=dtype, device="cpu").item()
        fits = dtype.is_floating_point or dtype.is_complex or held == value
    except (RuntimeError, TypeError, OverflowError):
        fits = False
    if not fits:
        raise ValueError(f"padding_value is {describe(value)}, which {dtype} cannot hold")


def pad_batch(
    sequences: Sequence[Tensor],
    padding_value: float = 0.0,
    *,
    padding_side: Side = "right",
    max_length: int | None = None,
) -> Tensor:
    """Stack sequences of shapes ``(L_i, ...)`` into one padded ``(B, T, ...)`` tensor.

    Args:
        sequences: at least one tensor, alike in dtype, device and all axes but the first.
        padding_value: what the pads hold.
        padding_side: where the pads go.
        max_length: the padded length ``T``; the longest sequence if not given.

    Raises:
        TypeError: something that is not a tensor ``(L, ...)``.
        ValueError: no sequences, shapes that differ beyond the first axis, different dtypes
            or devices, a value that the dtype cannot hold, or a sequence longer than
            ``max_length``.

    Source: ``torch.nn.utils.rnn.pad_sequence``.
    """
    _check_side(padding_side)
    if len(sequences) == 0:
        raise ValueError("there are no sequences to pad: pass at least one tensor")
    check_alike(sequences)
    _check_padding_value(padding_value, sequences[0].dtype)
    lengths = check_lengths(lengths_of(sequences), max_length)
    padded = pad_sequence(
        list(sequences), batch_first=True, padding_value=padding_value, padding_side=padding_side
    )
    missing = _padded_length(lengths, max_length) - padded.shape[1]
    if missing == 0:
        return padded
    extra = padded.new_full((len(padded), missing, *padded.shape[2:]), padding_value)
    parts = (padded, extra) if padding_side == "right" else (extra, padded)
    return torch.cat(parts, dim=1)


def unpad_batch(padded: Tensor, lengths: Lengths, *, padding_side: Side = "right") -> list[Tensor]:
    """The real steps of every row of ``(B, T, ...)``: a list of tensors ``(L_i, ...)``.

    Raises:
        ValueError: lengths that do not fit the batch.
    """
    _check_padded(padded)
    _check_side(padding_side)
    _check_same_device(lengths, padded)
    lengths = check_lengths(lengths, padded.shape[1], batch_size=len(padded))
    rows = zip(padded, lengths.tolist(), strict=True)
    return [row[:n] if padding_side == "right" else row[len(row) - n :] for row, n in rows]


def padding_waste(lengths: Lengths, max_length: int | None = None) -> float:
    """Share of a padded batch's ``B x T`` cells that hold padding, from 0 to 1.

    Args:
        lengths: real steps of each sequence, ``(B,)``.
        max_length: the padded length ``T``; the longest length if not given.
    """
    lengths = check_lengths(lengths, max_length)
    cells = len(lengths) * _padded_length(lengths, max_length)
    return 1 - int(lengths.sum()) / cells if cells else 0.0


def pack(padded: Tensor, lengths: Lengths) -> PackedSequence:
    """Pack a right-padded batch ``(B, T, ...)``, rows in any order.

    PyTorch accepts a length above ``T`` and fails later, elsewhere or not at all; this refuses.

    Args:
        padded: the batch, on any device.
        lengths: real steps of each row, ``(B,)``, at least 1, on the CPU.

    Raises:
        ValueError: an empty batch, a length of 0 or above ``T``, a wrong count, or lengths on
            another device.

    Source: ``torch.nn.utils.rnn.pack_padded_sequence``.
    """
    _check_padded(padded)
    if isinstance(lengths, Tensor) and lengths.device.type != "cpu":
        raise ValueError(
            f"lengths are on {lengths.device}, but packing needs them on the CPU, because they "
            "steer a loop there: keep them on the CPU, or pass lengths.cpu()"
        )
    if padded.numel() == 0:
        raise ValueError(f"padded has shape {tuple(padded.shape)}: there is nothing to pack")
    lengths = check_lengths(lengths, padded.shape[1], batch_size=len(padded), min_length=1)
    return pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)


def unpack(
    packed: PackedSequence, *, total_length: int | None = None, padding_value: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Undo :func:`pack`: the padded batch ``(B, T, ...)`` and its lengths ``(B,)`` on the CPU.

    Args:
        packed: what :func:`pack` or a recurrent layer returned.
        total_length: the padded length ``T`` to restore; the longest length if not given.
        padding_value: what the pads hold afterwards.

    Raises:
        TypeError: something that is not packed.
        ValueError: ``total_length`` is below the longest length, or the dtype cannot hold
            ``padding_value``.

    Source: ``torch.nn.utils.rnn.pad_packed_sequence``.
    """
    if not isinstance(packed, PackedSequence):
        raise TypeError(f"packed is {describe(packed)}, expected a PackedSequence: see pack")
    _check_padding_value(padding_value, packed.data.dtype)
    longest = len(packed.batch_sizes)
    if total_length is not None and check_count(total_length, "total_length") < longest:
        raise ValueError(
            f"total_length is {total_length}, but the longest sequence has {longest} steps"
        )
    return pad_packed_sequence(
        packed, batch_first=True, total_length=total_length, padding_value=padding_value
    )


def last_steps(padded: Tensor, lengths: Lengths, *, padding_side: Side = "right") -> Tensor:
    """The last real step of every row: ``(B, T, ...)`` to ``(B, ...)``.

    Args:
        padded: outputs of a one-directional layer, say.
        lengths: real steps of each row, ``(B,)``, at least 1, on the CPU or the batch's device.
        padding_side: where the pads are; with left padding the last real step is the last one.

    Raises:
        ValueError: a length of 0 or above ``T``, or a wrong count.
    """
    _check_padded(padded)
    _check_side(padding_side)
    _check_same_device(lengths, padded)
    lengths = check_lengths(lengths, padded.shape[1], batch_size=len(padded), min_length=1)
    if padding_side == "left":  # every row ends where the batch ends
        lengths = torch.full_like(lengths, padded.shape[1])
    index = (lengths - 1).to(padded.device)
    index = index.view(-1, *[1] * (padded.dim() - 1)).expand(-1, 1, *padded.shape[2:])
    return padded.gather(1, index).squeeze(1)
