"""Say in one sentence how a result differs from the expected one, and show values briefly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MOST_CELLS = 80


def difference(got: Any, expected: Any, name: str = "your result") -> str | None:
    """How ``got`` differs from ``expected``, one sentence, or None if it does not.

    Compared are kind, shape, dtype, device and values, to a few units of rounding. Where a list
    is expected a tuple is fine, and the other way round.
    """
    if got is None and expected is not None:
        return f"{name} is None: is a `return` missing?"
    if isinstance(expected, Tensor):
        return _tensor_difference(got, expected, name)
    if isinstance(expected, (list, tuple)):
        return _sequence_difference(got, expected, name)
    if isinstance(expected, Mapping):
        return _mapping_difference(got, expected, name)
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        return _number_difference(got, expected, name)
    if type(got) is not type(expected):
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    return None if got == expected else f"{name} is {brief(got)}, expected {brief(expected)}"


def _kind(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _number_difference(got: Any, expected: float, name: str) -> str | None:
    if isinstance(got, Tensor):
        return f"{name} is a tensor, expected a plain number: `.item()` makes it one"
    wanted = (int,) if isinstance(expected, int) else (int, float)
    if isinstance(got, bool) or not isinstance(got, wanted):
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    room = 0 if isinstance(expected, int) else 1e-6 * max(1, abs(expected))
    same = abs(got - expected) <= room or (got != got and expected != expected)
    return None if same else f"{name} is {brief(got)}, expected {brief(expected)}"


def _sequence_difference(got: Any, expected: list | tuple, name: str) -> str | None:
    fields = getattr(expected, "_fields", None)
    fits = isinstance(got, type(expected)) if fields else isinstance(got, (list, tuple))
    if not fits:
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    if len(got) != len(expected):
        return f"{name} has {_entries(len(got))}, expected {len(expected)}"
    for i, (mine, right) in enumerate(zip(got, expected, strict=True)):
        entry = f"{name}.{fields[i]}" if fields else f"{name}[{i}]"
        if found := difference(mine, right, entry):
            return found
    return None


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _mapping_difference(got: Any, expected: Mapping, name: str) -> str | None:
    if not isinstance(got, Mapping):
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    if set(got) != set(expected):
        return f"{name} has the keys {sorted(map(str, got))}, expected {sorted(map(str, expected))}"
    for key, right in expected.items():
        if found := difference(got[key], right, f"{name}[{key!r}]"):
            return found
    return None


def _tensor_difference(got: Any, expected: Tensor, name: str) -> str | None:
    if not isinstance(got, Tensor):
        return f"{name} is {_kind(got)}, expected a Tensor"
    for what, mine, right in (
        ("shape", tuple(got.shape), tuple(expected.shape)),
        ("dtype", got.dtype, expected.dtype),
        ("device", str(got.device), str(expected.device)),
        ("layout", got.layout, expected.layout),
    ):
        if mine != right:
            return f"{name} has {what} {mine}, expected {right}"
    if not got.is_meta and torch.equal(got, expected):
        return None
    if got.is_floating_point() or got.is_complex():
        extra = got.isnan() & ~expected.isnan()
        if extra.any():
            return f"{name} holds NaN at index {_index(extra)}"
        # Room for sums in another order, not for another computation.
        epsilon = max(torch.finfo(got.dtype).eps, 1e-9)
        same = torch.isclose(got, expected, rtol=100 * epsilon, atol=50 * epsilon, equal_nan=True)
    else:
        same = got == expected
    if same.all():
        return None
    place = _index(~same)
    mine, right = (brief(t[place].item()) for t in (got, expected))
    where = f" at index {place}" if place else ""
    return f"{name} is {mine}{where}, expected {right}"


def _index(found: Tensor) -> tuple[int, ...]:
    return tuple(found.nonzero()[0].tolist())


def brief(value: Any, cells: int = _MOST_CELLS) -> str:
    """A value as a few lines of text; large tensors are shortened."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"tensor {tuple(value.shape)} {dtype}\n{_numbers(value, cells)}"
    if isinstance(value, (list, tuple)) and any(isinstance(v, Tensor) for v in value):
        return "\n".join(f"[{i}] {brief(v, cells // 2)}" for i, v in enumerate(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)) and len(value) > cells:
        return f"{brief(value[:cells])} and {len(value) - cells} more"
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 400 else f"{text[:400]} ..."


def _numbers(value: Tensor, cells: int) -> str:
    if value.is_meta or value.layout != torch.strided:
        return "(values not shown)"
    plain = value.detach().cpu()
    if plain.dtype == torch.bfloat16:
        plain = plain.float()
    return np.array2string(
        plain.resolve_conj().resolve_neg().numpy(),
        precision=3,
        suppress_small=True,
        threshold=cells,
        edgeitems=2,
        separator=", ",
    )
