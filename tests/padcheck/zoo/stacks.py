"""Random small models: stacks of layers, each of which minds the padding or does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from zoo.entries import TOKENS, Problem, Ragged, Specimen, ids_of, mask_of, rows_of
from zoo.pooling import masked_mean

SIZE = 4  # of every layer


class Layer(nn.Module):
    """``run(inner, h, mask, lengths)`` with the module that it needs."""

    def __init__(self, inner: nn.Module | None, run: Callable[..., Tensor]) -> None:
        super().__init__()
        self.inner, self.run = inner, run

    def forward(self, h: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
        return self.run(self.inner, h, mask, lengths)


@dataclass(frozen=True)
class Piece:
    """A layer by its name; ``safe`` ones give the same at real steps, whatever the padding."""

    name: str
    safe: bool
    build: Callable[[], nn.Module | None]
    run: Callable[..., Tensor]

    def layer(self) -> Layer:
        return Layer(self.build(), self.run)


def _packed(rnn: nn.Module, h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    packed = pack_padded_sequence(h, n, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=h.shape[1])[0]


def _attend(mha: nn.Module, h: Tensor, mask: Tensor | None) -> Tensor:
    return mha(h, h, h, key_padding_mask=None if mask is None else ~mask)[0]


def _nothing() -> None:
    return None


def _linear() -> nn.Module:
    return nn.Linear(SIZE, SIZE)


def _gru() -> nn.Module:
    return nn.GRU(SIZE, SIZE, batch_first=True)


def _both_ways() -> nn.Module:
    return nn.LSTM(SIZE, SIZE // 2, batch_first=True, bidirectional=True)


def _mha() -> nn.Module:
    return nn.MultiheadAttention(SIZE, 2, batch_first=True)


def _conv() -> nn.Module:
    return nn.Conv1d(SIZE, SIZE, 3, padding=1)


def _causal_conv() -> nn.Module:
    return nn.Conv1d(SIZE, SIZE, 3)


INNER = [
    Piece("linear", True, _linear, lambda f, h, m, n: f(h).tanh()),
    Piece("residual", True, _linear, lambda f, h, m, n: h + f(h).relu()),
    Piece("gru", True, _gru, lambda f, h, m, n: f(h)[0]),
    Piece("packed, both ways", True, _both_ways, _packed),
    Piece("attention, masked", True, _mha, lambda f, h, m, n: _attend(f, h, m)),
    Piece("zeroed convolution", True, _conv,
          lambda f, h, m, n: f((h * m[..., None]).mT).mT.tanh()),
    Piece("causal convolution", True, _causal_conv,
          lambda f, h, m, n: f(F.pad(h.mT, (2, 0))).mT.tanh()),
    Piece("layer norm", True, lambda: nn.LayerNorm(SIZE), lambda f, h, m, n: f(h)),
    Piece("prefix sums", True, _nothing, lambda f, h, m, n: h.cumsum(1).tanh()),
    Piece("real mean away", True, _nothing, lambda f, h, m, n: h - masked_mean(h, m, n)[:, None]),
    Piece("zero pads", True, _nothing, lambda f, h, m, n: h * m[..., None]),
    Piece("both ways", False, _both_ways, lambda f, h, m, n: f(h)[0]),
    Piece("attention", False, _mha, lambda f, h, m, n: _attend(f, h, None)),
    Piece("convolution", False, _conv, lambda f, h, m, n: f(h.mT).mT.tanh()),
    Piece("suffix sums", False, _nothing, lambda f, h, m, n: h.flip(1).cumsum(1).flip(1).tanh()),
    Piece("mean away", False, _nothing, lambda f, h, m, n: h - h.mean(1, keepdim=True)),
    Piece("batch mean away", False, _nothing, lambda f, h, m, n: h - h.mean(0)),
    Piece("share of T", False, _nothing,
          lambda f, h, m, n: h + (torch.arange(h.shape[1]).to(h) / h.shape[1])[:, None]),
    Piece("next step", False, _nothing, lambda f, h, m, n: h - h.roll(-1, 1)),
    Piece("instance norm", False, lambda: nn.GroupNorm(2, SIZE), lambda f, h, m, n: f(h.mT).mT),
]  # fmt: skip
ENDS = [
    Piece("steps", True, _nothing, lambda f, h, m, n: h),
    Piece("last real step", True, _nothing, lambda f, h, m, n: h[torch.arange(len(h)), n - 1]),
    Piece("first step", True, _nothing, lambda f, h, m, n: h[:, 0]),
    Piece("mean of real steps", True, _nothing, lambda f, h, m, n: masked_mean(h, m, n)),
    Piece("maximum of real steps", True, _nothing,
          lambda f, h, m, n: h.masked_fill(~m[..., None], -torch.inf).amax(1)),
    Piece("sum of squares", True, _nothing, lambda f, h, m, n: h[m].square().sum()),
    Piece("mean of squares", True, _nothing, lambda f, h, m, n: h[m].square().mean()),
    Piece("last column", False, _nothing, lambda f, h, m, n: h[:, -1]),
    Piece("mean", False, _nothing, lambda f, h, m, n: h.mean(1)),
    Piece("maximum", False, _nothing, lambda f, h, m, n: h.amax(1)),
    Piece("sum / T", False, _nothing, lambda f, h, m, n: (h * m[..., None]).sum(1) / h.shape[1]),
    Piece("mean of all squares", False, _nothing, lambda f, h, m, n: h.square().mean()),
    Piece("sum of squares / (B longest)", False, _nothing,
          lambda f, h, m, n: h[m].square().sum() / (len(n) * n.max())),
]  # fmt: skip


class Stack(nn.Module):
    """Embedding or linear layer, the pieces in turn, the end."""

    def __init__(self, pieces: Sequence[Piece], tokens: bool) -> None:
        super().__init__()
        self.tokens = tokens
        self.first = nn.Embedding(TOKENS, SIZE) if tokens else nn.Linear(3, SIZE)
        self.layers = nn.ModuleList(piece.layer() for piece in pieces)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h, mask = self.first(x), mask_of(x, lengths)
        for layer in self.layers:
            h = layer(h, mask, lengths)
        return h


def stack(inner: Sequence[Piece], end: Piece, tokens: bool) -> Specimen:
    """An entry whose verdict brute force has to find."""
    kind = "steps" if end.name == "steps" else "loss" if "squares" in end.name else "vector"
    names = [piece.name for piece in (*inner, end)]

    def data(lengths: list[int], spare: int) -> Problem:
        rows = ids_of(lengths) if tokens else rows_of(lengths, 3)
        return Problem(Ragged(rows, None, TOKENS if tokens else 0), spare=spare)

    return Specimen(" > ".join(names), kind, lambda: Stack([*inner, end], tokens), data)
