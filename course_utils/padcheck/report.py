"""What the check found: one finding a question, the likely cause, and a verdict."""

from __future__ import annotations

import dataclasses
import html
import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from course_utils.padcheck.causes import Cause
from course_utils.sequences import Side

if TYPE_CHECKING:
    from course_utils.pictures import Picture

Outcome = Literal["passed", "failed", "not asked", "inconclusive", "warning"]
QuestionName = Literal[
    "values", "amount", "alone", "mates", "order", "leak", "parameters", "poison"
]

QUESTIONS: dict[QuestionName, str] = {
    "values": "other numbers in the pads, same result?",
    "amount": "more padding or less, same result?",
    "alone": "each sequence by itself, same result?",
    "mates": "other sequences beside it, same result?",
    "order": "rows in another order, same results?",
    "leak": "does the gradient stay out of the pads?",
    "parameters": "same gradients as without padding?",
    "poison": "does NaN stay in the pads?",
}
SIGNS: dict[Outcome, str] = {
    "passed": "✓",
    "failed": "✗",
    "not asked": "–",
    "inconclusive": "?",
    "warning": "!",
}


@dataclass(frozen=True)
class Finding:
    """What was found for one question."""

    question: QuestionName
    outcome: Outcome
    meaning: str
    """What the outcome says, in words."""
    deviation: float | None = None
    """Largest difference of real results over their largest size."""
    tolerance: float | None = None
    needless: bool = False
    """Whether a green verdict needs no better outcome: there is nothing that could be asked."""

    def __str__(self) -> str:
        size = "" if self.deviation is None else f"{self.deviation:.1e}"
        return f"{SIGNS[self.outcome]} {self.question:<11}{size:>8}  {self.outcome}: {self.meaning}"


# Without these there is no verdict.
NEEDED: tuple[QuestionName, ...] = ("values", "amount", "alone", "order", "parameters")


@dataclass(frozen=True)
class Report:
    """All findings of a check. Print it, show it in a notebook, save it; true where ``ok``."""

    findings: tuple[Finding, ...]
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

    def __getitem__(self, question: QuestionName) -> Finding:
        """The finding for one question, such as ``report["values"]``."""
        for finding in self.findings:
            if finding.question == question:
                return finding
        raise KeyError(f"{question!r} is not a question, use one of {list(QUESTIONS)}")

    def __bool__(self) -> bool:
        return self.ok is True

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The questions that the model failed."""
        return tuple(f for f in self.findings if f.outcome == "failed")

    @property
    def open(self) -> tuple[Finding, ...]:
        """The questions without which there is no verdict, and that could not be asked."""
        needed = (self[name] for name in NEEDED)
        return tuple(f for f in needed if f.outcome != "passed" and not f.needless)

    @property
    def ok(self) -> bool | None:
        """True: padding does not change the results. False: it does. None: too little was asked."""
        if self.failed:
            return False
        return None if self.open else True

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        if self.ok:
            only = "" if self["parameters"].outcome == "passed" else " Judged on results only."
            return f"padding does not change the results.{only}"
        if self.ok is False:
            names = ", ".join(f.question for f in self.failed)
            return f"padding or batching changes the results (failed: {names})."
        missing = ", ".join(f.question for f in self.open)
        return f"no verdict: nothing failed, but too little could be asked (open: {missing})."

    def __str__(self) -> str:
        lines = [_wrapped(f"padcheck in {self.mode} mode: {self.headline}", 2), ""]
        lines += [_wrapped(str(finding), 24) for finding in self.findings]
        if self.cause:
            lines += ["", _wrapped(f"likely cause: {self.cause}", 2)]
        if self.remarks:
            lines += ["", *(_wrapped(f"- {remark}", 2) for remark in self.remarks)]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def json(self) -> str:
        """Verdict, findings, cause and remarks as JSON; an infinite deviation is a text."""
        content = {
            "ok": self.ok,
            "headline": self.headline,
            "mode": self.mode,
            "padding_side": self.side,
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "cause": dataclasses.asdict(self.cause) if self.cause else None,
            "remarks": list(self.remarks),
        }
        for finding in content["findings"]:
            found = finding["deviation"]
            finding["deviation"] = found if found is None or found < float("inf") else str(found)
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)

    @property
    def picture(self) -> Picture | None:
        """The leak over the grid of sequences and steps; None where it could not be had."""
        return None if self.leak is None else leak_picture(self.leak, self.real)

    @property
    def html(self) -> str:
        """The report for a web page, with the picture where ``drawsvg`` is installed."""
        return report_html(self)

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> Path:
        """Write the report as ``.html``, ``.json`` or ``.txt``, whatever the path ends in.

        Raises:
            ValueError: another ending.
        """
        path = Path(path)
        content = {".html": "html", ".json": "json", ".txt": "__str__"}.get(path.suffix)
        if content is None:
            raise ValueError(f"{path.name!r} ends in {path.suffix!r}: use .html, .json or .txt")
        text = str(self) if content == "__str__" else getattr(self, content)
        if content == "html":
            text = f'<!doctype html><meta charset="utf-8"><title>padcheck</title>{text}'
        path.write_text(text + "\n", encoding="utf-8")
        return path


def _wrapped(line: str, indent: int) -> str:
    return textwrap.fill(line, 100, subsequent_indent=" " * indent)


# The colours of Okabe and Ito; a sign and a word say the same.
_COLOURS = {
    "passed": "#009E73",
    "failed": "#D55E00",
    "warning": "#E69F00",
    "inconclusive": "#E69F00",
    "not asked": "#0072B2",
}
# A bigger batch is drawn from its top left corner.
_MOST_ROWS, _MOST_STEPS = 16, 40


def leak_picture(leak: Tensor, real: Tensor) -> Picture:
    """Size of the result's gradient at every cell ``(B, T)``; ``real`` is True at real steps."""
    from course_utils.pictures import draw_heat

    shown = leak[:_MOST_ROWS, :_MOST_STEPS]
    cut = "" if shown.shape == leak.shape else f" (the first {len(shown)} rows)"
    return draw_heat(
        shown,
        real[:_MOST_ROWS, :_MOST_STEPS],
        title=f"How strongly the result depends on every cell{cut}",
        names=[f"row {i}" for i in range(len(shown))],
    )


