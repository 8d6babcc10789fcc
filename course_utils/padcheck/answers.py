"""One answer of the check, and the likely cause of a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
