"""padcheck: what it asks, what it says, and what it leaves as it was."""

from __future__ import annotations

import ast
import inspect
import json
import math
import random
import re
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

from course_utils.models import GatherRNN, LastStepRNN, MaskedRNN
from course_utils.padcheck import (
    Padded,
    Report,
    assert_padding_invariant,
    causes,
    comparing,
    padcheck,
)
from course_utils.padcheck.__main__ import main
from course_utils.padcheck.report import QUESTIONS
from course_utils.wrong_models import (
    BatchNormOverTime,
    GridLossRNN,
    LastColumnRNN,
    PaddedMeanRNN,
    ValueMaskRNN,
)

LENGTHS = torch.tensor([5, 3, 7, 2])
INPUTS = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(3))


class Steps(nn.Module):
    """A linear layer at every step, with something done to its result."""

    def __init__(self, then=lambda h, x, lengths: h, size: int = 2) -> None:
        super().__init__()
        self.linear, self.then = nn.Linear(3, size), then

    def forward(self, x: Tensor, lengths: Tensor):
        return self.then(self.linear(x), x, lengths)


def first_real_mean(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
    mask = torch.arange(h.shape[1]) < lengths[:, None]
    return h.masked_fill(~mask[..., None], 0).sum(1) / lengths[:, None]


# --- verdicts ---------------------------------------------------------------------------------


def test_a_right_model_passes_everything():
    report = padcheck(LastStepRNN(3, 8, 2, cell="lstm"), INPUTS, LENGTHS)
    assert report.ok is True
    assert {f.question: f.outcome for f in report.findings} == dict.fromkeys(QUESTIONS, "passed")
    assert report.cause is None
    assert all(report[name].deviation < 1e-12 for name in ("values", "amount", "alone"))


def test_a_wrong_model_fails_and_the_cause_is_named():
    report = padcheck(LastColumnRNN(3, 8, 2), INPUTS, LENGTHS)
    assert report.ok is False
    assert {row.question for row in report.failed} == {
        "values", "amount", "alone", "leak", "parameters",
    }  # fmt: skip
    assert report["mates"].outcome == report["order"].outcome == "passed"
    assert report["poison"].outcome == "warning"
    assert report.cause.name == "last step"
    assert report.cause.notebook == "07_last_step_extraction"


def test_deviation_is_the_largest_difference_over_the_largest_size():
    """The result is T, so the differences are computed by hand here."""

    class CountsSteps(nn.Module):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return x.new_full((len(x),), float(x.shape[1]))

    report = padcheck(CountsSteps(), INPUTS, LENGTHS)
    assert report["amount"].deviation == pytest.approx((8 - 7) / 7)
    assert report["alone"].deviation == pytest.approx((7 - 2) / 7)
    assert report["values"].deviation == 0


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_batch_norm_is_right_in_eval_mode_only(mode):
    report = padcheck(BatchNormOverTime(3, 8, 2), INPUTS, LENGTHS, mode=mode)
    assert report.ok is (mode == "eval")
    assert any("Running statistics" in remark for remark in report.remarks) is (mode == "eval")


def test_running_statistics_are_compared_in_train_mode():
    class Watches(nn.Module):
        """Its result ignores pads, its running mean does not."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)
            self.register_buffer("running_mean", torch.zeros(3))

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            if self.training:
                self.running_mean.mul_(0.9).add_(0.1 * x.detach().mean((0, 1)))
            return self.linear(x)

    assert padcheck(Watches(), INPUTS, LENGTHS).ok is True
    report = padcheck(Watches(), INPUTS, LENGTHS, mode="train")
    assert report["values"].outcome == "failed"


def test_batch_norm_of_real_steps_mixes_rows_and_reads_no_padding():
    class RealNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            mask = torch.arange(x.shape[1]) < lengths[:, None]
            out = torch.zeros_like(x)
            out[mask] = self.norm(x[mask])
            return out

    report = padcheck(RealNorm(), INPUTS, LENGTHS, mode="train")
    assert {finding.question for finding in report.failed} == {"alone", "mates", "parameters"}
    assert report["values"].outcome == report["amount"].outcome == "passed"


def test_dropout_is_zero_in_train_mode():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2))
    report = padcheck(model, INPUTS, LENGTHS, call=lambda m, x, n: m(x), mode="train")
    assert report.ok is True
    assert model[0].p == 0.5


def test_chaos_is_not_judged():
    class Chaos(nn.Module):
        """The logistic map: rounding doubles at every step of it."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            value = x.mean(1).sigmoid()
            for _ in range(100):
                value = 3.99 * value * (1 - value)
            return value

    report = padcheck(Chaos(), INPUTS, LENGTHS)
    assert report.ok is None
    assert "chaotic" in report["values"].meaning


def test_results_that_are_never_finite_are_not_judged():
    report = padcheck(Steps(lambda h, x, n: h / 0), INPUTS, LENGTHS)
    assert report.ok is None
    assert "not finite" in report["values"].meaning


def only_seven(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
    if h.shape[1] != 7:
        raise RuntimeError("seven steps, please")
    return first_real_mean(h, x, lengths)


def test_refused_padding_is_said_and_leaves_no_verdict():
    report = padcheck(Steps(only_seven, 5), INPUTS, LENGTHS)
    assert report.ok is None
    assert report["amount"].outcome == report["alone"].outcome == "not asked"
    assert "seven steps, please" in report["amount"].meaning


def test_sorted_lengths_are_a_remark():
    def sorted_only(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        if lengths.tolist() != sorted(lengths.tolist(), reverse=True):
            raise RuntimeError("sort first")
        return first_real_mean(h, x, lengths)

    report = padcheck(Steps(sorted_only), INPUTS, torch.tensor([7, 5, 3, 2]))
    assert report.ok is True
    assert any("needs sorted lengths" in remark for remark in report.remarks)


def test_the_first_of_several_results_is_checked_and_this_is_said():
    report = padcheck(Steps(lambda h, x, n: (h, x.sum())), INPUTS, LENGTHS)
    assert report.ok is True
    assert any("only the first" in remark for remark in report.remarks)


def test_results_of_the_longest_length_are_as_good_as_of_T():
    longer = torch.randn(4, 9, 3)
    report = padcheck(Steps(lambda h, x, n: h[:, : int(n.max())]), longer, LENGTHS)
    assert report.ok is True


def test_one_feature_and_as_many_rows_as_steps():
    inputs, lengths = torch.randn(4, 4, 1), torch.tensor([4, 1, 2, 3])
    assert padcheck(MaskedRNN(1, 4, 1, cell="gru"), inputs, lengths).ok is True
    assert padcheck(LastColumnRNN(1, 4, 4), inputs, lengths).ok is False


def test_raw_series_without_a_feature_axis():
    model = Steps()
    report = padcheck(model, INPUTS[..., 0], LENGTHS,
                      call=lambda m, x, n: m(x[..., None].expand(*x.shape, 3), n))  # fmt: skip
    assert report.ok is True


def test_left_padding():
    right = GatherRNN(3, 8, 2, cell="gru")
    assert padcheck(right, INPUTS, LENGTHS).ok is True
    report = padcheck(LastColumnRNN(3, 8, 2), INPUTS, LENGTHS, padding_side="left")
    assert report.ok is False
    assert report.cause.name == "left padding"


def test_single_precision_catches_what_double_hides():
    class Exponential(nn.Module):
        """exp of 100 is fine in double and infinite in single precision; inf * 0 is NaN."""

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            mask = torch.arange(x.shape[1]) < lengths[:, None]
            weights = x[..., 0].clamp(max=1).mul(0.1).exp() * mask
            weights = weights + x[..., 0].abs().clamp(max=100).exp() * 0 * mask
            weights = torch.where(mask, weights, x[..., 0].abs().clamp(max=100).exp() * 0)
            return (weights[..., None] * x.clamp(-1, 1)).sum(1)

    report = padcheck(Exponential(), INPUTS, LENGTHS)
    assert report.ok is False
    assert "in float32" in report["values"].meaning
    assert report.cause.name == "overflow in the pads"


def test_a_model_that_computes_in_single_precision_is_recognised():
    def rounded(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        return first_real_mean(h.float().tanh(), x, lengths).to(h.dtype)

    report = padcheck(Steps(rounded), INPUTS, LENGTHS)
    assert report.ok is True
    assert report["alone"].tolerance >= 1e-4
    assert any("computes in float32 inside" in remark for remark in report.remarks)


def test_a_model_that_refuses_double_is_asked_in_its_own_precision():
    def picky(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        if h.dtype == torch.float64:
            raise TypeError("no doubles")
        return first_real_mean(h, x, lengths)

    report = padcheck(Steps(picky), INPUTS, LENGTHS)
    assert report.ok is True
    assert any("no doubles" in remark and "float32" in remark for remark in report.remarks)


def test_a_plain_function_has_no_visible_parameters():
    report = padcheck(lambda x, n: first_real_mean(x, x, n), INPUTS, LENGTHS)
    assert report.ok is True
    assert report["parameters"].outcome == "not asked"
    assert report.headline == "padding does not change the results. Judged on results only."


@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_scripted_model(bidirectional):
    class Scripted(nn.Module):
        def __init__(self, bidirectional: bool) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True, bidirectional=bidirectional)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x)[0]

    model = torch.jit.script(Scripted(bidirectional))
    report = padcheck(model, INPUTS, LENGTHS, call=lambda m, x, n: m(x))
    assert report.ok is not bidirectional


def test_the_fault_may_show_without_gradients_only():
    def quietly(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        return h if torch.is_grad_enabled() else h + x.mean()

    report = padcheck(Steps(quietly), INPUTS, LENGTHS)
    assert report["values"].outcome == "failed"


def test_frozen_parameters_are_asked_all_the_same():
    model = PaddedMeanRNN(3, 8, 2).requires_grad_(False)
    assert padcheck(model, INPUTS, LENGTHS)["parameters"].outcome == "failed"


# --- token ids, markers, losses -------------------------------------------------------------------


class Words(nn.Module):
    def __init__(self, real: bool) -> None:
        super().__init__()
        self.embed, self.real = nn.Embedding(9, 4), real

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        h = self.embed(ids)
        return first_real_mean(h, h, lengths) if self.real else h.mean(1)


@pytest.mark.parametrize("real", [True, False])
def test_token_ids(real):
    ids = torch.randint(9, (4, 7))
    report = padcheck(Words(real), ids, LENGTHS)
    assert report.ok is real
    assert report["leak"].outcome == ("passed" if real else "failed")
    assert report["poison"].outcome == "not asked"


def test_the_last_token_alone_is_padding_and_is_still_redrawn():
    """One pad, two ids: a redraw by pure chance would often draw the same id again."""
    ids, lengths = torch.tensor([[0, 1, 1], [1, 0, 0]]), torch.tensor([3, 2])
    assert all(padcheck(Words(False), ids, lengths, seed=s).ok is False for s in range(10))


def test_pad_marker_keeps_the_pads_and_says_what_is_open():
    model = ValueMaskRNN(3, 8, 2)
    assert padcheck(model, INPUTS, LENGTHS).cause.name == "lengths from values"
    report = padcheck(model, INPUTS, LENGTHS, pad_marker=0.0)
    assert report.ok is True
    assert report["values"].outcome == "not asked"
    assert report["amount"].outcome == report["alone"].outcome == "passed"


def test_real_steps_that_look_like_padding_are_remarked():
    ids = torch.randint(9, (4, 7))
    ids[0, 1] = 0
    report = padcheck(Words(True), ids, LENGTHS, pad_marker=0)
    assert any("Real steps hold pad_marker" in remark for remark in report.remarks)


class Loss(nn.Module):
    """A loss made of single errors ``(B, T)`` and the mask by ``reduce``."""

    def __init__(self, reduce) -> None:
        super().__init__()
        self.linear, self.reduce = nn.Linear(3, 1), reduce

    def forward(self, x: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        mask = torch.arange(x.shape[1]) < lengths[:, None]
        error = (self.linear(x).squeeze(-1) - targets).square()
        return self.reduce(error.masked_fill(~mask, 0), mask)


def per_step(error: Tensor, mask: Tensor) -> Tensor:
    steps = mask.any(0)
    return (error.sum(0)[steps] / mask.sum(0)[steps]).mean()


@pytest.mark.parametrize(
    ("reduce", "ok", "name"),
    [
        (lambda e, m: e.sum(), True, "sum"),
        (lambda e, m: e.sum() / m.sum(), True, "token"),
        (lambda e, m: (e.sum(1) / m.sum(1)).mean(), True, "sequence"),
        (lambda e, m: (e.sum(1) / m.sum(1)).sum(), True, "sum"),
        (per_step, None, "none of the usual"),
        (lambda e, m: e.sum() / (len(m) * int(m.sum(1).max())), False, "longest length"),
    ],
)
def test_losses_and_their_reductions(reduce, ok, name):
    report = padcheck(Loss(reduce), INPUTS, LENGTHS, Padded(torch.randn(4, 7), LENGTHS))
    assert report.ok is ok
    assert name in report["alone"].meaning
    assert report["mates"].outcome == "not asked"
    assert report["parameters"].outcome == ("passed" if ok else "not asked")


def test_a_reduction_that_was_promised_must_fit():
    model = Loss(lambda e, m: e.sum() / m.sum())
    targets = Padded(torch.randn(4, 7), LENGTHS)
    assert padcheck(model, INPUTS, LENGTHS, targets, reduction="token").ok is True
    report = padcheck(model, INPUTS, LENGTHS, targets, reduction="sequence")
    assert report["alone"].outcome == "failed"


# --- nothing is left behind -----------------------------------------------------------------------


def test_the_caller_finds_everything_as_it_was():
    model = BatchNormOverTime(3, 8, 2).train()
    model(INPUTS, LENGTHS).sum().backward()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters()]
    inputs, lengths = INPUTS.clone(), LENGTHS.clone()
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    with torch.no_grad():
        padcheck(model, inputs, lengths, mode="train")
        assert not torch.is_grad_enabled()
    assert model.training
    assert all(v.equal(before[k]) for k, v in model.state_dict().items())
    assert all(p.grad.equal(g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert inputs.equal(INPUTS)
    assert lengths.equal(LENGTHS)
    assert not inputs.requires_grad
    assert torch.get_rng_state().equal(torch_state)
    assert random.getstate() == python_state
    assert torch.get_default_dtype() == torch.float32


def test_the_same_seed_gives_the_same_report():
    model = PaddedMeanRNN(3, 8, 2)
    assert str(padcheck(model, INPUTS, LENGTHS)) == str(padcheck(model, INPUTS, LENGTHS))


def test_inputs_that_the_model_overwrites_are_not_the_callers():
    def overwrite(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        x.zero_()
        return h

    inputs = INPUTS.clone()
    assert padcheck(Steps(overwrite), inputs, LENGTHS).ok is not False
    assert inputs.equal(INPUTS)


@pytest.mark.parametrize("model", [LastStepRNN(3, 8, 2), LastColumnRNN(3, 8, 2)])
def test_no_tensor_is_made_on_the_default_device(model):
    usual = str(padcheck(model, INPUTS, LENGTHS))
    with torch.device("meta"):
        assert str(padcheck(model, INPUTS, LENGTHS)) == usual


def test_a_loss_on_another_default_device():
    model, targets = GridLossRNN(3, 8, 2), Padded(torch.randn(4, 7, 2), LENGTHS)
    usual = str(padcheck(model, INPUTS, LENGTHS, targets))
    with torch.device("meta"):
        assert str(padcheck(model, INPUTS, LENGTHS, targets)) == usual


def test_a_list_of_lengths_and_inputs_that_want_a_gradient():
    report = padcheck(LastStepRNN(3, 8, 2), INPUTS.clone().requires_grad_(), LENGTHS.tolist())
    assert report.ok is True


# --- bad calls ------------------------------------------------------------------------------------


class Uncopyable(Steps):
    def __deepcopy__(self, memo):
        raise RuntimeError("no copies")


class Forgetful(Steps):
    """Adds what it answered last time."""

    last = 0.0

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        self.last = self.linear(x).mean() + 0.5 * self.last
        return self.linear(x) + self.last


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((Steps(), INPUTS, [5, 3, 8, 2]), {}, "lengths[2] is 8, but the batch has only 7 steps"),
        ((Steps(), INPUTS, [5, 3, 0, 2]), {}, "lengths[2] is 0"),
        ((Steps(), INPUTS, [5, 3]), {}, "got 2 lengths for a batch of 4 sequences"),
        ((Steps(), INPUTS, [7, 7, 7, 7]), {}, "all lengths are equal"),
        ((Steps(), INPUTS[0, 0], [3]), {}, "inputs are (3,), expected a tensor"),
        ((Steps(), INPUTS.tolist(), [3]), {}, "inputs are list, expected a tensor"),
        ((3, INPUTS, LENGTHS), {}, "model is a int, expected a module or a function"),
        ((Steps(), INPUTS, LENGTHS, INPUTS[:2]), {}, "extra[0] is (2, 7, 3), expected a tensor"),
        ((Steps(), INPUTS, LENGTHS), {"mode": "test"}, "mode is 'test', expected one of"),
        ((Steps(), INPUTS, LENGTHS), {"output": "step"}, "output is 'step', expected one of"),
        ((Steps(), INPUTS, LENGTHS), {"dtype": torch.int64}, "dtype is torch.int64"),
        ((Steps(), INPUTS, LENGTHS), {"noise": "none"}, "noise is 'none', expected one of"),
        ((Steps(), INPUTS, LENGTHS), {"rows": 1}, "rows"),
        ((Steps(), INPUTS, LENGTHS), {"out_lengths": 3}, "out_lengths is 3, expected a function"),
        ((Steps(), INPUTS, LENGTHS), {"call": 3}, "call is 3, expected a function"),
        ((Steps(), INPUTS, LENGTHS, INPUTS), {}, "extra[0] is (4, 7, 3), and its second axis may"),
        ((Steps(), INPUTS, LENGTHS, Padded(INPUTS, [5, 3, 8, 2])), {}, "extra[0].lengths: lengths"),
        ((Steps(), INPUTS, LENGTHS, Padded(INPUTS, [5, 3])), {}, "extra[0].lengths: got 2"),
        ((Steps(), INPUTS, LENGTHS, Padded(INPUTS[:, 0, 0])), {}, "extra[0] is Padded (4,)"),
        ((Steps(), INPUTS, LENGTHS, Padded(torch.ones(4, 7).long())), {}, "values of extra[0] are"),
        ((Steps(), {"ids": INPUTS}, LENGTHS), {}, "A batch that is a dictionary"),
        ((Steps(lambda h, x, n: h.transpose(0, 1)), INPUTS, LENGTHS), {}, "Time-major models"),
        ((Steps(), torch.zeros(4, 7).long(), LENGTHS), {}, "all real token ids are the same"),
        ((Steps(lambda h, x, n: h[0]), INPUTS, LENGTHS), {}, "the result has shape (7, 2) for 4"),
        ((Steps(lambda h, x, n: h[:, ::2]), INPUTS, LENGTHS), {}, "expected (B, T, ...)"),
        ((Steps(lambda h, x, n: h.mT), INPUTS, LENGTHS), {"output": "steps"}, "expected (B, T"),
        ((Steps(lambda h, x, n: {"h": h}), INPUTS, LENGTHS), {}, "the model returns a dict"),
        (
            (Steps(lambda h, x, n: nn.utils.rnn.pack_sequence([h[0]])), INPUTS, LENGTHS),
            {},
            "the model returns a PackedSequence, expected a tensor",
        ),
        ((Forgetful(), INPUTS, LENGTHS), {}, "another answer each time"),
        ((Uncopyable(), INPUTS, LENGTHS), {}, "cannot be copied (RuntimeError: no copies)"),
        ((Steps().to("meta"), INPUTS, LENGTHS), {}, "is on meta and the inputs are on cpu"),
        ((nn.Linear(3, 2), INPUTS, LENGTHS), {}, "the model refuses the batch (TypeError"),
    ],
)  # fmt: skip
def test_a_bad_call_gets_one_clear_sentence(arguments, options, sentence):
    with pytest.raises((TypeError, ValueError)) as raised:
        padcheck(*arguments, **options)
    message = str(raised.value)
    assert sentence in message
    assert "\n" not in message


def test_a_shape_that_can_be_read_two_ways_is_asked_about():
    def seven(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        if x.shape[1] != 7:
            raise RuntimeError("seven steps, please")
        return h.sum(-1)

    with pytest.raises(ValueError, match="say output='steps' or output='vector'"):
        padcheck(Steps(seven), INPUTS, LENGTHS)
    assert padcheck(Steps(seven), INPUTS, LENGTHS, output="steps").ok is None


def test_a_vector_as_long_as_the_batch_is_a_vector():
    report = padcheck(Steps(first_real_mean, 7), INPUTS, LENGTHS)
    assert report.ok is True


class Moody(Steps):
    """Raises whatever it is told to, from the second call on or from the first."""

    def __init__(self, error: BaseException, calls: int) -> None:
        super().__init__()
        self.error, self.calls = error, calls

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        self.calls -= 1
        if self.calls < 0:
            raise self.error
        return self.linear(x).mean(1)


@pytest.mark.parametrize("calls", [0, 1, 3, 4, 6, 9, 14, 20, 30])
@pytest.mark.parametrize(
    "error", [KeyError("k"), ZeroDivisionError(), AttributeError("a\nb"), RecursionError("deep")]
)
def test_whatever_a_model_raises_and_whenever(error, calls):
    """A report, or one sentence: nothing else comes out."""
    sentence, report = "", None
    try:
        report = padcheck(Moody(error, calls), INPUTS, LENGTHS)
    except (TypeError, ValueError) as refused:
        sentence = str(refused)
    assert (report is None) is bool(sentence)
    assert report is None or report.ok is not True
    assert "\n" not in sentence


def test_a_search_that_breaks_costs_no_verdict(monkeypatch):
    def broken(*_):
        raise RuntimeError("max() arg is an empty sequence")

    monkeypatch.setattr(causes, "record", broken)
    report = padcheck(LastColumnRNN(3, 8, 2), INPUTS, LENGTHS)
    assert report.ok is False
    assert "max() arg is an empty sequence" in report.cause.where


def test_every_name_that_an_operation_gets_is_a_cause():
    """A misspelt name would otherwise only show in the one model that has this cause."""
    tree = ast.parse(inspect.getsource(comparing))
    named = {
        constant.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Return) and node.value is not None
        for constant in ast.walk(node.value)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }
    words = {name for name in named if re.fullmatch(r"[a-z]+( [a-z]+)+|layout|unknown", name)}
    assert len(words) > 15
    assert words - {"unknown"} <= set(causes.CAUSES)


def test_few_rows_are_asked_unless_told_otherwise():
    seen = []

    def note(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        seen.append((len(x), sorted(lengths.tolist())))
        return h

    x, n = torch.randn(40, 30, 3), torch.arange(40) % 30 + 1
    assert padcheck(Steps(note), x, n)
    assert max(rows for rows, _ in seen) == 5
    assert {1, 30} <= set(next(lengths for rows, lengths in seen if rows == 5))
    assert padcheck(Steps(note), x, n, rows=None)
    assert max(rows for rows, _ in seen) == 40


def test_progress_is_shown_after_a_second_and_taken_away(capsys):
    def slow(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        time.sleep(0.12)
        return h

    assert padcheck(Steps(), INPUTS, LENGTHS)
    assert capsys.readouterr().err == ""
    assert padcheck(Steps(slow), INPUTS, LENGTHS)
    assert "padcheck:" in capsys.readouterr().err


# --- the report -----------------------------------------------------------------------------------


def test_the_text_says_everything():
    report = padcheck(LastColumnRNN(3, 8, 2), INPUTS, LENGTHS)
    text = str(report)
    assert text.startswith(
        "padcheck in eval mode: padding or batching changes the results (failed:"
    )
    assert all(re.search(rf"^[✓✗!–?] {name}\b", text, re.M) for name in QUESTIONS)
    assert "likely cause: last step" in text
    assert "07_last_step_extraction" in text
    assert repr(report) == text
    assert max(map(len, text.splitlines())) <= 100


def test_an_unknown_question_is_refused():
    report = padcheck(Steps(), INPUTS, LENGTHS)
    assert report["values"] is report.findings[0]
    with pytest.raises(KeyError, match="is not a question"):
        report["colour"]


@pytest.mark.parametrize("kind", [LastColumnRNN, LastStepRNN])
def test_the_html_is_well_formed_and_has_a_picture_with_a_name(kind):
    report = padcheck(kind(3, 8, 2), INPUTS, LENGTHS)
    page = report._repr_html_()
    ElementTree.fromstring(page)
    assert "var(--jp-content-font-color1" in page
    assert page.count('role="img"') == 1
    assert 'aria-label="' in page
    assert all(name in page for name in QUESTIONS)


def test_the_leak_is_zero_at_the_pads_of_a_right_model_only():
    pads = torch.arange(7) >= LENGTHS[:, None]
    right = padcheck(LastStepRNN(3, 8, 2), INPUTS, LENGTHS)
    wrong = padcheck(LastColumnRNN(3, 8, 2), INPUTS, LENGTHS)
    assert (right.leak[pads] == 0).all()
    assert (right.leak[~pads] > 0).all()
    assert (wrong.leak[pads] > 0).all()
    assert right.real.equal(~pads)


def test_a_report_without_a_picture():
    report = padcheck(Steps(lambda h, x, n: h.detach()), INPUTS, LENGTHS)
    assert report.ok is True
    assert "Judged on results only" in report.headline
    assert report.picture is None
    assert "role" not in report._repr_html_()


def test_text_from_the_model_is_escaped():
    def angry(h: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        if x.shape[1] != 7:
            raise RuntimeError("<b>no & no</b>")
        return h

    page = padcheck(Steps(angry), INPUTS, LENGTHS, output="steps")._repr_html_()
    assert "&lt;b&gt;no &amp; no" in page


@pytest.mark.parametrize("kind", [LastColumnRNN, LastStepRNN])
def test_a_report_is_saved_as_text_html_and_json(kind, tmp_path):
    report = padcheck(kind(3, 8, 2), INPUTS, LENGTHS)
    assert report.save(tmp_path / "a.txt").read_text(encoding="utf-8") == f"{report}\n"
    assert report.html in report.save(tmp_path / "a.html").read_text(encoding="utf-8")
    content = json.loads(report.save(str(tmp_path / "a.json")).read_text(encoding="utf-8"))
    assert content["ok"] is report.ok
    assert [f["question"] for f in content["findings"]] == list(QUESTIONS)
    assert (content["cause"] and content["cause"]["name"]) == (report.cause and report.cause.name)
    with pytest.raises(ValueError, match=r"use \.html, \.json or \.txt"):
        report.save(tmp_path / "a.pdf")


def test_an_infinite_deviation_is_valid_json():
    model = Steps(lambda h, x, n: h + h.new_tensor(float(x.shape[1] > 7)) / 0 * 0)
    assert '"Infinity"' not in padcheck(model, INPUTS, LENGTHS).json
    model = Steps(lambda h, x, n: h / float(x.shape[1] <= 7))
    assert json.loads(padcheck(model, INPUTS, LENGTHS).json)["ok"] is False


# --- assertion and command line -------------------------------------------------------------------


def test_the_assertion_is_silent_or_raises_the_report():
    assert assert_padding_invariant(LastStepRNN(3, 8, 2), INPUTS, LENGTHS) is None
    model = LastColumnRNN(3, 8, 2)
    with pytest.raises(AssertionError) as raised:
        assert_padding_invariant(model, INPUTS, LENGTHS)
    assert str(raised.value) == str(padcheck(model, INPUTS, LENGTHS))


def test_the_assertion_hides_its_own_frame():
    assert "__tracebackhide__" in assert_padding_invariant.__code__.co_varnames


def test_no_verdict_is_not_good_enough_for_the_assertion():
    with pytest.raises(AssertionError, match="no verdict: nothing failed"):
        assert_padding_invariant(Steps(only_seven, 5), INPUTS, LENGTHS)


FACTORIES = """
import torch
from course_utils.models import LastStepRNN
from course_utils.wrong_models import LastColumnRNN, ValueMaskRNN

x, n = torch.randn(4, 7, 3), torch.tensor([5, 3, 7, 2])

def right():
    return LastStepRNN(3, 8, 2), x, n

def wrong():
    return LastColumnRNN(3, 8, 2), x, n

def marked():
    return ValueMaskRNN(3, 8, 2), x, n, {"pad_marker": 0.0}

def equal():
    return LastStepRNN(3, 8, 2), x, torch.tensor([7, 7, 7, 7])

def short():
    return LastStepRNN(3, 8, 2), x

number = 3
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    (tmp_path / "my_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_factories", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("my_factories:right", 0, "padding does not change the results."),
        ("my_factories:wrong", 1, "likely cause: last step"),
        ("my_factories:marked", 0, "Pads of inputs hold 0"),
        ("my_factories:equal", 2, "all lengths are equal"),
        ("my_factories:short", 2, "the factory must return model, inputs, lengths"),
        ("my_factories:number", 2, "has no function 'number'"),
        ("my_factories:none", 2, "has no function 'none'"),
        ("no_such_module:right", 2, "cannot be imported"),
        ("my_factories", 2, "not of the form package.module:factory"),
    ],
)
def test_the_exit_status(factories, capsys, name, status, words):
    assert main([name]) == status
    printed = capsys.readouterr()
    assert words in printed.out + printed.err


def test_the_command_line_in_a_process_of_its_own(factories):
    def run(*words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "course_utils.padcheck", *words]
        return subprocess.run(command, cwd=factories, capture_output=True, text=True)

    assert run("my_factories:wrong", "--padding-side", "right").returncode == 1
    helped = run("--help")
    assert helped.returncode == 0
    assert "Exit status" in helped.stdout


ALONE = """
import sys

BLOCKED = {"drawsvg", "ipywidgets", "matplotlib", "IPython", "anywidget", "pandas", "sklearn",
           "sktime", "scipy", "numpy", "jupyterlab", "nbval", "pytest"}

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
import torch
from course_utils.models import LastStepRNN
from course_utils.padcheck import padcheck

report = padcheck(LastStepRNN(3, 8, 2), torch.randn(4, 7, 3), [5, 3, 7, 2])
assert report and "<table" in report._repr_html_() and "role=" not in report.html
print("asked with torch alone")
"""


def test_torch_alone_is_enough():
    command = [sys.executable, "-W", "ignore", "-c", ALONE]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.stdout.strip() == "asked with torch alone", found.stderr


def test_a_report_is_a_value():
    report = padcheck(Steps(), INPUTS, LENGTHS)
    assert isinstance(report, Report)
    assert bool(report) is True
    assert bool(padcheck(LastColumnRNN(3, 8, 2), INPUTS, LENGTHS)) is False
    assert bool(padcheck(Steps(only_seven, 5), INPUTS, LENGTHS)) is False
    assert not math.isnan(report["values"].tolerance)
    with pytest.raises(AttributeError):
        report.mode = "train"
