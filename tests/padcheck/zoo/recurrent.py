"""Recurrent models: padded, packed, two directions, loops, layouts, sides."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from course_utils import wrong_models
from course_utils.models import GatherRNN, LastStepRNN, MaskedRNN, MeanPoolRNN, run_masked
from zoo.entries import (
    FEATURES,
    HIDDEN,
    OUTPUT,
    UNKNOWN,
    Kind,
    Problem,
    Ragged,
    Specimen,
    at_least_two,
    floats,
    mask_of,
    out_of_order,
    rows_of,
    steps,
    vector,
    with_static,
    with_targets,
)


class Loop(nn.Module):
    """A cell in a Python loop; where the mask is used the old state is carried on."""

    def __init__(self, cell: type, masked: bool, every: bool = False, backward: bool = False):
        super().__init__()
        self.cell, self.outer = cell(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)
        self.masked, self.every, self.backward = masked, every, backward

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask, h = mask_of(x, lengths), x.new_zeros(len(x), HIDDEN)
        order = range(x.shape[1])
        outputs = x.new_zeros(len(x), x.shape[1], HIDDEN)
        for t in reversed(order) if self.backward else order:
            new = self.cell(x[:, t], h)
            h = torch.where(mask[:, t, None], new, h) if self.masked else new
            outputs[:, t] = h
        return self.outer(outputs if self.every else h)


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
        rows, count = x.shape[:2]
        h = self.rnn(x.reshape(count, rows, -1))[0]
        return self.outer(h).reshape(rows, count, -1)


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


class Packed(nn.Module):
    """Takes a packed sequence; reads the last column, the states, the mean or every step."""

    def __init__(self, read: str, bidirectional: bool = False) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, HIDDEN, batch_first=True, bidirectional=bidirectional)
        self.outer, self.read = nn.Linear(HIDDEN * (1 + bidirectional), OUTPUT), read

    def forward(self, packed: PackedSequence) -> Tensor:
        output, state = self.rnn(packed)
        if self.read == "state":
            return self.outer(torch.cat(list(state), -1))
        h, lengths = pad_packed_sequence(output, batch_first=True)
        if self.read == "last column":
            return self.outer(h[:, -1])
        if self.read == "mean":
            return self.outer(h.sum(1) / lengths[:, None])
        if self.read == "mean over T":
            return self.outer(h.mean(1))
        return self.outer(h)


def call_packed(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))


class BothWays(nn.Module):
    """Two layers written out: forward, and a reversed copy, turned by ``flip`` or by index."""

    def __init__(self, by_index: bool) -> None:
        super().__init__()
        self.forth = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.back = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.outer, self.by_index = nn.Linear(2 * HIDDEN, OUTPUT), by_index

    def turned(self, x: Tensor, lengths: Tensor) -> Tensor:
        if not self.by_index:
            return x.flip(1)
        place = torch.arange(x.shape[1])
        index = torch.where(mask_of(x, lengths), lengths[:, None] - 1 - place, place)
        return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        there = self.forth(x)[0]
        back = self.turned(self.back(self.turned(x, lengths))[0], lengths)
        return self.outer(torch.cat([there, back], -1))


class Started(nn.Module):
    """Static features make the first state; the state after the last real step is read."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.start, self.rnn = nn.Linear(4, HIDDEN), nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.right = right

    def forward(self, x: Tensor, lengths: Tensor, static: Tensor) -> Tensor:
        h = self.rnn(x, self.start(static).tanh()[None])[0]
        return h[torch.arange(len(h)), lengths - 1] if self.right else h[:, -1]


class Gaps(nn.Module):
    """The time until the next step (or since the last one) is a feature of each step."""

    def __init__(self, until_next: bool) -> None:
        super().__init__()
        self.rnn, self.until_next = nn.GRU(FEATURES + 1, HIDDEN, batch_first=True), until_next

    def forward(self, x: Tensor, lengths: Tensor, times: Tensor) -> Tensor:
        zero = torch.zeros_like(times[:, :1])
        gaps = times.diff(dim=1)
        gaps = torch.cat([gaps, zero] if self.until_next else [zero, gaps], 1)
        return self.rnn(torch.cat([x, gaps], -1))[0]


def with_times(lengths: list[int], spare: int) -> Problem:
    times = Ragged([torch.rand(n, 1).cumsum(0) for n in lengths], shared=True)
    return Problem(Ragged(rows_of(lengths, FEATURES)), (times,), spare)


class SelfFed(nn.Module):
    """Each step's prediction is the next step's input; the loop ends after T or after n steps."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.cell, self.outer = nn.GRUCell(FEATURES, HIDDEN), nn.Linear(HIDDEN, FEATURES)
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h, fed = x.new_zeros(len(x), HIDDEN), x[:, 0]
        for t in range(x.shape[1]):
            new = self.cell(fed, h)
            alive = (t < lengths)[:, None] if self.masked else torch.ones(len(x), 1).bool()
            h, fed = torch.where(alive, new, h), self.outer(new)
        return self.outer(h)


def same_count(lengths: list[int], spare: int) -> Problem:
    """As many rows as steps."""
    lengths = [min(n, len(lengths)) for n in lengths]
    lengths[0] = len(lengths)
    return floats(lengths, 0)


class Forgot(nn.Module):
    """A recurrent layer without ``batch_first`` in a batch-first world."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.outer = nn.GRU(FEATURES, HIDDEN), nn.Linear(HIDDEN, OUTPUT)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.outer(self.rnn(x)[0])


