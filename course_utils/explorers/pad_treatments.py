"""Explorer of masks: what padding does to a hidden state and to its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets
import torch
from torch import Tensor, nn

from course_utils.data import SMALL_LENGTHS, small_batch
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer, lengths_field, parse_lengths
from course_utils.models import run_masked
from course_utils.pictures import Picture, draw_masking
from course_utils.sequences import lengths_to_mask, pad_batch

WAYS = ("no mask", "zeroed inputs", "masked state")
_FEATURES, _HIDDEN = 3, 4


def _layer() -> nn.RNN:
    # Weights of their own, so that a slider leaves the notebook's random numbers alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.RNN(_FEATURES, _HIDDEN, batch_first=True, dtype=torch.float64, device="cpu")


def run_way(way: str, rnn: nn.RNN, inputs: Tensor, mask: Tensor) -> Tensor:
    """The state after every step ``(B, T, H)``, the pads at the end of each row included.

    Args:
        way: ``"no mask"``, ``"zeroed inputs"`` or ``"masked state"``.
        rnn: one layer in one direction.
        inputs: ``(B, T, F)``, padded on the right.
        mask: boolean ``(B, T)``.
    """
    if way == "masked state":
        outputs, final = run_masked(rnn, inputs, mask)
        return torch.where(mask[..., None], outputs, final[0][:, None])
    if way == "zeroed inputs":
        inputs = inputs.masked_fill(~mask[..., None], 0)
    return rnn(inputs)[0]


def _draw(rnn: nn.RNN, lengths: list[int], way: str, extra: int, pad_size: float) -> Picture:
    sequences = small_batch(lengths, _FEATURES, dtype=torch.float64)
    mask = lengths_to_mask(lengths, max(lengths) + extra)
    noise = pad_size * small_batch([mask.numel()], _FEATURES, seed=1, dtype=torch.float64)[0]
    padded = pad_batch(sequences, max_length=mask.shape[1])
    inputs = torch.where(mask[..., None], padded, noise.view(padded.shape)).requires_grad_()
    states = run_way(way, rnn, inputs, mask)
    with torch.no_grad():
        alone = torch.cat([rnn(sequence[None])[1][0] for sequence in sequences])
    (slopes,) = torch.autograd.grad(states[:, -1].sum(), inputs)
    states = states.detach()
    return draw_masking(
        states[..., 0], alone[:, 0], (states[:, -1] - alone).norm(dim=1), slopes.norm(dim=2),
        lengths, title=f"One unit of the hidden state, {way}",
    )  # fmt: skip


def explore_masking(lengths: Sequence[int] = SMALL_LENGTHS) -> widgets.Widget:
    """Lengths, a way to treat pads, more pads: see the state and the gradient of its end.

    Args:
        lengths: what the learner starts from, and may edit: at most 8.
    """
    rnn = _layer()

    def draw(lengths: str, way: str, extra: float, pad_size: float) -> Picture:
        return _draw(rnn, parse_lengths(lengths, most=8), way, int(extra), pad_size)

    return explorer(
        draw,
        lengths=lengths_field(lengths),
        way=Choice(WAYS, description="Pads"),
        extra=Slider(description="More pads", value=0, min=0, max=10),
        pad_size=Slider(description="Size of pad inputs", value=0, min=0, max=3, step=0.5),
    )
