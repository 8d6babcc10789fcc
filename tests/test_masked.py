"""Masked means, maxima, softmax and losses: against loops over the real positions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from measures import assert_close
from torch import Tensor

from course_utils.masked import (
    expand_mask,
    masked_accuracy,
    masked_cross_entropy,
    masked_max,
    masked_mean,
    masked_mse,
    masked_softmax,
    position_weights,
)
from course_utils.sequences import lengths_to_mask

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PERS = ("token", "sequence", "step")
FEATURES = st.sampled_from([(), (1,), (3,), (2, 2)])
SEEDS = st.integers(0, 2**31)
# One sequence, B = T, equal lengths, full rows and rows of a single step included.
LENGTHS = st.one_of(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.sampled_from([[1], [3], [3, 3, 3], [1, 2, 3], [4, 4], [5, 3, 7, 2]]),
)


def random_values(shape: tuple[int, ...], seed: int, dtype=torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def random_mask(shape: tuple[int, ...], seed: int) -> Tensor:
    """Any mask with a real position in every row: holes, left padding, whatever comes."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[..., seed % shape[-1]] = True
    return mask


def mean_by_hand(values: Tensor, mask: Tensor, per: str) -> Tensor:
    """The mean as a person would take it: lists of real steps and plain means of them."""
    steps = values.flatten(2).mean(2) if values.dim() > 2 else values
    rows, columns = range(mask.shape[0]), range(mask.shape[1])
    if per == "token":
        groups = [[steps[b, t] for b in rows for t in columns if mask[b, t]]]
    elif per == "sequence":
        groups = [[steps[b, t] for t in columns if mask[b, t]] for b in rows]
    else:
        groups = [[steps[b, t] for b in rows if mask[b, t]] for t in columns]
    means = [sum(group) / len(group) for group in groups if group]
    return sum(means) / len(means)


# --- masks and values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask_shape", "shape"),
    [
        ((2, 3), (2, 3)),
        ((2, 3), (2, 3, 4)),
        ((2, 3), (2, 3, 1)),
        ((2, 3, 4), (2, 3, 4)),
        ((1, 3), (2, 3)),
        ((2, 1), (2, 3)),
        ((2, 1, 4), (2, 3, 4)),
        ((3,), (3,)),
    ],
)
def test_masks_that_fit(mask_shape, shape):
    mask = random_mask(mask_shape, 0)
    full = expand_mask(mask, torch.zeros(shape))
    assert full.shape == shape
    for index in torch.cartesian_prod(*map(torch.arange, shape)).view(-1, len(shape)).tolist():
        own = tuple(0 if n == 1 else i for i, n in zip(index, mask_shape, strict=False))
        assert full[tuple(index)] == mask[own]


@pytest.mark.parametrize(
    ("mask_shape", "shape"),
    [
        ((3, 1), (3,)),
        ((3,), (3, 1)),
        ((3, 3, 1), (3, 3)),
        ((3,), (3, 3)),
        ((3, 3), (3,)),
        ((2, 4), (2, 3)),
        ((3, 2), (2, 3)),
        ((2, 3), (2, 1)),
        ((2, 3, 2), (2, 3, 4)),
        ((), (2, 3)),
    ],
)
def test_masks_that_do_not_fit(mask_shape, shape):
    mask, values = torch.ones(mask_shape, dtype=torch.bool), torch.ones(shape)
    named = rf"mask \({', '.join(map(str, mask_shape))},?\) does not fit values \("
    for function in (expand_mask, lambda m, v: masked_mean(v, m)):
        with pytest.raises(ValueError, match=named):
            function(mask, values)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.uint8])
def test_a_mask_is_boolean(dtype):
    mask, values, classes = torch.ones(2, 3, dtype=dtype), torch.ones(2, 3), torch.ones(2, 3).long()
    calls = [
        lambda: expand_mask(mask, values),
        lambda: position_weights(mask),
        lambda: masked_mean(values, mask),
        lambda: masked_max(values, mask),
        lambda: masked_softmax(values, mask),
        lambda: masked_mse(values, values, mask),
        lambda: masked_cross_entropy(torch.ones(2, 3, 4), classes, mask),
        lambda: masked_accuracy(torch.ones(2, 3, 4), classes, mask),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=rf"dtype {dtype}, expected torch.bool"):
            call()


