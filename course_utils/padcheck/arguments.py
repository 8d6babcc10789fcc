"""What the caller asks for, checked before anything runs, and how the result is to be read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from course_utils.checks import Lengths, check_count, check_lengths, check_number
from course_utils.padcheck.feeding import Feed, Padded, Source, Supply, Unpadded, choose_rows, see
from course_utils.sequences import Side, unpad_batch

Kind = Literal["steps", "vector", "loss"]
Call = Callable[..., Any]
Mode = Literal["eval", "train"]
Noise = Literal["same", "seed"]
REDUCTIONS = ("sum", "sequence", "token")


class Refused(Exception):
    """The model raised an error: the batch could not be asked about."""


@dataclass(frozen=True)
class Options:
    """How to ask: see :func:`padcheck`."""

    call: Call
    output: Kind | None
    out_lengths: Callable[..., Any] | None
    reduction: str | None
    padding_side: Side
    pad_marker: float | None
    mode: Mode
    noise: Noise
    rows: int | None
    dtype: torch.dtype
    seed: int


def read_arguments(
    model: Any, inputs: Any, lengths: Lengths, extra: Sequence[Any], options: Options
) -> Supply:
    """The sequences to ask about, or one sentence about what is wrong with the call.

    Raises:
        TypeError, ValueError: a model that cannot be called, inputs, lengths or extras that do
            not fit together, equal lengths, another device, or an unknown option.
    """
    if not callable(model):
        raise TypeError(f"model is a {type(model).__name__}, expected a module or a function")
    if not isinstance(inputs, Tensor) or inputs.dim() < 2 or inputs.is_complex():
        got = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        hint = see("dictionary") if isinstance(inputs, dict) else see("PackedSequence")
        raise ValueError(
            f"inputs are {got}, expected a tensor: floats (B, T, F) or token ids (B, T) "
            + ("" if isinstance(inputs, Tensor) else hint)
        )
    _check_choices(options)
    _check_device(model, inputs)
    own = [(lengths, _lengths_of("lengths", lengths, inputs, 1))]
    extra = [_declared(f"extra[{i}]", value, len(inputs)) for i, value in enumerate(extra)]
    for number, value in enumerate(extra):
        given = getattr(value, "lengths", None)
        if given is None or any(given is known for known, _ in own):
            continue
        own.append((given, _lengths_of(f"extra[{number}].lengths", given, value.values, 0)))
    _check_ragged([checked for _, checked in own])
    rows = choose_rows([checked for _, checked in own], options.rows)
    side, marker = options.padding_side, options.pad_marker
    picked = [checked[rows] for _, checked in own]
    sources = [Source("inputs", inputs[rows], picked[0], 0, marker, side)]
    for number, value in enumerate(extra):
        name, values = f"extra[{number}]", value.values
        if isinstance(value, Unpadded):
            sources.append(Source(name, values[rows], None, None, None, side))
            continue
        axis = next(
            (n for n, (given, _) in enumerate(own) if given is value.lengths), 0
        )  # None: as the inputs
        check_lengths(own[axis][1], values.shape[1])
        sources.append(Source(name, values[rows], picked[axis], axis, value.pad, side))
    for source in sources:
        _check_ids(source)
    return Supply(sources, picked, side, options.dtype, options.seed)


def _lengths_of(name: str, lengths: Lengths, values: Tensor, least: int) -> Tensor:
    try:
        return check_lengths(
            lengths, values.shape[1], batch_size=len(values), min_length=least
        ).cpu()
    except ValueError as error:
        about = "" if name == "lengths" else f"{name}: "
        raise ValueError(f"{about}{error} {see('time-major')}") from error


def _declared(name: str, value: Any, rows: int) -> Padded | Unpadded:
    """An extra with what is known about its axes."""
    values = value.values if isinstance(value, (Padded, Unpadded)) else value
    if not isinstance(values, Tensor) or values.dim() == 0 or len(values) != rows:
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(
            f"{name} is {got}, expected a tensor with {rows} rows like the inputs: "
            "put anything else into call="
        )
    if isinstance(value, Unpadded):
        return value
    if not isinstance(value, Padded):
        if values.dim() == 1 or values.shape[1] == 1:
            return Unpadded(values)
        raise ValueError(
            f"{name} is {tuple(values.shape)}, and its second axis may count steps: say "
            "Padded(values, lengths, pad=...) if it is padded, with its own lengths or the "
            f"inputs', or Unpadded(values) if it is not {see('loss')}"
        )
    if values.dim() < 2 or values.is_complex():
        raise ValueError(f"{name} is Padded {tuple(values.shape)}, expected (B, M, ...)")
    if value.pad is not None:
        check_number(value.pad, f"{name}.pad", above=-math.inf)
    return value


def _check_ragged(lengths: Sequence[Tensor]) -> None:
    if all(len(own.unique()) < 2 for own in lengths):
        raise ValueError(
            "all lengths are equal, so this batch shows no effect of padding: pass sequences of "
            "at least two different lengths"
        )


def _check_ids(source: Source) -> None:
    if source.axis is None or not source.whole or not source.varied:
        return
    if len(source.pool) < 2:
        what = "token ids" if source.name == "inputs" else f"values of {source.name}"
        hint = "pad_marker" if source.name == "inputs" else "pad"
        raise ValueError(
            f"all real {what} are the same, so padding cannot be told from them: pass at least "
            f"two different ones, or say {hint}=..."
        )


def _check_choices(options: Options) -> None:
    for name, value, choices in (
        ("output", options.output, (None, "steps", "vector", "loss")),
        ("reduction", options.reduction, (None, *REDUCTIONS)),
        ("padding_side", options.padding_side, ("right", "left")),
        ("mode", options.mode, ("eval", "train")),
        ("noise", options.noise, ("same", "seed")),
    ):
        if not isinstance(value, (str, type(None))) or value not in choices:
            named = ", ".join(repr(choice) for choice in choices if choice is not None)
            raise ValueError(f"{name} is {value!r:.40}, expected one of {named}")
    for name, function in (("call", options.call), ("out_lengths", options.out_lengths)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} is {function!r:.40}, expected a function")
    if options.out_lengths is not None and options.output not in (None, "steps"):
        raise ValueError(f"out_lengths count steps, and output is {options.output!r}: leave it out")
    if not isinstance(options.dtype, torch.dtype) or not options.dtype.is_floating_point:
        raise ValueError(f"dtype is {options.dtype!r:.40}, expected a floating-point type")
    check_count(options.seed, "seed")
    if options.rows is not None:
        check_count(options.rows, "rows", 2)
    if options.pad_marker is not None:
        check_number(options.pad_marker, "pad_marker", above=-math.inf)


def _check_device(model: Any, inputs: Tensor) -> None:
    devices = {p.device for p in model.parameters()} if isinstance(model, nn.Module) else set()
    if devices and inputs.device not in devices:
        homes = sorted(map(str, devices))
        raise ValueError(
            f"the model is on {', '.join(homes)} and the inputs are on {inputs.device}: move one "
            f"of them, for example inputs.to({homes[0]!r})"
        )


@dataclass(frozen=True)
class Reading:
    """What a result is, and how many of its steps are real."""

    kind: Kind
    axis: int = 0
    """Which of the lengths its steps follow."""
    out_lengths: Callable[..., Any] | None = None

    def lengths(self, feed: Feed) -> Tensor:
        """Real steps of each row of the result, ``(B,)``."""
        if self.out_lengths is None:
            return feed.lengths[self.axis]
        found = self.out_lengths(*(own.clone() for own in feed.lengths))
        return torch.as_tensor(found, device="cpu").long()

    def rows(self, result: Tensor, feed: Feed) -> list[Tensor]:
        """The real results: ``(L_i, ...)`` a row for steps, one tensor a row, or the loss."""
        if self.kind == "loss" and result.numel() == 1:
            return [result.reshape(())]
        if self.kind != "loss" and result.dim() > 0 and len(result) == feed.rows:
            if self.kind == "vector":
                return list(result.unbind(0))
            if result.dim() > 1 and self._fits(result.shape[1], feed):
                return unpad_batch(result, self.lengths(feed), padding_side=feed.side)
        raise ValueError(unexpected_shape(result, feed))

    def _fits(self, steps: int, feed: Feed) -> bool:
        if self.out_lengths is not None:
            return steps >= int(self.lengths(feed).max())
        return steps in (feed.steps[self.axis], int(feed.lengths[self.axis].max()))


def unexpected_shape(result: Tensor, feed: Feed) -> str:
    """The sentence about a result that is neither steps, nor vectors, nor a loss."""
    rows, steps = feed.rows, feed.steps[0]
    shape, recipe = tuple(result.shape), "steps"
    if shape[:2] == (steps, rows):
        recipe = "time-major"
    elif len(feed.steps) > 1:
        recipe = "seq2seq"
    return (
        f"the result has shape {shape} for {rows} sequences of {steps} steps, "
        f"expected (B, T, ...) = ({rows}, {steps}, ...), (B, ...) = ({rows}, ...) or a scalar "
        "loss: say out_lengths=lambda n: ... if its steps are others, or bring it into one of "
        f"these shapes with call=lambda model, inputs, lengths: ... {see(recipe)}"
    )


Shapes = Sequence[tuple[Feed, Tensor]]
Run = Callable[[Feed], Tensor]


def find_reading(run: Run, supply: Supply, options: Options, remarks: list[str]) -> Reading:
    """How to read the results, told by their shapes in small batches of different lengths.

    Raises:
        Refused: the model refuses the batch as given.
        ValueError: a result of another shape, or of one that can be read two ways.
    """
    found = _probe(run, supply)
    if options.out_lengths is not None:
        return Reading("steps", 0, options.out_lengths)
    if options.output in ("loss", "vector"):
        return Reading(options.output)
    if options.output is None and all(result.dim() == 0 for _, result in found):
        return Reading("loss")
    axes = [axis for axis in supply.axes if _follows(found, axis)]
    shapes = [tuple(result.shape) for _, result in found]
    still = len({shape[1:2] for shape in shapes}) == 1
    whole = all(
        shape and shape[0] == feed.rows for shape, (feed, _) in zip(shapes, found, strict=True)
    )
    if not whole or not (axes or still) or (options.output == "steps" and not axes):
        raise ValueError(_unexpected(run, supply, found))
    if options.output is None and still and axes:
        raise ValueError(
            f"the result has shape {shapes[0]}, and its second axis may count steps or features: "
            "say output='steps' or output='vector'"
        )
    if not axes:
        return Reading("vector")
    if axes[0] != 0:
        name = next(s.name for s in supply.sources if s.axis == axes[0])
        remarks.append(f"The result has as many steps as {name}, so its lengths count.")
    return Reading("steps", axes[0])


def _unexpected(run: Run, supply: Supply, found: Shapes) -> str:
    """The sentence about the shape, for the batch as given where the model takes it."""
    feed, result = found[0]
    try:
        whole = supply.feed(steps=supply.given)
        return unexpected_shape(run(whole), whole)
    except Refused:
        return unexpected_shape(result, feed)


def _probe(run: Run, supply: Supply) -> Shapes:
    """Results of two rows and of one, with different padding; of the whole batch at the worst.

    Of every axis with lengths of its own, the shortest and the longest row are among them.
    """
    longest = max(range(len(supply)), key=supply.sizes.__getitem__)
    pair = [longest, next(r for r in (supply.shortest, 0, 1) if r != longest)]
    more = tuple(n + 1 + axis for axis, n in enumerate(supply.given))
    single = [supply.shortest]
    for own in supply.lengths[1:]:
        single += [int(own.argmin()), int(own.argmax())]
    small = [supply.feed(pair, supply.given), supply.feed(pair, more)]
    small += [supply.feed([row]) for row in dict.fromkeys(single)]
    found = []
    for feed in small:
        try:
            found.append((feed, run(feed)))
        except Refused:
            continue
    if len(found) < 2:
        feed = supply.feed(steps=supply.given)
        found.insert(0, (feed, run(feed)))
    return found


def _follows(found: Shapes, axis: int) -> bool:
    return all(
        result.dim() > 1
        and result.shape[1] in (feed.steps[axis], max(1, int(feed.lengths[axis].max())))
        for feed, result in found
    )