def report_html(report: Report) -> str:
    """Table of findings, likely cause, picture of the leak and remarks."""
    outcome = {True: "passed", False: "failed", None: "inconclusive"}[report.ok]
    title = f"padcheck in {report.mode} mode: {report.headline}"
    parts = [
        '<div style="color:var(--jp-content-font-color1,#222);line-height:1.45">',
        f"<p>{_badge(outcome)} <strong>{html.escape(title)}</strong></p>",
        '<table style="text-align:left"><thead><tr><th>question</th><th>outcome</th>'
        "<th>deviation</th><th>what it means</th></tr></thead><tbody>",
        *(_table_row(finding) for finding in report.findings),
        "</tbody></table>",
    ]
    if report.cause:
        parts.append(f"<p><strong>Likely cause:</strong> {html.escape(str(report.cause))}</p>")
    parts.append(_picture_html(report))
    if report.remarks:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in report.remarks)
        parts.append(f"<ul>{items}</ul>")
    return "".join(parts) + "</div>"


def _picture_html(report: Report) -> str:
    try:
        picture = report.picture
    except ImportError:  # the pictures are an extra: pip install course-utils[course]
        return ""
    return picture.html if picture else ""


def _badge(outcome: str) -> str:
    return (
        f'<span aria-hidden="true" style="border-left:5px solid {_COLOURS[outcome]};'
        f'padding-left:6px;font-weight:bold">{SIGNS[outcome]}</span>'
    )


def _table_row(finding: Finding) -> str:
    size = "" if finding.deviation is None else f"{finding.deviation:.1e}"
    left = ' style="text-align:left"'
    return (
        f"<tr><td{left}><strong>{finding.question}</strong>: {QUESTIONS[finding.question]}</td>"
        f"<td{left}>{_badge(finding.outcome)} {finding.outcome}</td><td>{size}</td>"
        f"<td{left}>{html.escape(finding.meaning)}</td></tr>"
    )
