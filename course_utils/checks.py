"""Is an argument what it should be? If not, one sentence says what was given.

Only ``torch`` is imported here.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Lengths = Tensor | Sequence[int]


def describe(value: Any) -> str:
    """A value in a few words: a tensor by shape and dtype, anything else by its kind."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {value.dtype}"
    return f"{value!r:.40} ({type(value).__name__})"


def check_tensor(value: Any, name: str) -> None:
    """Refuse what is not a tensor.

    Raises:
        TypeError: something else.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: got {describe(value)}, expected a tensor")


def check_float(value: Any, name: str) -> None:
    """Refuse what is not a tensor of floating-point numbers.

    Raises:
        TypeError: something else.
    """
    check_tensor(value, name)
    if not value.is_floating_point():
        raise TypeError(
            f"{name}: got {describe(value)}, expected floating-point numbers: {name}.float()"
        )


def check_real(value: Any, name: str) -> None:
    """Refuse what is not a tensor of real numbers, floating-point or whole.

    Raises:
        TypeError: something else, complex numbers included.
    """
    check_tensor(value, name)
    if value.is_complex():
        raise TypeError(f"{name}: got {describe(value)}, expected real numbers")


def check_numbers(values: Any, name: str) -> None:
    """Refuse what is not a tensor of real numbers, truth values included.

    Raises:
        TypeError: something else.
    """
    check_real(values, name)
    if values.dtype == torch.bool:
        raise TypeError(f"{name}: got {describe(values)}, expected numbers")


def check_whole(value: Any, name: str) -> None:
    """Refuse what is not a tensor of whole numbers.

    Raises:
        TypeError: something else, truth values included.
    """
    check_tensor(value, name)
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name}: got {describe(value)}, expected an integer dtype")


def check_dim(dim: Any, values: Tensor) -> None:
    """Refuse what is not an axis of the values.

    Raises:
        ValueError: no whole number, or out of range.
    """
    limit = max(values.dim(), 1)
    if isinstance(dim, bool) or not isinstance(dim, int) or not -limit <= dim < limit:
        raise ValueError(
            f"dim is {dim!r:.40}, expected an axis of the values {tuple(values.shape)}: "
            f"{-limit} to {limit - 1}"
        )


def check_choice(value: Any, name: str, choices: Sequence[str]) -> None:
    """Refuse what is not one of these words.

    Raises:
        ValueError: something else.
    """
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(f"{name} is {value!r:.40}, expected {', '.join(others)} or {last}")


def check_shape(value: Any, name: str, shape: tuple[int, ...]) -> None:
    """Refuse what is not a tensor of this shape.

    Raises:
        TypeError: no tensor.
        ValueError: another shape.
    """
    check_tensor(value, name)
    if tuple(value.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, expected {shape}")


def check_alike(sequences: Sequence[Tensor]) -> None:
    """Refuse sequences that differ in more than their number of steps.

    Raises:
        TypeError: what is not a tensor ``(L, ...)``.
        ValueError: another shape of a step, dtype or device than the first one's.
    """
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, Tensor) or sequence.dim() == 0:
            raise TypeError(f"sequences[{i}] is {sequence!r:.40}, expected a tensor (L, ...)")
        first = sequences[0]
        for what, got, expected in (
            ("feature shape", tuple(sequence.shape[1:]), tuple(first.shape[1:])),
            ("dtype", sequence.dtype, first.dtype),
            ("device", sequence.device, first.device),
        ):
            if got != expected:
                raise ValueError(
                    f"sequences[{i}] has {what} {got}, but sequences[0] has {expected}: "
                    "only the number of steps may differ"
                )


def check_number(value: Any, name: str, *, above: float) -> None:
    """Refuse what is not a real number above a limit; NaN is none.

    Raises:
        TypeError: no number.
        ValueError: not above the limit.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is {describe(value)}, expected a number")
    if not value > above:
        raise ValueError(f"{name} is {value}, expected a number above {above}")


def check_count(value: Any, name: str, least: int = 0) -> int:
    """A whole number, as an ``int``.

    Raises:
        TypeError: no whole number; truth values are none.
        ValueError: below ``least``, or beyond 64 bits.
    """
    truth = isinstance(value, bool) or getattr(value, "dtype", None) == torch.bool
    try:
        number = None if truth else operator.index(value)
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"{name} is {describe(value)}, expected a whole number")
    if number < least:
        raise ValueError(f"{name} is {number}, expected at least {least}")
    if number >= 2**63:
        raise ValueError(f"{name} is {number}, which no tensor can count: 64 bits do not hold it")
    return number


def check_lengths(
    lengths: Lengths,
    max_length: int | None = None,
    *,
    batch_size: int | None = None,
    min_length: int = 0,
) -> Tensor:
    """Return the lengths as an int64 tensor of shape ``(B,)``, or say what is wrong.

    Args:
        lengths: number of real steps of each sequence, ``(B,)``; a list is put on the CPU.
        max_length: the padded length ``T`` that no length may exceed.
        batch_size: the number of rows ``B`` that there must be lengths for.
        min_length: the smallest length that makes sense for the caller.

    Raises:
        TypeError: the lengths are not whole numbers.
        ValueError: wrong shape or count, or a length out of range.
    """
    lengths = lengths if isinstance(lengths, Tensor) else _read(lengths)
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise TypeError(
            f"lengths have dtype {lengths.dtype}, but a length counts steps: pass whole numbers, "
            "for example lengths.long() or [len(s) for s in sequences]"
        )
    if lengths.dim() != 1:
        raise ValueError(
            f"lengths have shape {tuple(lengths.shape)}, expected (B,): one length a sequence"
        )
    if batch_size is not None and len(lengths) != check_count(batch_size, "batch_size"):
        raise ValueError(
            f"got {len(lengths)} lengths for a batch of {batch_size} sequences: "
            "pass one length for each row, in the order of the rows"
        )
    lengths = lengths.long()
    min_length = check_count(min_length, "min_length")
    max_length = None if max_length is None else check_count(max_length, "max_length")
    if len(lengths) > 0:
        _check_range(lengths, min_length, max_length)
    return lengths


def check_some_lengths(
    lengths: Lengths, max_length: int | None = None, *, min_length: int = 0
) -> Tensor:
    """As :func:`check_lengths`, for at least one sequence.

    Raises:
        TypeError, ValueError: as :func:`check_lengths`, or no lengths at all.
    """
    checked = check_lengths(lengths, max_length, min_length=min_length)
    if len(checked) == 0:
        raise ValueError(f"lengths are {describe(lengths)}: there is no sequence")
    return checked


def _read(lengths: Sequence[int]) -> Tensor:
    """Whatever holds numbers, as a tensor on the CPU."""
    try:
        # NumPy arrays may be reversed views, which torch does not take.
        plain = lengths.tolist() if hasattr(lengths, "tolist") else lengths
        found = torch.as_tensor(plain, device="cpu")
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"lengths are {describe(lengths)}, expected whole numbers, one for each sequence"
        ) from error
    return found if found.numel() else found.long()


def _check_range(lengths: Tensor, min_length: int, max_length: int | None) -> None:
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < min_length:
        too_short = f"every sequence needs at least {min_length} real step: drop this row first"
        reason = "a length cannot be negative" if shortest < 0 else too_short
        raise ValueError(f"lengths[{int(lengths.argmin())}] is {shortest}: {reason}")
    if max_length is not None and longest > max_length:
        raise ValueError(
            f"lengths[{int(lengths.argmax())}] is {longest}, but the batch has only {max_length} "
            "steps: a length cannot exceed the padded length T. Were the sequences cut, or the "
            "axes swapped?"
        )
