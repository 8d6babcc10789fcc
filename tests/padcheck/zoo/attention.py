"""Attention in many hands, with and without masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.entries import FEATURES, HIDDEN, OUTPUT, floats, mask_of, steps, vector


class Attention(nn.Module):
    """One layer of attention in one of several hands."""

    def __init__(self, style: str, masked: bool) -> None:
        super().__init__()
        self.style, self.masked = style, masked
        self.inner, self.outer = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.mha = nn.MultiheadAttention(HIDDEN, 2, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h, mask = self.inner(x), mask_of(x, lengths)
        if self.style == "mha":
            out = self.mha(h, h, h, key_padding_mask=~mask if self.masked else None)[0]
        elif self.style == "sdpa":
            heads = h.unflatten(-1, (2, -1)).transpose(1, 2)
            keys = mask[:, None, None] if self.masked else None
            out = F.scaled_dot_product_attention(heads, heads, heads, attn_mask=keys)
            out = out.transpose(1, 2).flatten(2)
        else:
            scores = h @ h.mT / HIDDEN**0.5
            if self.masked:
                scores = scores + (~mask[:, None]).to(scores) * -1e4
            out = scores.softmax(-1) @ h
        return self.outer(out)


class Encoder(nn.Module):
    """torch's own transformer encoder of two layers."""

    def __init__(self, masked: bool, causal: bool = False, batch_first: bool = True) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(HIDDEN, 2, 16, 0.1, batch_first=batch_first)
        self.inner = nn.Linear(FEATURES, HIDDEN)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first)
        self.masked, self.causal = masked, causal

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        pads = ~mask_of(x, lengths) if self.masked else None
        size, causal = x.shape[1], None
        if self.causal:
            causal = torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1)
        return self.encoder(self.inner(x), mask=causal, src_key_padding_mask=pads)


class ByHand(nn.Module):
    """Attention by hand; ``allow(mask)`` is the matrix (B, T, T) of who may look at whom."""

    def __init__(self, allow, slopes: float = 0.0) -> None:
        super().__init__()
        self.project, self.outer = nn.Linear(FEATURES, 3 * HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.allow, self.slopes = allow, slopes

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, -1)
        place = torch.arange(x.shape[1])
        scores = q @ k.mT - self.slopes * (place - place[:, None]).abs()
        allowed = self.allow(mask_of(x, lengths), place)
        return self.outer(scores.masked_fill(~allowed, -1e9).softmax(-1) @ v)


def everyone(mask: Tensor, place: Tensor) -> Tensor:
    return torch.ones(len(mask), len(place), len(place), dtype=torch.bool)


def real_keys(mask: Tensor, place: Tensor) -> Tensor:
    return everyone(mask, place) & mask[:, None]


def real_queries(mask: Tensor, place: Tensor) -> Tensor:
    """The mask on the wrong axis: it hides queries."""
    return everyone(mask, place) & mask[..., None]


def window(mask: Tensor, place: Tensor) -> Tensor:
    return everyone(mask, place) & ((place - place[:, None]).abs() <= 1)


def real_window(mask: Tensor, place: Tensor) -> Tensor:
    return window(mask, place) & (mask[:, None] | torch.eye(len(place)).bool())


def causal_window(mask: Tensor, place: Tensor) -> Tensor:
    distance = place[:, None] - place
    return everyone(mask, place) & (distance >= 0) & (distance <= 2)


class Rotary(nn.Module):
    """Relative positions by rotation; keys masked or not."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.project, self.outer = nn.Linear(FEATURES, 3 * HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, -1)
        angle = torch.arange(x.shape[1])[:, None] * torch.logspace(0, -1, HIDDEN // 2).to(x)
        q, k = (self._turn(part, angle) for part in (q, k))
        scores = q @ k.mT
        if self.masked:
            scores = scores.masked_fill(~mask_of(x, lengths)[:, None], -torch.inf)
        return self.outer(scores.softmax(-1) @ v)

    @staticmethod
    def _turn(values: Tensor, angle: Tensor) -> Tensor:
        a, b = values.chunk(2, -1)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


class Linear(nn.Module):
    """Attention without softmax: sums of key times value over all, real or earlier steps."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.project, self.outer = nn.Linear(FEATURES, 3 * HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.style = style

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, -1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        if self.style == "masked":
            k = k.masked_fill(~mask_of(x, lengths)[..., None], 0)
        products = torch.einsum("bth,btk->bthk", k, v)
        if self.style == "causal":
            pairs, sums = products.cumsum(1), k.cumsum(1)
        else:
            pairs, sums = products.sum(1, keepdim=True), k.sum(1, keepdim=True)
        out = (q[..., None] * pairs).sum(2) / (q * sums).sum(-1, keepdim=True)
        return self.outer(out)


