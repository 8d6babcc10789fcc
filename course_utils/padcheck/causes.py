"""The causes that the check knows by name, and the search for the one behind a failure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course_utils.padcheck.arguments import Refused
from course_utils.padcheck.comparing import Comparison, Pair, add_gradients, name_cause, record
from course_utils.padcheck.feeding import FAR, Feed, Supply, choose_rows
from course_utils.padcheck.running import first_line
from course_utils.padcheck.subject import Subject, deviation
from course_utils.padcheck.watching import Trace, View


@dataclass(frozen=True)
class Cause:
    """The likely cause of a failure, and what to do about it."""

    name: str
    """What went wrong in two or three words, ``"unknown"`` if it was not found."""
    sentence: str
    cure: str
    notebook: str
    """The notebook that treats it, such as ``05_packed_sequences``."""
    where: str = ""
    """The module and the operation in which padding first reaches a real number."""

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.name}{place}: {self.sentence} Cure: {self.cure} See {self.notebook}."


_TABLE = {
    "backward direction": (
        "the backward direction starts in the padding and carries it to real steps.",
        "pack the batch before the recurrent layer.",
        "05_packed_sequences",
    ),
    "final state": (
        "the final state is taken after the recurrent layer has read the padding.",
        "pack the batch: then h_n is the state after each row's last real step.",
        "07_last_step_extraction",
    ),
    "last step": (
        "a step is read that is padding in shorter rows, output[:, -1] for example.",
        "read the last real step: last_steps(output, lengths), or h_n of a packed run.",
        "07_last_step_extraction",
    ),
    "loop over padding": (
        "a loop over the steps moves the state on at pads.",
        "carry the old state on at pads: torch.where(mask, new, old).",
        "04_masking",
    ),
    "left padding": (
        "the state has read the padding on the left before the first real step.",
        "pad on the right and pack, or keep the state at zero until the first real step.",
        "07_last_step_extraction",
    ),
    "reversed padding": (
        "the sequences are reversed together with their padding, which then comes first.",
        "reverse the real steps only, or let a packed bidirectional layer do it.",
        "05_packed_sequences",
    ),
    "layout": (
        "the layer takes rows for steps, so sequences talk to each other.",
        "pass batch_first=True, or transpose with transpose(0, 1), never with view.",
        "03_padding",
    ),
    "lost order": (
        "the rows are sorted or shuffled and never put back.",
        "undo the permutation, or let pack_padded_sequence sort: enforce_sorted=False.",
        "05_packed_sequences",
    ),
    "wrong lengths": (
        "the lengths that are handed on include padding.",
        "pass the true lengths to pack_padded_sequence, or to the loss: of inputs and of targets.",
        "05_packed_sequences",
    ),
    "lengths from values": (
        "the real steps are guessed from what the inputs hold.",
        "use the lengths; if the model must look for a pad value, say pad_marker=...",
        "04_masking",
    ),
    "padding side": (
        "the model is right where the padding comes first, and was asked with padding last.",
        'say padding_side="left", or read the last real step of each row.',
        "07_last_step_extraction",
    ),
    "mixing over steps": (
        "an operation over all steps, a Fourier transform for example, takes the pads in.",
        "mix by a convolution or attention that can be masked, or give it one length only.",
        "10_beyond_rnns",
    ),
    "shifted positions": (
        "positions are counted from the padded start, so padding on the left shifts them.",
        "count real steps: position_ids = (mask.cumsum(1) - 1).clamp(min=0).",
        "10_beyond_rnns",
    ),
    "pooling over padding": (
        "a sum or a mean over the steps takes the pads in, or divides by all T steps.",
        "use masked_mean(output, mask, dim=1).",
        "04_masking",
    ),
    "maximum over padding": (
        "the maximum over the steps may be a pad, and a zero beats negative values.",
        "use masked_max(output, mask), which sets pads to -inf first.",
        "07_last_step_extraction",
    ),
    "softmax over padding": (
        "a softmax gives pads a share of the weight.",
        "use masked_softmax(scores, mask), or set the scores of pads to -inf first.",
        "04_masking",
    ),
    "attention without mask": (
        "real steps attend to pads: there is no mask, or the scores do not obey it.",
        "pass key_padding_mask=convert_mask(mask, to='mha'), or attention's own mask argument.",
        "10_beyond_rnns",
    ),
    "wrong attention mask": (
        "attention gets a mask, but real steps still attend to pads.",
        "check what True means: nn.MultiheadAttention ignores where its mask is True.",
        "04_masking",
    ),
    "convolution at the edge": (
        "the window of a convolution reaches from the last real step into the padding.",
        "set the pads to zero before every convolution: masked_fill(~mask, 0).",
        "10_beyond_rnns",
    ),
    "normalisation over padding": (
        "statistics are taken over steps or rows, pads included.",
        "normalise each step by itself (layer norm), or take statistics over real steps.",
        "10_beyond_rnns",
    ),
    "batch statistics": (
        "statistics of the whole batch make each row depend on the others.",
        "use layer norm, or accept it in training and check eval mode.",
        "10_beyond_rnns",
    ),
    "loss over padding": (
        "the loss counts padded positions, in its sum or in what it divides by.",
        "use a masked loss: sum over real positions, divided by their number.",
        "06_masked_loss",
    ),
    "overflow in the pads": (
        "large pads become inf or NaN, and multiplying by a mask does not remove them.",
        "use masked_fill or torch.where before the computation, not mask * values after it.",
        "04_masking",
    ),
}
CAUSES = {name: Cause(name, *texts) for name, texts in _TABLE.items()}
UNKNOWN = Cause(
    "unknown",
    "no operation was recognised as the one that lets padding in.",
    "run parts of the model through padcheck, from the first layer on.",
    "11_bug_clinic",
)


def find_cause(subject: Subject, failed: set[str]) -> Cause:
    """The likely cause of these failures, or ``UNKNOWN`` with the place where results part."""
    try:
        name, where = _asked_otherwise(subject, failed) or _traced(subject, failed)
    except Exception as error:  # the verdict stands, whatever happens here
        name, where = UNKNOWN.name, f"could not be traced: {first_line(error)}"
    if name == UNKNOWN.name:
        return replace(UNKNOWN, where=where or type(subject.runner.model).__name__)
    return replace(CAUSES[name], where=where)


def _asked_otherwise(subject: Subject, failed: set[str]) -> tuple[str, str] | None:
    """Would the model pass with the pads that it was given, or with padding on the left?"""
    if not failed & {"values", "amount", "alone"}:
        return None
    source = subject.supply.sources[0]
    for pad in dict.fromkeys((source.old_pad, 0.0)) if source.varied else ():
        marked = subject.supply.changed(pads=pad)
        if pad is not None and _passes(subject, marked):
            hint = f"with pads of {pad:g} it passes: say pad_marker={pad:g}"
            if _looks_at_pads(subject, marked):
                return "lengths from values", hint
            subject.remarks.append(f"{hint.capitalize()}, if they always hold it.")
            break
    left = subject.supply.changed(side="left")
    sided = subject.supply.side == "right" and _passes(subject, left)
    return ("padding side", "") if sided and _heeds_lengths(subject, left) else None


def _traced(subject: Subject, failed: set[str]) -> tuple[str, str]:
    """The cause that traces of a few rows tell, or of all rows, and where it is."""
    located, rows = None, len(subject.supply)
    for most in sorted({min(3, rows), rows}):
        chosen = choose_rows(subject.supply.lengths, most)
        few = Subject(subject.runner, subject.supply.pick(chosen), subject.precision)
        known: dict[tuple, Trace] = {}
        for pair in _pairs(few, failed):
            found = _examine(pair, known)
            if found is not None and found[0] != UNKNOWN.name:
                return found
            located = located or found
    return located or (UNKNOWN.name, "")


def _passes(subject: Subject, supply: Supply) -> bool:
    """Whether rows give the same by themselves and with more padding, asked in another way."""
    other = Subject(subject.runner, supply, subject.precision)
    row, floor = [supply.shortest], subject.precision.floor
    try:
        alone = other.runner.results(supply.feed(row), grad=False)
        for steps in (supply.given, *supply.other_steps):
            padded = other.runner.results(supply.feed(row, steps, pads=1), grad=False)
            if not deviation(padded, alone) <= floor:
                return False
        if subject.is_loss:
            return True
        found = other.runner.results(supply.feed(steps=supply.given), grad=False)
    except (Refused, ValueError):
        return False
    return deviation([found[row[0]]], alone) <= floor


def _heeds_lengths(subject: Subject, supply: Supply) -> bool:
    """Whether results change with the lengths: else the side is no matter of the model's."""
    feed = supply.feed(steps=supply.given)
    full = replace(feed, lengths=tuple(torch.full_like(own, max(own)) for own in feed.lengths))
    usual = subject.runner.quiet(feed)
    try:
        return not usual.equal(subject.runner.quiet(full))
    except Refused:
        return True


