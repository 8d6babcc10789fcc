"""Means, maxima, softmax and losses that see real steps only.

A mask is boolean with ``True`` = real. It has as many dimensions as the values, or misses
only feature axes behind ``(B, T)``; an axis of size one is broadcast, nothing else is.
Values under the mask are replaced *before* any arithmetic, so that NaN there reaches neither
the result nor a gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks import (
    check_choice,
    check_dim,
    check_float,
    check_numbers,
    check_real,
    check_tensor,
    check_whole,
)

Per = Literal["token", "sequence", "step"]
Empty = Literal["raise", 0]


def _check_boolean(mask: Tensor) -> None:
    check_tensor(mask, "mask")
    if mask.dtype != torch.bool:
        raise TypeError(
            f"the mask has dtype {mask.dtype}, expected torch.bool with True = real: "
            "keep masks boolean, or compare first (mask == 1)"
        )


def expand_mask(mask: Tensor, values: Tensor) -> Tensor:
    """The mask with the shape of the values.

    Args:
        mask: boolean, ``(B, T)`` up to the full shape of the values.
        values: ``(B, T, ...)``.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: shapes that do not fit, or another device; both shapes are named.
    """
    _check_boolean(mask)
    check_tensor(values, "values")
    if mask.device != values.device:
        raise ValueError(
            f"the mask is on {mask.device} and the values are on {values.device}: "
            "move the mask with mask.to(values.device)"
        )
    shapes = f"mask {tuple(mask.shape)} does not fit values {tuple(values.shape)}"
    if mask.dim() > values.dim() or mask.dim() < min(2, values.dim()):
        raise ValueError(
            f"{shapes}: a mask has the dimensions of the values, or (B, T) for (B, T, ...). "
            "Broadcasting anything else would pair the wrong numbers in silence"
        )
    for axis, (m, v) in enumerate(zip(mask.shape, values.shape, strict=False)):
        if m not in (1, v):
            raise ValueError(f"{shapes}: axis {axis} has {m} against {v} entries")
    return mask.reshape(*mask.shape, *[1] * (values.dim() - mask.dim())).expand(values.shape)


def _check_empty(empty: Empty) -> None:
    known = empty == "raise" if isinstance(empty, str) else isinstance(empty, (int, float))
    if not known or isinstance(empty, bool) or (empty != 0 and empty != "raise"):
        raise ValueError(f"empty is {empty!r:.40}, expected 'raise' or 0")


def _refuse_empty(has_real: Tensor, what: str) -> None:
    """Raise unless every entry of ``has_real`` is True."""
    if not bool(has_real.all()):
        where = (~has_real).nonzero()[0].tolist()
        place = f" at index {where[0] if len(where) == 1 else tuple(where)}" if where else ""
        raise ValueError(
            f"{what}{place} has no real step, so there is nothing to average: drop it from the "
            "batch, or pass empty=0 to let it count as zero"
        )


def position_weights(
    mask: Tensor,
    per: Per = "token",
    *,
    empty: Empty = "raise",
    dtype: torch.dtype | None = None,
) -> Tensor:
    """What every position counts in a mean: weights of the mask's shape that sum to 1.

    Args:
        mask: boolean ``(B, T)``.
        per: ``"token"`` all real steps alike; ``"sequence"`` all sequences alike, and a
            sequence's steps alike; ``"step"`` all time steps alike at which some row is still
            alive, and the rows alive at a step alike.
        empty: ``"raise"``, or 0 to give rows without real steps no weight (and to a batch
            without any, weights of zero).
        dtype: of the weights; the default dtype if not given.

    Raises:
        TypeError: the mask is not boolean, or the dtype not floating-point.
        ValueError: an unknown ``per``, or no real step where one is needed.
    """
    _check_empty(empty)
    _check_boolean(mask)
    if mask.dim() != 2:
        raise ValueError(f"position weights need a mask (B, T), got {tuple(mask.shape)}")
    check_choice(per, "per", ("token", "sequence", "step"))
    dtype = torch.get_default_dtype() if dtype is None else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is {dtype!r:.40}, expected a floating-point dtype of torch")
    if empty == "raise":
        # A step that no row has is more padding and no error; a row without steps is one.
        if per == "sequence":
            _refuse_empty(mask.any(1), "the sequence")
        else:
            _refuse_empty(mask.any(), "the batch")
    real = mask.to(_single_or_double(dtype))  # half precision cannot count far
    if per == "token":
        return (real / real.sum().clamp(min=1)).to(dtype)
    axis = 1 if per == "sequence" else 0
    groups = mask.any(axis).sum().clamp(min=1)
    return (real / real.sum(axis, keepdim=True).clamp(min=1) / groups).to(dtype)


def _single_or_double(dtype: torch.dtype) -> torch.dtype:
    # Squares and sums of half-precision numbers overflow long before their mean does.
    return torch.promote_types(dtype, torch.float32)


def masked_mean(
    values: Tensor,
    mask: Tensor,
    *,
    dim: int | None = None,
    per: Per = "token",
    empty: Empty = "raise",
) -> Tensor:
    """Mean over real positions: a scalar, or with ``dim`` a tensor without that axis.

    Args:
        values: ``(B, T)`` or ``(B, T, ...)``; all features of a real step are real unless the
            mask says otherwise.
        mask: boolean, see :func:`expand_mask`.
        dim: average along this axis only: ``dim=1`` pools ``(B, T, F)`` to ``(B, F)``.
        per: what counts alike, see :func:`position_weights`; needs a mask ``(B, T)``.
        empty: ``"raise"`` where there is nothing to average, or 0 to return zero there.

    Raises:
        TypeError, ValueError: complex values, an axis that is not there, a mask that does not
            fit, or nothing to average.
    """
    _check_empty(empty)
    check_real(values, "values")
    check_choice(per, "per", ("token", "sequence", "step"))
    if dim is not None:
        check_dim(dim, values)
    full = expand_mask(mask, values)
    result_dtype = values.dtype if values.is_floating_point() else torch.get_default_dtype()
    wide = _single_or_double(result_dtype)
    clean = values.masked_fill(~full, 0).to(wide)
    if per != "token":
        if dim is not None or mask.dim() != 2 or mask.shape != values.shape[:2]:
            raise ValueError(f"per={per!r} needs a mask (B, T) and no dim, got {tuple(mask.shape)}")
        weights = position_weights(mask, per, empty=empty, dtype=wide)
    has_real = full.any() if dim is None else full.any(dim)
    if empty == "raise":
        _refuse_empty(has_real, "the batch" if dim is None else "the slice")
    if per != "token":
        steps = clean.flatten(2).sum(2) / max(clean[0, 0].numel(), 1) if clean.dim() > 2 else clean
        return (steps * weights).sum().to(result_dtype)
    count = full.sum() if dim is None else full.sum(dim)
    total = clean.sum() if dim is None else clean.sum(dim)
    return (total / count.clamp(min=1)).to(result_dtype)


def masked_max(values: Tensor, mask: Tensor, *, dim: int = 1, empty: Empty = "raise") -> Tensor:
    """Largest real value along ``dim``: ``(B, T, F)`` to ``(B, F)`` with ``dim=1``.

    Raises:
        TypeError, ValueError: values that have no order, an axis that is not there, a mask that
            does not fit, or nothing to choose from.
    """
    _check_empty(empty)
    check_numbers(values, "values")
    check_dim(dim, values)
    full = expand_mask(mask, values)
    has_real = full.any(dim)
    if empty == "raise":
        _refuse_empty(has_real, "the slice")
    if values.shape and values.shape[dim] == 0:
        return values.new_zeros(has_real.shape)
    lowest = -torch.inf if values.is_floating_point() else torch.iinfo(values.dtype).min
    return values.masked_fill(~full, lowest).amax(dim).masked_fill(~has_real, 0)


def masked_softmax(scores: Tensor, mask: Tensor, *, dim: int = -1) -> Tensor:
    """Softmax over real positions; masked ones get 0, and so does a row without any.

    Args:
        scores: any shape; ``-inf`` among real scores is fine, and counts as masked.
        mask: boolean, as many dimensions as the scores (axes of size one are broadcast).
        dim: the axis that sums to 1.

    Raises:
        TypeError, ValueError: scores that are not floating-point, an axis that is not there, or
            a mask that does not fit.
    """
    check_float(scores, "scores")
    check_tensor(mask, "mask")
    check_dim(dim, scores)
    if mask.dim() != scores.dim():
        raise ValueError(
            f"mask {tuple(mask.shape)} and scores {tuple(scores.shape)} need the same number of "
            "dimensions: say which axis holds the keys, for example mask[:, None, :]"
        )
    full = expand_mask(mask, scores)
    scores = scores.masked_fill(~full, -torch.inf)
    # A row of -inf alone would be 0/0, forward and backward: such a row gets zeros instead.
    empty = scores.isneginf().all(dim, keepdim=True)
    return scores.masked_fill(empty, 0).softmax(dim).masked_fill(empty | ~full, 0)


def _check_device(prediction: Tensor, target: Tensor) -> None:
    if prediction.device != target.device:
        raise ValueError(
            f"the prediction is on {prediction.device} and the target is on {target.device}: "
            "move the target with target.to(prediction.device)"
        )


def _check_pair(prediction: Tensor, target: Tensor) -> None:
    check_numbers(prediction, "prediction")
    check_numbers(target, "target")
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in "
            "shape: broadcasting would pair the wrong numbers in silence"
        )
    _check_device(prediction, target)


def masked_mse(
    prediction: Tensor,
    target: Tensor,
    mask: Tensor,
    *,
    per: Per = "token",
    empty: Empty = "raise",
) -> Tensor:
    """Mean squared error over real positions, features included in the mean: a scalar.

    Args:
        prediction, target: ``(B, T)`` or ``(B, T, ...)``, the same shape.
        mask: boolean, see :func:`expand_mask`.
        per, empty: see :func:`masked_mean`.

    Raises:
        TypeError, ValueError: shapes that differ, a mask that does not fit, nothing real.
    """
    _check_pair(prediction, target)
    pads = ~expand_mask(mask, prediction)
    common = torch.promote_types(prediction.dtype, target.dtype)
    result_dtype = common if common.is_floating_point else torch.get_default_dtype()
    # Whole numbers of 8 bits run over in a difference, half-precision ones in a square.
    wide = _single_or_double(result_dtype)
    error = prediction.masked_fill(pads, 0).to(wide) - target.masked_fill(pads, 0).to(wide)
    return masked_mean(error.square(), mask, per=per, empty=empty).to(result_dtype)


def _check_classes(logits: Tensor, target: Tensor, mask: Tensor) -> None:
    check_numbers(logits, "logits")
    check_whole(target, "target")
    if logits.dim() < 2 or logits.shape[-1] == 0:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, expected (B, T, classes)")
    if logits.shape[:-1] != target.shape:
        raise ValueError(
            f"logits {tuple(logits.shape)} need targets {tuple(logits.shape[:-1])} (the classes "
            f"are the last axis), got {tuple(target.shape)}"
        )
    _check_device(logits, target)
    classes = target.long()
    wrong = expand_mask(mask, target) & ((classes < 0) | (classes >= logits.shape[-1]))
    if wrong.any():
        where = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"the target at {tuple(where)} is {int(target[tuple(where)])}, expected a class from "
            f"0 to {logits.shape[-1] - 1} at every real step: if this step is to be ignored, "
            "the mask must say so"
        )


def masked_cross_entropy(
    logits: Tensor,
    target: Tensor,
    mask: Tensor,
    *,
    per: Per = "token",
    empty: Empty = "raise",
) -> Tensor:
    """Mean cross-entropy over real positions: a scalar.

    Args:
        logits: ``(B, T, C)``, the classes last.
        target: class numbers ``(B, T)``; what stands at pads does not matter.
        mask: boolean ``(B, T)``.
        per, empty: see :func:`masked_mean`.

    Raises:
        TypeError, ValueError: shapes that do not fit, float targets, nothing real.
    """
    check_float(logits, "logits")
    _check_classes(logits, target, mask)
    real = expand_mask(mask, target)
    flat = F.cross_entropy(
        logits.masked_fill(~real[..., None], 0).flatten(0, -2).to(_single_or_double(logits.dtype)),
        target.masked_fill(~real, 0).flatten().long(),
        reduction="none",
    )
    mean = masked_mean(flat.view(target.shape), mask, per=per, empty=empty)
    return mean.to(logits.dtype)


def masked_accuracy(
    logits: Tensor, target: Tensor, mask: Tensor, *, empty: Empty = "raise"
) -> Tensor:
    """Share of real positions whose largest logit is the target's class: a scalar.

    Args and errors: as :func:`masked_cross_entropy`.
    """
    _check_classes(logits, target, mask)
    right = (logits.argmax(-1) == target).to(torch.get_default_dtype())
    return masked_mean(right, mask, empty=empty)