def test_other_devices_are_named():
    mask, values = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3)
    with pytest.raises(ValueError, match=r"mask is on meta and the values are on cpu.*mask\.to"):
        masked_mean(values, mask.to("meta"))
    with pytest.raises(ValueError, match=r"prediction is on cpu and the target is on meta"):
        masked_mse(values, values.to("meta"), mask)
    with pytest.raises(ValueError, match=r"prediction is on cpu and the target is on meta"):
        masked_cross_entropy(values[..., None], values.long().to("meta"), mask)


# --- means -----------------------------------------------------------------------------------


@given(LENGTHS, FEATURES, st.sampled_from(PERS), st.integers(0, 2), SEEDS)
def test_mean_is_the_loop_s(lengths, features, per, extra, seed):
    mask = lengths_to_mask(lengths, max(lengths) + extra)
    values = random_values((*mask.shape, *features), seed)
    assert_close(masked_mean(values, mask, per=per), mean_by_hand(values, mask, per))


@given(st.integers(1, 4), st.integers(1, 4), FEATURES, st.sampled_from(PERS), SEEDS)
def test_mean_over_masks_with_holes(batch, steps, features, per, seed):
    mask = random_mask((batch, steps), seed)
    values = random_values((*mask.shape, *features), seed)
    assert_close(masked_mean(values, mask, per=per), mean_by_hand(values, mask, per))


@given(LENGTHS, st.sampled_from([1, 3]), SEEDS)
def test_mean_pooling_is_each_sequence_s_own_mean(lengths, features, seed):
    mask = lengths_to_mask(lengths)
    values = random_values((*mask.shape, features), seed)
    expected = torch.stack([row[:n].mean(0) for row, n in zip(values, lengths, strict=True)])
    assert_close(masked_mean(values, mask, dim=1), expected)
    assert_close(masked_mean(values, mask, dim=-2), expected)


def test_mean_with_a_mask_over_features():
    values = random_values((2, 3, 4), 0)
    mask = random_mask((2, 3, 4), 1)
    assert_close(masked_mean(values, mask), values[mask].mean())


@given(LENGTHS, st.sampled_from(PERS), st.integers(0, 2), SEEDS)
def test_weights_are_the_gradient_of_the_mean_and_sum_to_one(lengths, per, extra, seed):
    mask = lengths_to_mask(lengths, max(lengths) + extra)
    weights = position_weights(mask, per, dtype=torch.float64)
    assert weights.shape == mask.shape
    assert_close(weights.sum(), torch.tensor(1.0, dtype=torch.float64))
    assert (weights[~mask] == 0).all()
    assert (weights[mask] > 0).all()
    values = random_values(mask.shape, seed).requires_grad_()
    mean_by_hand(values, mask, per).backward()
    assert_close(weights, values.grad)


def test_weights_by_hand():
    mask = lengths_to_mask([3, 1])
    token = [[1 / 4, 1 / 4, 1 / 4], [1 / 4, 0, 0]]
    sequence = [[1 / 6, 1 / 6, 1 / 6], [1 / 2, 0, 0]]
    step = [[1 / 6, 1 / 3, 1 / 3], [1 / 6, 0, 0]]
    for per, expected in zip(PERS, (token, sequence, step), strict=True):
        assert_close(position_weights(mask, per), torch.tensor(expected))
        assert position_weights(mask, per).dtype == torch.get_default_dtype()


@given(LENGTHS, FEATURES, st.sampled_from(PERS), st.integers(1, 4), SEEDS)
def test_more_padding_changes_no_mean(lengths, features, per, extra, seed):
    mask = lengths_to_mask(lengths)
    values = random_values((*mask.shape, *features), seed)
    wide = lengths_to_mask(lengths, max(lengths) + extra)
    wide_values = random_values((*wide.shape, *features), seed + 1)
    wide_values[:, : mask.shape[1]] = values
    assert_close(masked_mean(wide_values, wide, per=per), masked_mean(values, mask, per=per))