def _looks_at_pads(subject: Subject, marked: Supply) -> bool:
    """Whether a comparison inside the model comes out otherwise with other pads."""
    feeds = (supply.feed(steps=supply.given) for supply in (subject.supply, marked))
    traces = [record(subject.runner, feed) for feed in feeds]
    for event, twin in zip(*(trace.events for trace in traces), strict=False):
        for n, m in zip(event.outputs, twin.outputs, strict=False):
            a, b = traces[0].values[n].content, traces[1].values[m].content
            if a.dtype == torch.bool and a.shape == b.shape and not a.equal(b):
                return True
    return False


def _pairs(subject: Subject, failed: set[str]) -> Iterator[Pair]:
    rows, steps, more = _telling_sizes(subject)
    device = subject.base.tensors[0].device
    everything = torch.ones(len(rows), dtype=torch.bool, device=device)
    make, sequences = subject.supply.feed, torch.tensor(rows, device=device)

    def pair(question: str, a: Feed, b: Feed, kept: Tensor = everything) -> Pair:
        return Pair(question, View(a, sequences, kept), View(b, sequences, kept), subject)

    base = make(rows, steps)
    if failed & {"values", "leak", "alone", "parameters"}:
        if subject.supply.sources[0].varied:
            zeros = subject.supply.changed(pads=0).feed(rows, steps)
            yield replace(pair("values", base, zeros), only="lengths from values")
        yield pair("values", base, make(rows, steps, pads=1))
        yield pair("values", base, make(rows, steps, pads=3, large=True))
    if failed & {"amount", "alone"}:
        yield pair("amount", base, make(rows, more))
        yield pair("amount", base, make(rows, subject.supply.longest))
        yield _far_pair(subject)
    if not subject.is_loss and failed & {"mates", "alone", "order"}:
        for odd in (0, 1):
            others = [row for row in rows if row % 2 != odd]
            kept = torch.tensor([row not in others for row in rows], device=device)
            yield pair("mates", base, make(rows, steps, others=others), kept)
    if not subject.is_loss and "alone" in failed:
        for row in dict.fromkeys(rows):
            one = torch.arange(len(rows), device=device) == rows.index(row)
            alone = View(make([row]), sequences[one][:1], everything[:1])
            yield Pair("alone", View(base, sequences, one), alone, subject)


