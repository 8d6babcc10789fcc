"""A model and its sequences in one precision, and how far its results differ."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from course_utils.padcheck.arguments import Refused
from course_utils.padcheck.feeding import Feed, Supply
from course_utils.padcheck.running import Gradients, Runner


@dataclass(frozen=True)
class Precision:
    """What rounding may do where the lowest precision inside a model is ``dtype``."""

    dtype: torch.dtype
    floor: float
    """Deviations below it are rounding, whatever the model's noise."""
    nudge: float
    """Relative change of the inputs that shows the model's noise."""
    slack: float
    """Deviations count when they are so many times larger than the noise."""
    chaos: float
    """With more noise than this nothing can be judged."""

    @classmethod
    def of(cls, dtype: torch.dtype) -> Precision:
        """The limits for a dtype."""
        epsilon = torch.finfo(dtype).eps
        if dtype == torch.float64:
            return cls(dtype, floor=1e-9, nudge=1e-15, slack=100, chaos=1e-3)
        if dtype == torch.float32:
            return cls(dtype, floor=1e-4, nudge=4 * epsilon, slack=100, chaos=1e-3)
        return cls(dtype, floor=8 * epsilon, nudge=epsilon, slack=4, chaos=0.25)


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
class AloneRun:
    """One sequence by itself: its result, or the model's refusal."""

    results: list[Tensor]
    refusal: str = ""


class GradientGap:
    """The parameters' gradients of a batch, less those of single runs.

    Args:
        together: gradients of the batch; they are overwritten.
    """

    def __init__(self, together: Gradients | None) -> None:
        self.left = together.parameters if together else []
        self.finite = all(bool(g.isfinite().all()) for g in self.left)
        self.alone_finite = True
        self.size = max((float(g.abs().max()) for g in self.left if g.numel()), default=0.0)
        self.rounded = [g.dtype for g in self.left]
        self.missing = "" if together else "the result carries no gradient."

    def subtract(self, alone: Gradients | None, weight: float = 1.0) -> None:
        """Take away the gradients of one single run."""
        if alone is None:
            self.missing = self.missing or "the result of a single run carries no gradient."
            return
        for left, own in zip(self.left, alone.parameters, strict=True):
            self.alone_finite &= bool(own.isfinite().all())
            left.sub_(own, alpha=weight)

    @property
    def deviation(self) -> float:
        """The largest difference over the largest gradient."""
        if not self.finite:
            return math.inf
        gap = max((float(g.abs().max()) for g in self.left if g.numel()), default=0.0)
        return 0.0 if gap == 0 else gap / self.size if self.size else math.inf


