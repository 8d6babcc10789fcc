"""padcheck on everyday models as an engineer would ask it: each right and wrong, with its cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_utils.padcheck import Padded, Unpadded, padcheck

FEATURES, TOKENS, STEPS = 4, 12, 9
N = torch.tensor([5, 3, 9, 2, 7, 4])
M = torch.tensor([3, 6, 2, 4, 5, 1])
LABELS = torch.tensor([2, 1, 4, 1, 3, 2])
RANDOM = torch.Generator().manual_seed(1)
X = torch.randn(6, STEPS, FEATURES, generator=RANDOM)
Z = torch.randn(6, 6, 3, generator=RANDOM)
IDS = torch.randint(1, TOKENS, (6, STEPS), generator=RANDOM)
TARGETS = torch.randint(1, TOKENS, (6, 6), generator=RANDOM)


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def mask_of(x: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(x.shape[1]) < lengths[:, None]


def masked_mean(h: Tensor, mask: Tensor) -> Tensor:
    return (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


class Then(nn.Module):
    """A linear layer, or an embedding, and something done to its result."""

    def __init__(self, then: Callable[..., Any], size: int = 5, *, tokens: bool = False) -> None:
        super().__init__()
        self.layer = nn.Embedding(TOKENS, size) if tokens else nn.Linear(FEATURES, size)
        self.then = then

    def forward(self, x: Tensor, *others: Tensor) -> Any:
        return self.then(self.layer(x), x, *others)


def check(expected: bool | None, cause: str | None, *arguments: Any, **options: Any) -> str:
    """The report's text, after verdict and cause were compared."""
    report = padcheck(*arguments, **options)
    assert (report.ok, report.cause and report.cause.name) == (expected, cause), str(report)
    return str(report)


# --- lengths of their own -------------------------------------------------------------------------


class Seq2Seq(nn.Module):
    """Two recurrent layers with teacher forcing; gives scores, or a loss."""

    def __init__(self, *, packed: bool = True, loss: Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        self.embed, self.outer = nn.Embedding(TOKENS, 8), nn.Linear(8, TOKENS)
        self.encoder, self.decoder = nn.GRU(8, 8, batch_first=True), nn.GRU(8, 8, batch_first=True)
        self.packed, self.loss = packed, loss

    def forward(self, source: Tensor, n: Tensor, target: Tensor, m: Tensor) -> Tensor:
        h = self.embed(source)
        if self.packed:
            h = pack_padded_sequence(h, n, batch_first=True, enforce_sorted=False)
        before = torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], 1)
        scores = self.outer(self.decoder(self.embed(before), self.encoder(h)[1])[0])
        return scores if self.loss is None else self.loss(scores, target, m)


def ignoring(scores: Tensor, target: Tensor, m: Tensor) -> Tensor:
    return F.cross_entropy(scores.mT, target.masked_fill(~mask_of(target, m), -100))


def over_the_grid(scores: Tensor, target: Tensor, m: Tensor) -> Tensor:
    return F.cross_entropy(scores.mT, target)


def divided_by_the_grid(scores: Tensor, target: Tensor, m: Tensor) -> Tensor:
    ignored = target.masked_fill(~mask_of(target, m), -100)
    return F.cross_entropy(scores.mT, ignored, reduction="none").mean()


OUT = {"out_lengths": lambda n, m: m}


@pytest.mark.parametrize(
    ("settings", "pad", "options", "cause"),
    [
        ({}, None, OUT, None),
        ({}, 0, OUT, None),
        ({"packed": False}, None, OUT, "final state"),
        ({"loss": ignoring}, None, {}, None),
        ({"loss": over_the_grid}, None, {}, "loss over padding"),
        ({"loss": over_the_grid}, 0, {}, "loss over padding"),
        ({"loss": divided_by_the_grid}, None, {}, "loss over padding"),
        ({"loss": lambda s, t, m: F.cross_entropy(s.mT, t, ignore_index=0)}, 0, {}, None),
    ],
)
def test_targets_are_padded_by_their_own_lengths(settings, pad, options, cause):
    check(cause is None, cause, Seq2Seq(**settings), IDS, N, Padded(TARGETS, M, pad), **options)