@pytest.mark.parametrize("per", ["sequence", "step"])
def test_per_needs_a_mask_of_steps(per):
    values = torch.ones(2, 3, 4)
    with pytest.raises(ValueError, match=r"needs a mask \(B, T\) and no dim, got \(2, 3, 4\)"):
        masked_mean(values, torch.ones(2, 3, 4, dtype=torch.bool), per=per)
    with pytest.raises(ValueError, match=r"needs a mask \(B, T\) and no dim"):
        masked_mean(values, torch.ones(2, 3, dtype=torch.bool), per=per, dim=1)
    with pytest.raises(ValueError, match=r"needs a mask \(B, T\) and no dim, got \(1, 3\)"):
        masked_mean(values, torch.ones(1, 3, dtype=torch.bool), per=per)


def test_options_that_do_not_exist():
    values, mask = torch.ones(2, 3), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="per is 'batch', expected 'token', 'sequence' or 'step'"):
        masked_mean(values, mask, per="batch")
    for empty in (1, "zero", None, False):
        with pytest.raises(ValueError, match=r"empty is .*, expected 'raise' or 0"):
            masked_mean(values, mask, empty=empty)
    with pytest.raises(ValueError, match=r"need a mask \(B, T\), got \(6,\)"):
        position_weights(mask.flatten())


# --- nothing real ----------------------------------------------------------------------------


def test_an_empty_row_is_refused_where_it_would_be_averaged():
    mask, values = lengths_to_mask([2, 0]), torch.ones(2, 2, 3, requires_grad=True)
    with pytest.raises(ValueError, match=r"the sequence at index 1 has no real step.*empty=0"):
        masked_mean(values, mask, per="sequence")
    with pytest.raises(ValueError, match=r"the slice at index \(1, 0\) has no real step"):
        masked_mean(values, mask, dim=1)
    with pytest.raises(ValueError, match=r"the slice at index \(1, 0\) has no real step"):
        masked_max(values, mask)


@pytest.mark.parametrize("per", PERS)
def test_an_empty_batch_is_refused_or_zero_with_zero_gradient(per):
    mask = lengths_to_mask([0, 0], 3)
    values = torch.ones(2, 3, requires_grad=True)
    logits = torch.ones(2, 3, 4, requires_grad=True)
    losses = {
        values: [
            lambda **o: masked_mean(values, mask, per=per, **o),
            lambda **o: masked_mse(values, torch.zeros(2, 3), mask, per=per, **o),
        ],
        logits: [
            lambda **o: masked_cross_entropy(logits, torch.zeros(2, 3).long(), mask, per=per, **o)
        ],
    }
    for leaf, functions in losses.items():
        for function in functions:
            with pytest.raises(ValueError, match="has no real step, so there is nothing"):
                function()
            result = function(empty=0)
            assert result.item() == 0
            assert not torch.autograd.grad(result, leaf)[0].any()
    assert not position_weights(mask, per, empty=0).any()


def test_empty_rows_that_count_as_nothing():
    mask = lengths_to_mask([3, 0, 1])
    values = random_values((3, 3), 0).requires_grad_()
    expected = (values[0].mean() + values[2, 0]) / 2
    assert_close(masked_mean(values, mask, per="sequence", empty=0), expected)
    pooled = masked_mean(values, mask, dim=1, empty=0)
    assert_close(pooled, torch.stack([values[0].mean(), values[0, 0] * 0, values[2, 0]]))
    largest = masked_max(values, mask, empty=0)
    assert_close(largest, torch.stack([values[0].max(), values[0, 0] * 0, values[2, 0]]))
    for result in (pooled, largest):
        gradient = torch.autograd.grad(result.sum(), values, retain_graph=True)[0]
        assert not gradient[~mask].any()
    assert masked_accuracy(torch.ones(3, 3, 2), torch.zeros(3, 3).long(), mask) == 1
    with pytest.raises(ValueError, match="the batch has no real step"):
        masked_accuracy(torch.ones(3, 3, 2), torch.zeros(3, 3).long(), mask & False)


# --- maximum ---------------------------------------------------------------------------------


