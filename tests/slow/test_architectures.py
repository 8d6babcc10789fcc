"""padcheck on the text models of ``transformers``, made tiny; the table is docs/architectures.csv.

``pytest -m long tests/slow/test_architectures.py -s`` writes the table anew.
"""

from __future__ import annotations

import csv
import time
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import (
    LEAST,
    LENGTHS,
    answer,
    configurations,
    double_throughout,
    specimen_of,
    text,
    tiny_model,
)
from torch import nn
from zoo import brute_force
from zoo.asking import ask_about, cause_of

TABLE = Path(__file__).parents[2] / "docs" / "architectures.csv"
AT_LEAST = 120
WORDS = {True: "right", False: "wrong", None: "none"}


@dataclass(frozen=True)
class Line:
    """A line of the table: one architecture and what was said of it."""

    architecture: str
    model: str
    any_padding: str
    """Brute force: does padding of any token ids change the answer?"""
    pad_token: str
    """Brute force: does padding with the pad token change it?"""
    padcheck: str
    """padcheck's verdict on padding of any token ids."""
    padcheck_pad_token: str
    """The same where padcheck was told the pad token."""
    cause: str
    where: str


def tiny(key: str, kind: type[nn.Module], configuration: Any) -> nn.Module | None:
    """A tiny model that gives one vector a step; None where its configuration does not allow it."""
    try:
        model = tiny_model(key, kind, configuration)
        for steps in (9, min(LENGTHS)):  # a few refuse short ones
            ids, lengths = torch.randint(LEAST, 50, (2, steps)), torch.tensor([steps, 1])
            with torch.no_grad():
                shape = answer(model, ids, lengths).shape
            if tuple(shape[:2]) != (2, steps):
                return None
    except Exception:  # whatever a configuration of these sizes breaks
        return None
    return model


def judge(key: str, model: nn.Module) -> tuple[Line, float]:
    """Brute force's and padcheck's verdicts, and padcheck's seconds."""
    specimen = specimen_of(key, model)
    with double_throughout():
        exact = [brute_force(specimen, model, text(pad)).right for pad in (None, 0)]
    began = time.perf_counter()
    report = ask_about(specimen, model, text(None))
    seconds = time.perf_counter() - began
    marked = ask_about(specimen, model, text(0))
    return Line(
        key, type(model).__name__, *(WORDS[right] for right in exact), WORDS[report.ok],
        WORDS[marked.ok], cause_of(report) or "", report.cause.where if report.cause else "",
    ), seconds  # fmt: skip


@pytest.mark.long
def test_every_text_architecture_is_judged_as_brute_force_judges_it(capsys):
    pytest.importorskip("transformers", reason="not installed: pip install -e .[dev]")
    lines = []
    for key, kind, configuration in configurations():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = tiny(key, kind, configuration)
            if model is None:
                continue
            line, seconds = judge(key, model)
        lines.append(line)
        with capsys.disabled():
            print(f"{seconds:6.1f} s  {', '.join(map(str, asdict(line).values()))}", flush=True)
    write(lines)
    assert len(lines) >= AT_LEAST
    pairs = [(line.any_padding, line.padcheck) for line in lines]
    pairs += [(line.pad_token, line.padcheck_pad_token) for line in lines]
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert all(bool(line.cause) is (line.padcheck == "wrong") for line in lines)


def write(lines: list[Line]) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Line)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in lines)


def test_the_committed_table_is_whole():
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= AT_LEAST
    assert [*rows[0]] == [field.name for field in fields(Line)]
    for row in rows:
        assert row["padcheck"] == row["any_padding"] in {"right", "wrong"}
        assert row["padcheck_pad_token"] == row["pad_token"] in {"right", "wrong"}
