"""Two sequences with lengths of their own: source and target, question and answer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from zoo.entries import (
    FEATURES,
    HIDDEN,
    OUTPUT,
    TOKENS,
    Problem,
    Ragged,
    ids_of,
    loss,
    mask_of,
    other_lengths,
    steps,
    vector,
    with_second,
    with_second_as_wide,
    with_second_of_two,
    with_static,
)


def packed_state(rnn: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """State (1, B, H) after the last real step."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return rnn(packed)[1]


def masked_mean(h: Tensor, lengths: Tensor) -> Tensor:
    mask = mask_of(h, lengths)[..., None]
    return (h * mask).sum(1) / mask.sum(1)


class Translator(nn.Module):
    """Encoder and decoder with teacher forcing: results for each step of the target.

    ``fault`` names what is left out: the packing of the source, the mask of attention, the
    direction of the decoder.
    """

    def __init__(self, fault: str = "", attention: bool = False) -> None:
        super().__init__()
        self.encoder = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        both = fault == "decoder"
        self.decoder = nn.GRU(FEATURES, HIDDEN, batch_first=True, bidirectional=both)
        self.outer = nn.Linear(HIDDEN * (1 + both), OUTPUT)
        self.fault, self.attention = fault, attention

    def forward(self, x: Tensor, n: Tensor, y: Tensor, m: Tensor) -> Tensor:
        states, state = self.encoder(x)
        if self.fault != "source":
            state = packed_state(self.encoder, x, n)
        h = self.decoder(y, state.repeat(2, 1, 1) if self.fault == "decoder" else state)[0]
        if self.attention:
            scores = h @ states.mT
            if self.fault != "mask":
                scores = scores.masked_fill(~mask_of(x, n)[:, None], -torch.inf)
            h = h + scores.softmax(-1) @ states
        return self.outer(h)


class Transformer(nn.Module):
    """torch's own decoder over torch's own encoder."""

    def __init__(self, memory_mask: bool) -> None:
        super().__init__()
        self.inner, self.memory_mask = nn.Linear(FEATURES, HIDDEN), memory_mask
        encoder = nn.TransformerEncoderLayer(HIDDEN, 2, 16, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(encoder, 1)
        self.decoder = nn.TransformerDecoderLayer(HIDDEN, 2, 16, 0.0, batch_first=True)

    def forward(self, x: Tensor, n: Tensor, y: Tensor, m: Tensor) -> Tensor:
        pads = ~mask_of(x, n)
        memory = self.encoder(self.inner(x), src_key_padding_mask=pads)
        causal = torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).triu(1)
        return self.decoder(
            self.inner(y), memory, tgt_mask=causal,
            memory_key_padding_mask=pads if self.memory_mask else None,
        )  # fmt: skip