@given(LENGTHS, st.sampled_from([1, 3]), st.sampled_from([*FLOATS, torch.int64]), SEEDS)
def test_max_is_each_sequence_s_own_even_if_negative(lengths, features, dtype, seed):
    mask = lengths_to_mask(lengths, max(lengths) + 1)
    values = (random_values((*mask.shape, features), seed) * 10 - 100).to(dtype)
    values[~mask] = 1000  # larger than every real value, as zeros would be
    expected = torch.stack([row[:n].amax(0) for row, n in zip(values, lengths, strict=True)])
    assert torch.equal(masked_max(values, mask), expected)


# --- softmax ---------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 3), st.sampled_from(FLOATS), SEEDS)
def test_softmax_is_each_row_s_own(lengths, queries, dtype, seed):
    mask = lengths_to_mask(lengths, max(lengths) + 1)
    scores = (random_values((len(lengths), queries, mask.shape[1]), seed) * 20).to(dtype)
    weights = masked_softmax(scores, mask[:, None, :])
    assert weights.dtype == dtype
    for row, n in enumerate(lengths):
        assert_close(weights[row, :, :n], scores[row, :, :n].softmax(-1))
        assert not weights[row, :, n:].any()


def test_softmax_along_another_axis():
    scores, mask = random_values((3, 3), 0), lengths_to_mask([3, 1, 2])
    expected = masked_softmax(scores.T, mask.T).T
    assert_close(masked_softmax(scores, mask, dim=0), expected)
    assert_close(masked_softmax(scores, mask, dim=0).sum(0), torch.ones(3).double())


def test_a_softmax_row_without_real_scores_is_zero_with_zero_gradient():
    scores = random_values((2, 3), 0).requires_grad_()
    weights = masked_softmax(scores, lengths_to_mask([2, 0], 3))
    (weights * torch.randn(2, 3)).sum().backward()
    assert not weights[1].any()
    assert not scores.grad[1].any()
    assert scores.grad[0, :2].all()


def test_minus_infinity_among_real_scores():
    real = random_values((2,), 0)
    scores = torch.tensor(
        [[0.0, -math.inf, 0.0, 5.0], [-math.inf, -math.inf, -math.inf, 5.0]], dtype=torch.float64
    )
    scores[0, [0, 2]] = real
    scores.requires_grad_()
    weights = masked_softmax(scores, lengths_to_mask([3, 3], 4))
    expected = torch.zeros(2, 4, dtype=torch.float64)
    expected[0, [0, 2]] = real.softmax(0)
    assert_close(weights, expected)
    (weights * torch.randn(2, 4)).sum().backward()
    assert scores.grad.isfinite().all()
    assert not scores.grad[1].any()


def test_softmax_asks_which_axis_holds_the_keys():
    with pytest.raises(ValueError, match=r"mask \(3, 3\) and scores \(3, 3, 3\).*mask\[:, None"):
        masked_softmax(torch.ones(3, 3, 3), torch.ones(3, 3, dtype=torch.bool))


# --- losses ----------------------------------------------------------------------------------


@given(LENGTHS, FEATURES, st.sampled_from(PERS), SEEDS)
def test_mse_is_the_loop_s(lengths, features, per, seed):
    mask = lengths_to_mask(lengths)
    prediction = random_values((*mask.shape, *features), seed)
    target = random_values(prediction.shape, seed + 1)
    expected = mean_by_hand((prediction - target) ** 2, mask, per)
    assert_close(masked_mse(prediction, target, mask, per=per), expected)
    if per == "token":
        real = [
            F.mse_loss(p[:n], t[:n], reduction="sum")
            for p, t, n in zip(prediction, target, lengths, strict=True)
        ]
        features_of_a_step = math.prod(features)
        assert_close(expected, sum(real) / (sum(lengths) * features_of_a_step))


@given(LENGTHS, st.integers(1, 4), st.sampled_from(PERS), SEEDS)
def test_cross_entropy_is_the_loop_s(lengths, classes, per, seed):
    mask = lengths_to_mask(lengths)
    logits = random_values((*mask.shape, classes), seed)
    target = torch.randint(classes, mask.shape, generator=torch.Generator().manual_seed(seed))
    single = torch.stack(
        [
            torch.stack([-row[t].log_softmax(-1)[k[t]] for t in range(len(k))])
            for row, k in zip(logits, target, strict=True)
        ]
    )
    expected = mean_by_hand(single, mask, per)
    garbage = target.masked_fill(~mask, -7)  # what stands at pads does not matter
    assert_close(masked_cross_entropy(logits, garbage, mask, per=per), expected)
    if per == "token":
        ignored = target.masked_fill(~mask, -100)
        assert_close(expected, F.cross_entropy(logits.transpose(1, 2), ignored))
    right = [logits[b, t].argmax() == target[b, t] for b, n in enumerate(lengths) for t in range(n)]
    accuracy = masked_accuracy(logits, garbage, mask)
    assert accuracy.item() == pytest.approx(sum(map(int, right)) / len(right))


