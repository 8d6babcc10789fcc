"""Helpers of the course *Backpropagation through variable-length sequences*.

Importing the package loads torch and nothing heavier. Pictures, explorers, exercises and
padcheck are imported from their own packages.
"""

from course_utils.data import (
    Batch,
    BucketBatchSampler,
    Normalizer,
    SequenceDataset,
    collate,
    load_japanese_vowels,
    small_batch,
    split_validation,
    token_budget_batches,
)
from course_utils.devices import environment_report, get_device, set_up
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
from course_utils.models import (
    GatherRNN,
    LastStepRNN,
    MaskedRNN,
    MeanPoolRNN,
    gradients,
    oracle,
    run_masked,
)
from course_utils.sequences import (
    check_lengths,
    convert_mask,
    last_steps,
    lengths_of,
    lengths_to_mask,
    mask_to_lengths,
    pack,
    pad_batch,
    padding_waste,
    unpack,
    unpad_batch,
)
from course_utils.training import Evaluation, History, evaluate, fit

__all__ = [
    "Batch",
    "BucketBatchSampler",
    "Evaluation",
    "GatherRNN",
    "History",
    "LastStepRNN",
    "MaskedRNN",
    "MeanPoolRNN",
    "Normalizer",
    "SequenceDataset",
    "check_lengths",
    "collate",
    "convert_mask",
    "environment_report",
    "evaluate",
    "expand_mask",
    "fit",
    "get_device",
    "gradients",
    "last_steps",
    "lengths_of",
    "lengths_to_mask",
    "load_japanese_vowels",
    "mask_to_lengths",
    "masked_accuracy",
    "masked_cross_entropy",
    "masked_max",
    "masked_mean",
    "masked_mse",
    "masked_softmax",
    "oracle",
    "pack",
    "pad_batch",
    "padding_waste",
    "position_weights",
    "run_masked",
    "set_up",
    "small_batch",
    "split_validation",
    "token_budget_batches",
    "unpack",
    "unpad_batch",
]
