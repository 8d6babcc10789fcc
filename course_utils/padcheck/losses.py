"""A scalar loss: how it puts single sequences together, and whether padding takes part."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.padcheck.answers import Row
from course_utils.padcheck.case import Case, deviation
from course_utils.padcheck.probe import Refused
from course_utils.padcheck.questions import ask_parameters, judge

REDUCTIONS = ("sum", "sequence", "token")


@dataclass(frozen=True)
class Fit:
    """What every single loss counts in the batch's loss, and the name of that rule."""

    name: str
    weights: list[float]
    right: bool = True


def _rules(case: Case) -> list[Fit]:
    """The usual weighted means and sums, and the usual mistake."""
    sizes = torch.tensor(case.sequences.sizes, dtype=torch.float64, device="cpu")
    rows, longest = len(sizes), case.sequences.longest
    rules = [
        Fit("sum", [1.0] * rows),
        Fit("sequence", [1 / rows] * rows),
        Fit("token", _shares(sizes)),
        Fit("token (one fewer a sequence)", _shares(sizes - 1)),
        Fit("padded", (sizes / (rows * longest)).tolist(), right=False),
    ]
    for number, extra in enumerate(case.sequences.extras):
        counts = _counts(extra.rows)
        if counts is not None:
            rules.append(Fit(f"weighted by extra[{number}]", _shares(counts)))
    return rules


def _shares(counts: Tensor) -> list[float]:
    return (counts / counts.sum()).tolist() if counts.sum() > 0 else [math.nan] * len(counts)


def _counts(rows: Sequence[Tensor]) -> Tensor | None:
    """How much each row of an extra counts: its weight, or its targets that are not negative."""
    if rows[0].dim() == 0:
        counts = torch.stack(list(rows)).detach().to("cpu", torch.float64)
    elif not rows[0].is_floating_point():
        counts = torch.tensor(
            [int((row >= 0).sum()) for row in rows], dtype=torch.float64, device="cpu"
        )
    else:
        return None
    return counts if bool((counts >= 0).all()) else None


def _pairwise(case: Case, singles: list[float]) -> Fit | None:
    """Weights of a mean that weighs each sequence in its own way, read off batches of two."""
    ratios = [1.0]
    for row in range(1, len(singles)):
        both = case.probe.answers(case.sequences.batch([0, row]))[0].item()
        if both == singles[row]:
            return None
        ratios.append((singles[0] - both) / (both - singles[row]))
    if not all(0 < ratio < math.inf for ratio in ratios):
        return None
    total = sum(ratios)
    return Fit("a mean with its own weight for each sequence", [r / total for r in ratios])


def fit_reduction(case: Case, reduction: str | None) -> Fit | None:
    """The rule by which the batch's loss follows from the single losses, None if none does."""
    singles = [single.rows[0].item() for single in case.singles]

    def fits(rule: Fit) -> bool:
        total = sum(w * loss for w, loss in zip(rule.weights, singles, strict=True))
        expected = torch.tensor(total, dtype=torch.float64, device="cpu")
        return deviation([expected], [case.answer[0].double().cpu()]) <= 10 * case.tolerance

    rules = [r for r in _rules(case) if reduction is None or r.name in (reduction, "padded")]
    found = [rule for rule in rules if fits(rule)]
    if not found and reduction is None:
        with contextlib.suppress(Refused):
            found = [own for own in [_pairwise(case, singles)] if own and fits(own)]
    if len(found) > 1 and case.with_gradients:
        # Losses that are nearly the same fit several rules; their gradients tell which it is.
        found.sort(key=lambda rule: ask_parameters(case, rule.weights).verdict != "passed")
    return found[0] if found else None


def ask_alone_loss(case: Case, reduction: str | None) -> tuple[Row, Fit | None]:
    """Each sequence by itself, padded and not; then the batch's loss against the single ones."""
    refusals = [single.refusal for single in case.singles if not single.rows]
    if refusals:
        return Row("alone", "not asked", f"the model refuses single runs ({refusals[0]})."), None
    steps, padded = case.sequences.longest + 1, []
    try:
        for row in range(len(case.singles)):
            padded += case.probe.answers(case.sequences.batch([row], steps))
    except Refused as refusal:
        return Row("alone", "not asked", f"T = {steps} is refused ({refusal})."), None
    row = judge(case, "alone", deviation(padded, [s.rows[0] for s in case.singles]))
    if row.verdict != "passed":
        return row, None
    fit = fit_reduction(case, reduction)
    return _with_reduction(case, row, fit, reduction), fit


def _with_reduction(case: Case, row: Row, fit: Fit | None, reduction: str | None) -> Row:
    found = (row.deviation, row.tolerance)
    if fit is None and reduction is None:
        text = (
            "single losses ignore padding, but the batch's loss is none of the usual means and "
            "sums of them."
        )
        return Row("alone", "inconclusive", text, *found)
    if fit is None:
        text = f"the batch's loss is not the {reduction!r} reduction of the single losses."
        return Row("alone", "failed", text, *found)
    if not fit.right:
        text = "the loss is divided by B x the longest length: padded positions are counted."
        return Row("alone", "failed", text, *found)
    return Row("alone", "passed", f"{row.meaning} The loss averages like this: {fit.name}.", *found)
