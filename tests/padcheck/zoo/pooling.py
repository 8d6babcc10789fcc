"""What happens between two linear layers: pooling, normalising, mixing, places, chunks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.entries import (
    FEATURES,
    HIDDEN,
    OUTPUT,
    UNKNOWN,
    at_least_two,
    mask_of,
    series,
    steps,
    vector,
)

Mix = Callable[[Tensor, Tensor, Tensor], Tensor]


class Between(nn.Module):
    """Linear, tanh, ``mix(h, mask, lengths)``, linear."""

    def __init__(self, mix: Mix, features: int = FEATURES, size: int = HIDDEN) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(features, HIDDEN), nn.Linear(size, OUTPUT)
        self.mix = mix

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.outer(self.mix(self.inner(x).tanh(), mask_of(x, lengths), lengths))


class Raw(nn.Module):
    """Scores straight from the inputs, exponentiated without care, then multiplied by the mask."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.outer = nn.Linear(FEATURES, 1), nn.Linear(FEATURES, OUTPUT)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        with torch.no_grad():
            self.score.weight.fill_(0.1)  # scores of some hundreds where the pads are large
        weights = self.score(x).exp() * mask_of(x, lengths)[..., None]
        return self.outer((weights * x.clamp(-3, 3)).sum(1) / weights.sum(1))


class Norm(nn.Module):
    """A normalisation between two linear layers."""

    def __init__(self, norm: nn.Module, channels_last: bool = False) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.norm, self.channels_last = norm, channels_last

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x)
        h = self.norm(h) if self.channels_last else self.norm(h.mT).mT
        return self.outer(h.relu())


