"""What the check found: one row a question, the likely cause, and a verdict."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from course_utils.padcheck.answers import NEEDED, QUESTIONS, Cause, Question, Row
from course_utils.padcheck.picture import leak_picture, report_html
from course_utils.sequences import Side

if TYPE_CHECKING:  # the check itself loads nothing that draws
    from course_utils.pictures import Picture


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
        lines = [_wrapped(f"padcheck in {self.mode} mode: {self.headline}", 2), ""]
        lines += [_wrapped(str(row), 24) for row in self.rows]
        if self.cause:
            lines += ["", _wrapped(f"likely cause: {self.cause}", 2)]
        if self.remarks:
            lines += ["", *(_wrapped(f"- {remark}", 2) for remark in self.remarks)]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def picture(self) -> Picture | None:
        """The leak over the grid of sequences and steps; None where it could not be had."""
        return None if self.leak is None else leak_picture(self.leak, self.real)

    def _repr_html_(self) -> str:
        verdict = {True: "passed", False: "failed", None: "inconclusive"}[self.ok]
        title = f"padcheck in {self.mode} mode: {self.headline}"
        return report_html(title, verdict, self.rows, self.cause, self.picture, self.remarks)


def _wrapped(line: str, indent: int) -> str:
    return textwrap.fill(line, 100, subsequent_indent=" " * indent)
