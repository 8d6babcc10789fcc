"""How each question is asked: what is changed, and what must not change with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch

from course_utils.padcheck.arguments import Refused
from course_utils.padcheck.feeding import FAR, Feed
from course_utils.padcheck.report import Finding, QuestionName
from course_utils.padcheck.subject import GradientGap, Subject, deviation

MEANINGS: dict[QuestionName, tuple[str, str]] = {
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
PINNED = "pads hold what they must; more or less of them, and each row alone, stand for it."
Attempt = tuple[str, Callable[[], float]]


def conclude(subject: Subject, question: QuestionName, found: float, note: str = "") -> Finding:
    """The finding for a deviation of results."""
    if math.isnan(found):
        return Finding(question, "not asked", "the model's results are not finite numbers.")
    tolerance = subject.tolerance(found)
    if found > subject.precision.floor and subject.noise > subject.precision.chaos:
        chaos = f"results move by {subject.noise:.0e} when the inputs move by rounding."
        return Finding(question, "not asked", f"chaotic: {chaos}")
    return judged(question, found, tolerance, note)


def judged(question: QuestionName, found: float, tolerance: float, note: str = "") -> Finding:
    """Passed or failed, in words."""
    wrong = found > tolerance
    meaning = MEANINGS[question][wrong] + (f" {note}" if note else "")
    return Finding(question, "failed" if wrong else "passed", meaning, found, tolerance)


def _worst(subject: Subject, attempts: Iterable[Attempt]) -> tuple[list[float], list[str]]:
    """Deviations and refusals, until one is decided."""
    found, refusals = [], []
    for name, attempt in attempts:
        try:
            found.append(attempt())
        except Refused as refusal:
            refusals.append(f"{name} ({refusal})")
        else:
            if found[-1] > subject.tolerance(found[-1]):
                break
    return found, refusals


def _ask(subject: Subject, question: QuestionName, attempts: Iterable[Attempt]) -> Finding:
    found, refusals = _worst(subject, attempts)
    if not found:
        return Finding(question, "not asked", f"the model refuses {'; '.join(refusals)}.")
    note = f"Not asked, because the model refuses it: {'; '.join(refusals)}." if refusals else ""
    return conclude(subject, question, _largest(found), note)


def _largest(found: Iterable[float]) -> float:
    return max(found, key=lambda d: -1 if math.isnan(d) else d, default=0.0)


def ask_together(subject: Subject) -> dict[QuestionName, Finding] | None:
    """Four questions answered by four runs in which everything changes at once.

    None where a run is refused or differs: then each question must be asked by itself.
    """
    supply, rows = subject.supply, list(range(len(subject.supply)))
    if subject.runner.running():
        return None
    little, much = supply.other_steps
    runs = (
        lambda: _shuffled(subject, rows[::-1], 0, little, pads=1),
        lambda: deviation(subject.runner.results(supply.feed(pads=2), grad=False), subject.results),
        lambda: _far(subject),
        lambda: _shuffled(subject, rows[1:] + rows[:1], 1, much, pads=3, large=True),
    )
    worst = 0.0
    for run in runs:
        try:
            worst = _largest([worst, run()])
        except Refused:
            return None
        if not worst <= subject.precision.floor:
            return None
    names: tuple[QuestionName, ...] = ("values", "amount", "mates", "order")
    findings = {name: conclude(subject, name, worst) for name in names}
    if subject.is_loss:
        findings["mates"] = ask_mates(subject)
    if not any(source.varied for source in supply.sources):
        findings["values"] = ask_values(subject)
    return findings


def _shuffled(
    subject: Subject, order: list[int], kept: int, steps: Sequence[int], **padding: object
) -> float:
    """Rows in another order with other padding; of each second row, other real values."""
    others = [] if subject.is_loss else [row for row in order if row % 2 != kept]
    feed = subject.supply.feed(steps=steps, others=others, **padding).take(order)
    results = subject.runner.results(feed, grad=kept == 0)
    if subject.is_loss:
        return deviation(results, subject.results)
    pairs = [(results[place], subject.results[row]) for place, row in enumerate(order)
             if row not in others]  # fmt: skip
    return deviation(*map(list, zip(*pairs, strict=True)))


def _far(subject: Subject) -> float:
    """The shortest row with several times as much padding as the batch has."""
    supply, row = subject.supply, [subject.supply.shortest]
    feeds = (supply.feed(row, supply.far_steps(factor), pads=4) for factor in (1, FAR))
    near, far = (subject.runner.results(feed, grad=False) for feed in feeds)
    return deviation(far, near)


def ask_values(subject: Subject) -> Finding:
    """Pads redrawn, with gradients, without, and a thousand times larger."""
    supply = subject.supply
    if not any(source.varied for source in supply.sources):
        return Finding("values", "not asked", PINNED, needless=True)
    attempts = [
        (
            f"padding {pads}",
            lambda pads=pads, large=large, grad=grad: subject.compare(
                supply.feed(steps=supply.given, pads=pads, large=large), grad=grad
            ),
        )
        for pads, large, grad in ((1, False, subject.with_gradients), (3, True, False),
                                  (2, False, False))
    ]  # fmt: skip
    return _ask(subject, "values", attempts)


def ask_amount(subject: Subject) -> Finding:
    """Padded to the longest sequence, a step more, twice as many, and to several times as many."""
    supply, varied = subject.supply, set()

    def padded(steps: tuple[int, ...]) -> float:
        found = subject.compare(supply.feed(steps=steps), grad=subject.with_gradients)
        varied.update(n for n in supply.axes if steps[n] != supply.given[n])
        return found

    def attempts(choices: Iterable[tuple[int, ...]]) -> list[Attempt]:
        return [(f"T = {', '.join(map(str, steps))}", lambda steps=steps: padded(steps))
                for steps in choices if steps != supply.given]  # fmt: skip

    found, refusals = _worst(subject, attempts([*supply.other_steps, supply.longest]))
    if len(varied) < len(supply.axes) and len(supply.axes) > 1:
        same = [(max(supply.longest) + more,) * len(supply.axes) for more in (1, 2)]
        found += _worst(subject, attempts(same))[0]
    note = ""
    decided = any(d > subject.tolerance(d) for d in found)
    if varied and not decided:
        far, refused = _worst(subject, [(f"{FAR} times as much padding", lambda: _far(subject))])
        found, refusals = found + far, refusals + refused
    elif not decided:
        below = [_below(subject, axis, varied) for axis in supply.axes]
        found = [*found, *(d for d in below if d is not None)]
        note = "Less padding was asked, because" if varied else ""
    if refusals:
        note = f"{note or 'Not asked, because'} the model refuses {'; '.join(refusals)}."
    still = [s.name for s in supply.sources if s.axis is not None and s.axis not in varied]
    finding = conclude(subject, "amount", _largest(found), note)
    if still and finding.outcome == "passed":
        reason = f"the padded length of {', '.join(still)} could not be varied. {note}".strip()
        return Finding("amount", "not asked", reason)
    return finding


def _below(subject: Subject, axis: int, varied: set[int]) -> float | None:
    """The shorter rows, as far padded as given and less: for models with a longest length."""
    supply = subject.supply
    given = supply.given
    rows = [row for row, n in enumerate(supply.lengths[axis].tolist()) if n < given[axis]]
    if not rows:
        return None
    feeds = supply.feed(rows), supply.feed(rows, given)
    try:
        less, usual = (subject.runner.results(feed, grad=False) for feed in feeds)
    except Refused:
        return None
    varied.update(n for n in supply.axes if feeds[0].steps[n] != given[n])
    return deviation(less, usual)


def ask_alone(subject: Subject) -> Finding:
    """Every sequence by itself, without padding."""
    refused = {i: run.refusal for i, run in enumerate(subject.alone) if not run.results}
    asked = [i for i in range(len(subject.alone)) if i not in refused]
    found = deviation(
        [subject.alone[i].results[0] for i in asked], [subject.results[i] for i in asked]
    )
    finding = conclude(subject, "alone", found)
    if refused and finding.outcome != "failed":
        first = next(iter(refused))
        return Finding(
            "alone",
            "not asked",
            f"the model refuses {len(refused)} of {len(subject.alone)} sequences by themselves, "
            f"such as row {first} ({refused[first]}).",
        )
    return finding


def ask_mates(subject: Subject) -> Finding:
    """The real values of every second row change; the others' results must not."""
    if subject.is_loss:
        return Finding("mates", "not asked", "a loss reads all rows, as it should.")
    rows = range(len(subject.supply))

    def compare(kept: int) -> float:
        others = [row for row in rows if row % 2 != kept]
        feed = subject.supply.feed(steps=subject.supply.given, others=others)
        return subject.compare(feed, rows=[row for row in rows if row not in others])

    attempts = [("other real values", lambda kept=kept: compare(kept)) for kept in (0, 1)]
    return _ask(subject, "mates", attempts)


