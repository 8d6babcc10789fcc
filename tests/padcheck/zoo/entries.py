"""What an entry of the zoo is: a model, the sequences that it eats, and the verdict to expect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

FEATURES, HIDDEN, OUTPUT, TOKENS, CLASSES = 3, 8, 2, 12, 4
# (lengths, pads of the longest row): T = 7, eight rows, B = T, a sequence of one step.
SIZES = [
    ((5, 3, 7, 2, 4), 0),
    ((4, 7, 2, 6, 3, 5, 1, 3), 1),
    ((5, 3, 2, 4, 5), 0),
    ((1, 6, 5, 3), 2),
]

# No cause has a name for it: then the first module and operation that differ are named.
UNKNOWN = "unknown"

Kind = Literal["steps", "vector", "loss"]


@dataclass(frozen=True)
class Ragged:
    """Sequences without their padding, and what may stand in the padding."""

    rows: list[Tensor]
    pad: float | None = None
    """What padding must hold; None: anything of the same kind."""
    vocabulary: int = 0
    """How many token ids there are; 0 for floats."""
    shared: bool = False
    """It has the steps of the main input, and is padded together with it."""

    @property
    def lengths(self) -> Tensor:
        return torch.tensor([len(row) for row in self.rows])

    def padded(
        self, steps: int, generator: torch.Generator, size: float = 1.0, side: str = "right"
    ) -> Tensor:
        """One batch of ``steps`` steps, the padding random unless it must hold ``pad``."""
        shape = (len(self.rows), steps, *self.rows[0].shape[1:])
        like = self.rows[0]
        if self.pad is not None:
            batch = torch.full(shape, self.pad, dtype=like.dtype)
        elif self.vocabulary:
            batch = torch.randint(self.vocabulary, shape, generator=generator)
        else:
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            batch = (size * noise).to(like.dtype)
        for target, row in zip(batch, self.rows, strict=True):
            start = 0 if side == "right" else steps - len(row)
            target[start : start + len(row)] = row
        return batch

    def take(self, rows: Sequence[int]) -> Ragged:
        return Ragged([self.rows[i] for i in rows], self.pad, self.vocabulary, self.shared)

    def double(self) -> Ragged:
        """The same in double precision, where it holds floats."""
        rows = [row.double() if row.is_floating_point() else row for row in self.rows]
        return Ragged(rows, self.pad, self.vocabulary, self.shared)


Extra = Ragged | Tensor
"""Another input: sequences with lengths, or a tensor whose first axis alone is the batch's."""


@dataclass(frozen=True)
class Problem:
    """All that a model is given."""

    main: Ragged
    extras: tuple[Extra, ...] = ()
    spare: int = 0
    """Steps that the batch as given is longer than its longest row."""


@dataclass(frozen=True)
class Specimen:
    """A model, what it eats, and what the check should say."""

    name: str
    kind: Kind
    build: Callable[[], Any]
    data: Callable[[list[int], int], Problem]
    """From the lengths and the spare steps to random inputs."""
    causes: tuple[str, ...] = ()
    """The causes that are right; empty for a right model."""
    call: Callable[..., Any] | None = None
    """``call(model, x, n, *others)``; an input with lengths of its own gives values, lengths."""
    out_lengths: Callable[..., Tensor] | None = None
    """From the main lengths and all own ones to the real steps of the result."""
    side: str = "right"
    mode: str = "eval"
    noisy: bool = False
    """It samples inside."""
    limit: int | None = None
    """The most steps that the model takes beyond the batch as given; None: any number."""
    tolerance: float = 1e-8
    """Deviations of a right model that are rounding."""
    weights: Callable[[Problem], Tensor] | None = None
    """What each sequence counts in a loss, where that is not its steps, and not equal."""
    real_dtype: torch.dtype = torch.float64
    """In which precision brute force runs it."""
    options: dict[str, Any] = field(default_factory=dict)
    """What padcheck alone is told."""

    @property
    def right(self) -> bool:
        return not self.causes

    def draw(self, seed: int) -> tuple[Any, Problem]:
        """A model with random weights and random sequences."""
        torch.manual_seed(seed)
        lengths, spare = SIZES[seed % len(SIZES)]
        order = torch.randperm(len(lengths)).tolist()
        problem = self.data([lengths[i] for i in order], spare)
        return self.build(), problem


# --- data -------------------------------------------------------------------------------------


def rows_of(lengths: Sequence[int], *shape: int) -> list[Tensor]:
    """Floats, a row for each length."""
    return [torch.randn(n, *shape) for n in lengths]


