"""What a learner's function made of all cases, part by part, beside what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from course_utils.lessons.compare import same

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """One part of one case's result, as it came and as it was expected."""

    arguments: Arguments
    got: Any
    expected: Any

    @cached_property
    def right(self) -> bool:
        """Whether both agree, whatever their precision: that is told elsewhere."""
        return same(self.got, self.expected) or (
            isinstance(self.got, Tensor)
            and isinstance(self.expected, Tensor)
            and self.got.is_floating_point()
            and same(self.expected.to(self.got.dtype), self.got)
        )


@dataclass(frozen=True)
class Part:
    """One part of the results of all cases; the failing ones come first in ``pairs``.

    ``subject`` begins a sentence: ``"Your result"``, ``"Your `bias`"``, ``"The gradient of
    `x`"``. ``name`` is the part's name among those of a result.
    """

    subject: str
    pairs: Sequence[Pair]
    name: str = ""

    @cached_property
    def failing(self) -> list[Pair]:
        """The pairs that differ."""
        return [pair for pair in self.pairs if not pair.right]

    @cached_property
    def tensors(self) -> bool:
        """Whether everything that came and was expected is a tensor of real numbers."""
        return all(
            isinstance(value, Tensor)
            and value.layout == torch.strided
            and not value.is_complex()
            and value.device.type == "cpu"
            for pair in self.pairs
            for value in (pair.got, pair.expected)
        )

    @cached_property
    def same_shapes(self) -> bool:
        """Whether all are tensors, and what came has the expected shape and kind of numbers."""
        return self.tensors and all(
            pair.got.shape == pair.expected.shape
            and (pair.got.dtype == torch.bool) == (pair.expected.dtype == torch.bool)
            for pair in self.pairs
        )

    @cached_property
    def telling(self) -> bool:
        """Whether the failing cases are enough, and have enough numbers, to be no accident."""
        if len(self.failing) < 3:
            return False
        expected = [p.expected.flatten() for p in self.failing if isinstance(p.expected, Tensor)]
        if not expected:
            return True
        numbers = torch.cat([e.double() for e in expected])
        whole = not expected[0].is_floating_point()
        return len(numbers.unique()) >= (2 if whole else 3) and len(numbers) >= (8 if whole else 3)


def parts_of(value: Any, names: Sequence[str] = ()) -> dict[str, Any]:
    """The parts of a result by name; a result that has none under the name ``""``.

    Numbers become tensors. Parts are the entries of a tuple or list that holds tensors or has
    ``names``, the fields of a named tuple, and the values of a dictionary.
    """
    entries: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        entries = [(str(key), entry) for key, entry in value.items()]
    elif isinstance(value, (list, tuple)):
        names = names or getattr(value, "_fields", ())
        if names or any(isinstance(entry, (Tensor, Mapping)) for entry in value):
            labels = [*names, *(f"[{i}]" for i in range(len(names), len(value)))]
            entries = list(zip(labels, value, strict=False))
    if not entries:
        return {"": _as_tensor(value)}
    return {
        f"{name}.{inner}".removesuffix("."): part
        for name, entry in entries
        for inner, part in parts_of(entry).items()
    }


def _as_tensor(value: Any) -> Any:
    if isinstance(value, float):
        return torch.tensor(value, dtype=torch.float64, device="cpu")
    if isinstance(value, (bool, int)) and abs(value) < 2**62:
        return torch.tensor(value, device="cpu")
    if isinstance(value, Tensor) and value.layout == torch.strided:
        return value.detach()
    return value


def subject_of(name: str) -> str:
    """The words for a part's name: "Your result", "Your `bias`", "Entry [1] of your result"."""
    if not name:
        return "Your result"
    return f"Entry {name} of your result" if name.startswith("[") else f"Your `{name}`"


@dataclass(frozen=True)
class Real:
    """Where an expected result stands for real steps; each mask has the result's shape.

    ``steps`` is None where the result has no steps, only rows. ``some`` is True in rows with a
    real step, ``full`` in rows without pads; ``first`` and ``last`` at the first and the last
    real step of each row.
    """

    steps: Tensor | None
    some: Tensor
    full: Tensor
    first: Tensor | None = None
    last: Tensor | None = None


def real_positions(pair: Pair) -> Real | None:
    """Where the expected result stands for real steps; None if no argument says so."""
    shape = pair.expected.shape
    for value in pair.arguments.values():
        if isinstance(value, Tensor) and value.dtype == torch.bool and value.dim():
            return _spread(value, shape)
    lengths = lengths_in(pair.arguments)
    if lengths is None or not shape or len(lengths) != shape[0]:
        return None
    longest = max(lengths)
    padded = shape[1] if len(shape) > 1 and shape[1] >= longest else longest
    steps = torch.arange(padded, device="cpu")
    return _spread(steps < torch.tensor(lengths, device="cpu")[:, None], shape)