@pytest.mark.parametrize(
    ("prediction_shape", "target_shape"),
    [((3, 1), (3,)), ((3, 3, 1), (3, 3)), ((3, 3), (3, 3, 1)), ((3, 3), (3, 1)), ((2, 3), (3, 2))],
)
def test_no_loss_broadcasts_prediction_against_target(prediction_shape, target_shape):
    mask = torch.ones(prediction_shape[:2], dtype=torch.bool)
    with pytest.raises(ValueError, match=r"prediction \(.*\) and target \(.*\) differ in shape"):
        masked_mse(torch.ones(prediction_shape), torch.ones(target_shape), mask)


@pytest.mark.parametrize("function", [masked_cross_entropy, masked_accuracy])
@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        (torch.ones(2, 3, 4), torch.ones(2, 3), TypeError, "torch.float32, expected an integer"),
        (
            torch.ones(2, 3, 4),
            torch.ones(2, 3).bool(),
            TypeError,
            "torch.bool, expected an integer",
        ),
        (torch.ones(3, 3, 3), torch.ones(3).long(), ValueError, r"need targets \(3, 3\)"),
        (torch.ones(2, 4, 3), torch.ones(2, 3).long(), ValueError, r"need targets \(2, 4\)"),
        (torch.ones(2, 3, 1), torch.ones(2, 3, 1).long(), ValueError, r"need targets \(2, 3\)"),
        (torch.ones(2, 3, 1), torch.ones(2, 3).long(), ValueError, r"at \(0, 0\) is 1, .* 0 to 0"),
        (torch.ones(2, 3, 4), torch.full((2, 3), -100), ValueError, r"at \(0, 0\) is -100"),
    ],
)
def test_targets_that_are_no_classes(function, logits, target, error, message):
    with pytest.raises(error, match=message):
        function(logits, target, torch.ones(logits.shape[:2], dtype=torch.bool))


# --- NaN and infinity under the mask ---------------------------------------------------------

STEP_MASK = lengths_to_mask([3, 1, 2], 4)
TARGET = random_values((3, 4, 2), 5)
CLASSES = torch.tensor([[0, 1, 1, 0]] * 3)
FUNCTIONS = {
    "mean": lambda x: masked_mean(x, STEP_MASK),
    "mean per sequence": lambda x: masked_mean(x, STEP_MASK, per="sequence"),
    "mean per step": lambda x: masked_mean(x, STEP_MASK, per="step"),
    "mean pooling": lambda x: masked_mean(x, STEP_MASK, dim=1),
    "max": lambda x: masked_max(x, STEP_MASK),
    "softmax": lambda x: masked_softmax(x, STEP_MASK[..., None], dim=1),
    "mse": lambda x: masked_mse(x, TARGET, STEP_MASK),
    "mse of the target": lambda x: masked_mse(TARGET, x, STEP_MASK),
    "cross-entropy": lambda x: masked_cross_entropy(x, CLASSES, STEP_MASK),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e300])
def test_what_stands_at_pads_reaches_neither_value_nor_gradient(name, poison):
    clean = random_values((3, 4, 2), 3)
    results = []
    for values in (clean, clean.masked_fill(~STEP_MASK[..., None], poison)):
        values.requires_grad_()
        result = FUNCTIONS[name](values)
        weights = random_values(result.shape, 4)
        results.append((result, torch.autograd.grad((result * weights).sum(), values)[0]))
    (result, gradient), (poisoned, poisoned_gradient) = results
    assert torch.equal(result, poisoned)
    assert torch.equal(gradient, poisoned_gradient)
    assert not gradient[~STEP_MASK].any()
    assert gradient[STEP_MASK].any()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_against_finite_differences(name):
    values = random_values((3, 4, 2), 6).requires_grad_()
    assert torch.autograd.gradcheck(FUNCTIONS[name], (values,))


