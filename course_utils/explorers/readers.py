"""Explorer of readers: which step is read, and which steps reach it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import ipywidgets as widgets
import torch
from torch import Tensor, nn

from course_utils.data import SMALL_LENGTHS, small_batch
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer, lengths_field, parse_lengths
from course_utils.pictures import Picture, draw_reading
from course_utils.sequences import Lengths, check_lengths, lengths_of, pack, pad_batch, unpack

# What a learner chooses -> (run packed?, what is read).
READERS = {
    "output[:, -1] of a padded run": (False, "last column"),
    "output[:, -1] after unpacking": (True, "last column"),
    "last real step of a padded run": (False, "last real step"),
    "last real step after unpacking": (True, "last real step"),
    "h_n of a padded run": (False, "h_n"),
    "h_n of a packed run": (True, "h_n"),
}
_FEATURES, _HIDDEN = 4, 8


@lru_cache
def _layer(bidirectional: bool) -> nn.GRU:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.GRU(
            _FEATURES, _HIDDEN, batch_first=True, bidirectional=bidirectional, device="cpu"
        ).double()


def steps_read(what: str, packed: bool, lengths: Lengths, steps: int) -> list[list[int]]:
    """The step that a reader reads in each row, forward half and backward half."""
    last = (check_lengths(lengths) - 1).tolist()
    column, first = [steps - 1] * len(last), [0] * len(last)
    return {
        "last column": [column, column],
        "last real step": [last, last],
        "h_n": [last if packed else column, first],
    }[what]


def row_shares(gradient: Tensor) -> Tensor:
    """Each step's share of its row's gradient: ``(..., B, T, F)`` to ``(..., B, T)``.

    Rows without any gradient get zeros.
    """
    sizes = gradient.norm(dim=-1)
    total = sizes.sum(-1, keepdim=True)
    return torch.where(total > 0, sizes / total.clamp(min=torch.finfo(sizes.dtype).tiny), 0.0)


def reader_shares(
    lengths: Sequence[int], steps: int, *, what: str, packed: bool, bidirectional: bool
) -> tuple[Tensor, list[list[int]]]:
    """Where the gradient of what a reader reads goes, and the steps that it reads.

    Args:
        lengths: of the sequences, ``(B,)``.
        steps: padded length ``T``.
        what: ``"last column"``, ``"last real step"`` or ``"h_n"``.
        packed: run without padding.
        bidirectional: run in two directions.

    Returns:
        shares ``(directions, B, T)``, see ``row_shares``, and for each direction the steps.
    """
    sequences = small_batch(lengths, _FEATURES, dtype=torch.float64)
    inputs = pad_batch(sequences, max_length=steps).requires_grad_()
    layer, real = _layer(bidirectional), lengths_of(sequences)
    if packed:
        output, hidden = layer(pack(inputs, real))
        output = unpack(output, total_length=steps)[0]
    else:
        output, hidden = layer(inputs)
    read = steps_read(what, packed, real, steps)
    rows = torch.arange(len(real), device="cpu")
    found = []
    for half in range(2 if bidirectional else 1):
        features = slice(half * _HIDDEN, (half + 1) * _HIDDEN)
        vector = hidden[half] if what == "h_n" else output[rows, read[half], features]
        # A random combination: the sum of a vector's entries could cancel out.
        generator = torch.Generator("cpu").manual_seed(1)
        weights = torch.randn(_HIDDEN, generator=generator, dtype=torch.float64, device="cpu")
        found.append(torch.autograd.grad((vector * weights).sum(), inputs, retain_graph=True)[0])
    return row_shares(torch.stack(found)), read[: len(found)]


def explore_last_step(lengths: Sequence[int] = SMALL_LENGTHS) -> widgets.Widget:
    """Reader, directions, lengths and padding: which step is read, and what reaches it.

    Args:
        lengths: what the learner starts from, and may edit.
    """

    def draw(reader: str, directions: str, lengths: str, extra: float) -> Picture:
        numbers = parse_lengths(lengths, most=12)
        packed, what = READERS[reader]
        shares, read = reader_shares(
            numbers, max(numbers) + int(extra), what=what, packed=packed,
            bidirectional=directions == "two",
        )  # fmt: skip
        return draw_reading(shares, numbers, read, title=reader)

    return explorer(
        draw,
        reader=Choice(READERS, description="Read"),
        directions=Choice(["one", "two"], description="Directions"),
        lengths=lengths_field(lengths),
        extra=Slider(description="More pads", value=0, min=0, max=8),
    )
