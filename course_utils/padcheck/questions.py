"""The questions: what is changed, and what must not change with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from course_utils.padcheck.batches import Batch, Sequences
from course_utils.padcheck.probe import Probe, Refused, Slopes
from course_utils.padcheck.report import Question, Row

CHAOS = 1e-3
MEANINGS: dict[Question, tuple[str, str]] = {
    "values": (
        "what stands in the pads does not reach the result.",
        "what stands in the pads reaches the result.",
    ),
    "amount": (
        "more padding or less gives the same result.",
        "the result depends on how much padding there is.",
    ),
    "alone": (
        "every sequence by itself gives the same result.",
        "a sequence by itself gives another result than in the batch.",
    ),
    "mates": (
        "no row sees the other rows.",
        "other sequences' real values change a row's result: rows are mixed.",
    ),
    "order": (
        "results follow their rows.",
        "results do not follow their rows when the order changes.",
    ),
    "leak": (
        "no gradient reaches the pads.",
        "the result's gradient reaches the pads.",
    ),
    "parameters": (
        "parameters get the gradients of single runs, summed.",
        "parameters get other gradients than single runs give, summed.",
    ),
}


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

    @cached_property
    def noise(self) -> float:
        """How far results move when the inputs move by rounding only."""
        return deviation(self.probe.answers(self._nudged_batch), self.answer)

    @property
    def _nudged_batch(self) -> Batch:
        return self.sequences.batch(steps=self.sequences.steps, nudge=self.nudge)

    @property
    def tolerance(self) -> float:
        """Deviations above it count."""
        return max(self.floor, 100 * self.noise)

    @cached_property
    def gradient_noise(self) -> float:
        """How far parameter gradients move when the inputs move by rounding only."""
        moved = self.probe.differentiate(self._nudged_batch, self.combinations[:1])[1]
        return deviation(moved.parameters, self.slopes.parameters)

    @cached_property
    def singles(self) -> list[Single]:
        """Every sequence by itself, ``B = 1`` and ``T`` its own length."""
        return [self._single(row) for row in range(len(self.sequences))]

    def _single(self, row: int) -> Single:
        batch = self.sequences.batch([row])
        try:
            if not self.with_gradients:
                return Single(self.probe.answers(batch, grad=False), None)
            if self.probe.kind == "loss":
                weights = self.combinations[0]
            else:
                weights = [self.combinations[0][row]]
            return Single(*self.probe.differentiate(batch, [weights]))
        except Refused as refusal:
            return Single([], None, str(refusal))

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


def judge(case: Case, question: Question, found: float, note: str = "") -> Row:
    """The row for a deviation."""
    if math.isnan(found):
        return Row(question, "not asked", "the model's results are not finite numbers.")
    wrong = found > case.tolerance
    meaning = MEANINGS[question][wrong] + (f" {note}" if note else "")
    return Row(question, "failed" if wrong else "passed", meaning, found, case.tolerance)


def _worst(
    case: Case, question: Question, attempts: Iterator[tuple[str, Callable[[], float]]]
) -> Row:
    """Ask in several ways; the worst answer counts, and refusals are reported."""
    found, refusals = [], []
    for name, attempt in attempts:
        try:
            found.append(attempt())
        except Refused as refusal:
            refusals.append(f"{name} ({refusal})")
    if not found:
        return Row(question, "not asked", f"the model refuses {'; '.join(refusals)}.")
    note = f"Not asked, because the model refuses it: {'; '.join(refusals)}." if refusals else ""
    return judge(case, question, max(found, key=lambda d: -1 if math.isnan(d) else d), note)


def ask_values(case: Case) -> Row:
    """Pads redrawn twice and a thousand times larger, with and without gradients."""
    if case.sequences.pad_marker is not None:
        return Row("values", "not asked", "pads stay at pad_marker, which the model looks for.")
    ways = [(1, False), (2, False), (3, True)]
    return _worst(
        case,
        "values",
        (
            (
                f"padding {pads}",
                lambda pads=pads, large=large, grad=grad: case.compare(
                    case.sequences.batch(steps=case.batch.steps, pads=pads, large=large), grad=grad
                ),
            )
            for pads, large in ways
            for grad in ((True, False) if case.with_gradients else (False,))
        ),
    )


def ask_amount(case: Case) -> Row:
    """Padded to the longest sequence, to one step more, and to twice as many."""
    longest = case.sequences.longest
    others = sorted({longest, longest + 1, 2 * longest} - {case.batch.steps})
    return _worst(
        case,
        "amount",
        (
            (
                f"T = {steps}",
                lambda steps=steps: case.compare(
                    case.sequences.batch(steps=steps), grad=case.with_gradients
                ),
            )
            for steps in others
        ),
    )


def ask_alone(case: Case) -> Row:
    """Every sequence by itself, without padding."""
    refused = {i: s.refusal for i, s in enumerate(case.singles) if s.refusal}
    asked = [i for i in range(len(case.singles)) if i not in refused]
    found = deviation([case.singles[i].rows[0] for i in asked], [case.answer[i] for i in asked])
    row = judge(case, "alone", found)
    if refused and row.verdict != "failed":
        first = next(iter(refused))
        return Row(
            "alone",
            "not asked",
            f"the model refuses {len(refused)} of {len(case.singles)} sequences by themselves, "
            f"such as row {first} ({refused[first]}).",
        )
    return row


def ask_mates(case: Case) -> Row:
    """The real values of every second row change; the others' results must not."""
    if case.probe.kind == "loss":
        return Row("mates", "not asked", "a loss reads all rows, as it should.")
    rows = range(len(case.sequences))
    return _worst(
        case,
        "mates",
        (
            (
                "other real values",
                lambda kept=kept: case.compare(
                    case.sequences.batch(
                        steps=case.batch.steps, changed=[i for i in rows if i % 2 != kept]
                    ),
                    rows=[i for i in rows if i % 2 == kept],
                ),
            )
            for kept in (0, 1)
        ),
    )


