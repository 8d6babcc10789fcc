"""padcheck on the text models of ``transformers``, made tiny; the table is docs/architectures.md.

``pytest -m long tests/slow/test_architectures.py -s`` writes the table anew.
"""

from __future__ import annotations

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

TABLE = Path(__file__).parents[2] / "docs" / "architectures.md"
AT_LEAST = 120
TEXT = """\
# Does padding change the answer of text models?

{count} text models of the package `transformers`: all whose configuration can be made tiny (two
layers of 16 numbers, 50 token ids, random weights). Each gets four sequences of token ids and
their attention mask, where it takes one, and gives one vector a step. An encoder-decoder reads the
same ids on both sides.

Two judges: **brute force** in double precision runs every sequence alone, and padded by many
amounts, and compares results and gradients (where a model asks for single precision inside, in
norms for example, brute force gives it double); **padcheck** was given the padded batch. Each
judged twice: padding holds *any* token ids, or the *pad token*, which padcheck was told
(`pad_marker=0`).

What *wrong* means, and what it does not:

- The same text gets another answer when its batch is padded otherwise. That is a fact about
  batches, not about how good a trained model is: one that was trained with padding to one length
  may answer well there. It is a reason to pad as in training, or to batch equal lengths.
- Some architectures mix positions **by design**: a Fourier transform over all positions, a
  convolution over neighbours, averages over parts of the padded length. No mask that could be
  passed would change this. The cause says where it happens.
- *Wrong* with any padding and *right* with the pad token: the model looks for the pad token. It
  must be in the padding, and the attention mask alone is not enough.

`pytest -m long tests/slow/test_architectures.py -s` makes this table anew.
"""
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
    names = [field.name for field in fields(Line)]
    rows = [[name.replace("_", " ") for name in names], ["---"] * len(names)]
    rows += [list(asdict(line).values()) for line in lines]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    TABLE.write_text(f"{TEXT.format(count=len(lines))}\n{table}\n", encoding="utf-8")


def read() -> list[Line]:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return [Line(*(cell.strip() for cell in row.split("|")[1:-1])) for row in rows[2:]]


def test_the_committed_table_agrees_with_brute_force():
    lines = read()
    assert len(lines) >= AT_LEAST
    for line in lines:
        assert line.padcheck == line.any_padding
        assert line.padcheck_pad_token == line.pad_token
        assert {line.padcheck, line.padcheck_pad_token} <= {"right", "wrong"}