class TranslationLoss(nn.Module):
    """Cross-entropy of the target's ids under teacher forcing."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.encoder = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.embed, self.decoder = nn.Embedding(TOKENS, 6), nn.GRU(6, HIDDEN, batch_first=True)
        self.outer, self.masked = nn.Linear(HIDDEN, TOKENS), masked

    def forward(self, x: Tensor, n: Tensor, y: Tensor, m: Tensor) -> Tensor:
        fed = F.pad(y, (1, 0))[:, :-1]
        scores = self.outer(self.decoder(self.embed(fed), packed_state(self.encoder, x, n))[0])
        if self.masked:
            y = y.masked_fill(~mask_of(y, m), -100)
        return F.cross_entropy(scores.mT, y)


def with_target_ids(lengths: list[int], spare: int) -> Problem:
    problem = with_second(lengths, spare)
    sizes = problem.extras[0].lengths.tolist()
    return Problem(problem.main, (Ragged(ids_of(sizes), None, TOKENS),), spare)


class Pair(nn.Module):
    """One result for two sequences, which are read each in its way."""

    def __init__(self, read) -> None:
        super().__init__()
        self.first = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.second = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.outer, self.read = nn.Linear(2 * HIDDEN, OUTPUT), read

    def forward(self, x: Tensor, z: Tensor, n: Tensor, m: Tensor) -> Tensor:
        h = packed_state(self.first, x, n)[-1]
        return self.outer(torch.cat([h, self.read(self.second, z, m)], -1))


def call_pair(model: nn.Module, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
    return model(x, z, n, m)


class Similarity(nn.Module):
    """Cosine of two mean vectors; the second mean takes its padding in, or not."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES, HIDDEN), masked

    def forward(self, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
        a, b = self.inner(x).tanh(), self.inner(z).tanh()
        second = masked_mean(b, m) if self.masked else b.mean(1)
        return F.cosine_similarity(masked_mean(a, n), second)


class Crossed(nn.Module):
    """Every step of the first looks at all steps of the second."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.a, self.b, self.masked = (
            nn.Linear(FEATURES, HIDDEN),
            nn.Linear(FEATURES, HIDDEN),
            masked,
        )
        self.mha = nn.MultiheadAttention(HIDDEN, 2, batch_first=True)

    def forward(self, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
        keys = self.b(z)
        pads = ~mask_of(z, m) if self.masked else None
        return self.mha(self.a(x), keys, keys, key_padding_mask=pads)[0]


class Alignment(nn.Module):
    """Soft dynamic time warping between two sequences: a loop over the whole table."""

    def __init__(self, real: bool) -> None:
        super().__init__()
        self.inner, self.real = nn.Linear(FEATURES, 2), real

    def forward(self, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
        cost = (self.inner(x)[:, :, None] - self.inner(z)[:, None]).square().sum(-1)
        rows, columns = cost.shape[1:]
        table = {(i, -1): cost.new_full((len(x),), 1e6) for i in range(rows)}
        table |= {(-1, j): cost.new_full((len(x),), 1e6) for j in range(columns)}
        table[-1, -1] = cost.new_zeros(len(x))
        for i in range(rows):
            for j in range(columns):
                ways = torch.stack([table[i - 1, j], table[i, j - 1], table[i - 1, j - 1]])
                table[i, j] = cost[:, i, j] - (-ways).logsumexp(0)
        if not self.real:
            return table[rows - 1, columns - 1]
        ends = zip(n.tolist(), m.tolist(), strict=True)
        return torch.stack([table[a - 1, b - 1][k] for k, (a, b) in enumerate(ends)])


class Conditioned(nn.Module):
    """Static features beside every step; pooled over all steps or over real ones."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.inner, self.masked = nn.Linear(FEATURES + 4, HIDDEN), masked

    def forward(self, x: Tensor, n: Tensor, static: Tensor) -> Tensor:
        h = self.inner(torch.cat([x, static[:, None].expand(-1, x.shape[1], -1)], -1)).tanh()
        return masked_mean(h, n) if self.masked else h.mean(1)


def short_second(lengths: list[int], spare: int) -> Problem:
    """Short ones, for what takes the square of the steps."""
    rows = [torch.randn(min(n, 3), FEATURES) for n in other_lengths(lengths)]
    main = [torch.randn(min(n, 4), FEATURES) for n in lengths]
    return Problem(Ragged(main), (Ragged(rows),), 0)


def second(n: Tensor, m: Tensor) -> Tensor:
    return m


PAIRS = [
    steps("translator", Translator, data=with_second, out_lengths=second),
    steps("translator, targets as wide as T", Translator, data=with_second_as_wide,
          out_lengths=second),
    steps("translator, source not packed", lambda: Translator("source"), "final state",
          data=with_second, out_lengths=second),
    steps("translator, source not packed, targets as wide as T", lambda: Translator("source"),
          "final state", data=with_second_as_wide, out_lengths=second),
    steps("translator, decoder in two directions", lambda: Translator("decoder"),
          "backward direction", data=with_second, out_lengths=second),
    steps("translator with attention", lambda: Translator(attention=True), data=with_second,
          out_lengths=second),
    steps("translator with attention, no mask", lambda: Translator("mask", True),
          "attention without mask", "softmax over padding", data=with_second, out_lengths=second),
    steps("transformer", lambda: Transformer(True), data=with_second, out_lengths=second),
    steps("transformer, memory not masked", lambda: Transformer(False), "attention without mask",
          data=with_second, out_lengths=second),
    loss("translation loss", lambda: TranslationLoss(True), data=with_target_ids),
    loss("translation loss over target pads", lambda: TranslationLoss(False), "loss over padding",
         data=with_target_ids),
    vector("two GRUs", lambda: Pair(lambda g, z, m: packed_state(g, z, m)[-1]), data=with_second,
           call=call_pair),
    vector("two GRUs, as wide as T", lambda: Pair(lambda g, z, m: packed_state(g, z, m)[-1]),
           data=with_second_as_wide, call=call_pair),
    vector("two GRUs, the second short", lambda: Pair(lambda g, z, m: packed_state(g, z, m)[-1]),
           data=with_second_of_two, call=call_pair),
    vector("two GRUs, the second short, its final state",
           lambda: Pair(lambda g, z, m: g(z)[1][-1]), "final state", data=with_second_of_two,
           call=call_pair),
    vector("two GRUs, the second's final state", lambda: Pair(lambda g, z, m: g(z)[1][-1]),
           "final state", data=with_second, call=call_pair),
    vector("two GRUs, the second's last column", lambda: Pair(lambda g, z, m: g(z)[0][:, -1]),
           "last step", data=with_second_as_wide, call=call_pair),
    vector("two GRUs, the second's mean", lambda: Pair(lambda g, z, m: g(z)[0].mean(1)),
           "pooling over padding", data=with_second, call=call_pair),
    vector("two GRUs, the second's masked mean",
           lambda: Pair(lambda g, z, m: masked_mean(g(z)[0], m)), data=with_second,
           call=call_pair),
    vector("similarity", lambda: Similarity(True), data=with_second),
    vector("similarity, pads in the second", lambda: Similarity(False), "pooling over padding",
           data=with_second),
    steps("looks at the second", lambda: Crossed(True), data=with_second),
    steps("looks at the second's pads", lambda: Crossed(False), "attention without mask",
          data=with_second),
    vector("alignment", lambda: Alignment(True), data=short_second),
    vector("alignment read at the corner", lambda: Alignment(False), "last step",
           "loop over padding", data=short_second),
    vector("static features, masked mean", lambda: Conditioned(True), data=with_static),
    vector("static features, mean", lambda: Conditioned(False), "pooling over padding",
           data=with_static),
]  # fmt: skip