def ask_order(case: Case) -> Row:
    """Rows, lengths and extras in two other orders."""
    rows = list(range(len(case.sequences)))
    orders = [rows[::-1], rows[1:] + rows[:1]]

    def compare(order: list[int]) -> float:
        answers = case.probe.answers(case.batch.take(order))
        if case.probe.kind == "loss":
            return deviation(answers, case.answer)
        return deviation(answers, [case.answer[i] for i in order])

    row = _worst(
        case, "order", (("another order", lambda order=order: compare(order)) for order in orders)
    )
    sizes = case.sequences.sizes
    if row.verdict == "not asked" and sizes == sorted(sizes, reverse=True):
        case.notes.append("The model needs sorted lengths: it refuses rows in another order.")
        return Row("order", "passed", "needs sorted lengths: another order is refused, not mixed.")
    return row


def ask_leak(case: Case) -> Row:
    """The gradient of two random combinations of the real results, at the pads."""
    if case.slopes is None:
        return Row("leak", "not asked", case.no_slopes)
    cells = case.slopes.cells
    if cells is None:
        return Row("leak", "not asked", "no embedding layer was seen to read the token ids.")
    if not cells.isfinite().all():
        return Row("leak", "not asked", "the gradient is not finite.")
    real = case.batch.real
    at_pads, at_real = cells[~real].max().item(), cells[real].max().item()
    ratio = 0.0 if at_pads == 0 else (at_pads / at_real if at_real else math.inf)
    return judge(case, "leak", ratio)


def ask_parameters(case: Case, weights: Sequence[float] | None = None) -> Row:
    """Gradients of the same combination: the batch against the sum of single runs.

    Args:
        case: what is asked.
        weights: what every single run counts; 1 if not given.
    """
    if not case.probe.is_module:
        return Row(
            "parameters", "not asked", "a plain function shows no parameters: pass a module."
        )
    if not case.probe.parameters:
        return Row("parameters", "passed", "the model has no parameters.")
    if case.slopes is None:
        return Row("parameters", "not asked", case.no_slopes)
    for single in case.singles:
        if single.slopes is None:
            reason = (
                f"a single run is refused ({single.refusal})."
                if single.refusal
                else ("the result of a single run carries no gradient.")
            )
            return Row("parameters", "not asked", reason)
    if not case.gradient_noise <= CHAOS:
        reason = f"gradients move by {case.gradient_noise:.0e} when the inputs move by rounding."
        return Row("parameters", "not asked", f"chaotic: {reason}")
    weights = [1.0] * len(case.singles) if weights is None else weights
    summed = [
        sum(weight * gradient for weight, gradient in zip(weights, column, strict=True))
        for column in zip(*(single.slopes.parameters for single in case.singles), strict=True)
    ]
    row = judge(case, "parameters", deviation(case.slopes.parameters, summed))
    tolerance = max(case.tolerance, 100 * case.gradient_noise)
    if row.verdict == "failed" and row.deviation <= tolerance:
        return Row("parameters", "passed", MEANINGS["parameters"][0], row.deviation, tolerance)
    return row


def ask_poison(case: Case) -> Row:
    """NaN in the pads: does it reach real results, does it reach gradients? Never a verdict."""
    if case.sequences.tokens or case.sequences.pad_marker is not None:
        reason = "token ids cannot be NaN." if case.sequences.tokens else "pads hold pad_marker."
        return Row("poison", "not asked", reason)
    inputs = case.batch.inputs.clone()
    inputs[~case.batch.real] = math.nan
    try:
        rows, slopes = case.probe.differentiate(
            replace(case.batch, inputs=inputs), case.combinations[:1]
        )
    except Refused as refusal:
        return Row("poison", "not asked", f"the model refuses NaN ({refusal}).")
    if not all(row.isfinite().all() for row in rows):
        return Row("poison", "warning", "NaN in the pads reaches the result.")
    if slopes and not all(gradient.isfinite().all() for gradient in slopes.parameters):
        return Row(
            "poison", "warning", "NaN in the pads reaches the gradients, though not the result."
        )
    return Row("poison", "passed", "NaN in the pads reaches neither result nor gradients.")
