"""The likely cause of a failure: two runs are traced, laid beside each other, and named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from course_utils.padcheck.answers import Cause, Question
from course_utils.padcheck.batches import Batch
from course_utils.padcheck.case import Case
from course_utils.padcheck.causes import CAUSES, UNKNOWN
from course_utils.padcheck.compare import Comparison, View
from course_utils.padcheck.naming import Contrast, name_cause
from course_utils.padcheck.probe import Refused
from course_utils.padcheck.trace import add_gradients, record


def find_cause(case: Case, single: Case | None, failed: set[str]) -> Cause:
    """The likely cause of these failures, or ``UNKNOWN``."""
    located = None
    try:
        for contrast in _contrasts(case, single, failed):
            found = _examine(contrast)
            if found is not None and found.name != "unknown":
                return found
            located = located or found
    except Refused as refusal:
        return replace(UNKNOWN, where=f"could not be traced: {refusal}")
    return located or UNKNOWN


def _contrasts(case: Case, single: Case | None, failed: set[str]) -> Iterator[Contrast]:
    rows, steps, more = _roomy(case)
    everything = torch.ones(len(rows), dtype=torch.bool, device=case.batch.inputs.device)
    make = case.sequences.batch

    sequences = torch.tensor(rows, device=everything.device)

    def pair(question: Question, a: Batch, b: Batch, kept: Tensor = everything) -> Contrast:
        return Contrast(question, View(a, sequences, kept), View(b, sequences, kept), case)

    base = make(rows, steps)
    if failed & {"values", "leak", "alone", "parameters"} and case.sequences.pad_marker is None:
        yield replace(pair("values", base, _zero_padded(base)), only="lengths from values")
        yield pair("values", base, make(rows, steps, pads=1))
        if single is not None:
            # What overflows does so in single precision first, where pads are large.
            a, b = (single.sequences.batch(rows, steps, pads=3, large=big) for big in (False, True))
            yield replace(pair("values", a, b), case=single)
        yield pair("values", base, make(rows, steps, pads=3, large=True))
    if failed & {"amount", "alone"}:
        yield pair("amount", base, make(rows, more))
        longest = case.sequences.longest
        yield pair("amount", base, make(rows, longest))
    if case.probe.kind != "loss" and failed & {"mates", "alone", "order"}:
        for odd in (0, 1):
            changed = [row for row in range(len(case.sequences)) if row % 2 != odd]
            kept = [row not in changed for row in rows]
            kept = torch.tensor(kept, device=everything.device)
            yield pair("mates", base, make(rows, steps, changed=changed), kept)
    if case.probe.kind != "loss" and "alone" in failed:
        for row in range(len(case.sequences)):
            one = torch.arange(len(rows), device=everything.device) == rows.index(row)
            alone = View(make([row]), sequences[one][:1], everything[:1])
            yield Contrast("alone", View(base, sequences, one), alone, case)


def _zero_padded(batch: Batch) -> Batch:
    """The batch with zeros in its pads, which some models take for the end."""
    pads = batch.real.logical_not()
    pads = pads.reshape(*pads.shape, *[1] * (batch.inputs.dim() - 2))
    return replace(batch, inputs=batch.inputs.masked_fill(pads, 0))


def _roomy(case: Case) -> tuple[list[int], int, int]:
    """Rows and two padded lengths that no other axis has, so that shapes tell axes apart."""
    own = list(range(len(case.sequences)))
    sizes = {n for value in record(case.probe, case.batch).values for n in value.content.shape}
    count = _unused(len(own) + 1, sizes)
    steps = _unused(case.sequences.longest + 2, sizes | {count})
    more = _unused(steps + 1, sizes | {count})
    rows = own + own[-1:] * (count - len(own))
    for choice in ((rows, steps, more), (own, steps, more), (rows, case.batch.steps, steps)):
        try:
            case.probe.answers(case.sequences.batch(choice[0], choice[1]))
        except (Refused, ValueError):
            continue
        return choice
    return own, case.batch.steps, steps


def _unused(start: int, sizes: set[int]) -> int:
    while start in sizes:
        start += 1
    return start


def _examine(contrast: Contrast) -> Cause | None:
    probe = contrast.case.probe
    try:
        first = record(probe, contrast.first.batch)
        # Before the second run, which may write into buffers that the first one still needs.
        add_gradients(first, contrast.first.rows, contrast.case.sequences.seed)
        second = record(probe, contrast.second.batch)
    except (Refused, RuntimeError):
        return None
    comparison = Comparison(
        first, second, (contrast.first, contrast.second), max(contrast.case.tolerance, 1e-9)
    )
    found, lost = comparison.culprit(), comparison.lost_order()
    if found is None and lost is None:
        return None
    event, number = found or (lost, lost.outputs[0])
    name = name_cause(contrast, comparison, event, number) if lost is None else "lost order"
    if name == "unknown" and contrast.question == "mates" and probe.train:
        # Batch norm of real steps in one long line: there, rows cannot be told apart by shape.
        norms = [e for e in first.events if e.name == "batch_norm"]
        event, name = (norms[0], "batch statistics") if norms else (event, name)
    if contrast.only not in (None, name):
        return None
    operation = event.name.strip("_")
    place = f"{event.path} ({type(event.module).__name__}), " if event.path else ""
    return replace(CAUSES.get(name, UNKNOWN), where=f"{place}{operation}")
