"""A model and its sequences in one precision, and what it answers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from course_utils.padcheck.batches import Batch, Sequences
from course_utils.padcheck.probe import Probe, Refused, Slopes

# Rounding in single precision, relative to the size of a result.
SINGLE = 1e-4


def deviation(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """``max|a - b| / max|b|``; infinite where only one is finite, NaN where nothing is."""
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a.shape != b.shape:
            raise ValueError(
                f"the result of row {i} has shape {tuple(a.shape)} in one batch and "
                f"{tuple(b.shape)} in another: padcheck compares results of the same shape"
            )
    if not found:
        return 0.0
    a, b = (
        torch.cat([t.detach().to("cpu", torch.float64).flatten() for t in rows])
        for rows in (found, expected)
    )
    finite = a.isfinite() & b.isfinite()
    if not (finite | (a == b) | (a.isnan() & b.isnan())).all():
        return math.inf
    if not finite.any():
        return math.nan if len(b) else 0.0
    difference, size = (a - b)[finite].abs().max().item(), b[finite].abs().max().item()
    if difference == 0:
        return 0.0
    return difference / size if size else math.inf


@dataclass(frozen=True)
class Single:
    """One sequence by itself: its result, gradients, or the model's refusal."""

    rows: list[Tensor]
    slopes: Slopes | None
    refusal: str = ""


class Case:
    """A model and its sequences in one precision, and its answer to the batch as given.

    Args:
        probe: runs the model.
        sequences: makes the batches.
        floor: deviations below it are rounding, whatever the model's noise.
        nudge: relative change of the inputs that shows the model's noise.
    """

    def __init__(
        self, probe: Probe, sequences: Sequences, *, floor: float = 1e-9, nudge: float = 1e-15
    ) -> None:
        self.probe, self.sequences, self.floor, self.nudge = probe, sequences, floor, nudge
        self.batch = sequences.batch(steps=sequences.steps)
        self.with_gradients = True
        self.no_slopes = "the result carries no gradient."
        self.notes: list[str] = []

    @cached_property
    def answer(self) -> list[Tensor]:
        """Real results of the batch as given."""
        return self.probe.answers(self.batch)

    @cached_property
    def _quiet_answer(self) -> list[Tensor]:
        return self.probe.answers(self.batch, grad=False)

    @cached_property
    def _running(self) -> list[Tensor]:
        self.probe.answers(self.batch)
        return self.probe.running()

    @cached_property
    def combinations(self) -> list[list[Tensor]]:
        """Two random weightings of the real results; a loss is its own combination."""
        if self.probe.kind == "loss":
            return [[torch.ones_like(self.answer[0])]]
        generator = torch.Generator("cpu").manual_seed(self.sequences.seed)
        return [
            [
                torch.randn(row.shape, generator=generator, dtype=torch.float64, device="cpu")
                for row in self.answer
            ]
            for _ in range(2)
        ]

    @cached_property
    def slopes(self) -> Slopes | None:
        """Gradients for the batch as given; None where there are none, see ``no_slopes``."""
        try:
            return self.probe.differentiate(self.batch, self.combinations)[1]
        except Refused as refusal:
            self.no_slopes = f"the gradient could not be computed: {refusal}."
            return None

    @contextlib.contextmanager
    def _nudged(self) -> Iterator[Batch]:
        """The batch moved by rounding; token ids cannot be, so the parameters are."""
        with contextlib.ExitStack() as stack:
            if self.sequences.tokens:
                stack.enter_context(self.probe.nudged(self.nudge))
            yield self.sequences.batch(steps=self.sequences.steps, nudge=self.nudge)

    @cached_property
    def noise(self) -> float:
        """How far results move when the inputs move by rounding only."""
        with self._nudged() as batch:
            return deviation(self.probe.answers(batch), self.answer)

    @property
    def tolerance(self) -> float:
        """Deviations above it count."""
        return max(self.floor, 100 * self.noise)

    @cached_property
    def gradient_noise(self) -> float:
        """How far the parameters' gradients move then."""
        with self._nudged() as batch:
            moved = self.probe.differentiate(batch, self.combinations[:1])[1]
        return deviation(moved.parameters, self.slopes.parameters)

    @property
    def gradient_tolerance(self) -> float:
        """Deviations of gradients above it count; scripted modules round theirs."""
        rounded = any(g.dtype.itemsize < self.probe.dtype.itemsize for g in self.slopes.parameters)
        return max(SINGLE if rounded else 0.0, self.tolerance, 100 * self.gradient_noise)

    @cached_property
    def singles(self) -> list[Single]:
        """Every sequence by itself, ``B = 1`` and ``T`` its own length."""
        return [self._single(row) for row in range(len(self.sequences))]

    def _single(self, row: int) -> Single:
        batch, refusal = self.sequences.batch([row]), ""
        if self.with_gradients:
            own = 0 if self.probe.kind == "loss" else row
            try:
                return Single(
                    *self.probe.differentiate(batch, [self.combinations[0][own : own + 1]])
                )
            except Refused as refused:
                refusal = str(refused)
        try:
            return Single(self.probe.answers(batch, grad=False), None, refusal)
        except Refused as refused:
            return Single([], None, str(refused))

    def compare(
        self, batch: Batch, *, grad: bool = True, rows: Sequence[int] | None = None
    ) -> float:
        """Deviation of a batch's real results (and running statistics) from the usual ones."""
        found = self.probe.answers(batch, grad=grad)
        expected = self.answer if grad else self._quiet_answer
        running = self.probe.running() if grad and rows is None else []
        if rows is not None:
            found, expected = [found[i] for i in rows], [expected[i] for i in rows]
        result = deviation(found, expected)
        usual = self._running if running else []
        return max([result, *(deviation([a], [b]) for a, b in zip(running, usual, strict=True))])
