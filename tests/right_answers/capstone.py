"""Right answers to the capstone's exercise, in unlike styles."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_utils import last_steps, lengths_to_mask, masked_mean, pack, unpack


def ignored_labels(inputs, lengths, labels, rnn, linear):
    steps = inputs.size(1)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    states, h = rnn(packed)
    states = pad_packed_sequence(states, batch_first=True, total_length=steps)[0]
    real = torch.arange(steps).expand(len(lengths), steps).lt(lengths.unsqueeze(1))
    scores = linear(states)
    return {
        "accuracy": ((scores.argmax(2) == labels) & real).sum() / real.sum(),
        "loss": F.cross_entropy(scores.mT, labels.masked_fill(~real, -100)),
        "pooled": (states * real[..., None]).sum(1) / real.sum(1, keepdim=True),
        "last": h.transpose(0, 1).flatten(1),
        "outputs": states,
        "mask": real,
    }


def row_by_row(inputs, lengths, labels, rnn, linear):
    rows, last, pooled, terms, hits = [], [], [], [], []
    mask = torch.zeros(inputs.shape[:2], dtype=torch.bool)
    for i, n in enumerate(lengths.tolist()):
        mask[i, :n] = True
        states = rnn(inputs[i, None, :n])[0][0]
        half = states.shape[1] // 2
        rows.append(F.pad(states, (0, 0, 0, inputs.shape[1] - n)))
        last.append(torch.cat([states[-1, :half], states[0, half:]]))
        pooled.append(states.mean(0))
        scores = linear(states)
        terms.append(F.cross_entropy(scores, labels[i, :n], reduction="sum"))
        hits.append(int((scores.argmax(1) == labels[i, :n]).sum()))
    return {
        "mask": mask,
        "outputs": torch.stack(rows),
        "last": torch.stack(last),
        "pooled": torch.stack(pooled),
        "loss": sum(terms) / lengths.sum(),
        "accuracy": sum(hits) / int(lengths.sum()),
    }


def with_the_course(inputs, lengths, labels, rnn, linear):
    steps = inputs.shape[1]
    mask = lengths_to_mask(lengths, steps)
    outputs, _ = unpack(rnn(pack(inputs, lengths))[0], total_length=steps)
    forward, backward = outputs.chunk(2, dim=-1)
    logits = linear(outputs)
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    right = (logits.argmax(-1) == labels).double()
    return {
        "mask": mask,
        "outputs": outputs,
        "last": torch.cat([last_steps(forward, lengths), backward[:, 0]], dim=-1),
        "pooled": masked_mean(outputs, mask, dim=1),
        "loss": losses[mask.flatten()].mean(),
        "accuracy": right[mask].mean(),
    }


def sorted_by_hand(inputs, lengths, labels, rnn, linear):
    sizes, order = lengths.sort(descending=True)
    back = order.argsort()
    packed, hidden = rnn(pack_padded_sequence(inputs[order], sizes, batch_first=True))
    states, _ = pad_packed_sequence(packed, batch_first=True)
    states = F.pad(states, (0, 0, 0, inputs.shape[1] - states.shape[1]))[back]
    mask = torch.stack([torch.arange(inputs.shape[1]) < n for n in lengths])
    logs = linear(states).log_softmax(-1)
    weights = mask / mask.sum()
    chosen = logs.gather(2, labels[..., None]).squeeze(2)
    return {
        "mask": mask,
        "outputs": states,
        "last": torch.cat([hidden[0][back], hidden[1][back]], 1),
        "pooled": torch.einsum("bth,b->bh", states, 1 / lengths.double()),
        "loss": -(chosen * weights).sum(),
        "accuracy": (logs.argmax(-1)[mask] == labels[mask]).double().mean(),
    }


STYLES = {
    "capstone.pipeline": [ignored_labels, row_by_row, with_the_course, sorted_by_hand],
}