def _far_pair(subject: Subject) -> Pair:
    """One sequence, twice, with as much padding as the batch has and with several times as much."""
    supply = subject.supply
    rows = torch.tensor([supply.shortest] * 2, device=subject.base.tensors[0].device)
    near, far = (
        View(supply.feed(rows.tolist(), supply.far_steps(factor)), rows, rows == rows)
        for factor in (1, FAR)
    )
    return Pair("amount", near, far, subject)


def _telling_sizes(subject: Subject) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """Rows and two padded lengths that no other axis has, so that shapes tell axes apart."""
    supply = subject.supply
    own = list(range(len(supply)))
    trace = record(subject.runner, supply.feed(own[:2], supply.given))
    taken = {n for value in trace.values for n in value.content.shape if n}
    # No axis may be a multiple of it either: B x heads are told by that.
    count = next(n for n in itertools.count(len(own) + 1) if all(size % n for size in taken))
    found: list[int] = []
    for longest in supply.longest * 2:  # for each axis one, and then another
        found.append(_unused(longest + 2, taken | {count, *found}))
    steps, more = tuple(found[: len(supply.axes)]), tuple(found[len(supply.axes) :])
    rows = own + own[-1:] * (count - len(own))
    for choice in ((rows, steps, more), (own, steps, more), (rows, supply.given, steps)):
        try:
            subject.runner.results(supply.feed(choice[0], choice[1]), grad=False)
        except (Refused, ValueError):
            continue
        return choice
    return own, supply.given, steps


def _unused(start: int, sizes: set[int]) -> int:
    return next(number for number in itertools.count(start) if number not in sizes)


def _examine(pair: Pair, known: dict[tuple, Trace]) -> tuple[str, str] | None:
    """The cause that a pair of batches tells; the last first trace is in ``known``."""
    subject, runner = pair.subject, pair.subject.runner
    try:
        key = (id(pair.first.feed), tuple(pair.first.rows.tolist()))
        if key not in known:
            known.clear()
            known[key] = record(runner, pair.first.feed)
            # Before the second run, which may write into buffers that the first one still needs.
            add_gradients(known[key], pair.first.rows, subject.supply.seed)
        first, second = known[key], record(runner, pair.second.feed)
    except (Refused, RuntimeError, ValueError):
        return None
    floor = max(subject.precision.floor, 1e-9)
    comparison = Comparison(first, second, (pair.first, pair.second), floor)
    found, lost = comparison.culprit(), comparison.lost_order()
    if found is None and lost is None:
        if comparison.parted is None:
            return None
        names = " and ".join(event.name.strip("_") for event in comparison.parted)
        return UNKNOWN.name, f"the two runs part at {names}"
    event, number = found or (lost, lost.outputs[0])
    name = name_cause(pair, comparison, event, number) if lost is None else "lost order"
    if name == "unknown" and pair.question == "mates" and runner.train:
        # Batch norm of real steps in one long line: there, rows cannot be told apart by shape.
        norms = [e for e in first.events if e.name == "batch_norm"]
        event, name = (norms[0], "batch statistics") if norms else (event, name)
    if pair.only not in (None, name):
        return None
    path = ".".join(part for part in event.path.split(".") if part != "_orig_mod")
    place = f"{path} ({type(event.module).__name__}), " if path else ""
    return name, place + event.name.strip("_")