def _time_major(model: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    return model(x.transpose(0, 1)).transpose(0, 1)


def pitfall(name: str, kind: Kind, *causes: str, **settings: Any) -> Specimen:
    rest = {k: settings.pop(k) for k in ("mode", "side", "data") if k in settings}
    model = getattr(wrong_models, name)
    words = [name, *map(str, settings.values()), *(v for v in rest.values() if isinstance(v, str))]
    data = rest.pop("data", floats)
    build = lambda: model(FEATURES, HIDDEN, OUTPUT, **settings)  # noqa: E731
    return Specimen(" ".join(words), kind, build, data, causes, **rest)


PITFALLS = [
    pitfall("LastColumnRNN", "vector", "last step", cell="lstm", num_layers=2),
    pitfall("LastColumnRNN", "vector", "last step", cell="gru"),
    pitfall("LastColumnRNN", "vector", "left padding", cell="rnn", side="left"),
    pitfall("ZeroedInputsRNN", "vector", "last step", cell="gru"),
    pitfall("FinalStateRNN", "vector", "final state", cell="lstm"),
    pitfall("FinalStateRNN", "vector", "final state", cell="gru", bidirectional=True),
    pitfall("UnpackedLastColumnRNN", "vector", "last step", cell="lstm"),
    pitfall("PaddedBidirectionalRNN", "steps", "backward direction", cell="lstm", num_layers=2),
    pitfall("PaddedBidirectionalRNN", "steps", "backward direction", cell="rnn"),
    pitfall("ReversedPaddingRNN", "vector", "reversed padding", cell="gru"),
    pitfall("TimeMajorRNN", "steps", "layout", cell="lstm"),
    pitfall("SortedOrderRNN", "vector", "lost order", cell="gru", data=out_of_order),
    pitfall("PaddedMeanRNN", "vector", "pooling over padding", cell="lstm"),
    pitfall("PaddedMaxRNN", "vector", "maximum over padding", cell="gru", bidirectional=True),
    pitfall("ZeroScoreAttentionRNN", "vector", "softmax over padding", cell="gru"),
    pitfall("ValueMaskRNN", "vector", "lengths from values", cell="lstm"),
    pitfall("GridStandardizedRNN", "vector", "normalisation over padding"),
    pitfall("UnmaskedTransformer", "vector", "attention without mask"),
    pitfall("InvertedMaskTransformer", "vector", "wrong attention mask"),
    pitfall("EdgeConvolution", "steps", "convolution at the edge"),
    pitfall(
        "BatchNormOverTime", "steps", "normalisation over padding", mode="train", data=at_least_two
    ),
    pitfall("GroupNormOverTime", "steps", "normalisation over padding"),
    pitfall("GridLossRNN", "loss", "loss over padding", data=with_targets),
    pitfall("LongestLengthLossRNN", "loss", "loss over padding", data=with_targets, cell="gru"),
    pitfall("BackwardAtLastStepRNN", "vector", cell="gru"),
    pitfall("FirstLayerStatesRNN", "vector", cell="lstm"),
    pitfall("BatchNormOverTime", "steps"),
]

RECURRENT = [
    vector("loop of GRU cells", lambda: Loop(nn.GRUCell, False), "loop over padding"),
    vector("loop that carries", lambda: Loop(nn.GRUCell, True)),
    steps("backward loop", lambda: Loop(nn.RNNCell, False, True, True), "loop over padding"),
    steps("backward loop that carries", lambda: Loop(nn.RNNCell, True, True, True)),
    steps("forward loop of steps", lambda: Loop(nn.RNNCell, False, True)),
    steps("view for transpose", Swapped, "layout"),
    steps("time-major", TimeMajor, call=_time_major),
    steps("time-major, T = B", TimeMajor, call=_time_major, data=same_count),
    steps("time-major, T = B, not told", Forgot, "layout", data=same_count),
    vector("left state", lambda: LeftState(False), "left padding", side="left"),
    vector("left state, carried", lambda: LeftState(True), side="left"),
    vector("left state, asked as right-padded", lambda: LeftState(True), "padding side", UNKNOWN),
    vector("packed input, last column", lambda: Packed("last column"), "last step",
           call=call_packed),
    vector("packed input, states", lambda: Packed("state", True), call=call_packed),
    vector("packed input, mean", lambda: Packed("mean", True), call=call_packed),
    vector("packed input, mean over T", lambda: Packed("mean over T"), "pooling over padding",
           call=call_packed),
    steps("packed input, steps", lambda: Packed("steps", True), call=call_packed),
    steps("two directions by flip", lambda: BothWays(False), "reversed padding"),
    steps("two directions by index", lambda: BothWays(True)),
    vector("static first state, last column", lambda: Started(False), "last step",
           data=with_static),
    vector("static first state", lambda: Started(True), data=with_static),
    steps("gap to the next step", lambda: Gaps(True), UNKNOWN, data=with_times),
    steps("gap since the last step", lambda: Gaps(False), data=with_times),
    vector("feeds itself for T steps", lambda: SelfFed(False), "loop over padding"),
    vector("feeds itself for n steps", lambda: SelfFed(True)),
    vector("LastStepRNN lstm", lambda: LastStepRNN(3, 8, 2, cell="lstm", bidirectional=True)),
    vector("LastStepRNN gru, two layers", lambda: LastStepRNN(3, 8, 2, cell="gru", num_layers=2)),
    steps("MaskedRNN", lambda: MaskedRNN(3, 8, 2, cell="lstm", bidirectional=True)),
    vector("GatherRNN", lambda: GatherRNN(3, 8, 2, cell="gru", num_layers=2)),
    vector("MeanPoolRNN", lambda: MeanPoolRNN(3, 8, 2, bidirectional=True)),
    vector("sorted and put back", lambda: Sorted(3, 8, 2, cell="lstm")),
]  # fmt: skip
