"""Losses: what they sum over, and what they divide by."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import masked_cross_entropy, masked_mse
from zoo.entries import (
    CLASSES,
    FEATURES,
    HIDDEN,
    OUTPUT,
    TOKENS,
    Problem,
    Ragged,
    ids_of,
    loss,
    marked,
    mask_of,
    rows_of,
    tokens,
    with_classes,
)

OVER = "loss over padding"


class Loss(nn.Module):
    """A recurrent layer and a loss: ``reduce(prediction, target, mask, lengths)``."""

    def __init__(self, reduce: Callable[..., Tensor], size: int = OUTPUT) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.outer, self.reduce = nn.Linear(HIDDEN, size), reduce

    def forward(self, x: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        return self.reduce(self.outer(self.rnn(x)[0]), target, mask_of(x, lengths), lengths)


def classes(reduce: Callable[..., Tensor]) -> Callable[[], Loss]:
    return lambda: Loss(reduce, CLASSES)


def step_sum(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return (p - y).square().sum(-1).masked_fill(~m, 0).sum()


def sequence_mean(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    each = ((p - y).square().mean(-1) * m).sum(1) / n.to(p)
    return each.mean()


def sequence_mean_over_T(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    each = ((p - y).square().mean(-1) * m).mean(1)
    return each.mean()


CLASS_WEIGHTS = torch.linspace(0.5, 2, CLASSES)


def class_weighted(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return F.cross_entropy(p.mT, y.masked_fill(~m, -100), weight=CLASS_WEIGHTS.to(p))


def class_weights(problem: Problem) -> Tensor:
    return torch.stack([CLASS_WEIGHTS[row].sum() for row in problem.extras[0].rows])


def smoothed(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return F.cross_entropy(p.mT, y, label_smoothing=0.1)


def bce_weighted(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """The mask as a weight: pads count nothing above, and still count below the line."""
    weight = m[..., None].to(p).expand_as(p)
    return F.binary_cross_entropy_with_logits(p, y.sigmoid(), weight=weight)


def bce_masked(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(p[m], y[m].sigmoid())


def focal(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """``y`` holds classes; the easy ones count less."""
    logs = p.log_softmax(-1).gather(-1, y[..., None]).squeeze(-1)
    return (-((1 - logs.exp()) ** 2) * logs)[m].mean()


def both(first: Callable[..., Tensor], second: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda p, y, m, n: first(p, y, m, n) + 0.1 * second(p, y, m, n)


def real_size(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return p[m].square().mean()


def size(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """A penalty on all predictions, those at pads too."""
    return p.square().mean()


def jumps(p: Tensor, m: Tensor) -> Tensor:
    """Squared differences of neighbours, those inside ``m``; the mean over real steps."""
    return p.diff(dim=1).square().sum(-1)[m[:, 1:]].sum() / m.sum()


def smooth(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    return masked_mse(p, y, m) + jumps(p, m)


def smooth_into_pads(p: Tensor, y: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """The jump from the last real step to the first pad counts too."""
    edge = torch.cat([m[:, :1], m[:, :-1]], 1)
    return masked_mse(p, y, m) + p.diff(dim=1).square().sum(-1)[edge[:, 1:]].sum() / m.sum()


class LanguageModel(nn.Module):
    """Predicts the next id; ``ignore`` says what becomes of targets in the padding."""

    def __init__(self, ignore: str) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(TOKENS, 6), nn.GRU(6, HIDDEN, batch_first=True)
        self.outer, self.ignore = nn.Linear(HIDDEN, TOKENS), ignore

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        scores, targets = self.outer(self.rnn(self.embed(ids))[0])[:, :-1], ids[:, 1:]
        if self.ignore == "lengths":
            targets = targets.masked_fill(~mask_of(ids, lengths)[:, 1:], -100)
        index = 0 if self.ignore == "marker" else -100
        return F.cross_entropy(scores.mT, targets, ignore_index=index, reduction="sum") / (
            lengths.sum() if self.ignore != "nothing" else targets.numel()
        )


def next_words(lengths: list[int], spare: int) -> Problem:
    return tokens([max(n, 2) for n in lengths], spare)


def next_marked_words(lengths: list[int], spare: int) -> Problem:
    return marked([max(n, 2) for n in lengths], spare)


class Chain(nn.Module):
    """A linear chain (conditional random field): path score and all paths' sum, by hand."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.scores = nn.Linear(FEATURES, CLASSES)
        self.moves = nn.Parameter(torch.randn(CLASSES, CLASSES))
        self.masked = masked

    def forward(self, x: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        scores, mask = self.scores(x), mask_of(x, lengths)
        if not self.masked:
            mask = torch.ones_like(mask)
        own = scores.gather(2, tags[..., None]).squeeze(-1)
        path = (own * mask).sum(1) + (self.moves[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]).sum(1)
        total = scores[:, 0]
        for t in range(1, x.shape[1]):
            new = (total[..., None] + self.moves).logsumexp(1) + scores[:, t]
            total = torch.where(mask[:, t, None], new, total)
        return (total.logsumexp(-1) - path).mean()


class Ctc(nn.Module):
    """Connectionist temporal classification; ``full`` names the lengths that are not used."""

    def __init__(self, full: str = "", reduction: str = "sum") -> None:
        super().__init__()
        self.rnn, self.outer = nn.GRU(FEATURES, HIDDEN, batch_first=True), nn.Linear(HIDDEN, 5)
        self.full, self.reduction = full, reduction

    def forward(self, x: Tensor, lengths: Tensor, labels: Tensor, sizes: Tensor) -> Tensor:
        logs = self.outer(self.rnn(x)[0]).log_softmax(-1).transpose(0, 1)
        if self.full == "steps":
            lengths = torch.full_like(lengths, x.shape[1])
        if self.full == "labels":
            sizes = torch.full_like(sizes, labels.shape[1])
        return F.ctc_loss(
            logs, labels, lengths, sizes, reduction=self.reduction, zero_infinity=True
        )


def with_labels(pad: int | None) -> Callable[[list[int], int], Problem]:
    """Steps enough for every way to say the labels, which have lengths of their own."""

    def draw(lengths: list[int], spare: int) -> Problem:
        sizes = [1 + i % 3 for i in range(len(lengths))]
        frames = [n + 2 * size for n, size in zip(lengths, sizes, strict=True)]
        labels = Ragged([row + 1 for row in ids_of(sizes, 0, 4)], pad, 0 if pad is not None else 5)
        return Problem(Ragged(rows_of(frames, FEATURES)), (labels,), spare)

    return draw


def per_label(problem: Problem) -> Tensor:
    """torch's mean divides each loss by its labels, then by B."""
    return torch.ones(len(problem.main.rows))


LOSSES = [
    loss("sum of squares", lambda: Loss(step_sum)),
    loss("sum of squares, pads too", lambda: Loss(lambda p, y, m, n: (p - y).square().sum()), OVER),
    loss("mean over the grid", lambda: Loss(lambda p, y, m, n: F.mse_loss(p, y)), OVER),
    loss("masked_mse", lambda: Loss(lambda p, y, m, n: masked_mse(p, y, m))),
    loss("masked sum / (B T)", lambda: Loss(lambda p, y, m, n: step_sum(p, y, m, n) / m.numel()),
         OVER),
    loss("masked sum / (B longest)",
         lambda: Loss(lambda p, y, m, n: step_sum(p, y, m, n) / (len(n) * int(n.max()))), OVER),
    loss("mean over sequences", lambda: Loss(sequence_mean)),
    loss("mean over sequences of sums / T", lambda: Loss(sequence_mean_over_T), OVER,
         "pooling over padding"),
    loss("zeroed prediction, target left", lambda: Loss(
        lambda p, y, m, n: (p * m[..., None] - y).square().sum() / m.sum()), OVER),
    loss("both zeroed, mean over the grid", lambda: Loss(
        lambda p, y, m, n: F.mse_loss(p * m[..., None], y * m[..., None])), OVER),
    loss("grid cross-entropy", classes(lambda p, y, m, n: F.cross_entropy(p.mT, y)), OVER,
         data=with_classes(0)),
    loss("masked_cross_entropy", classes(lambda p, y, m, n: masked_cross_entropy(p, y, m)),
         data=with_classes(None)),
    loss("ignore_index", classes(lambda p, y, m, n: F.cross_entropy(p.mT, y)),
         data=with_classes(-100)),
    loss("ignore_index, sum / (B T)", classes(
        lambda p, y, m, n: F.cross_entropy(p.mT, y, reduction="sum") / y.numel()), OVER,
        data=with_classes(-100)),
    loss("ignore_index, mean of the grid", classes(
        lambda p, y, m, n: F.cross_entropy(p.mT, y, reduction="none").mean()), OVER,
        data=with_classes(-100)),
    loss("label smoothing", classes(smoothed), data=with_classes(-100)),
    loss("label smoothing over pads", classes(smoothed), OVER, data=with_classes(0)),
    loss("class weights", classes(class_weighted), data=with_classes(None),
         weights=class_weights),
    loss("focal", classes(focal), data=with_classes(None)),
    loss("mask as a weight", lambda: Loss(bce_weighted), OVER),
    loss("binary cross-entropy, masked", lambda: Loss(bce_masked)),
    loss("penalty on all predictions", lambda: Loss(
        both(lambda p, y, m, n: masked_mse(p, y, m), size)), OVER),
    loss("penalty on real predictions", lambda: Loss(
        both(lambda p, y, m, n: masked_mse(p, y, m), real_size))),
    loss("smoothness into the pads", lambda: Loss(smooth_into_pads), OVER),
    loss("smoothness of real steps", lambda: Loss(smooth)),
    loss("language model", lambda: LanguageModel("lengths"), data=next_words),
    loss("language model by marker", lambda: LanguageModel("marker"), data=next_marked_words),
    loss("language model, pads too", lambda: LanguageModel("nothing"), OVER, data=next_words),
    loss("chain", lambda: Chain(True), data=with_classes(None)),
    loss("chain over pads", lambda: Chain(False), OVER, "loop over padding", "pooling over padding",
         data=with_classes(None)),
    loss("ctc", Ctc, data=with_labels(0)),
    loss("ctc, mean", lambda: Ctc(reduction="mean"), data=with_labels(None), weights=per_label),
    loss("ctc over T", lambda: Ctc("steps"), OVER, "wrong lengths", data=with_labels(0)),
    loss("ctc with full target lengths", lambda: Ctc("labels"), OVER, "wrong lengths",
         data=with_labels(0)),
    loss("ctc with full target lengths, random pads", lambda: Ctc("labels"), OVER, "wrong lengths",
         data=with_labels(None)),
]  # fmt: skip
