"""A wrong way to average over a data set, for the bug clinic."""

from __future__ import annotations

from torch import nn
from torch.utils.data import DataLoader

from course_utils.data import SequenceDataset, collate
from course_utils.pitfalls.wrong import wrong
from course_utils.training import Loss


@wrong(
    "You average the batches' means: a batch with few real steps counts as much as one with many.",
    belief="The mean loss of an epoch is the mean of the losses that were printed.",
)
def averages_batch_losses(
    model: nn.Module, dataset: SequenceDataset, *, batch_size: int, loss: Loss
) -> float:
    means = []
    for batch in DataLoader(dataset, batch_size=batch_size, collate_fn=collate):
        total, count = loss(model(batch.inputs, batch.lengths), batch)
        means.append((total / count).item())
    return sum(means) / len(means)
