"""``padcheck``: ask a model whether padding changes its answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from course_utils.padcheck.answers import QUESTIONS, Cause, Row
from course_utils.padcheck.arguments import Options, check_arguments
from course_utils.padcheck.batches import Batch, Sequences
from course_utils.padcheck.case import SINGLE, Case, deviation
from course_utils.padcheck.cause import find_cause
from course_utils.padcheck.causes import CAUSES
from course_utils.padcheck.losses import Fit, ask_alone_loss
from course_utils.padcheck.probe import Kind, Probe, Refused, undisturbed, unexpected_shape
from course_utils.padcheck.questions import (
    CHAOS,
    ask_alone,
    ask_amount,
    ask_leak,
    ask_mates,
    ask_order,
    ask_parameters,
    ask_poison,
    ask_values,
)
from course_utils.padcheck.report import Report
from course_utils.sequences import Lengths, Side


def _call(model: Callable[..., Any], inputs: Tensor, lengths: Tensor, *extra: Tensor) -> Any:
    return model(inputs, lengths, *extra)


def padcheck(
    model: Callable[..., Any],
    inputs: Tensor,
    lengths: Lengths,
    *extra: Tensor,
    call: Callable[..., Any] | None = None,
    output: Kind | None = None,
    reduction: str | None = None,
    padding_side: Side = "right",
    pad_marker: float | None = None,
    mode: Literal["eval", "train"] = "eval",
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Report:
    """Report whether padding, or the company of other sequences, changes a model's answer.

    In the spirit of ``torch.autograd.gradcheck``. It works on a copy: the model, its buffers and
    gradients, the random state and the default dtype are as before.

    Cost for ``B`` sequences: about 31 forward and 6 backward passes over a batch (some of them
    padded to twice the steps), 2 ``B`` forward and ``B`` backward passes over one sequence. A
    loss takes up to 3 ``B`` more forward passes over one or two sequences, a failure up to
    20 + ``B`` more to find its cause.

    Args:
        model: called as ``model(inputs, lengths, *extra)``; gives ``(B, T, ...)``, ``(B, ...)``
            or a scalar loss, or a tuple that starts with one of them.
        inputs: floats ``(B, T, F)`` or token ids ``(B, T)``. Only the real steps are used: the
            check makes its own padding.
        lengths: real steps of each sequence, ``(B,)``, at least two different ones.
        extra: tensors with the same batch axis, targets for example. Those of shape
            ``(B, T, ...)`` are cut and padded like the inputs, with the pads that they have.
        call: ``call(model, inputs, lengths, *extra)`` for models that are called otherwise.
        output: ``"steps"``, ``"vector"`` or ``"loss"`` where the shape leaves it open.
        reduction: how a loss averages, ``"token"``, ``"sequence"`` or ``"sum"``; found out if
            not given.
        padding_side: where the pads are, ``"right"`` or ``"left"``.
        pad_marker: a value that the model itself takes for padding; pads then hold it.
        mode: ``"eval"``, or ``"train"`` with dropout at zero, which also compares running
            statistics.
        dtype: precision to compute in.
        seed: of the padding and of the random combinations.

    Returns:
        a report; ``report.ok`` is True, False, or None where too little could be asked.

    Raises:
        TypeError, ValueError: a call that cannot be answered, in one sentence.
    """
    options = Options(call or _call, output, reduction, padding_side, pad_marker, mode, dtype, seed)
    given = check_arguments(model, inputs, lengths, extra, options)
    with undisturbed(inputs.device, seed):
        return _Check(model, given, options).report()


def assert_padding_invariant(
    model: Callable[..., Any], inputs: Tensor, lengths: Lengths, *extra: Tensor, **options: Any
) -> None:
    """Raise ``AssertionError`` with the report unless padding leaves the answer alone.

    For test suites. The arguments are those of :func:`padcheck`. No verdict is an error too.
    """
    report = padcheck(model, inputs, lengths, *extra, **options)
    if not report.ok:
        raise AssertionError(str(report))


class _Check:
    """One call of :func:`padcheck`."""

    def __init__(self, model: Any, given: Batch, options: Options) -> None:
        self.model, self.given, self.options = model, given, options
        self.remarks: list[str] = []
        self.fit: Fit | None = None

    def report(self) -> Report:
        case = self._main_case()
        single = self._single_case(case)
        rows = self._refuse_chaos(case) or self._ask(case, single)
        failed = {row.question for row in rows if row.verdict == "failed"}
        cause: Cause | None = None
        if self.fit is not None and not self.fit.right:
            cause = CAUSES["loss over padding"]
        elif failed:
            cause = find_cause(case, single, failed)
        self._remark(case)
        leak = None
        if case.slopes is not None and case.slopes.cells is not None:
            leak = case.slopes.cells.detach().cpu()
        return Report(
            tuple(rows), cause, tuple(self.remarks + case.notes), self.options.mode,
            case.batch.real.cpu(), leak, self.options.padding_side,
        )  # fmt: skip

    def _ask(self, case: Case, single: Case | None) -> list[Row]:
        rows = {"values": self._twice(ask_values, case, single)}
        rows["amount"] = self._twice(ask_amount, case, single)
        rows["alone"] = self._twice(self._ask_alone, case, single)
        rows["mates"], rows["order"] = ask_mates(case), ask_order(case)
        rows["leak"], rows["poison"] = ask_leak(case), ask_poison(case)
        if case.probe.kind != "loss":
            rows["parameters"] = ask_parameters(case)
        elif self.fit is None or not self.fit.right:
            reason = "the batch's loss could not be put together from single losses."
            rows["parameters"] = Row("parameters", "not asked", reason)
        else:
            rows["parameters"] = ask_parameters(case, self.fit.weights)
        return [rows[question] for question in QUESTIONS]

    def _ask_alone(self, case: Case) -> Row:
        if case.probe.kind != "loss":
            return ask_alone(case)
        row, fit = ask_alone_loss(case, self.options.reduction)
        if case.with_gradients:
            self.fit = fit
        return row

    @staticmethod
    def _twice(ask: Callable[[Case], Row], case: Case, single: Case | None) -> Row:
        """Ask again in single precision, where double precision may hide an overflow."""
        row = ask(case)
        if row.verdict != "passed" or single is None:
            return row
        again = ask(single)
        if again.verdict != "failed":
            return row
        return Row(
            row.question, "failed", f"in single precision, {again.meaning}", again.deviation,
            again.tolerance,
        )  # fmt: skip

    def _main_case(self) -> Case:
        """The model in the precision asked for, or in its own where it refuses that one."""
        try:
            probe = self._probe(self.options.dtype)
            sequences = self._sequences(probe)
            probe.result(sequences.batch(steps=sequences.steps))
        except Refused as refusal:
            own = self._own_dtype()
            if own == self.options.dtype:
                raise ValueError(_refused(refusal)) from refusal
            probe = self._probe(own)
            sequences = self._sequences(probe)
            self.remarks.append(
                f"The model refuses {self.options.dtype} ({refusal}) and was asked in {own}."
            )
        case = Case(probe, sequences)
        probe.kind = self._kind(probe, case.sequences)
        lower = probe.lowers_precision(case.batch)
        if lower:
            self.remarks.append(
                f"The model computes in a lower precision than {probe.dtype} inside, so "
                f"deviations up to {SINGLE:g} are rounding."
            )
        if lower or probe.dtype.itemsize < 8:
            epsilon = max(torch.finfo(probe.dtype).eps, torch.finfo(torch.float32).eps)
            case = Case(probe, sequences, floor=SINGLE, nudge=4 * epsilon)
        self._check_repeatable(case)
        return case

    def _probe(self, dtype: torch.dtype) -> Probe:
        return Probe(self.model, self.options.call, dtype, train=self.options.mode == "train")

    def _sequences(self, probe: Probe) -> Sequences:
        return Sequences(self.given, self.options.pad_marker, probe.dtype, self.options.seed)

    def _own_dtype(self) -> torch.dtype:
        tensors = list(self.model.parameters()) if isinstance(self.model, nn.Module) else []
        for tensor in [*tensors, self.given.inputs]:
            if tensor.is_floating_point():
                return tensor.dtype
        return torch.get_default_dtype()

    def _single_case(self, case: Case) -> Case | None:
        """The same in single precision, if that tells anything new."""
        if case.probe.dtype != torch.float64 or case.floor == SINGLE:
            return None
        probe = self._probe(torch.float32)
        probe.kind = case.probe.kind
        single = Case(
            probe, self._sequences(probe), floor=SINGLE, nudge=4 * torch.finfo(torch.float32).eps
        )
        single.with_gradients = False
        try:
            quiet = single.noise <= CHAOS
        except Refused:
            quiet = False
        if not quiet:
            self.remarks.append("Not asked in single precision: there, rounding alone is visible.")
        return single if quiet else None

    def _kind(self, probe: Probe, sequences: Sequences) -> Kind:
        """What the model's result is, by its shape in batches of different lengths."""
        batch = sequences.batch(steps=sequences.steps)
        try:
            result = probe.result(batch)
        except Refused as refusal:
            raise ValueError(_refused(refusal)) from refusal
        if self.options.output is not None:
            return self.options.output
        if result.dim() == 0:
            return "loss"
        if len(result) != len(batch.inputs):
            raise ValueError(unexpected_shape(result, batch))
        if result.dim() == 1:
            return "vector"
        return self._steps_or_vector(probe, sequences, result)

    @staticmethod
    def _steps_or_vector(probe: Probe, sequences: Sequences, result: Tensor) -> Kind:
        """Steps if the second axis follows the padded length, a vector if it stays the same."""
        batch, size = sequences.batch(steps=sequences.steps), result.shape[1]
        shortest = min(range(len(sequences)), key=sequences.sizes.__getitem__)
        steps, vector = size in (batch.steps, sequences.longest), True
        for other in (sequences.batch([shortest]), sequences.batch(steps=sequences.steps + 1)):
            try:
                found = probe.result(other)
            except Refused:
                continue
            if found.dim() != result.dim() or len(found) != len(other.inputs):
                raise ValueError(unexpected_shape(found, other))
            steps &= found.shape[1] in (other.steps, int(other.lengths.max()))
            vector &= found.shape[1] == size
            if not (steps or vector):
                raise ValueError(unexpected_shape(found, other))
        if steps and vector:
            raise ValueError(
                f"the result has shape {tuple(result.shape)}, and its second axis may count steps "
                "or features: say output='steps' or output='vector'"
            )
        return "steps" if steps else "vector"

    def _check_repeatable(self, case: Case) -> None:
        again = deviation(case.probe.answers(case.batch), case.answer)
        if again > 1e-6:
            raise ValueError(
                f"the model gives another answer each time (they differ by {again:.0e}): switch "
                "off what is random or remembered inside it, dropout by hand for example"
            )

    def _refuse_chaos(self, case: Case) -> list[Row]:
        """All questions unasked, if the model's own noise would hide every answer."""
        if math.isnan(case.noise):
            reason = "the model's results are not finite numbers."
        elif case.noise > CHAOS:
            reason = f"chaotic: results move by {case.noise:.0e} when the inputs move by rounding."
        else:
            return []
        return [Row(question, "not asked", reason) for question in QUESTIONS]

    def _remark(self, case: Case) -> None:
        probe, marker = case.probe, self.options.pad_marker
        if probe.first_of_tuple:
            self.remarks.append("The model returns several results: only the first was checked.")
        if self.options.mode == "eval" and probe.is_module:
            tracked = any(
                getattr(m, "running_mean", None) is not None for m in probe.model.modules()
            )
            if tracked:
                self.remarks.append("Running statistics not checked: ask again with mode='train'.")
        if marker is not None and any((row == marker).any() for row in case.sequences.rows):
            self.remarks.append(
                f"Real steps hold pad_marker = {marker} as well: the model takes them for padding."
            )
        if any(extra.per_step for extra in case.sequences.extras):
            self.remarks.append("Pads of extras keep the values that they have.")


def _refused(refusal: Refused) -> str:
    return (
        f"the model refuses the batch ({refusal}): padcheck calls it as call(model, inputs, "
        "lengths, *extra) with random padding, unless pad_marker says what pads hold"
    )
