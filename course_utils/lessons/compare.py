"""Say in one sentence how a result differs from the expected one, and show values briefly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MOST_CELLS = 80


def difference(
    got: Any, expected: Any, name: str = "your result", exact: Collection[str] = ()
) -> str | None:
    """How ``got`` differs from ``expected``, one sentence, or None if it does not.

    Compared are kind, shape, dtype, device and values, to a few units of rounding. Where a list
    is expected a tuple is fine, and the other way round. Unless ``exact`` holds ``"dtype"``, a
    wider type of the same kind is fine, too; unless it holds ``"kind"``, so are a number for a
    tensor without axes, and such a tensor for a number.
    """
    if got is None and expected is not None:
        return f"{name} is None" + ("" if "[" in name else ": is a `return` missing?")
    if isinstance(expected, Tensor):
        return _tensor_difference(_as_tensor(got, expected, exact), expected, name, exact)
    if isinstance(expected, (list, tuple)):
        return _sequence_difference(got, expected, name, exact)
    if isinstance(expected, Mapping):
        return _mapping_difference(got, expected, name, exact)
    if isinstance(expected, (bool, int, float)) and "kind" not in exact:
        got = _as_number(got)
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        return _number_difference(got, expected, name)
    if type(got) is not type(expected):
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    return None if got == expected else f"{name} is {brief(got)}, expected {brief(expected)}"


def _as_tensor(got: Any, expected: Tensor, exact: Collection[str]) -> Any:
    """A number as a tensor where one without axes is expected, and it may be a number."""
    free = "kind" not in exact and "dtype" not in exact
    if not free or expected.shape or not isinstance(got, (bool, int, float)):
        return got
    if isinstance(got, bool) != (expected.dtype == torch.bool):
        return got
    if isinstance(got, float) and not expected.is_floating_point():
        return got
    return torch.tensor(got, dtype=expected.dtype, device=expected.device)


def _as_number(got: Any) -> Any:
    """The number in a tensor without axes; everything else as it is."""
    plain = isinstance(got, Tensor) and got.dim() == 0 and got.device.type != "meta"
    return got.item() if plain and got.layout == torch.strided else got


def _kind(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _number_difference(got: Any, expected: float, name: str) -> str | None:
    if isinstance(got, Tensor):
        if got.dim():
            return f"{name} is a tensor of shape {tuple(got.shape)}, expected one number"
        return f"{name} is a tensor, expected a plain number: `.item()` makes it one"
    wanted = (int,) if isinstance(expected, int) else (int, float)
    if isinstance(got, bool) or not isinstance(got, wanted):
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    room = 0 if isinstance(expected, int) else 1e-6 * max(1, abs(expected))
    same = abs(got - expected) <= room or (got != got and expected != expected)
    return None if same else f"{name} is {brief(got)}, expected {brief(expected)}"


def _sequence_difference(
    got: Any, expected: list | tuple, name: str, exact: Collection[str]
) -> str | None:
    fields = getattr(expected, "_fields", None)
    fits = isinstance(got, type(expected)) if fields else isinstance(got, (list, tuple))
    if not fits:
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    if len(got) != len(expected):
        return f"{name} has {_entries(len(got))}, expected {len(expected)}"
    for i, (mine, right) in enumerate(zip(got, expected, strict=True)):
        entry = f"{name}.{fields[i]}" if fields else f"{name}[{i}]"
        if found := difference(mine, right, entry, exact):
            return found
    return None


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _mapping_difference(
    got: Any, expected: Mapping, name: str, exact: Collection[str]
) -> str | None:
    if not isinstance(got, Mapping):
        return f"{name} is {_kind(got)}, expected {_kind(expected)}"
    if set(got) != set(expected):
        return f"{name} has the keys {sorted(map(str, got))}, expected {sorted(map(str, expected))}"
    for key, right in expected.items():
        if found := difference(got[key], right, f"{name}[{key!r}]", exact):
            return found
    return None


def _tensor_difference(got: Any, expected: Tensor, name: str, exact: Collection[str]) -> str | None:
    if not isinstance(got, Tensor):
        return f"{name} is {_kind(got)}, expected a Tensor{_entry_alone(got, expected, exact)}"
    if "dtype" not in exact and is_wider(got.dtype, expected.dtype):
        got = got.to(expected.dtype)
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


def _entry_alone(got: Any, expected: Tensor, exact: Collection[str]) -> str:
    """Which entry of a tuple or list is the expected tensor, in words; nothing where none is."""
    entries = got if isinstance(got, (list, tuple)) else ()
    for i, entry in enumerate(entries):
        if isinstance(entry, Tensor) and same(entry, expected, exact):
            return f": its entry [{i}] is what is expected"
    return ""


def is_wider(dtype: torch.dtype, than: torch.dtype) -> bool:
    """Whether a dtype of the same kind, floating-point or whole numbers, loses nothing."""
    same_kind = dtype.is_floating_point == than.is_floating_point
    simple = not (dtype.is_complex or than.is_complex or torch.bool in (dtype, than))
    return same_kind and simple and torch.promote_types(dtype, than) == dtype


def same(got: Any, expected: Any, exact: Collection[str] = ()) -> bool:
    """Whether there is no difference, also for values that cannot be compared."""
    try:
        return difference(got, expected, exact=exact) is None
    except Exception:
        return False


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