def ids_of(lengths: Sequence[int], least: int = 0, count: int = TOKENS) -> list[Tensor]:
    """Token ids from ``least`` to ``count - 1``, a row for each length."""
    return [torch.randint(least, count, (n,)) for n in lengths]


def floats(lengths: list[int], spare: int) -> Problem:
    return Problem(Ragged(rows_of(lengths, FEATURES)), spare=spare)


def out_of_order(lengths: list[int], spare: int) -> Problem:
    """The longest sequence does not come first: packing has to sort."""
    return floats(lengths[::-1] if lengths[0] == max(lengths) else lengths, spare)


def at_least_two(lengths: list[int], spare: int) -> Problem:
    """No sequence of a single step."""
    return floats([max(n, 2) for n in lengths], spare)


def series(lengths: list[int], spare: int) -> Problem:
    """One number a step."""
    return Problem(Ragged(rows_of(lengths, 1)), spare=spare)


def frames(lengths: list[int], spare: int) -> Problem:
    """A small picture a step."""
    return Problem(Ragged(rows_of(lengths, 2, 2)), spare=spare)


def tokens(lengths: list[int], spare: int) -> Problem:
    """Token ids; padding may hold any of them."""
    return Problem(Ragged(ids_of(lengths), vocabulary=TOKENS), spare=spare)


def marked(lengths: list[int], spare: int) -> Problem:
    """Token ids from 1 on; padding holds 0."""
    return Problem(Ragged(ids_of(lengths, 1), 0, TOKENS), spare=spare)


def unmarked(lengths: list[int], spare: int) -> Problem:
    """Token ids from 1 on; padding may hold any id, 0 and real ones."""
    return Problem(Ragged(ids_of(lengths, 1), None, TOKENS), spare=spare)


def with_targets(lengths: list[int], spare: int) -> Problem:
    targets = Ragged(rows_of(lengths, OUTPUT), shared=True)
    return Problem(Ragged(rows_of(lengths, FEATURES)), (targets,), spare)


def with_classes(pad: int | None) -> Callable[[list[int], int], Problem]:
    """Classes as targets, padded with ``pad``."""

    def draw(lengths: list[int], spare: int) -> Problem:
        classes = Ragged(ids_of(lengths, 0, CLASSES), pad, CLASSES, shared=True)
        return Problem(Ragged(rows_of(lengths, FEATURES)), (classes,), spare)

    return draw


def with_static(lengths: list[int], spare: int) -> Problem:
    """Four numbers a sequence."""
    return Problem(Ragged(rows_of(lengths, FEATURES)), (torch.randn(len(lengths), 4),), spare)


def other_lengths(lengths: Sequence[int], most: int | None = None) -> list[int]:
    """Lengths that differ from those given; the largest is ``most`` where it is said."""
    drawn = [int(torch.randint(1, 6, ())) for _ in lengths]
    if most is not None:
        drawn = [min(n, most) for n in drawn]
        drawn[0] = most
    drawn[-1] = 1 if drawn[0] > 1 else 2
    return drawn


def with_second(lengths: list[int], spare: int) -> Problem:
    """A second sequence with lengths of its own."""
    second = Ragged(rows_of(other_lengths(lengths), FEATURES))
    return Problem(Ragged(rows_of(lengths, FEATURES)), (second,), spare)


def with_second_of_two(lengths: list[int], spare: int) -> Problem:
    """A second sequence of as many steps, at most, as a result has numbers."""
    second = Ragged(rows_of([OUTPUT - i % 2 for i in range(len(lengths))], FEATURES))
    return Problem(Ragged(rows_of(lengths, FEATURES)), (second,), spare)


def with_second_as_wide(lengths: list[int], spare: int) -> Problem:
    """A second sequence with lengths of its own, whose longest has as many steps as ``T``."""
    second = Ragged(rows_of(other_lengths(lengths, max(lengths) + spare), FEATURES))
    return Problem(Ragged(rows_of(lengths, FEATURES)), (second,), spare)


# --- writing entries --------------------------------------------------------------------------


def _entry(kind: Kind, default: Callable[[list[int], int], Problem]) -> Callable[..., Specimen]:
    def make(
        name: str, build: Callable[[], Any], *causes: str, data: Any = default, **rest: Any
    ) -> Specimen:
        return Specimen(name, kind, build, data, causes, **rest)

    return make


steps = _entry("steps", floats)
vector = _entry("vector", floats)
loss = _entry("loss", with_targets)


def mask_of(x: Tensor, lengths: Tensor) -> Tensor:
    """(B, T), True = real, written anew so that the course's own mask is not its own judge."""
    return torch.arange(x.shape[1], device=x.device) < lengths.to(x.device)[:, None]
