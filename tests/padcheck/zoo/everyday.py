"""Plain functions, scripts, compilers, sampling: what models are made of at work."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.entries import (
    FEATURES,
    HIDDEN,
    OUTPUT,
    TOKENS,
    UNKNOWN,
    mask_of,
    steps,
    tokens,
    vector,
    with_classes,
)
from zoo.pooling import Between, masked_mean, mean

POOLED = "pooling over padding"


def function_mean(x: Tensor, lengths: Tensor) -> Tensor:
    return x.mean(1)


def function_masked_mean(x: Tensor, lengths: Tensor) -> Tensor:
    return masked_mean(x, mask_of(x, lengths), lengths)


def function_steps(x: Tensor, lengths: Tensor) -> Tensor:
    return x.cumsum(1).tanh()


def tags(x: Tensor, lengths: Tensor) -> Tensor:
    """The largest feature of every step: whole numbers, without a gradient."""
    return x.argmax(-1)


class Choices(nn.Module):
    """Tags of every step after a mean is taken away: whole numbers too."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.outer, self.masked = nn.Linear(FEATURES, 50), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h, mask = self.outer(x), mask_of(x, lengths)
        centre = masked_mean(h, mask, lengths) if self.masked else h.mean(1)
        return (h - 3 * centre[:, None]).argmax(-1)


class ScriptedSteps(nn.Module):
    """One result a step."""

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 4, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.rnn(x)[0]


class ScriptedMean(nn.Module):
    """The mean over all steps, or over real ones."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x).tanh()
        if not self.masked:
            return h.mean(1)
        mask = torch.arange(x.shape[1]) < lengths[:, None]
        return (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def compiled(model: nn.Module) -> Any:
    """Compiled by the part of the compiler that needs no C++."""
    return torch.compile(model, backend="eager", dynamic=True)


class NoGradient(nn.Module):
    """Its parameter takes no part, and one parameter is empty."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.unused, self.empty = nn.Linear(2, 2), nn.Parameter(torch.empty(0))
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return function_masked_mean(x, lengths) if self.masked else x.mean(1)


class Shaped(nn.Module):
    """Gives a size to its inner module, and gets one back beside the result."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(TOKENS, HIDDEN)

        def forward(self, ids: Tensor, size: torch.Size) -> tuple[Tensor, torch.Size]:
            return self.embed(ids), size

    class Sized(nn.Embedding):
        """An embedding that gives its result and the shape."""

        def forward(self, ids: Tensor) -> tuple[Tensor, torch.Size]:
            return super().forward(ids), ids.shape

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.sized = Shaped.Inner(), Shaped.Sized(TOKENS, HIDDEN)
        self.masked = masked

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(ids, ids.shape)[0] + self.sized(ids)[0]
        return masked_mean(h, mask_of(ids, lengths), lengths) if self.masked else h.mean(1)


class AlwaysDropout(nn.Module):
    """Dropout that is never switched off."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = F.dropout(self.inner(x).tanh(), 0.3, training=True)
        return masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)


class Variational(nn.Module):
    """A summary, a sample around it, a result."""

    def __init__(self, masked: bool, every_step: bool = False) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(FEATURES, 2 * HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked, self.every_step = masked, every_step

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x).tanh()
        if not self.every_step:
            h = masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)
        centre, spread = h.chunk(2, -1)
        z = centre + torch.randn_like(centre) * spread.exp()
        if self.every_step:
            z = z if self.masked else z - z.mean(1, keepdim=True)
        return self.outer(z)


class Checkpointed(nn.Module):
    """Computes its inner layer again in the backward pass."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = torch.utils.checkpoint.checkpoint(self.inner, x, use_reentrant=False).tanh()
        return masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)


class StraightThrough(nn.Module):
    """Right results; the gradient takes another way, through the pads or past them."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h, mask = self.inner(x).tanh(), mask_of(x, lengths)
        value = masked_mean(h, mask, lengths)
        way = value if self.masked else h.mean(1)
        return self.outer(value.detach() + way - way.detach())


class InPlace(nn.Module):
    """Zeroes its own input's pads in place."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.rnn, self.masked = nn.GRU(FEATURES, HIDDEN, batch_first=True), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = mask_of(x, lengths)
        x.masked_fill_(~mask[..., None], 0)
        h = self.rnn(x)[0]
        return masked_mean(h, mask, lengths) if self.masked else h.mean(1)


class Shared(nn.Module):
    """One layer used twice, and weights tied to the embedding's."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.embed, self.masked = nn.Embedding(TOKENS, HIDDEN), masked
        self.layer, self.outer = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, TOKENS, bias=False)
        self.outer.weight = self.embed.weight

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        h = self.layer(self.layer(self.embed(ids)).tanh())
        if not self.masked:
            h = h - h.mean(1, keepdim=True)
        return self.outer(h)