def test_steps_that_follow_the_targets_are_read_by_their_lengths():
    assert "extra[0], so its lengths count" in check(
        True, None, Seq2Seq(), IDS, N, Padded(TARGETS, M)
    )


class Recogniser(nn.Module):
    """CTC, with the right lengths or with padded ones."""

    def __init__(self, *, inputs: bool = True, labels: bool = True, reduction: str = "mean"):
        super().__init__()
        self.rnn, self.outer = nn.GRU(FEATURES, 8, batch_first=True), nn.Linear(8, TOKENS)
        self.inputs, self.labels, self.reduction = inputs, labels, reduction

    def forward(self, x: Tensor, n: Tensor, labels: Tensor, m: Tensor) -> Tensor:
        scores = self.outer(self.rnn(x)[0]).log_softmax(-1).transpose(0, 1)
        n = n if self.inputs else torch.full_like(n, x.shape[1])
        m = m if self.labels else torch.full_like(m, labels.shape[1])
        return F.ctc_loss(scores, labels, n, m, reduction=self.reduction, zero_infinity=True)


@pytest.mark.parametrize(
    ("settings", "pad", "cause"),
    [
        ({}, 0, None),
        ({}, None, None),
        ({"reduction": "sum"}, 0, None),
        ({"labels": False}, 0, "wrong lengths"),
        ({"labels": False}, None, "wrong lengths"),
        ({"inputs": False}, 0, "wrong lengths"),
    ],
)
def test_ctc(settings, pad, cause):
    labels = Padded(TARGETS[:, :4], LABELS, pad)
    check(cause is None, cause, Recogniser(**settings), X, N, labels)


class Two(nn.Module):
    """Two recurrent layers over two sequences, read at the last real step or at the last column."""

    def __init__(self, *, right: bool) -> None:
        super().__init__()
        self.first, self.second = (
            nn.GRU(FEATURES, 5, batch_first=True),
            nn.GRU(3, 5, batch_first=True),
        )
        self.right = right

    def forward(self, x: Tensor, z: Tensor, n: Tensor, m: Tensor) -> Tensor:
        rows, second = torch.arange(len(x)), self.second(z)[0]
        second = second[rows, m - 1] if self.right else second[:, -1]
        return self.first(x)[0][rows, n - 1] + second


