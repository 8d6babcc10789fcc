"""A scalar loss: how it puts single sequences together, and whether padding takes part."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.padcheck.arguments import Refused
from course_utils.padcheck.asking import ask_parameters, conclude
from course_utils.padcheck.feeding import Source
from course_utils.padcheck.report import Finding
from course_utils.padcheck.running import Gradients
from course_utils.padcheck.subject import GradientGap, Subject, deviation

PADS_COUNTED = "the loss is divided by B x the longest length: padded positions are counted."


@dataclass(frozen=True)
class ReductionRule:
    """What every single loss counts in the batch's loss, and the name of that rule."""

    name: str
    weights: list[float]
    right: bool = True


def _rules(subject: Subject) -> list[ReductionRule]:
    """The usual weighted means and sums, and the usual mistake; each set of weights once."""
    supply = subject.supply
    rows = len(supply)
    rules = [ReductionRule("sum", [1.0] * rows), ReductionRule("sequence", [1 / rows] * rows)]
    for axis, own in enumerate(supply.lengths):
        sizes = own.to("cpu", torch.float64)
        of = f" of {_name(subject, axis)}" if axis else ""
        rules += [
            ReductionRule(f"token{of}", _shares(sizes)),
            ReductionRule(f"token{of} (one fewer a sequence)", _shares(sizes - 1)),
            ReductionRule(
                f"padded{of}", (sizes / (rows * supply.longest[axis])).tolist(), right=False
            ),
        ]
    for source in supply.sources[1:]:
        counts = _counts(source)
        if counts is not None:
            rules.append(ReductionRule(f"weighted by {source.name}", _shares(counts)))
    found: dict[tuple[float, ...], ReductionRule] = {}
    for rule in rules:
        found.setdefault(tuple(rule.weights), rule)
    return list(found.values())


def _name(subject: Subject, axis: int) -> str:
    return next(s.name for s in subject.supply.sources if s.axis == axis)


def _shares(counts: Tensor) -> list[float]:
    return (counts / counts.sum()).tolist() if counts.sum() > 0 else [math.nan] * len(counts)


def _counts(source: Source) -> Tensor | None:
    """How much each row of an extra counts: its weight, or its targets that are none of pads."""
    rows = source.rows
    if rows[0].dim() == 0:
        counts = torch.stack(list(rows)).detach().to("cpu", torch.float64)
    elif source.whole:
        real = [(row >= 0) if source.pad is None else (row >= 0) & (row != source.pad)
                for row in rows]  # fmt: skip
        counts = torch.tensor([int(r.sum()) for r in real], dtype=torch.float64, device="cpu")
    else:
        return None
    return counts if bool((counts >= 0).all()) else None


def _pairwise(subject: Subject, alone: Sequence[float]) -> ReductionRule | None:
    """Weights of a mean that weighs each sequence in its own way, read off batches of two."""
    ratios = [1.0]
    for row in range(1, len(alone)):
        both = subject.runner.results(subject.supply.feed([0, row]), grad=False)[0].item()
        if both == alone[row]:
            return None
        ratios.append((alone[0] - both) / (both - alone[row]))
    if not all(0 < ratio < math.inf for ratio in ratios):
        return None
    total = sum(ratios)
    name = "a mean with its own weight for each sequence"
    return ReductionRule(name, [r / total for r in ratios])


def _fitting(subject: Subject, reduction: str | None) -> list[ReductionRule]:
    """The rules by which the batch's loss follows from the single losses."""
    alone = [run.results[0].item() for run in subject.alone]

    def fits(rule: ReductionRule) -> bool:
        total = sum(w * loss for w, loss in zip(rule.weights, alone, strict=True))
        expected = torch.tensor(total, dtype=torch.float64, device="cpu")
        found = deviation([expected], [subject.results[0].double().cpu()])
        return found <= 10 * subject.tolerance(found)

    names = None if reduction is None else (reduction, "padded")
    rules = [r for r in _rules(subject) if names is None or r.name.startswith(names)]
    found = [rule for rule in rules if fits(rule)]
    if not found and reduction is None:
        with contextlib.suppress(Refused):
            found = [own for own in [_pairwise(subject, alone)] if own and fits(own)]
    return found


def _gaps(subject: Subject, rules: Sequence[ReductionRule]) -> list[GradientGap]:
    """The batch's gradient less the single gradients, weighted by each rule."""
    together = subject.gap
    gaps = [together] if len(rules) == 1 else [_another(together) for _ in rules]
    for row in range(len(subject.supply)):
        try:
            gradients = subject.runner.differentiate(subject.supply.feed([row]), [row])[1]
        except Refused as refusal:
            for gap in gaps:
                gap.missing = f"a single run is refused ({refusal})."
            break
        for gap, rule in zip(gaps, rules, strict=True):
            gap.subtract(gradients, rule.weights[row])
    return gaps


def _another(gap: GradientGap) -> GradientGap:
    if gap.missing:
        return GradientGap(None)
    return GradientGap(Gradients((), [gradient.clone() for gradient in gap.left]))


def ask_loss(subject: Subject, reduction: str | None) -> tuple[Finding, Finding]:
    """Alone and parameters: each sequence padded and not; then the batch against the single ones.

    Returns:
        the findings for "alone" and "parameters".
    """
    finding = _ask_padded_alone(subject)
    reason = "the batch's loss could not be put together from single losses."
    unasked = Finding("parameters", "not asked", reason)
    if finding.outcome != "passed":
        return finding, unasked
    rules = _fitting(subject, reduction)
    if not rules or not subject.with_gradients:
        return _with_rule(finding, rules[0] if rules else None, reduction), unasked
    # Losses that are nearly the same fit several rules; their gradients tell which it is.
    both = [
        (rule, ask_parameters(subject, gap))
        for rule, gap in zip(rules, _gaps(subject, rules), strict=True)
    ]
    rule, parameters = min(both, key=lambda pair: pair[1].outcome != "passed")
    return _with_rule(finding, rule, reduction), parameters if rule.right else unasked


def _ask_padded_alone(subject: Subject) -> Finding:
    refusals = [run.refusal for run in subject.alone if not run.results]
    if refusals:
        text = f"the model refuses single runs ({refusals[0]})."
        return Finding("alone", "not asked", text)
    supply = subject.supply
    more = tuple(n + 1 + axis for axis, n in enumerate(supply.longest))
    for steps in (more, supply.given):
        try:
            padded = [subject.runner.results(supply.feed([row], steps), grad=False)[0]
                      for row in range(len(supply))]  # fmt: skip
        except Refused as refusal:
            text = f"T = {', '.join(map(str, steps))} is refused ({refusal})."
            continue
        return conclude(
            subject, "alone", deviation(padded, [run.results[0] for run in subject.alone])
        )
    return Finding("alone", "not asked", text)


def _with_rule(finding: Finding, rule: ReductionRule | None, reduction: str | None) -> Finding:
    numbers = (finding.deviation, finding.tolerance)
    if rule is None and reduction is None:
        text = (
            "single losses ignore padding, but the batch's loss is none of the usual means and "
            "sums of them."
        )
        return Finding("alone", "inconclusive", text, *numbers)
    if rule is None:
        text = f"the batch's loss is not the {reduction!r} reduction of the single losses."
        return Finding("alone", "failed", text, *numbers)
    if not rule.right:
        return Finding("alone", "failed", PADS_COUNTED, *numbers)
    text = f"{finding.meaning} The loss averages like this: {rule.name}."
    return Finding("alone", "passed", text, *numbers)