def _spread(mask: Tensor, shape: torch.Size) -> Real | None:
    """A mask, whose last axis are the steps, over a result of this shape."""
    some, full = mask.any(-1, keepdim=True), mask.all(-1, keepdim=True)
    if _fits(mask, shape):
        counted = mask.cumsum(-1)
        first = mask & (counted == 1)
        last = mask & (counted == counted[..., -1:])
        masks = (mask, some.expand_as(mask), full.expand_as(mask), first, last)
        return Real(*(_expanded(m, shape) for m in masks))
    rows = some.squeeze(-1)
    if rows.dim() and shape[:1] == rows.shape[:1]:
        both = (_expanded(m.reshape(len(m), -1).all(1), shape) for m in (some, full))
        return Real(None, *both)
    return None


def _fits(mask: Tensor, shape: torch.Size) -> bool:
    pairs = zip(mask.shape, shape, strict=False)
    return mask.dim() <= len(shape) and all(m in (1, s) for m, s in pairs)


def _expanded(mask: Tensor, shape: torch.Size) -> Tensor:
    return mask.reshape(*mask.shape, *[1] * (len(shape) - mask.dim())).expand(shape)


def lengths_in(arguments: Arguments) -> list[int] | None:
    """The lengths among the arguments: ``lengths`` itself, or those of a list of sequences."""
    lengths = arguments.get("lengths")
    if isinstance(lengths, Tensor) and lengths.dim() == 1:
        return [int(length) for length in lengths.tolist()]
    if isinstance(lengths, (list, tuple)) and all(isinstance(n, int) for n in lengths):
        return list(lengths)
    for value in arguments.values():
        if _is_list_of_sequences(value):
            return [len(sequence) for sequence in value]
    return None


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dim() >= 1


def named_sizes(arguments: Arguments) -> dict[str, float]:
    """Numbers that a case's arguments hold, in words: "the number of sequences"."""
    found: dict[str, float] = {}
    lengths = lengths_in(arguments)
    masks = [v for v in arguments.values() if isinstance(v, Tensor) and v.dtype == torch.bool]
    if lengths:
        found["the number of sequences"] = len(lengths)
        found["the longest length"] = max(lengths)
        found["the shortest length"] = min(lengths)
        found["the number of real steps"] = sum(lengths)
        found["the number of sequences that are not empty"] = sum(n > 0 for n in lengths)
        found["the number of pads"] = len(lengths) * max(lengths) - sum(lengths)
        found["the number of steps, pads included"] = len(lengths) * max(lengths)
    for name, value in arguments.items():
        found |= _sizes_of_batches(name, value)
    for mask in masks:
        if mask.dim() == 2:
            found["the number of sequences"] = len(mask)
            found["the padded length"] = mask.shape[1]
        found["the number of real steps"] = int(mask.sum())
        found["the number of pads"] = int((~mask).sum())
        found["the number of steps, pads included"] = mask.numel()
    steps = masks[0].numel() if masks and masks[0].dim() == 2 else 0
    lists = [name for name, value in arguments.items() if _is_list_of_sequences(value)]
    for name, value in arguments.items():
        found |= dict(_own_sizes(name, value, f" of `{name}`" if len(lists) > 1 else ""))
        numbers = isinstance(value, Tensor) and value.is_floating_point()
        if steps and numbers and value.shape[:2] == masks[0].shape:
            features = value.numel() // steps
            found["the number of features"] = features
            found["the number of real values"] = found["the number of real steps"] * features
    return found


def _sizes_of_batches(name: str, value: Any) -> dict[str, float]:
    """Sizes of a list of batches, all together."""
    fields = {"inputs", "lengths", "targets"}
    batches = value if isinstance(value, list) else []
    if not batches or not all(fields <= set(getattr(b, "_fields", ())) for b in batches):
        return {}
    features = batches[0].targets[0, 0].numel() if batches[0].targets.dim() > 1 else 1
    steps = sum(int(batch.lengths.sum()) for batch in batches)
    return {
        "the number of real steps": steps,
        f"the number of entries of `{name}`": len(batches),
        "the number of sequences": sum(len(batch.lengths) for batch in batches),
        "the number of steps, pads included": sum(b.inputs[..., 0].numel() for b in batches),
        "the number of features": features,
        "the number of real values": steps * features,
    }


def _is_list_of_sequences(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_sequence, value))


def _own_sizes(name: str, value: Any, of: str) -> Iterator[tuple[str, float]]:
    """An argument's sizes; ``of`` tells lists of sequences from each other, where there are two."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield f"`{name}`", value
    if _is_list_of_sequences(value):
        if value[0].dim() > 1:
            yield f"the number of features{of}", value[0].shape[-1]
        yield f"the number of all entries{of or f' of `{name}`'}", sum(v.numel() for v in value)
    if isinstance(value, Tensor) and value.dtype != torch.bool and value.dim():
        if value.dim() == 3:
            yield "the number of sequences", value.shape[0]
            yield "the padded length", value.shape[1]
            yield "the number of features", value.shape[2]
        elif value.dim() == 2:
            yield f"the number of rows of `{name}`", value.shape[0]
            yield f"the number of columns of `{name}`", value.shape[1]
        yield f"the number of entries of `{name}`", value.numel()
        if value.is_floating_point() and value.dim() == 0:
            yield f"`{name}`", value.item()
