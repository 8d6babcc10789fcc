"""What the check found: one row a question, the likely cause, and a verdict."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from course_utils.sequences import Side

Verdict = Literal["passed", "failed", "not asked", "inconclusive", "warning"]
Question = Literal["values", "amount", "alone", "mates", "order", "leak", "parameters", "poison"]

QUESTIONS: dict[Question, str] = {
    "values": "other numbers in the pads, same result?",
    "amount": "more padding or less, same result?",
    "alone": "each sequence by itself, same result?",
    "mates": "other sequences beside it, same result?",
    "order": "rows in another order, same results?",
    "leak": "does the gradient stay out of the pads?",
    "parameters": "same gradients as without padding?",
    "poison": "does NaN stay in the pads?",
}
# Without these there is no verdict.
NEEDED: tuple[Question, ...] = ("values", "amount", "alone", "order", "parameters")
SIGNS: dict[Verdict, str] = {
    "passed": "✓",
    "failed": "✗",
    "not asked": "–",
    "inconclusive": "?",
    "warning": "!",
}


@dataclass(frozen=True)
class Row:
    """The answer to one question."""

    question: Question
    verdict: Verdict
    meaning: str
    """What the verdict says, in words."""
    deviation: float | None = None
    """Largest difference of real results over their largest size."""
    tolerance: float | None = None

    def __str__(self) -> str:
        size = "" if self.deviation is None else f"{self.deviation:.1e}"
        return f"{SIGNS[self.verdict]} {self.question:<11}{size:>8}  {self.verdict}: {self.meaning}"


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


@dataclass(frozen=True)
class Report:
    """All answers of a check. Print it, or show it in a notebook."""

    rows: tuple[Row, ...]
    cause: Cause | None
    """None where nothing failed."""
    remarks: tuple[str, ...]
    """What else there is to know: what was not checked, what was done otherwise."""
    mode: str
    real: Tensor = field(repr=False)
    """Boolean ``(B, T)``, True where a step is real."""
    leak: Tensor | None = field(repr=False)
    """Size of the result's gradient at every cell ``(B, T)``; at pads it should be 0."""
    side: Side = "right"

    def __getitem__(self, question: Question) -> Row:
        """The answer to one question, such as ``report["values"]``."""
        for row in self.rows:
            if row.question == question:
                return row
        raise KeyError(f"{question!r} is not a question, use one of {list(QUESTIONS)}")

    @property
    def failed(self) -> tuple[Row, ...]:
        """The questions that the model failed."""
        return tuple(row for row in self.rows if row.verdict == "failed")

    @property
    def ok(self) -> bool | None:
        """True: padding does not change the answer. False: it does. None: too little was asked."""
        if self.failed:
            return False
        return True if all(self[name].verdict == "passed" for name in NEEDED) else None

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        if self.ok:
            return "padding does not change the answer."
        if self.ok is False:
            names = ", ".join(row.question for row in self.failed)
            return f"padding or batching changes the answer (failed: {names})."
        missing = ", ".join(name for name in NEEDED if self[name].verdict != "passed")
        return f"no verdict: nothing failed, but too little could be asked (open: {missing})."

    def __str__(self) -> str:
        lines = [f"padcheck in {self.mode} mode: {self.headline}", ""]
        lines += [_wrapped(str(row), 24) for row in self.rows]
        if self.cause:
            lines += ["", _wrapped(f"likely cause: {self.cause}", 2)]
        if self.remarks:
            lines += ["", *(_wrapped(f"- {remark}", 2) for remark in self.remarks)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from course_utils.padcheck.picture import report_html

        return report_html(self)


def _wrapped(line: str, indent: int) -> str:
    return textwrap.fill(line, 100, subsequent_indent=" " * indent)
