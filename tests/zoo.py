"""Small models, wrong and right, that padcheck is judged on. None was made to fit the check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_utils import masked_cross_entropy, masked_mse
from course_utils.models import GatherRNN, LastStepRNN, MaskedRNN, MeanPoolRNN, run_masked
from course_utils.padcheck import Padded
from course_utils.pitfalls import models as pitfalls

FEATURES, HIDDEN, OUTPUT, TOKENS = 3, 8, 2, 12
LENGTHS = (5, 3, 7, 2, 4)


def mask_of(x: Tensor, lengths: Tensor) -> Tensor:
    """(B, T), True = real, written anew so that the course's own mask is not its own judge."""
    return torch.arange(x.shape[1], device=x.device) < lengths.to(x.device)[:, None]


class Mean(nn.Module):
    """Linear, tanh, a way to pool, linear."""

    def __init__(self, pool: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.pool = pool

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.outer(self.pool(self.inner(x).tanh(), mask_of(x, lengths)))


def softmax_pool(h: Tensor, mask: Tensor) -> Tensor:
    return (h.mean(-1, keepdim=True).softmax(1) * h).sum(1)


def masked_softmax_pool(h: Tensor, mask: Tensor) -> Tensor:
    weights = h.mean(-1).masked_fill(~mask, -1e9).softmax(1)
    return torch.einsum("bt,bth->bh", weights, h)


def exp_softmax_pool(h: Tensor, mask: Tensor) -> Tensor:
    weights = h.sum(-1).mul(0.2).exp() * mask
    return (weights[..., None] * h).sum(1) / weights.sum(1, keepdim=True)


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


class Loop(nn.Module):
    """A cell in a Python loop; where the mask is used the old state is carried on."""

    def __init__(self, cell: type, masked: bool, every: bool = False, backward: bool = False):
        super().__init__()
        self.cell, self.outer = cell(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked, self.every, self.backward = masked, every, backward

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask, h = mask_of(x, lengths), x.new_zeros(len(x), HIDDEN)
        steps = range(x.shape[1])
        outputs = x.new_zeros(len(x), x.shape[1], HIDDEN)
        for t in reversed(steps) if self.backward else steps:
            new = self.cell(x[:, t], h)
            h = torch.where(mask[:, t, None], new, h) if self.masked else new
            outputs[:, t] = h
        return self.outer(outputs if self.every else h)


class Conv(nn.Module):
    """Two convolutions; ``style`` says what is done about the edge."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.style = style
        self.first = nn.Conv1d(FEATURES, HIDDEN, 3, padding=1 if style in ("same", "zeroed") else 0)
        self.second = nn.Conv1d(HIDDEN, OUTPUT, 3, padding=1 if style in ("same", "zeroed") else 0)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask, h = mask_of(x, lengths)[:, None], x.transpose(1, 2)
        for layer in (self.first, self.second):
            if self.style == "zeroed":
                h = h.masked_fill(~mask, 0)
            if self.style == "causal":
                h = F.pad(h, (2, 0))
            if self.style == "padded":
                h = F.pad(h, (1, 1))
            h = layer(h).tanh()
        return h.transpose(1, 2)


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
        self.inner, self.encoder = (
            nn.Linear(FEATURES, HIDDEN),
            nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first),
        )
        self.masked, self.causal = masked, causal

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        pads = ~mask_of(x, lengths) if self.masked else None
        size, causal = x.shape[1], None
        if self.causal:
            causal = torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1)
        return self.encoder(self.inner(x), mask=causal, src_key_padding_mask=pads)


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


class Tagger(nn.Module):
    """Embedding, recurrent layer, linear: token ids to one result a step or a sequence."""

    def __init__(self, style: str, bidirectional: bool = False, cell: type = nn.GRU) -> None:
        super().__init__()
        self.style = style
        self.embed = nn.Embedding(TOKENS, 6, padding_idx=0)
        self.rnn = cell(6, HIDDEN, 2, batch_first=True, bidirectional=bidirectional, dropout=0.1)
        self.outer = nn.Linear(HIDDEN * (1 + bidirectional), OUTPUT)

    def forward(self, ids: Tensor, lengths: Tensor):
        h = self.embed(ids)
        if self.style == "packed":
            packed = pack_padded_sequence(h, lengths, batch_first=True, enforce_sorted=False)
            h = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]  # T = max length
            return self.outer(h), "the second result is not looked at"
        if self.style == "long lengths":
            longer = (lengths + 1).clamp(max=ids.shape[1])
            packed = pack_padded_sequence(h, longer, batch_first=True, enforce_sorted=False)
            state = self.rnn(packed)[1]
            return self.outer((state[0] if isinstance(state, tuple) else state)[-1])
        h = self.rnn(h)[0]
        if self.style == "gather":
            return self.outer(h[torch.arange(len(h)), lengths - 1])
        if self.style == "off by one":
            return self.outer(h[torch.arange(len(h)), lengths.clamp(max=ids.shape[1] - 1)])
        return self.outer(h)


class BagOfWords(nn.Module):
    """Mean of embeddings; real if the mask is used."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.embed, self.outer = nn.Embedding(TOKENS, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked = masked

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        h = self.embed(ids)
        if not self.masked:
            return self.outer(h.mean(dim=1))
        mask = mask_of(ids, lengths)[..., None]
        return self.outer((h * mask).sum(1) / mask.sum(1))


class TimeMajor(nn.Module):
    """Time-major inside, right."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.outer = nn.LSTM(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.rnn(x)[0])


class Swapped(TimeMajor):
    """Makes a time-major batch with ``view`` instead of a transpose."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        rows, steps = x.shape[:2]
        h = self.rnn(x.reshape(steps, rows, -1))[0]
        return self.outer(h).reshape(rows, steps, -1)


class Loss(nn.Module):
    """A recurrent layer and a loss: ``reduce(prediction, target, mask, lengths)``."""

    def __init__(self, reduce: Callable[..., Tensor], classes: bool = False) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.outer = nn.Linear(HIDDEN, 4 if classes else OUTPUT)
        self.reduce = reduce

    def forward(self, x: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        return self.reduce(self.outer(self.rnn(x)[0]), target, mask_of(x, lengths), lengths)


def step_sum(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return (p - y).square().sum(-1).masked_fill(~m, 0).sum()


def sequence_mean(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    each = ((p - y).square().mean(-1) * m).sum(1) / n.to(p)
    return each.mean()


def class_weighted(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    weight = torch.linspace(0.5, 2, 4, device=p.device).to(p)
    return F.cross_entropy(p.mT, y.masked_fill(~m, -100), weight=weight)


def ctc(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    labels = torch.full_like(n, 1)
    return F.ctc_loss(p.log_softmax(-1).transpose(0, 1), y[:, :1] + 1, n, labels)


def padded_ctc(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    labels, steps = torch.full_like(n, 1), torch.full_like(n, p.shape[1])
    return F.ctc_loss(p.log_softmax(-1).transpose(0, 1), y[:, :1] + 1, steps, labels)


class Mixer(nn.Module):
    """Reverses by index, sums from the right, or standardises each row over its padded steps."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self.outer, self.style = nn.Linear(FEATURES, OUTPUT), style

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.style == "suffix sums":
            x = x.flip(1).cumsum(1).flip(1)
        elif self.style == "row standardised":
            x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
        elif self.style == "real standardised":
            m = mask_of(x, lengths)[..., None]
            mean = x.masked_fill(~m, 0).sum(1, keepdim=True) / m.sum(1, keepdim=True)
            var = (x - mean).masked_fill(~m, 0).square().sum(1, keepdim=True)
            x = (x - mean) / (1 + var).sqrt()
        elif self.style == "prefix sums":
            x = x.cumsum(1)
        elif self.style == "centred by batch":
            x = x - x.mean(0)
        return self.outer(x.tanh())


class LeftState(nn.Module):
    """Left padding: the state after the last column, with or without carrying zeros."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.rnn, self.masked = nn.GRU(FEATURES, HIDDEN, batch_first=True), masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if not self.masked:
            return self.rnn(x)[0][:, -1]
        return run_masked(self.rnn, x, mask_of(x, lengths).flip(1))[1][-1]


class Sorted(LastStepRNN):
    """Sorts, packs, and puts the rows back."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        ordered, order = lengths.sort(descending=True)
        packed = pack_padded_sequence(x[order], ordered, batch_first=True)
        state = self.rnn(packed)[1]
        hidden = state[0] if isinstance(state, tuple) else state
        return self.linear(hidden[-1][order.argsort()])


@dataclass(frozen=True)
class Specimen:
    """A model, what it eats, and what the check should say."""

    name: str
    build: Callable[[], Any]
    cause: str | None = None
    """The right cause; None for a right model."""
    data: str = "floats"
    options: dict[str, Any] = field(default_factory=dict)
    ok: bool | None = None

    @property
    def expected(self) -> bool | None:
        return self.ok if self.ok is not None else self.cause is None

    def arguments(self, seed: int) -> tuple[Any, ...]:
        """Model, inputs, lengths and targets, all random."""
        torch.manual_seed(seed)
        model = self.build()
        lengths = torch.tensor(LENGTHS)[torch.randperm(len(LENGTHS))]
        rows, steps = len(LENGTHS), max(LENGTHS) + seed % 2
        inputs = torch.randn(rows, steps, FEATURES)
        if self.data == "tokens":
            inputs = torch.randint(TOKENS, (rows, steps))
        real = torch.arange(steps) < lengths[:, None]
        if self.data == "targets":
            return model, inputs, lengths, Padded(torch.randn(rows, steps, OUTPUT), lengths)
        if self.data == "classes":
            labels = torch.randint(4, (rows, steps)).masked_fill(~real, 0)
            return model, inputs, lengths, Padded(labels, lengths)
        if self.data == "ignored":
            labels = torch.randint(4, (rows, steps)).masked_fill(~real, -100)
            return model, inputs, lengths, Padded(labels, lengths, pad=-100)
        if self.data == "labels":
            return model, inputs, lengths, torch.randint(3, (rows, 1))
        return model, inputs, lengths


def pitfall(name: str, cause: str | None, **settings: Any) -> Specimen:
    options = {k: settings.pop(k) for k in ("mode", "padding_side") if k in settings}
    data = settings.pop("data", "floats")
    kind = getattr(pitfalls, name)
    label = " ".join([name, *map(str, settings.values()), *options.values()])
    return Specimen(label, lambda: kind(FEATURES, HIDDEN, OUTPUT, **settings), cause, data, options)


def _time_major(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(x.transpose(0, 1)).transpose(0, 1)


TRAIN = {"mode": "train"}
LEFT = {"padding_side": "left"}

WRONG = [
    pitfall("LastColumnRNN", "last step", cell="lstm", num_layers=2),
    pitfall("LastColumnRNN", "last step", cell="gru"),
    pitfall("LastColumnRNN", "left padding", cell="rnn", padding_side="left"),
    pitfall("ZeroedInputsRNN", "last step", cell="gru"),
    pitfall("FinalStateRNN", "final state", cell="lstm"),
    pitfall("FinalStateRNN", "final state", cell="gru", bidirectional=True),
    pitfall("UnpackedLastColumnRNN", "last step", cell="lstm"),
    pitfall("PaddedBidirectionalRNN", "backward direction", cell="lstm", num_layers=2),
    pitfall("PaddedBidirectionalRNN", "backward direction", cell="rnn"),
    pitfall("ReversedPaddingRNN", "reversed padding", cell="gru"),
    pitfall("TimeMajorRNN", "layout", cell="lstm"),
    pitfall("SortedOrderRNN", "lost order", cell="gru"),
    pitfall("PaddedMeanRNN", "pooling over padding", cell="lstm"),
    pitfall("PaddedMaxRNN", "maximum over padding", cell="gru", bidirectional=True),
    pitfall("ZeroScoreAttentionRNN", "softmax over padding", cell="gru"),
    pitfall("ValueMaskRNN", "lengths from values", cell="lstm"),
    pitfall("GridStandardizedRNN", "normalisation over padding"),
    pitfall("UnmaskedTransformer", "attention without mask"),
    pitfall("InvertedMaskTransformer", "wrong attention mask"),
    pitfall("EdgeConvolution", "convolution at the edge"),
    pitfall("BatchNormOverTime", "normalisation over padding", mode="train"),
    pitfall("GroupNormOverTime", "normalisation over padding"),
    pitfall("GridLossRNN", "loss over padding", data="targets"),
    pitfall("LongestLengthLossRNN", "loss over padding", data="targets", cell="gru"),
    Specimen("mean pool", lambda: Mean(lambda h, m: h.mean(1)), "pooling over padding"),
    Specimen("sum / T", lambda: Mean(lambda h, m: (h * m[..., None]).sum(1) / h.shape[1]),
             "pooling over padding"),
    Specimen("max pool", lambda: Mean(lambda h, m: h.max(1).values), "maximum over padding"),
    Specimen("max of zeros", lambda: Mean(lambda h, m: (h * m[..., None] - 0.7).amax(1)),
             "maximum over padding"),
    Specimen("softmax pool", lambda: Mean(softmax_pool), "softmax over padding"),
    Specimen("careless exp", Raw, "overflow in the pads"),
    Specimen("loop of LSTM-like cells", lambda: Loop(nn.GRUCell, False), "loop over padding"),
    Specimen("backward loop", lambda: Loop(nn.RNNCell, False, True, True), "loop over padding"),
    Specimen("same convolutions", lambda: Conv("same"), "convolution at the edge"),
    Specimen("F.pad convolutions", lambda: Conv("padded"), "convolution at the edge"),
    Specimen("adaptive max pool", lambda: MaxPoolConv(False), "maximum over padding"),
    Specimen("attention by hand", lambda: Attention("hand", False), "attention without mask"),
    Specimen("sdpa", lambda: Attention("sdpa", False), "attention without mask"),
    Specimen("mha", lambda: Attention("mha", False), "attention without mask"),
    Specimen("encoder", lambda: Encoder(False), "attention without mask"),
    Specimen("time-major encoder", lambda: Encoder(False, batch_first=False), "layout"),
    Specimen("instance norm", lambda: Norm(nn.InstanceNorm1d(HIDDEN)),
             "normalisation over padding"),
    Specimen("batch norm, train", lambda: Norm(nn.BatchNorm1d(HIDDEN)),
             "normalisation over padding", options=TRAIN),
    Specimen("batch norm of real steps, train", RealNorm, "batch statistics", options=TRAIN),
    Specimen("tagger, two directions", lambda: Tagger("padded", True), "backward direction",
             "tokens"),
    Specimen("tagger, off by one", lambda: Tagger("off by one"), "last step", "tokens"),
    Specimen("tagger, lengths + 1", lambda: Tagger("long lengths"), "wrong lengths", "tokens"),
    Specimen("bag of words", lambda: BagOfWords(False), "pooling over padding", "tokens"),
    Specimen("view for transpose", Swapped, "layout"),
    Specimen("grid cross-entropy",
             lambda: Loss(lambda p, y, m, n: F.cross_entropy(p.flatten(0, 1), y.flatten()), True),
             "loss over padding", "classes"),
    Specimen("masked sum / (B T)",
             lambda: Loss(lambda p, y, m, n: step_sum(p, y, m, n) / m.numel()),
             "loss over padding", "targets"),
    Specimen("ctc over T", lambda: Loss(padded_ctc, True), "wrong lengths", "labels"),
    Specimen("row standardised", lambda: Mixer("row standardised"), "pooling over padding"),
    Specimen("suffix sums", lambda: Mixer("suffix sums"), "reversed padding"),
    Specimen("centred by batch", lambda: Mixer("centred by batch"), "normalisation over padding"),
    Specimen("left state", lambda: LeftState(False), "left padding", options=LEFT),
]  # fmt: skip

RIGHT = [
    pitfall("BackwardAtLastStepRNN", None, cell="gru"),
    pitfall("FirstLayerStatesRNN", None, cell="lstm"),
    pitfall("BatchNormOverTime", None),
    Specimen("LastStepRNN lstm", lambda: LastStepRNN(3, 8, 2, cell="lstm", bidirectional=True)),
    Specimen("LastStepRNN gru, two layers", lambda: LastStepRNN(3, 8, 2, cell="gru", num_layers=2)),
    Specimen("MaskedRNN", lambda: MaskedRNN(3, 8, 2, cell="lstm", bidirectional=True)),
    Specimen("GatherRNN", lambda: GatherRNN(3, 8, 2, cell="gru", num_layers=2)),
    Specimen("MeanPoolRNN", lambda: MeanPoolRNN(3, 8, 2, bidirectional=True)),
    Specimen("sorted and put back", lambda: Sorted(3, 8, 2, cell="lstm")),
    Specimen("mean pool, masked", lambda: Mean(lambda h, m: (h * m[..., None]).sum(1)
                                               / m.sum(1, keepdim=True))),
    Specimen("max pool, masked",
             lambda: Mean(lambda h, m: h.masked_fill(~m[..., None], -torch.inf).amax(1))),
    Specimen("sum of real steps", lambda: Mean(lambda h, m: h[m].new_zeros(len(h), h.shape[2])
                                               .index_add(0, m.nonzero()[:, 0], h[m]))),
    Specimen("softmax pool, masked", lambda: Mean(masked_softmax_pool)),
    Specimen("exp pool of bounded scores, masked", lambda: Mean(exp_softmax_pool)),
    Specimen("loop that carries", lambda: Loop(nn.GRUCell, True)),
    Specimen("forward loop of steps", lambda: Loop(nn.RNNCell, False, True)),
    Specimen("backward loop that carries", lambda: Loop(nn.RNNCell, True, True, True)),
    Specimen("zeroed convolutions", lambda: Conv("zeroed")),
    Specimen("causal convolutions", lambda: Conv("causal")),
    Specimen("adaptive max pool, masked", lambda: MaxPoolConv(True)),
    Specimen("attention by hand, masked", lambda: Attention("hand", True)),
    Specimen("sdpa, masked", lambda: Attention("sdpa", True)),
    Specimen("mha, masked", lambda: Attention("mha", True)),
    Specimen("encoder, masked", lambda: Encoder(True)),
    Specimen("causal encoder", lambda: Encoder(False, causal=True)),
    Specimen("layer norm", lambda: Norm(nn.LayerNorm(HIDDEN), True)),
    Specimen("layer norm, train", lambda: Norm(nn.LayerNorm(HIDDEN), True), options=TRAIN),
    Specimen("encoder, masked, train", lambda: Encoder(True), options=TRAIN),
    Specimen("batch norm of real steps", RealNorm),
    Specimen("tagger, packed", lambda: Tagger("packed", True, nn.LSTM), data="tokens"),
    Specimen("tagger, packed, train", lambda: Tagger("packed", True), data="tokens", options=TRAIN),
    Specimen("tagger, one direction", lambda: Tagger("padded"), data="tokens"),
    Specimen("tagger, gather", lambda: Tagger("gather"), data="tokens"),
    Specimen("bag of words, masked", lambda: BagOfWords(True), data="tokens"),
    Specimen("time-major", TimeMajor, options={"call": _time_major}),
    Specimen("sum of squares", lambda: Loss(step_sum), data="targets"),
    Specimen("mean over sequences", lambda: Loss(sequence_mean), data="targets"),
    Specimen("masked_mse", lambda: Loss(lambda p, y, m, n: masked_mse(p, y, m)), data="targets"),
    Specimen("masked_cross_entropy",
             lambda: Loss(lambda p, y, m, n: masked_cross_entropy(p, y, m), True), data="classes"),
    Specimen("ignore_index", lambda: Loss(lambda p, y, m, n: F.cross_entropy(p.mT, y), True),
             data="ignored"),
    Specimen("class weights", lambda: Loss(class_weighted, True), data="classes"),
    Specimen("ctc", lambda: Loss(ctc, True), data="labels"),
    Specimen("prefix sums", lambda: Mixer("prefix sums")),
    Specimen("real standardised", lambda: Mixer("real standardised")),
    Specimen("left state, carried", lambda: LeftState(True), options=LEFT),
]  # fmt: skip