class Subject:
    """A model and its sequences in one precision, and its results for the batch as given."""

    def __init__(self, runner: Runner, supply: Supply, precision: Precision) -> None:
        self.runner, self.supply, self.precision = runner, supply, precision
        self.base = supply.feed(steps=supply.given)
        self.with_gradients = True
        self.remarks: list[str] = []

    @property
    def is_loss(self) -> bool:
        """Whether the model gives a loss for the whole batch."""
        return self.runner.reading.kind == "loss"

    @cached_property
    def _first(self) -> tuple[list[Tensor], Gradients | None, str]:
        if not self.with_gradients:
            return self.runner.results(self.base, grad=False), None, "not asked here."
        try:
            results, gradients = self.runner.differentiate(self.base, range(len(self.supply)))
        except Refused as refusal:
            reason = f"the gradient could not be computed: {refusal}."
            return self.runner.results(self.base), None, reason
        return results, gradients, "" if gradients else "the result carries no gradient."

    @property
    def results(self) -> list[Tensor]:
        """Real results of the batch as given."""
        return self._first[0]

    @property
    def cells(self) -> tuple[Tensor | None, ...]:
        """Size of the result's gradient at every cell of each input; empty if it has none."""
        gradients = self._first[1]
        return gradients.cells if gradients else ()

    @property
    def no_gradients(self) -> str:
        """Why there are no gradients."""
        return self._first[2]

    @cached_property
    def gap(self) -> GradientGap:
        """Where single runs' gradients are taken away from the batch's. To be used once."""
        return GradientGap(self._first[1])

    @cached_property
    def alone(self) -> list[AloneRun]:
        """Every sequence by itself, ``B = 1`` and ``T`` its own length; fills ``gap``."""
        return [self._alone(row) for row in range(len(self.supply))]

    def _alone(self, row: int) -> AloneRun:
        feed = self.supply.feed([row])
        if self.with_gradients and not self.is_loss and self._first[1]:
            try:
                results, gradients = self.runner.differentiate(feed, [row])
            except Refused as refusal:
                self.gap.missing = f"a single run is refused ({refusal})."
            else:
                self.gap.subtract(gradients)
                return AloneRun(results)
        try:
            return AloneRun(self.runner.results(feed, grad=False))
        except Refused as refusal:
            return AloneRun([], str(refusal))

    @contextlib.contextmanager
    def _nudged(self) -> Iterator[Feed]:
        """The batch moved by rounding; token ids cannot be, so the parameters are."""
        amount = self.precision.nudge
        with contextlib.ExitStack() as stack:
            if any(source.whole for source in self.supply.sources):
                stack.enter_context(self.runner.nudged(amount))
            yield self.supply.feed(steps=self.supply.given, nudge=amount)

    @cached_property
    def again(self) -> float:
        """How far the same batch's results differ the second time."""
        return deviation(self.runner.results(self.base), self.results)

    @cached_property
    def noise(self) -> float:
        """How far results move when the inputs move by rounding only."""
        with self._nudged() as feed:
            return deviation(self.runner.results(feed), self.results)

    @cached_property
    def gradient_noise(self) -> float:
        """How far the parameters' gradients move then."""
        rows = range(len(self.supply))
        usual = self.runner.differentiate(self.base, rows)[1]
        with self._nudged() as feed:
            moved = self.runner.differentiate(feed, rows)[1]
        return deviation(moved.parameters, usual.parameters)

    def tolerance(self, found: float) -> float:
        """Deviations above it count; noise is measured only where it matters."""
        floor = self.precision.floor
        return floor if found <= floor else max(floor, self.precision.slack * self.noise)

    def gradient_tolerance(self, found: float, decided: bool) -> float:
        """The same for gradients; scripted modules round theirs."""
        floor = self.precision.floor
        if any(dtype.itemsize < self.runner.dtype.itemsize for dtype in self.gap.rounded):
            floor = max(floor, Precision.of(torch.float32).floor)
        if found <= floor or math.isinf(found):
            return floor
        noise = 0.0 if decided else self.precision.slack * self.gradient_noise
        return max(floor, self.tolerance(found), noise)

    @cached_property
    def _quiet_results(self) -> list[Tensor]:
        return self.runner.results(self.base, grad=False)

    @cached_property
    def _running(self) -> list[Tensor]:
        self.runner.results(self.base)
        return self.runner.running()

    def compare(self, feed: Feed, *, grad: bool = True, rows: Sequence[int] | None = None) -> float:
        """Deviation of a batch's real results (and running statistics) from the usual ones.

        Args:
            feed: a batch of all rows in their usual order.
            grad: whether gradients are recorded, which some models ask about.
            rows: which rows to compare; all, and the running statistics, if not given.
        """
        found = self.runner.results(feed, grad=grad)
        running = self.runner.running() if grad and rows is None else []
        expected = self.results if grad else self._quiet_results
        if rows is not None:
            found, expected = [found[i] for i in rows], [expected[i] for i in rows]
        usual = self._running if running else []
        both = [deviation([a], [b]) for a, b in zip(running, usual, strict=True)]
        return max([deviation(found, expected), *both], key=lambda d: -1 if math.isnan(d) else d)


def with_large_pads(lower: Subject, expected: list[Tensor]) -> float:
    """How far results in a lower precision are from the usual ones where pads are large.

    Raises:
        Refused: neither twice the steps nor as many as given are taken.
    """
    refused: Refused | None = None
    for steps in (lower.supply.other_steps[1], lower.supply.given):
        feed = lower.supply.feed(steps=steps, pads=3, large=True)
        try:
            return deviation(lower.runner.results(feed, grad=False), expected)
        except Refused as refusal:
            refused = refusal
    raise refused