class CrossAttention(nn.Module):
    """The second sequence asks, the first one answers."""

    def __init__(self, *, right: bool) -> None:
        super().__init__()
        self.ask, self.answer = nn.Linear(3, 8), nn.Linear(FEATURES, 8)
        self.attention, self.right = nn.MultiheadAttention(8, 2, batch_first=True), right

    def forward(self, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
        keys = self.answer(x)
        pads = ~mask_of(x, n) if self.right else None
        return self.attention(self.ask(z), keys, keys, key_padding_mask=pads)[0]


@pytest.mark.parametrize("right", [True, False])
def test_two_inputs(right):
    def call(net: nn.Module, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
        return net(x, z, n, m)

    check(right, None if right else "last step", Two(right=right), X, N, Padded(Z, M), call=call)
    cause = None if right else "attention without mask"
    check(right, cause, CrossAttention(right=right), X, N, Padded(Z, M), **OUT)


def test_an_extra_as_wide_as_the_inputs_is_not_cut_by_their_lengths():
    model, features = Then(lambda h, x, n, f: h + f.sum(1)[:, None, None]), torch.randn(6, STEPS)
    check(True, None, model, X, N, Unpadded(features))
    with pytest.raises(ValueError, match=r"extra\[0\] is \(6, 9\).*Padded.*Unpadded"):
        padcheck(model, X, N, features)


def test_a_padded_axis_that_could_not_be_varied_leaves_no_verdict():
    def six_only(h: Tensor, x: Tensor, n: Tensor, z: Tensor, m: Tensor) -> Tensor:
        if z.shape[1] != 6:
            raise RuntimeError("six steps, please")
        return h + (z.sum(-1) * mask_of(z, m)).sum(1)[:, None, None]

    report = padcheck(Then(six_only), X, N, Padded(Z, M), output="steps")
    assert report.ok is None
    assert "extra[0]" in report["amount"].meaning


@pytest.mark.parametrize("right", [True, False])
def test_strided_results(right):
    class Strided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(FEATURES, 6, 3, 2, 1)

        def forward(self, x: Tensor, n: Tensor) -> Tensor:
            x = x * mask_of(x, n)[..., None] if right else x
            return self.conv(x.mT).mT

    cause = None if right else "convolution at the edge"
    check(right, cause, Strided(), X, N, out_lengths=lambda n: (n + 1) // 2)
    with pytest.raises(ValueError, match="Strided or subsampled results"):
        padcheck(Strided(), X, N)


# --- markers, sides, layouts ----------------------------------------------------------------------


def finds_pads(h: Tensor, ids: Tensor, n: Tensor) -> Tensor:
    return masked_mean(h, ids != 0)


def test_a_model_that_looks_for_its_pads_is_told_to_say_so():
    padded = IDS.masked_fill(~mask_of(IDS, N), 0)
    model = Then(finds_pads, tokens=True)
    check(True, None, model, padded, N, pad_marker=0)
    assert "pad_marker=0" in check(False, "lengths from values", model, padded, N)


class LeftDecoder(nn.Module):
    """Causal attention over left-padded ids, read in the last column."""

    def __init__(self, *, counted: bool = True) -> None:
        super().__init__()
        self.embed, self.places = nn.Embedding(TOKENS, 16), nn.Embedding(99, 16)
        self.attention, self.counted = nn.MultiheadAttention(16, 2, batch_first=True), counted

    def forward(self, ids: Tensor, n: Tensor) -> Tensor:
        real, steps = mask_of(ids, n).flip(1), ids.shape[1]
        places = (real.long().cumsum(1) - 1).clamp(min=0)
        h = self.embed(ids) + self.places(places if self.counted else torch.arange(steps)[None])
        hidden = torch.ones(steps, steps).triu(1).bool() | ~real[:, None]
        hidden = (hidden & ~torch.eye(steps).bool()).repeat_interleave(2, 0)
        return (h + self.attention(h, h, h, attn_mask=hidden)[0])[:, -1]


def test_left_padding():
    check(True, None, LeftDecoder(), IDS, N, padding_side="left")
    check(False, "shifted positions", LeftDecoder(counted=False), IDS, N, padding_side="left")
    check(False, "padding side", LeftDecoder(), IDS, N)


@pytest.mark.parametrize("shape", [(6, 9), (6, 6)], ids=["T > B", "T = B"])
def test_time_major(shape):
    x, model = torch.randn(*shape, FEATURES), nn.GRU(FEATURES, 6)
    n = N.clamp(max=shape[1])
    check(True, None, model, x, n, call=lambda g, x, n: g(x.transpose(0, 1))[0].transpose(0, 1))
    check(False, "layout", model, x, n, call=lambda g, x, n: g(x)[0])


def test_packed_inputs():
    def unpacked(rnn: nn.Module, x: Tensor, n: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(rnn(packed)[0], batch_first=True)[0]

    model = nn.GRU(FEATURES, 6, batch_first=True, bidirectional=True)
    check(True, None, model, X, N, call=unpacked)
    check(False, "last step", model, X, N, call=lambda g, x, n: unpacked(g, x, n)[:, -1])


# --- tables, functions, compiled and scripted models ----------------------------------------------


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("places", [STEPS, 99])
def test_a_table_of_positions(masked, places):
    """With a table of exactly T rows, less padding is asked instead of more."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.places = nn.Embedding(TOKENS, 16), nn.Embedding(places, 16)
            layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

        def forward(self, ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            h = self.embed(ids) + self.places(torch.arange(ids.shape[1]))
            pads = attention_mask == 0 if masked else None
            return {"hidden": self.layers(h, src_key_padding_mask=pads)}

    def call(model: nn.Module, ids: Tensor, n: Tensor) -> Tensor:
        return model(ids, attention_mask=mask_of(ids, n).long())["hidden"]

    text = check(masked, None if masked else "attention without mask", Encoder(), IDS, N, call=call)
    assert ("Less padding was asked" in text) is (masked and places == STEPS)


def test_a_table_that_is_too_short_is_never_read_beyond_its_end():
    """On a GPU that would end the process: a check of the index comes first."""

    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.places = nn.Embedding(TOKENS, 5), nn.Embedding(STEPS, 5)

        def forward(self, ids: Tensor, n: Tensor) -> Tensor:
            return self.embed(ids) + self.places(torch.arange(ids.shape[1]))

    report = padcheck(Placed(), IDS, N)
    assert report.ok is True
    assert f"index {STEPS} in a table of {STEPS} rows" in report["amount"].meaning


def test_plain_functions_and_bound_methods():
    assert "on results only" in check(True, None, lambda x, n: masked_mean(x, mask_of(x, n)), X, N)
    check(False, "pooling over padding", lambda x, n: x.mean(1), X, N)
    model = Then(lambda h, x, n: masked_mean(h, mask_of(x, n)))
    assert "on results only" not in check(True, None, model.forward, X, N)


@pytest.mark.parametrize("right", [True, False])
def test_compiled_models(right):
    model = Then(lambda h, x, n: masked_mean(h, mask_of(x, n)) if right else h.mean(1))
    cause = None if right else "pooling over padding"
    assert "_orig_mod" not in check(right, cause, torch.compile(model), X, N)
    model.compile()
    check(right, cause, model, X, N)


class Scriptable(nn.Module):
    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 6, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        return self.rnn(x)[0]


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_scripted_and_traced_models():
    check(True, None, torch.jit.script(Scriptable(False)), X, N)
    assert padcheck(torch.jit.script(Scriptable(True)), X, N).ok is False
    assert padcheck(torch.jit.trace(Scriptable(False).eval(), (X, N)), X, N).ok is True


# --- random numbers inside ------------------------------------------------------------------------


class Sampler(nn.Module):
    """A latent variable a step, or a sequence."""

    def __init__(self, *, steps: bool, right: bool) -> None:
        super().__init__()
        self.mean, self.scale = nn.Linear(FEATURES, 3), nn.Linear(FEATURES, 3)
        self.steps, self.right = steps, right

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        if not self.steps:
            x = masked_mean(x, mask_of(x, n)) if self.right else x.mean(1)
        z = self.mean(x) + self.scale(x).exp() * torch.randn_like(self.scale(x))
        return z if self.right or not self.steps else z + z.flip(1)


@pytest.mark.parametrize("steps", [True, False])
def test_samplers(steps):
    assert "draws random numbers" in check(True, None, Sampler(steps=steps, right=True), X, N)
    cause = "reversed padding" if steps else "pooling over padding"
    check(False, cause, Sampler(steps=steps, right=False), X, N)
    assert padcheck(Sampler(steps=steps, right=True), X, N, noise="seed").ok is False


@pytest.mark.parametrize(
    "draw",
    [
        lambda h: F.gumbel_softmax(h, hard=True),
        lambda h: torch.distributions.Normal(h, 1.0).rsample(),
        lambda h: torch.normal(h, 1.0),
        lambda h: F.dropout(h, 0.3, training=True),
        lambda h: h * torch.bernoulli(h.sigmoid()),
        lambda h: h + torch.rand(h.shape[0], 1, 1),
        lambda h: h + torch.randint(9, h.shape[:2])[..., None],
        lambda h: h + torch.empty_like(h).exponential_() + torch.empty_like(h).uniform_(),
        lambda h: h + torch.poisson(h.detach().exp()),
        lambda h: h[..., 0] + torch.multinomial(h.softmax(-1).flatten(0, 1), 1).view(h.shape[:2]),
        lambda h: h[:, torch.randperm(h.shape[1]).argsort().argsort().sort().values],
    ],
)  # fmt: skip
def test_every_kind_of_draw_is_the_same_for_all_rows_and_steps(draw):
    check(True, None, Then(lambda h, x, n: draw(h)), X, N)
    check(False, "pooling over padding", Then(lambda h, x, n: draw(h).mean(1)), X, N)


# --- precision ------------------------------------------------------------------------------------


class Autocast(nn.Module):
    """Attention under autocast; a fault may be planted that only shows in bfloat16."""

    def __init__(self, *, masked: bool = True, planted: bool = False) -> None:
        super().__init__()
        self.inner, self.masked, self.planted = nn.Linear(FEATURES, 16), masked, planted
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            h = self.inner(x)
            if self.planted and h.dtype == torch.bfloat16:
                h = h + h.mean(1, keepdim=True)
            pads = ~mask_of(x, n) if self.masked else None
            return (h + self.attention(h, h, h, key_padding_mask=pads)[0]).float()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_autocast(dtype):
    text = check(True, None, Autocast(), X, N, dtype=dtype)
    assert "bfloat16" in text
    check(False, "attention without mask", Autocast(masked=False), X, N, dtype=dtype)
    check(False, "pooling over padding", Autocast(planted=True), X, N, dtype=dtype)


def test_autocast_around_the_check():
    with torch.autocast("cpu", torch.bfloat16):
        right = Then(lambda h, x, n: masked_mean(h, mask_of(x, n)))
        assert "bfloat16" in check(True, None, right, X, N)
        check(False, "pooling over padding", Then(lambda h, x, n: h.mean(1)), X, N)


@pytest.mark.parametrize(
    "then",
    [
        lambda h, x, n: (h.half() * torch.tensor(3e4).half()).square().sqrt().to(h.dtype),
        lambda h, x, n: (h * 0).square().sum(-1).sqrt() + h.sum(-1),
    ],
)
def test_gradients_that_are_never_finite_are_not_asked(then):
    report = padcheck(Then(then), X, N)
    assert report.ok is True
    assert report["parameters"].outcome == "not asked"
    assert "not finite" in report["parameters"].meaning


def test_gradients_that_only_padding_makes_infinite_are_a_fault():
    def distance(h: Tensor, x: Tensor, n: Tensor) -> Tensor:
        """The root of 0 at the pads: its gradient is infinite, and 0 times it is NaN."""
        return (h * mask_of(x, n)[..., None]).square().sum(-1).sqrt().sum(1)

    assert padcheck(Then(distance), X, N)["parameters"].outcome == "failed"


# --- what shows late, and what has no name --------------------------------------------------------


@pytest.mark.parametrize("times", [2, 4])
def test_behaviour_that_begins_far_beyond_the_batch(times):
    def late(h: Tensor, x: Tensor, n: Tensor) -> Tensor:
        return h + h.mean(1, keepdim=True) if h.shape[1] > times * STEPS else h

    assert "part at mean" in check(False, "unknown", Then(late), X, N)


def test_empty_tensors_do_not_stop_the_search():
    model = Then(lambda h, x, n: torch.cat([h[:, :0], h], 1).mean(1))
    check(False, "pooling over padding", model, X, N)


def test_mixing_over_all_steps_by_design():
    model = Then(lambda h, x, n: torch.fft.fft(h, dim=1).real)
    assert "fft" in check(False, "mixing over steps", model, X, N)


def test_embeddings_that_join_neighbours():
    def joined(h: Tensor, ids: Tensor, n: Tensor) -> Tensor:
        return h + h.roll(-1, 1)

    assert "roll" in check(False, "unknown", Then(joined, tokens=True), IDS, N)


def test_a_model_of_one_length_only():
    mixer = nn.Linear(STEPS, STEPS)
    check(
        False, "mixing over steps", mixer, X, N,
        call=lambda mixer, x, n: mixer(x.mT).mT, output="steps",
    )  # fmt: skip
