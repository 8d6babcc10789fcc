"""The questions: what is changed, and what must not change with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from course_utils.padcheck.answers import Question, Row
from course_utils.padcheck.case import Case, deviation
from course_utils.padcheck.probe import Refused

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


def judge(
    case: Case, question: Question, found: float, note: str = "", tolerance: float | None = None
) -> Row:
    """The row for a deviation."""
    tolerance = case.tolerance if tolerance is None else tolerance
    if math.isnan(found):
        return Row(question, "not asked", "the model's results are not finite numbers.")
    wrong = found > tolerance
    meaning = MEANINGS[question][wrong] + (f" {note}" if note else "")
    return Row(question, "failed" if wrong else "passed", meaning, found, tolerance)


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
    refused = {i: s.refusal for i, s in enumerate(case.singles) if not s.rows}
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
    """Do parameters get from the batch what they get from all single runs together?

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
    found = deviation(case.slopes.parameters, summed)
    return judge(case, "parameters", found, tolerance=case.gradient_tolerance)


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
