"""The capstone: a pipeline in which padding counts nowhere."""

from __future__ import annotations

import torch

from course_utils.lessons.solutions import solution


@solution("capstone.pipeline")
def pipeline(inputs, lengths, labels, rnn, linear) -> dict[str, torch.Tensor]:
    """Mask, outputs, both kinds of vector, loss and accuracy of a padded batch."""
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    steps = inputs.shape[1]
    mask = torch.arange(steps) < lengths[:, None]
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    packed, hidden = rnn(packed)
    outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=steps)
    logits, classes = linear(outputs)[mask], labels[mask]
    return {
        "mask": mask,
        "outputs": outputs,
        "last": torch.cat([hidden[-2], hidden[-1]], dim=-1),
        "pooled": outputs.sum(1) / lengths[:, None],
        "loss": torch.nn.functional.cross_entropy(logits, classes),
        "accuracy": (logits.argmax(-1) == classes).float().mean(),
    }
