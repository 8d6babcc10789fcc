"""Right answers to the exercises on several devices, in unlike styles."""

from __future__ import annotations

import heapq

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence


def plain_numbers(error_sum, counts):
    total = sum(counts.tolist())
    return error_sum * (len(counts) / total) if total else error_sum * 0


def divided_by_the_mean(error_sum, counts):
    mean = counts.double().mean().item()
    return error_sum / mean if mean > 0 else 0.0 * error_sum


def chosen_by_where(error_sum, counts):
    total = counts.sum().to(error_sum)
    return torch.where(total > 0, counts.numel() / total, torch.zeros_like(total)) * error_sum


def counted_in_a_loop(error_sum, counts):
    steps, devices = 0, 0
    for count in counts:
        steps += int(count)
        devices += 1
    return torch.mul(error_sum, devices).div(max(1, steps))


def heap_of_pairs(lengths, devices):
    heap = [(0, device) for device in range(devices)]
    shares = [[] for _ in heap]
    for length, position in sorted((-length, i) for i, length in enumerate(lengths)):
        steps, device = heap[0]
        shares[device].append(position)
        heapq.heapreplace(heap, (steps - length, device))
    return [sorted(share) for share in shares]


def by_argmin(lengths, devices):
    steps, owner = np.zeros(devices), np.zeros(len(lengths), dtype=int)
    for i in np.argsort(-np.asarray(lengths), kind="stable"):
        owner[i] = steps.argmin()
        steps[owner[i]] += lengths[i]
    return [np.flatnonzero(owner == device).tolist() for device in range(devices)]


def sums_anew_each_time(lengths, devices):
    shares = [[] for _ in range(devices)]
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        min(shares, key=lambda share: sum(lengths[j] for j in share)).append(i)
    for share in shares:
        share.sort()
    return tuple(shares)


def picks_the_longest_left(lengths, devices):
    left, shares, steps = dict(enumerate(lengths)), [set() for _ in range(devices)], [0] * devices
    while left:
        longest = max(left, key=left.get)
        device = min(range(devices), key=steps.__getitem__)
        shares[device].add(longest)
        steps[device] += left.pop(longest)
    return [sorted(share) for share in shares]


def one_by_one(model, sequences, targets, features):
    total = model(next(model.parameters()).new_zeros(1, 1, features), [1]).sum() * 0
    for sequence, wanted in zip(sequences, targets, strict=True):
        total = total + ((model(sequence[None], [len(sequence)])[0] - wanted) ** 2).sum()
    return total, sum(map(len, sequences))


def parameters_times_zero(model, sequences, targets, features):
    total = sum((parameter * 0).sum() for parameter in model.parameters())
    if sequences:
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        rows = model(pad_sequence(sequences, batch_first=True), lengths)
        for row, wanted in zip(rows, targets, strict=True):
            total = total + F.mse_loss(row[: len(wanted)], wanted, reduction="sum")
    return total, sum(map(len, sequences))


def products_with_a_mask(model, sequences, targets, features):
    if not sequences:
        like = next(model.parameters())
        return model(torch.zeros(1, 1, features).to(like), torch.ones(1).long()).sum().mul(0), 0
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    inputs, wanted = (pad_sequence(rows, batch_first=True) for rows in (sequences, targets))
    mask = torch.arange(inputs.shape[1]) < lengths[:, None]
    errors = (model(inputs, lengths) - wanted).flatten(1).square()
    sizes = mask.repeat_interleave(errors.shape[1] // mask.shape[1], dim=1)
    return (errors * sizes).sum(), lengths.sum()


def filled_into_zeros(model, sequences, targets, features):
    lengths = [len(sequence) for sequence in sequences] or [1]
    like = next(model.parameters()).detach()
    inputs = like.new_zeros(len(lengths), max(lengths), features)
    for i, sequence in enumerate(sequences):
        inputs[i, : len(sequence)] = sequence
    outputs = model(inputs, torch.tensor(lengths))
    total = outputs.sum() * 0
    for i, wanted in enumerate(targets):
        total = total + (outputs[i, : len(wanted)] - wanted).pow(2).sum()
    return [total, sum(len(wanted) for wanted in targets)]


STYLES = {
    "devices.scaled_loss": [
        plain_numbers,
        divided_by_the_mean,
        chosen_by_where,
        counted_in_a_loop,
    ],
    "devices.share_by_tokens": [
        heap_of_pairs,
        by_argmin,
        sums_anew_each_time,
        picks_the_longest_left,
    ],
    "devices.share_sum": [
        one_by_one,
        parameters_times_zero,
        products_with_a_mask,
        filled_into_zeros,
    ],
}