class RealNorm(nn.Module):
    """Batch norm fed with real steps only: right in eval mode, mixes rows in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.outer = nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, OUTPUT)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = mask_of(x, lengths)
        out = torch.zeros_like(x)
        out[mask] = self.norm(x[mask])
        return self.outer(out)


class Positions(nn.Module):
    """Adds a place: counted from the start or the end, or as a share of T or of n."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.inner, self.outer, self.style = (
            nn.Linear(FEATURES, HIDDEN),
            nn.Linear(HIDDEN, 2),
            style,
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        count = x.shape[1]
        place = torch.arange(count).to(x).expand(x.shape[:2])
        if self.style == "share of T":
            place = place / count
        elif self.style == "share of n":
            place = place / lengths[:, None]
        elif self.style == "from the end of T":
            place = count - place
        elif self.style == "from the end of n":
            place = lengths[:, None] - place
        angles = place[..., None] * torch.logspace(0, -1, HIDDEN // 2).to(x)
        return self.outer((self.inner(x) + torch.cat([angles.sin(), angles.cos()], -1)).relu())


def mean(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return h.mean(1)


def masked_mean(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def softmax_pool(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return (h.mean(-1, keepdim=True).softmax(1) * h).sum(1)


def masked_softmax_pool(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    weights = h.mean(-1).masked_fill(~mask, -1e9).softmax(1)
    return torch.einsum("bt,bth->bh", weights, h)


def zero_score_pool(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """Scores times the mask: a pad's score is 0, and exp(0) is 1."""
    weights = (h.mean(-1) * mask).softmax(1)
    return torch.einsum("bt,bth->bh", weights, h * mask[..., None])


def exp_softmax_pool(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    weights = h.sum(-1).mul(0.2).exp() * mask
    return (weights[..., None] * h).sum(1) / weights.sum(1, keepdim=True)


def sum_of_real(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return h.new_zeros(len(h), h.shape[2]).index_add(0, mask.nonzero()[:, 0], h[mask])


def top_two(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return h.sort(dim=1).values[:, -2:].sum(1)


def masked_top_two(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    low = h.masked_fill(~mask[..., None], -2.0)  # tanh is above -1
    best = low.sort(dim=1).values[:, -2:]
    return best.masked_fill(best == -2, 0).sum(1)


def deviation_pool(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """Mean and standard deviation over the steps, as speaker models pool."""
    return torch.cat([h.mean(1), h.var(1, correction=0).add(1e-3).sqrt()], -1)


def masked_deviation_pool(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    centre = masked_mean(h, mask, n)
    spread = masked_mean((h - centre[:, None]).square(), mask, n)
    return torch.cat([centre, spread.add(1e-3).sqrt()], -1)


def gate(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """Squeeze and excite: the mean over the steps scales every step."""
    return h * h.mean(1, keepdim=True).sigmoid()


def masked_gate(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return h * masked_mean(h, mask, n)[:, None].sigmoid()


def fourier(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return torch.fft.fft(h, dim=1).real


def fourier_of_real(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    rows = [torch.fft.fft(row[:size], dim=0).real for row, size in zip(h, n.tolist(), strict=True)]
    out = torch.zeros_like(h)
    out[mask] = torch.cat(rows)
    return out


def standardised(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return (h - h.mean(1, keepdim=True)) / (1 + h.var(1, keepdim=True, correction=0)).sqrt()


def real_standardised(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    centre = masked_mean(h, mask, n)[:, None]
    spread = masked_mean((h - centre).square(), mask, n)[:, None]
    return (h - centre) / (1 + spread).sqrt()


def chunk_means(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """Chunks of four steps; every step gets the mean of its chunk."""
    more = -h.shape[1] % 4
    chunks = F.pad(h, (0, 0, 0, more)).unflatten(1, (-1, 4))
    return chunks.mean(2, keepdim=True).expand_as(chunks).flatten(1, 2)[:, : h.shape[1]]


def masked_chunk_means(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    return chunk_means(h * mask[..., None], mask, n)


def scaled_by_longest(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """A sum of real steps, divided by the longest length instead of by each row's."""
    return (h * mask[..., None]).sum(1) / n.max()


def switch(beyond: Mix, usual: Mix, at: int = 18) -> Mix:
    """Long inputs go another way, as attention with blocks does."""
    return lambda h, m, n: (beyond if h.shape[1] > at else usual)(h, m, n)


def local_mean(h: Tensor, mask: Tensor, n: Tensor) -> Tensor:
    """The mean over real steps, computed by a matrix product."""
    return (mask.to(h)[:, None] @ h).squeeze(1) / n[:, None]


POOLING = [
    vector("mean pool", lambda: Between(mean), "pooling over padding"),
    vector("mean pool, masked", lambda: Between(masked_mean)),
    vector("sum / T", lambda: Between(lambda h, m, n: (h * m[..., None]).sum(1) / h.shape[1]),
           "pooling over padding"),
    vector("sum / longest", lambda: Between(scaled_by_longest), "pooling over padding",
           "batch statistics"),
    vector("sum of real steps", lambda: Between(sum_of_real)),
    vector("sum of all steps", lambda: Between(lambda h, m, n: h.sum(1)), "pooling over padding"),
    vector("max pool", lambda: Between(lambda h, m, n: h.max(1).values), "maximum over padding"),
    vector("max of zeros", lambda: Between(lambda h, m, n: (h * m[..., None] - 0.7).amax(1)),
           "maximum over padding"),
    vector("max pool, masked",
           lambda: Between(lambda h, m, n: h.masked_fill(~m[..., None], -torch.inf).amax(1))),
    vector("softmax pool", lambda: Between(softmax_pool), "softmax over padding"),
    vector("softmax pool of zero scores", lambda: Between(zero_score_pool),
           "softmax over padding"),
    vector("softmax pool, masked", lambda: Between(masked_softmax_pool)),
    vector("exp pool of bounded scores, masked", lambda: Between(exp_softmax_pool)),
    vector("careless exp", Raw, "overflow in the pads", real_dtype=torch.float32, tolerance=1e-4),
    vector("sum of the top two", lambda: Between(top_two), "maximum over padding",
           "pooling over padding", UNKNOWN),
    vector("sum of the top two, masked", lambda: Between(masked_top_two)),
    vector("mean and deviation", lambda: Between(deviation_pool, size=2 * HIDDEN),
           "pooling over padding"),
    vector("mean and deviation, masked", lambda: Between(masked_deviation_pool, size=2 * HIDDEN)),
    vector("mean pool of one feature", lambda: Between(mean, 1), "pooling over padding",
           data=series),
    vector("mean pool of one feature, masked", lambda: Between(masked_mean, 1), data=series),
    vector("log-sum-exp", lambda: Between(lambda h, m, n: h.logsumexp(1)),
           "pooling over padding", "softmax over padding"),
    vector("log-sum-exp, masked",
           lambda: Between(lambda h, m, n: h.masked_fill(~m[..., None], -1e9).logsumexp(1))),
    vector("median", lambda: Between(lambda h, m, n: h.median(1).values), "pooling over padding",
           "maximum over padding"),
    vector("first step", lambda: Between(lambda h, m, n: h[:, 0])),
    vector("last column", lambda: Between(lambda h, m, n: h[:, -1]), "last step"),
    vector("last real step", lambda: Between(lambda h, m, n: h[torch.arange(len(h)), n - 1])),
]  # fmt: skip

MIXING = [
    steps("gated by the mean", lambda: Between(gate), "pooling over padding"),
    steps("gated by the masked mean", lambda: Between(masked_gate)),
    steps("Fourier mixing", lambda: Between(fourier), "mixing over steps", UNKNOWN),
    steps("Fourier mixing of real steps", lambda: Between(fourier_of_real)),
    steps("row standardised", lambda: Between(standardised), "pooling over padding",
          "normalisation over padding"),
    steps("real standardised", lambda: Between(real_standardised)),
    steps("centred by batch", lambda: Between(lambda h, m, n: h - h.mean(0)),
          "normalisation over padding"),
    steps("suffix sums", lambda: Between(lambda h, m, n: h.flip(1).cumsum(1).flip(1)),
          "reversed padding"),
    steps("suffix sums of real steps",
          lambda: Between(lambda h, m, n: (h * m[..., None]).flip(1).cumsum(1).flip(1))),
    steps("prefix sums", lambda: Between(lambda h, m, n: h.cumsum(1))),
    steps("prefix maximum", lambda: Between(lambda h, m, n: h.cummax(1).values)),
    steps("next step", lambda: Between(lambda h, m, n: h - h.roll(-1, 1)), UNKNOWN),
    steps("step before", lambda: Between(lambda h, m, n: h - F.pad(h, (0, 0, 1, 0))[:, :-1])),
    steps("chunk means", lambda: Between(chunk_means), "pooling over padding"),
    steps("chunk means of real steps", lambda: Between(masked_chunk_means)),
    steps("place as a share of T", lambda: Positions("share of T"), "shifted positions",
          "pooling over padding"),
    steps("place as a share of n", lambda: Positions("share of n")),
    steps("place from the end of T", lambda: Positions("from the end of T"), UNKNOWN,
          "shifted positions"),
    steps("place from the end of n", lambda: Positions("from the end of n")),
    steps("place from the start", lambda: Positions("start")),
    vector("plain mean beyond 18 steps", lambda: Between(switch(mean, masked_mean)),
           "pooling over padding"),
    vector("matrix product beyond 18 steps", lambda: Between(switch(local_mean, masked_mean))),
    steps("scaled by the root of T", lambda: Between(lambda h, m, n: h / math.sqrt(h.shape[1])),
          "pooling over padding", UNKNOWN),
    steps("instance norm", lambda: Norm(nn.InstanceNorm1d(HIDDEN)), "normalisation over padding",
          data=at_least_two),
    steps("group norm", lambda: Norm(nn.GroupNorm(2, HIDDEN)), "normalisation over padding"),
    steps("batch norm, train", lambda: Norm(nn.BatchNorm1d(HIDDEN)),
          "normalisation over padding", mode="train", data=at_least_two),
    steps("batch norm", lambda: Norm(nn.BatchNorm1d(HIDDEN))),
    steps("batch norm of real steps, train", RealNorm, "batch statistics", mode="train",
          data=at_least_two),
    steps("batch norm of real steps", RealNorm),
    steps("layer norm", lambda: Norm(nn.LayerNorm(HIDDEN), True)),
    steps("layer norm, train", lambda: Norm(nn.LayerNorm(HIDDEN), True), mode="train"),
    steps("root mean square norm", lambda: Norm(nn.RMSNorm(HIDDEN), True)),
]  # fmt: skip