def ask_order(subject: Subject) -> Finding:
    """Rows, lengths and extras in two other orders."""
    rows = list(range(len(subject.supply)))

    def compare(order: list[int]) -> float:
        found = subject.runner.results(subject.base.take(order))
        usual = subject.results if subject.is_loss else [subject.results[i] for i in order]
        return deviation(found, usual)

    attempts = [("another order", lambda order=order: compare(order))
                for order in (rows[::-1], rows[1:] + rows[:1])]  # fmt: skip
    finding = _ask(subject, "order", attempts)
    sizes = subject.supply.sizes
    if finding.outcome == "not asked" and sizes == sorted(sizes, reverse=True):
        subject.remarks.append("The model needs sorted lengths: it refuses rows in another order.")
        text = "needs sorted lengths: another order is refused, not mixed."
        return Finding("order", "passed", text)
    return finding


def ask_leak(subject: Subject) -> Finding:
    """The gradient of a random combination of the real results, at the pads."""
    if subject.no_gradients:
        return Finding("leak", "not asked", subject.no_gradients)
    ratios = []
    for cells, axis in zip(subject.cells, subject.base.axes, strict=True):
        if cells is None:
            continue
        if not cells.isfinite().all():
            return Finding("leak", "not asked", "the gradient is not finite.")
        real = subject.base.real(axis)
        at_pads = cells[~real].max().item() if (~real).any() else 0.0
        at_real = cells[real].max().item() if real.any() else 0.0
        ratios.append(0.0 if at_pads == 0 else (at_pads / at_real if at_real else math.inf))
    if not ratios:
        return Finding("leak", "not asked", "no embedding layer was seen to read the token ids.")
    return conclude(subject, "leak", max(ratios))