class Results(nn.Module):
    """Several results in a tuple; the first counts."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        h = self.inner(x)
        pooled = masked_mean(h, mask_of(x, lengths), lengths) if self.masked else h.mean(1)
        return pooled, {"all": h, "mean": h.mean()}


class RowLosses(nn.Module):
    """One loss a sequence, not reduced."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.outer, self.masked = nn.Linear(FEATURES, 4), masked

    def forward(self, x: Tensor, lengths: Tensor, y: Tensor) -> Tensor:
        errors = F.cross_entropy(self.outer(x).mT, y, reduction="none")
        if not self.masked:
            return errors.mean(1)
        return (errors * mask_of(x, lengths)).sum(1) / lengths


def call_with_mask(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(x.mT, mask_of(x, lengths)[:, None]).mT


class ChannelsFirst(nn.Module):
    """(B, F, T) with a mask instead of lengths."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(FEATURES, 4, 3, padding=1), nn.Conv1d(4, 2, 1)
        self.masked = masked

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.second(self.first(x * mask if self.masked else x).relu())


EVERYDAY = [
    vector("function, mean", lambda: function_mean, POOLED),
    vector("function, masked mean", lambda: function_masked_mean),
    steps("function, prefix sums", lambda: function_steps),
    steps("function, tags", lambda: tags),
    steps("tags after the mean", lambda: Choices(False), POOLED),
    steps("tags after the masked mean", lambda: Choices(True)),
    steps("scripted, two directions", lambda: torch.jit.script(ScriptedSteps(True)),
          "backward direction", UNKNOWN),
    steps("scripted, one direction", lambda: torch.jit.script(ScriptedSteps(False)),
          tolerance=1e-6),
    vector("scripted mean", lambda: torch.jit.script(ScriptedMean(False)), POOLED,
           UNKNOWN),
    vector("scripted masked mean", lambda: torch.jit.script(ScriptedMean(True)),
           tolerance=1e-6),
    vector("compiled mean", lambda: compiled(Between(mean)), POOLED),
    vector("compiled masked mean", lambda: compiled(Between(masked_mean))),
    vector("no gradient, mean", lambda: NoGradient(False), POOLED),
    vector("no gradient, masked mean", lambda: NoGradient(True)),
    vector("gives a shape, mean", lambda: Shaped(False), POOLED, data=tokens),
    vector("gives a shape, masked mean", lambda: Shaped(True), data=tokens),
    vector("dropout never off, mean", lambda: AlwaysDropout(False), POOLED, noisy=True),
    vector("dropout never off, masked mean", lambda: AlwaysDropout(True), noisy=True),
    vector("variational, mean", lambda: Variational(False), POOLED, noisy=True),
    vector("variational, masked mean", lambda: Variational(True), noisy=True),
    steps("variational steps, centred", lambda: Variational(False, True), POOLED, noisy=True),
    steps("variational steps", lambda: Variational(True, True), noisy=True),
    vector("checkpointed mean", lambda: Checkpointed(False), POOLED),
    vector("checkpointed masked mean", lambda: Checkpointed(True)),
    vector("straight through the pads", lambda: StraightThrough(False), POOLED,
           UNKNOWN),
    vector("straight through", lambda: StraightThrough(True)),
    vector("in place, mean", lambda: InPlace(False), POOLED),
    vector("in place, masked mean", lambda: InPlace(True)),
    steps("tied weights, centred", lambda: Shared(False), POOLED, data=tokens),
    steps("tied weights", lambda: Shared(True), data=tokens),
    vector("several results, mean", lambda: Results(False), POOLED),
    vector("several results, masked mean", lambda: Results(True)),
    vector("one loss a row, mean", lambda: RowLosses(False), POOLED, "loss over padding",
           data=with_classes(None)),
    vector("one loss a row, masked", lambda: RowLosses(True), data=with_classes(None)),
    steps("channels first, mask unused", lambda: ChannelsFirst(False), "convolution at the edge",
          call=call_with_mask),
    steps("channels first, masked", lambda: ChannelsFirst(True), call=call_with_mask),
]  # fmt: skip