def test_nan_at_a_real_step_is_not_hidden():
    values = torch.ones(3, 4, 2)
    values[0, 0] = math.nan
    for name in ("mean", "max", "softmax", "mse", "cross-entropy"):
        assert FUNCTIONS[name](values).isnan().any()


# --- precision -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("per", PERS)
def test_results_keep_the_dtype(dtype, per):
    mask = lengths_to_mask([2, 3])
    values = random_values((2, 3, 2), 0, dtype)
    tolerance = {"rtol": 4 * torch.finfo(dtype).eps, "atol": torch.finfo(dtype).eps}
    wide = values.double()
    for function in (
        lambda x: masked_mean(x, mask, per=per),
        lambda x: masked_mse(x, x.flip(0), mask, per=per),
        lambda x: masked_cross_entropy(x, torch.ones(2, 3).long(), mask, per=per),
    ):
        assert function(values).dtype == dtype
        assert_close(function(values).double(), function(wide), **tolerance)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("per", PERS)
def test_half_precision_neither_overflows_nor_stalls(dtype, per):
    count = 200_000  # beyond 65504, the largest number of float16
    mask = torch.ones(2, count // 2, dtype=torch.bool)
    values = torch.full((2, count // 2), 3.0, dtype=dtype)
    assert masked_mean(values, mask, per=per).item() == 3
    assert masked_mse(values, -values, mask, per=per).item() == 36


def test_one_large_error_in_half_precision():
    prediction = torch.zeros(1, 100, dtype=torch.float16)
    prediction[0, 0] = 300  # its square alone is beyond float16, the mean is 900
    mask = torch.ones(1, 100, dtype=torch.bool)
    assert masked_mse(prediction, torch.zeros_like(prediction), mask).item() == 900


def test_whole_numbers_and_truth_values_have_a_mean():
    mask = lengths_to_mask([2, 1])
    assert masked_mean(torch.tensor([[1, 2], [6, 9]]), mask).item() == 3
    assert masked_mean(torch.tensor([[True, False], [False, True]]), mask).item() == pytest.approx(
        1 / 3
    )
    assert masked_mse(torch.tensor([[1, 2], [6, 9]]), torch.zeros(2, 2).long(), mask) == 41 / 3


# --- arguments that are nearly right ---------------------------------------------------------


def test_small_whole_numbers_do_not_run_over():
    mask = torch.ones(1, 2, dtype=torch.bool)
    for dtype in (torch.uint8, torch.int8):
        one, other = torch.tensor([[3, 100]], dtype=dtype), torch.tensor([[5, 0]], dtype=dtype)
        assert masked_mse(one, other, mask).item() == (4 + 100**2) / 2


def test_no_features_give_zero_and_not_nan():
    values, mask = torch.zeros(2, 3, 0), torch.ones(2, 3, dtype=torch.bool)
    for per in PERS:
        assert masked_mean(values, mask, per=per, empty=0) == 0
        with pytest.raises(ValueError, match="nothing to average"):
            masked_mean(values, mask, per=per)


def test_half_precision_weights_of_many_steps():
    weights = position_weights(torch.ones(1, 70_000, dtype=torch.bool), dtype=torch.float16)
    assert weights.min() > 0


def test_half_precision_cross_entropy_keeps_what_it_can():
    logits = torch.tensor([[[-2.7129, -0.1852, -1.6953, 3.8633]]], dtype=torch.float16)
    target, mask = torch.tensor([[3]]), torch.ones(1, 1, dtype=torch.bool)
    expected = F.cross_entropy(logits[0].double(), target[0])
    assert masked_cross_entropy(logits, target, mask).item() == pytest.approx(
        expected.item(), rel=2e-3
    )


@pytest.mark.parametrize("function", [masked_mean, masked_max, masked_softmax])
def test_complex_numbers_and_axes_that_are_not_there(function):
    mask = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(TypeError, match="complex64, expected"):
        function(torch.ones(2, 3, dtype=torch.complex64), mask)
    with pytest.raises(ValueError, match="dim is 2, expected an axis of the values"):
        function(torch.ones(2, 3), mask, dim=2)