def ask_parameters(subject: Subject, gap: GradientGap, *, decided: bool = False) -> Finding:
    """Do parameters get from the batch what they get from all single runs together?

    Args:
        subject: what is asked.
        gap: the batch's gradients less the single ones.
        decided: whether the verdict is known, so that the gradients' noise is of no interest.
    """
    if not subject.runner.is_module:
        reason = "a plain function shows no parameters: pass a module, and call= if need be."
        return Finding("parameters", "not asked", reason, needless=True)
    if not subject.runner.parameters:
        return Finding("parameters", "passed", "the model has no parameters.")
    if subject.no_gradients or gap.missing:
        reason = subject.no_gradients or gap.missing
        return Finding("parameters", "not asked", reason, needless="carries no" in reason)
    half = subject.precision.dtype == torch.float16
    if not gap.alone_finite or (not gap.finite and half):
        reason = "gradients are not finite, with padding or without."
        return Finding("parameters", "not asked", reason, needless=True)
    tolerance = subject.gradient_tolerance(gap.deviation, decided)
    if gap.deviation > subject.precision.floor and not math.isinf(gap.deviation) and not decided:
        noise = subject.gradient_noise
        if not noise <= subject.precision.chaos:
            reason = f"gradients move by {noise:.0e} when the inputs move by rounding."
            return Finding("parameters", "not asked", f"chaotic: {reason}")
    return judged("parameters", gap.deviation, tolerance)


def ask_poison(subject: Subject) -> Finding:
    """NaN in the pads: does it reach real results, does it reach gradients? Never a verdict."""
    supply = subject.supply
    sources = [n for n, s in enumerate(supply.sources) if s.varied and not s.whole]
    if not sources:
        held = any(source.pad is not None for source in supply.sources)
        reason = "pads hold what they must." if held else "token ids cannot be NaN."
        return Finding("poison", "not asked", reason)
    rows = [supply.sizes.index(max(supply.sizes)), supply.shortest]
    feed = _poisoned(supply.feed(rows, supply.given), sources)
    try:
        results, gradients = subject.runner.differentiate(feed, rows)
    except Refused as refusal:
        return Finding("poison", "not asked", f"the model refuses NaN ({refusal}).")
    if not all(row.isfinite().all() for row in results):
        return Finding("poison", "warning", "NaN in the pads reaches the result.")
    if gradients and not all(gradient.isfinite().all() for gradient in gradients.parameters):
        text = "NaN in the pads reaches the gradients, though not the result."
        return Finding("poison", "warning", text)
    return Finding("poison", "passed", "NaN in the pads reaches neither result nor gradients.")


def _poisoned(feed: Feed, sources: Sequence[int]) -> Feed:
    tensors = list(feed.tensors)
    for number in sources:
        tensors[number] = tensors[number].clone()
        tensors[number][~feed.real(feed.axes[number])] = math.nan
    return replace(feed, tensors=tuple(tensors))
