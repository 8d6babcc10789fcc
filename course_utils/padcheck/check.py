"""``padcheck``: ask a model whether padding changes its results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_utils.padcheck import asking
from course_utils.padcheck.arguments import (
    Kind,
    Mode,
    Noise,
    Options,
    Refused,
    find_reading,
    read_arguments,
)
from course_utils.padcheck.causes import CAUSES, Cause, find_cause
from course_utils.padcheck.feeding import Padded, Supply, Unpadded, see
from course_utils.padcheck.losses import PADS_COUNTED, ask_loss
from course_utils.padcheck.report import QUESTIONS, Finding, QuestionName, Report
from course_utils.padcheck.running import Runner, first_line, undisturbed
from course_utils.padcheck.subject import Precision, Subject, with_large_pads
from course_utils.padcheck.watching import PrecisionWatch
from course_utils.sequences import Lengths, Side


def _call(model: Callable[..., Any], inputs: Tensor, lengths: Tensor, *extra: Tensor) -> Any:
    return model(inputs, lengths, *extra)


def padcheck(
    model: Callable[..., Any],
    inputs: Tensor,
    lengths: Lengths,
    *extra: Tensor | Padded | Unpadded,
    call: Callable[..., Any] | None = None,
    output: Kind | None = None,
    out_lengths: Callable[..., Any] | None = None,
    reduction: str | None = None,
    padding_side: Side = "right",
    pad_marker: float | None = None,
    mode: Mode = "eval",
    noise: Noise = "same",
    rows: int | None = 5,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Report:
    """Report whether padding, or the company of other sequences, changes a model's results.

    In the spirit of ``torch.autograd.gradcheck``. It works on a copy: the model, its buffers and
    gradients, the random state and the default dtype are as before. After a second it shows a
    progress bar on the standard error. Recipes for all kinds of models: ``docs/padcheck.md``.

    Cost: about twelve forward and two backward passes over a batch of ``rows`` sequences or less,
    and one of each over every single sequence. A failure takes 10 to 30 more for its cause.

    Args:
        model: called as ``model(inputs, lengths, *extra)``; gives ``(B, T, ...)``, ``(B, ...)``
            or a scalar loss, or a tuple that starts with one of them.
        inputs: floats ``(B, T, F)`` or token ids ``(B, T)``. Only the real steps are used: the
            check makes its own padding.
        lengths: real steps of each sequence, ``(B,)``.
        extra: further inputs of ``B`` rows: ``Padded(values, lengths, pad=...)`` or
            ``Unpadded(values)``; a plain tensor only where its second axis cannot count steps.
        call: ``call(model, inputs, lengths, *extra)`` for models that are called otherwise.
        output: ``"steps"``, ``"vector"`` or ``"loss"`` where the shape leaves it open.
        out_lengths: real steps of the result, as a function of the lengths of the inputs and of
            each padded extra that has lengths of its own.
        reduction: how a loss averages, ``"token"``, ``"sequence"`` or ``"sum"``; found out if
            not given.
        padding_side: where the pads are, ``"right"`` or ``"left"``.
        pad_marker: a value that the model itself takes for padding; pads then hold it.
        mode: ``"eval"``, or ``"train"`` with dropout at zero, which also compares running
            statistics.
        noise: ``"same"`` makes every random draw inside the model one number for all rows and
            steps; ``"seed"`` only sets the seed before each call.
        rows: how many sequences are asked about, from the shortest to the longest; None for all.
        dtype: precision to compute in.
        seed: of the padding and of the random combinations.

    Returns:
        a report, true where padding changes nothing; ``report.ok`` is True, False, or None where
        too little could be asked.

    Raises:
        TypeError, ValueError: a call that cannot be answered, in one sentence.
    """
    options = Options(
        call or _call, output, out_lengths, reduction, padding_side, pad_marker, mode, noise, rows,
        dtype, seed,
    )  # fmt: skip
    try:
        supply = read_arguments(model, inputs, lengths, extra, options)
        with undisturbed(inputs.device), tqdm(
            total=len(QUESTIONS) + 2, desc="padcheck", delay=1, leave=False
        ) as progress:  # fmt: skip
            return _Check(model, supply, options, progress).report()
    except (TypeError, ValueError):
        raise
    except Exception as error:
        raise ValueError(
            f"padcheck could not ask this model ({type(error).__name__}: {first_line(error)}): "
            "please check parts of it, from the first layer on"
        ) from error


def assert_padding_invariant(
    model: Callable[..., Any],
    inputs: Tensor,
    lengths: Lengths,
    *extra: Tensor | Padded | Unpadded,
    **options: Any,
) -> None:
    """Raise ``AssertionError`` with the report unless padding leaves the results alone.

    For test suites. The arguments are those of :func:`padcheck`. No verdict is an error too.
    """
    __tracebackhide__ = True
    report = padcheck(model, inputs, lengths, *extra, **options)
    if not report:
        raise AssertionError(str(report))


class _Check:
    """One call of :func:`padcheck`."""

    def __init__(self, model: Any, supply: Supply, options: Options, progress: tqdm) -> None:
        self.model, self.supply, self.options = model, supply, options
        self.progress = progress
        self.remarks: list[str] = []
        self.failing: Subject | None = None
        """In a lower precision, if the model fails there only."""

    def report(self) -> Report:
        subject = self._subject()
        self.progress.update()
        findings = self._refuse_nonfinite(subject) or self._ask(subject)
        own = self._own_dtype()
        if own != subject.runner.dtype and _overflows(subject, findings):
            return self._again(own)
        failed = {f.question for f in findings.values() if f.outcome == "failed"}
        cause: Cause | None = None
        if failed:
            self._check_repeatable(subject)
            cause = find_cause(self.failing or subject, failed)
        if findings["alone"].meaning == PADS_COUNTED:
            cause = CAUSES["loss over padding"]
        self._remark(subject)
        cells = subject.cells[0] if subject.cells else None
        return Report(
            tuple(findings[question] for question in QUESTIONS), cause,
            tuple(self.remarks + subject.remarks), self.options.mode, subject.base.real().cpu(),
            None if cells is None else cells.detach().cpu(), self.options.padding_side,
        )  # fmt: skip

    def _again(self, dtype: torch.dtype) -> Report:
        """Everything once more, in the model's own precision."""
        options = replace(self.options, dtype=dtype)
        again = _Check(self.model, self.supply.changed(dtype=dtype), options, self.progress)
        again.remarks.append(f"Asked in {_name(dtype)}: above it, numbers inside become infinite.")
        return again.report()

    def _ask(self, subject: Subject) -> dict[QuestionName, Finding]:
        found = asking.ask_together(subject) or {}
        if not found:
            self._check_repeatable(subject)
        for name, ask in (
            ("values", asking.ask_values), ("amount", asking.ask_amount),
            ("mates", asking.ask_mates), ("order", asking.ask_order),
            ("leak", asking.ask_leak), ("poison", asking.ask_poison),
        ):  # fmt: skip
            if name not in found:
                found[name] = ask(subject)
            self.progress.update()
        if subject.is_loss:
            found["alone"], found["parameters"] = ask_loss(subject, self.options.reduction)
        else:
            found["alone"] = asking.ask_alone(subject)
            failed = any(finding.outcome == "failed" for finding in found.values())
            found["parameters"] = asking.ask_parameters(subject, subject.gap, decided=failed)
        self.progress.update(2)
        self._ask_lower(subject, found)
        self.progress.update()
        return found

    def _ask_lower(self, subject: Subject, found: dict[QuestionName, Finding]) -> None:
        """Ask again in single precision, where double precision may hide an overflow.

        Autocast does nothing to double precision, so that what it does is seen here, too.
        """
        self._say_precision(subject)
        lower = self._lower(subject, found)
        if lower is None:
            return
        try:
            if with_large_pads(lower, subject.results) <= lower.precision.floor:
                return
            if not lower.noise <= lower.precision.chaos:
                raise Refused("there, rounding alone is visible")
            for name, ask in (("values", asking.ask_values), ("amount", asking.ask_amount),
                              ("alone", self._ask_alone)):  # fmt: skip
                again = ask(lower)
                if found[name].outcome == "passed" and again.outcome == "failed":
                    meaning = f"in {_name(lower.precision.dtype)}, {again.meaning}"
                    found[name], self.failing = replace(again, meaning=meaning), lower
                    return
        except Refused as refusal:
            self.remarks.append(f"Not asked in single precision: {refusal}.")

    def _ask_alone(self, subject: Subject) -> Finding:
        loss = subject.is_loss
        return ask_loss(subject, self.options.reduction)[0] if loss else asking.ask_alone(subject)

    def _lower(self, subject: Subject, found: dict[QuestionName, Finding]) -> Subject | None:
        """The same in single precision, and below it where autocast is at work; None if known."""
        failed = any(finding.outcome == "failed" for finding in found.values())
        rounded = subject.precision.dtype != torch.float64 and self.autocast is None
        if failed or rounded or subject.runner.dtype != torch.float64:
            return None
        runner = self._runner(torch.float32)
        runner.reading, runner.draws = subject.runner.reading, subject.runner.draws
        precision = Precision.of(self.autocast or torch.float32)
        lower = Subject(runner, self.supply.changed(dtype=torch.float32), precision)
        lower.with_gradients = False
        return lower

    def _subject(self) -> Subject:
        """The model in the precision asked for, or in its own where it refuses that one."""
        self.autocast: torch.dtype | None = None
        dtype, supply = self.options.dtype, self.supply
        try:
            runner = self._runner(dtype)
            runner.reading = find_reading(runner.quiet, supply, self.options, self.remarks)
        except Refused as refusal:
            own = self._own_dtype()
            if own == dtype:
                raise ValueError(_refused(refusal)) from refusal
            supply, runner = self.supply.changed(dtype=own), self._runner(own)
            try:
                runner.reading = find_reading(runner.quiet, supply, self.options, self.remarks)
            except Refused as again:
                raise ValueError(_refused(again)) from again
            self.remarks.append(
                f"The model refuses {_name(dtype)} ({refusal}) and was asked in {_name(own)}."
            )
        watch = _watch(runner, supply)
        self.autocast = watch.autocast
        return Subject(runner, supply, Precision.of(watch.lowest))

    def _runner(self, dtype: torch.dtype) -> Runner:
        options = self.options
        return Runner(
            self.model, options.call, dtype, train=options.mode == "train", seed=options.seed,
            same_noise=options.noise == "same",
        )  # fmt: skip

    def _own_dtype(self) -> torch.dtype:
        tensors = list(self.model.parameters()) if isinstance(self.model, nn.Module) else []
        for tensor in [*tensors, *(source.values for source in self.supply.sources)]:
            if tensor.is_floating_point():
                return tensor.dtype
        return torch.get_default_dtype()

    def _check_repeatable(self, subject: Subject) -> None:
        if subject.again > max(1e-6, subject.precision.floor):
            raise ValueError(
                f"the model gives another answer each time (they differ by {subject.again:.0e}): "
                f"switch off what is random or remembered inside it {see('noise')}"
            )

    def _refuse_nonfinite(self, subject: Subject) -> dict[QuestionName, Finding] | None:
        """All questions unasked, if there is no number to compare."""
        try:
            results = subject.results
        except Refused as refusal:
            raise ValueError(_refused(refusal)) from refusal
        if any(row.isfinite().any() for row in results if row.numel()):
            return None
        reason = "the model's results are not finite numbers."
        return {question: Finding(question, "not asked", reason) for question in QUESTIONS}

    def _say_precision(self, subject: Subject) -> None:
        lowest, dtype = subject.precision.dtype, subject.runner.dtype
        if lowest != dtype:
            self.remarks.append(
                f"Asked in {_name(dtype)}; the model computes in {_name(lowest)} inside, so "
                f"deviations up to {subject.precision.floor:.1g} are rounding."
            )
        if self.autocast not in (None, lowest):
            floor = Precision.of(self.autocast).floor
            self.remarks.append(
                f"Autocast leaves {_name(dtype)} alone: values, amount and alone were also asked "
                f"in float32, where it computes in {_name(self.autocast)} and deviations up to "
                f"{floor:.1g} are rounding."
            )

    def _remark(self, subject: Subject) -> None:
        runner, marker = subject.runner, self.options.pad_marker
        if runner.first_of_several:
            self.remarks.append("The model returns several results: only the first was checked.")
        if runner.draws:
            self.remarks.append(
                "The model draws random numbers: each draw was "
                + ("one number for all rows and steps." if runner.same_noise else "seeded only.")
            )
        if self.options.mode == "eval" and runner.is_module:
            modules = runner.model.modules()
            if any(getattr(m, "running_mean", None) is not None for m in modules):
                self.remarks.append("Running statistics not checked: ask again with mode='train'.")
        real = self.supply.sources[0].rows
        if marker is not None and any(bool((row == marker).any()) for row in real):
            self.remarks.append(
                f"Real steps hold pad_marker = {marker} as well: the model takes them for padding."
            )
        pinned = [f"{s.name} hold {s.pad:g}" for s in self.supply.sources if s.pad is not None]
        if pinned:
            self.remarks.append(f"Pads of {', of '.join(pinned)}, and nothing else.")


def _overflows(subject: Subject, findings: dict[QuestionName, Finding]) -> bool:
    """Whether a precision below the one asked in, inside the model, may have made an infinity."""
    infinite = any(f.deviation == math.inf or "not finite" in f.meaning for f in findings.values())
    return infinite and subject.precision.dtype != subject.runner.dtype


def _watch(runner: Runner, supply: Supply) -> PrecisionWatch:
    """The precision inside, from one row by itself or, where that is refused, from the batch."""
    try:
        return runner.watched(supply.feed([supply.shortest]))
    except Refused:
        return runner.watched(supply.feed(steps=supply.given))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _refused(refusal: Refused) -> str:
    return (
        f"the model refuses the batch ({refusal}): padcheck calls it as call(model, inputs, "
        "lengths, *extra), lengths of their own after their extra, with random padding unless "
        f"pad_marker says what pads hold {see('dictionary')}"
    )
