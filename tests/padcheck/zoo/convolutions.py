"""Convolutions: edges, dilation, strides, longer and shorter results, pictures over time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.entries import (
    FEATURES,
    HIDDEN,
    OUTPUT,
    UNKNOWN,
    at_least_two,
    frames,
    mask_of,
    steps,
    vector,
)

EDGE = "convolution at the edge"


class Conv(nn.Module):
    """Two convolutions; ``style`` says what is done about the edge."""

    def __init__(self, style: str, dilation: int = 1) -> None:
        super().__init__()
        self.style, self.dilation = style, dilation
        same = dilation if style in ("same", "zeroed") else 0
        self.first = nn.Conv1d(FEATURES, HIDDEN, 3, padding=same, dilation=dilation)
        self.second = nn.Conv1d(HIDDEN, OUTPUT, 3, padding=same, dilation=dilation)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask, h = mask_of(x, lengths)[:, None], x.transpose(1, 2)
        for layer in (self.first, self.second):
            if self.style == "zeroed":
                h = h.masked_fill(~mask, 0)
            if self.style == "causal":
                h = F.pad(h, (2 * self.dilation, 0))
            if self.style == "padded":
                h = F.pad(h, (self.dilation, self.dilation))
            h = layer(h).tanh()
        return h.transpose(1, 2)


class OnceZeroed(nn.Module):
    """The pads are zero before the first convolution, and a bias later."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(FEATURES, HIDDEN, 3, padding=1), nn.ReLU(),
            nn.Conv1d(HIDDEN, OUTPUT, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        clean = x.masked_fill(~mask_of(x, lengths)[..., None], 0)
        return self.layers(clean.transpose(1, 2)).transpose(1, 2)


class MaxPoolConv(nn.Module):
    """Convolution of width 1, then the maximum over time."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.conv, self.masked = nn.Conv1d(FEATURES, OUTPUT, 1), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.conv(x.transpose(1, 2))
        if self.masked:
            h = h.masked_fill(~mask_of(x, lengths)[:, None], -torch.inf)
        return F.adaptive_max_pool1d(h, 1).squeeze(-1)


class Strided(nn.Module):
    """Every second step; the window is centred, so the last one may reach into the padding."""

    def __init__(self, zeroed: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(FEATURES, OUTPUT, 3, stride=2, padding=1)
        self.zeroed = zeroed

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.zeroed:
            x = x.masked_fill(~mask_of(x, lengths)[..., None], 0)
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


def half_up(n: Tensor) -> Tensor:
    return (n + 1) // 2


def half_down(n: Tensor) -> Tensor:
    return n // 2


def double(n: Tensor) -> Tensor:
    return 2 * n


class Pyramid(nn.Module):
    """Two neighbours are joined into one step, as speech models do, before a GRU."""

    def __init__(self, zeroed: bool) -> None:
        super().__init__()
        self.rnn, self.zeroed = nn.GRU(2 * FEATURES, HIDDEN, batch_first=True), zeroed

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.zeroed:
            x = x.masked_fill(~mask_of(x, lengths)[..., None], 0)
        x = F.pad(x, (0, 0, 0, x.shape[1] % 2))
        return self.rnn(x.reshape(len(x), -1, 2 * FEATURES))[0]


class Halved(nn.Module):
    """Pooling of pairs, then a layer."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.inner, self.pool, self.outer = nn.Linear(FEATURES, HIDDEN), pool, nn.Linear(HIDDEN, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.outer(self.pool(self.inner(x).mT).mT.relu())


class Longer(nn.Module):
    """Twice as many steps: each repeated, interpolated, or by a transposed convolution."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.inner, self.style = nn.Linear(FEATURES, HIDDEN), style
        wide = 2 if style == "transposed" else 4
        self.up = nn.ConvTranspose1d(HIDDEN, OUTPUT, wide, stride=2, padding=wide // 2 - 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x).tanh()
        if self.style == "repeated":
            return h.repeat_interleave(2, 1)
        if self.style == "interpolated":
            return F.interpolate(h.mT, scale_factor=2, mode="linear").mT
        return self.up(h.mT).mT


class Frames(nn.Module):
    """A small picture a step: each by itself, or with its neighbours in time."""

    def __init__(self, over_time: bool) -> None:
        super().__init__()
        self.over_time = over_time
        self.conv3 = nn.Conv3d(1, OUTPUT, (3, 2, 2), padding=(1, 0, 0))
        self.conv2 = nn.Conv2d(1, OUTPUT, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.over_time:
            return self.conv3(x[:, None])[..., 0, 0].mT
        return self.conv2(x.flatten(0, 1)[:, None])[..., 0, 0].unflatten(0, x.shape[:2])


class Spectrogram(nn.Module):
    """A two-dimensional convolution over time and features."""

    def __init__(self, zeroed: bool) -> None:
        super().__init__()
        self.conv, self.zeroed = nn.Conv2d(1, 2, 3, padding=1), zeroed

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.zeroed:
            x = x.masked_fill(~mask_of(x, lengths)[..., None], 0)
        return self.conv(x[:, None]).transpose(1, 2).flatten(2)


class Conformer(nn.Module):
    """Gate, convolution of each channel, norm: the block that forgets its mask."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, 2 * HIDDEN), masked
        self.conv = nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1, groups=HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = F.glu(self.inner(x), -1)
        if self.masked:
            h = h * mask_of(x, lengths)[..., None]
        return self.norm(self.conv(h.mT).mT)


class Summary(nn.Module):
    """Convolution and maximum of real results: the text classifier of many tutorials."""

    def __init__(self, zeroed: bool) -> None:
        super().__init__()
        self.conv, self.zeroed = nn.Conv1d(FEATURES, HIDDEN, 3, padding=1), zeroed

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = mask_of(x, lengths)[..., None]
        h = self.conv((x.masked_fill(~mask, 0) if self.zeroed else x).mT).mT
        return h.masked_fill(~mask, -torch.inf).amax(1)


CONVOLUTIONS = [
    steps("same convolutions", lambda: Conv("same"), EDGE),
    steps("F.pad convolutions", lambda: Conv("padded"), EDGE),
    steps("zeroed convolutions", lambda: Conv("zeroed")),
    steps("causal convolutions", lambda: Conv("causal")),
    steps("zeroed once", OnceZeroed, EDGE),
    steps("dilated convolutions", lambda: Conv("same", 2), EDGE),
    steps("dilated convolutions, zeroed", lambda: Conv("zeroed", 2)),
    steps("dilated convolutions, causal", lambda: Conv("causal", 2)),
    vector("adaptive max pool", lambda: MaxPoolConv(False), "maximum over padding"),
    vector("adaptive max pool, masked", lambda: MaxPoolConv(True)),
    vector("text classifier", lambda: Summary(False), EDGE),
    vector("text classifier, zeroed", lambda: Summary(True)),
    steps("strided", lambda: Strided(False), EDGE, out_lengths=half_up),
    steps("strided, zeroed", lambda: Strided(True), out_lengths=half_up),
    steps("pyramid", lambda: Pyramid(False), "joined neighbours", UNKNOWN, out_lengths=half_up),
    steps("pyramid, zeroed", lambda: Pyramid(True), out_lengths=half_up),
    steps("pairs, the odd one with a pad", lambda: Halved(nn.MaxPool1d(2, ceil_mode=True)),
          "maximum over padding", EDGE, "pooling over padding", out_lengths=half_up),
    steps("pairs, the odd one left out", lambda: Halved(nn.MaxPool1d(2)), out_lengths=half_down,
          data=at_least_two),
    steps("mean of pairs", lambda: Halved(nn.AvgPool1d(2)), out_lengths=half_down,
          data=at_least_two),
    steps("mean of three", lambda: Halved(nn.AvgPool1d(3, 1, 1)), "pooling over padding", EDGE),
    steps("each step twice", lambda: Longer("repeated"), out_lengths=double),
    steps("interpolated", lambda: Longer("interpolated"), UNKNOWN,
          out_lengths=double),
    steps("transposed convolution", lambda: Longer("transposed"), out_lengths=double),
    steps("transposed convolution that overlaps", lambda: Longer("overlap"), EDGE,
          out_lengths=double),
    steps("pictures with neighbours", lambda: Frames(True), EDGE, data=frames),
    steps("pictures by themselves", lambda: Frames(False), data=frames),
    steps("spectrogram", lambda: Spectrogram(False), EDGE),
    steps("spectrogram, zeroed", lambda: Spectrogram(True)),
    steps("conformer block", lambda: Conformer(False), EDGE),
    steps("conformer block, masked", lambda: Conformer(True)),
]  # fmt: skip
