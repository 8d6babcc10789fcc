"""Models that compute in another precision inside than they are given."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.entries import FEATURES, HIDDEN, OUTPUT, mask_of, steps, vector
from zoo.pooling import masked_mean

POOLED = "pooling over padding"


class Autocast(nn.Module):
    """Half precision inside, whatever comes in, as training code often asks for."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.rnn, self.masked = nn.Linear(FEATURES, HIDDEN), masked
        self.outer = nn.Linear(HIDDEN, OUTPUT)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            h = self.rnn(x).tanh()
            mask = mask_of(x, lengths)
            h = masked_mean(h, mask, lengths) if self.masked else h.mean(1)
            return self.outer(h)


class Brain(nn.Module):
    """Casts to bfloat16 by hand for its product, and back."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = F.linear(x.bfloat16(), self.inner.weight.bfloat16()).to(x.dtype)
        return masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)


class HalfConstant(nn.Module):
    """A constant in half precision: fine forward, beyond its largest number backward."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x).tanh()
        h = masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)
        constant = torch.tensor(300.0, dtype=torch.half)
        return ((h * 1e-4).half() * constant * constant).to(x.dtype)


class SingleSoftmax(nn.Module):
    """Attention to near steps, its softmax in float32; a pad far from real steps sees none.

    Of double precision, the lowest number is minus infinity in float32, so that a pad that sees
    no step is NaN there. In the model's own precision it is not.
    """

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.project, self.outer = nn.Linear(FEATURES, 3 * HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, -1)
        place = torch.arange(x.shape[1])
        near = ((place - place[:, None]).abs() <= 1)[None]
        allowed = near & mask_of(x, lengths)[:, None] if self.masked else near
        lowest = torch.zeros(allowed.shape, dtype=q.dtype)
        scores = q @ k.mT + lowest.masked_fill(~allowed, torch.finfo(q.dtype).min)
        return self.outer(scores.softmax(-1, dtype=torch.float32).to(q.dtype) @ v)


class SingleNorm(nn.Module):
    """A norm in float32, as large models have it, then a mean."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x)
        wide = h.float()
        h = (wide * wide.square().mean(-1, keepdim=True).add(1e-6).rsqrt()).to(h.dtype)
        return masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)


BF16 = {"tolerance": 0.03, "real_dtype": torch.float32}
FLOAT32 = {"options": {"dtype": torch.float32}}

SINGLE = {"tolerance": 1e-4, "real_dtype": torch.float32}

PRECISION = [
    vector("autocast mean", lambda: Autocast(False), POOLED, **BF16),
    vector("autocast masked mean", lambda: Autocast(True), **BF16),
    vector("autocast mean, asked in float32", lambda: Autocast(False), POOLED, **BF16, **FLOAT32),
    vector("autocast masked mean, asked in float32", lambda: Autocast(True), **BF16, **FLOAT32),
    vector("bfloat16 by hand, mean", lambda: Brain(False), POOLED, **BF16),
    vector("bfloat16 by hand, masked mean", lambda: Brain(True), **BF16),
    vector("bfloat16 by hand, masked mean, asked in float32", lambda: Brain(True), **BF16,
           **FLOAT32),
    vector("half constant, mean", lambda: HalfConstant(False), POOLED, tolerance=0.01),
    vector("half constant, masked mean", lambda: HalfConstant(True), tolerance=0.01),
    steps("softmax in float32", lambda: SingleSoftmax(False), "attention without mask",
          "wrong attention mask", "softmax over padding", **SINGLE),
    steps("softmax in float32, masked", lambda: SingleSoftmax(True), **SINGLE),
    steps("softmax in float32, masked, asked in float32", lambda: SingleSoftmax(True), **SINGLE,
          **FLOAT32),
    vector("norm in float32, mean", lambda: SingleNorm(False), POOLED, **SINGLE),
    vector("norm in float32, masked mean", lambda: SingleNorm(True), **SINGLE),
]  # fmt: skip