class Latents(nn.Module):
    """A few learned queries read the sequence, as in a perceiver."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked
        self.queries = nn.Parameter(torch.randn(2, HIDDEN))
        self.mha = nn.MultiheadAttention(HIDDEN, 2, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.inner(x)
        pads = ~mask_of(x, lengths) if self.masked else None
        queries = self.queries.expand(len(x), -1, -1)
        return self.mha(queries, h, h, key_padding_mask=pads)[0].flatten(1)


class ClassToken(nn.Module):
    """A learned token in front; its result is the summary."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.token = (
            nn.Linear(FEATURES, HIDDEN),
            nn.Parameter(torch.randn(1, 1, HIDDEN)),
        )
        self.layer = nn.TransformerEncoderLayer(HIDDEN, 2, 16, 0.0, batch_first=True)
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = torch.cat([self.token.expand(len(x), -1, -1), self.inner(x)], 1)
        pads = ~mask_of(h, lengths + 1) if self.masked else None
        return self.layer(h, src_key_padding_mask=pads)[:, 0]


class Pooler(nn.Module):
    """Additive attention over the states of a packed recurrent layer."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.score, self.masked = nn.Linear(HIDDEN, 1), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = self.rnn(x)[0]
        scores = self.score(h.tanh()).squeeze(-1)
        if self.masked:
            scores = scores.masked_fill(~mask_of(x, lengths), torch.finfo(scores.dtype).min)
        return (scores.softmax(1)[..., None] * h).sum(1)


UNMASKED = "attention without mask"
ATTENTION = [
    *(steps(name, lambda s=style: Attention(s, False), UNMASKED)
      for name, style in [("attention by hand", "hand"), ("sdpa", "sdpa"), ("mha", "mha")]),
    *(steps(name, lambda s=style: Attention(s, True))
      for name, style in [("attention by hand, masked", "hand"), ("sdpa, masked", "sdpa"),
                          ("mha, masked", "mha")]),
    steps("encoder", lambda: Encoder(False), UNMASKED),
    steps("encoder, masked", lambda: Encoder(True)),
    steps("encoder, masked, train", lambda: Encoder(True), mode="train"),
    steps("causal encoder", lambda: Encoder(False, causal=True)),
    steps("time-major encoder", lambda: Encoder(False, batch_first=False), "layout"),
    steps("everyone looks at everyone", lambda: ByHand(everyone), UNMASKED),
    steps("everyone looks at real steps", lambda: ByHand(real_keys)),
    steps("mask on the queries", lambda: ByHand(real_queries), UNMASKED, "wrong attention mask",
          "softmax over padding"),
    steps("window of attention", lambda: ByHand(window), UNMASKED, "wrong attention mask",
          "softmax over padding"),
    steps("window of attention to real steps", lambda: ByHand(real_window)),
    steps("window of attention to earlier steps", lambda: ByHand(causal_window)),
    steps("slopes of distance", lambda: ByHand(everyone, 0.3), UNMASKED),
    steps("slopes of distance, masked", lambda: ByHand(real_keys, 0.3)),
    steps("rotary", lambda: Rotary(False), UNMASKED),
    steps("rotary, masked", lambda: Rotary(True)),
    steps("linear attention", lambda: Linear("plain"), UNMASKED, "pooling over padding"),
    steps("linear attention, masked", lambda: Linear("masked")),
    steps("linear attention, causal", lambda: Linear("causal")),
    vector("latents", lambda: Latents(False), UNMASKED),
    vector("latents, masked", lambda: Latents(True)),
    vector("class token", lambda: ClassToken(False), UNMASKED),
    vector("class token, masked", lambda: ClassToken(True)),
    vector("additive attention", lambda: Pooler(False), "softmax over padding"),
    vector("additive attention, masked", lambda: Pooler(True), data=floats),
]  # fmt: skip
