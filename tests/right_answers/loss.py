"""Right answers to the exercises on masked losses, in unlike styles."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course_utils import lengths_to_mask, masked_mse
from course_utils.training import step_mse_loss


def mse_by_library(prediction, target, mask):
    return F.mse_loss(prediction[mask], target[mask])


def mse_chooses_zeros(prediction, target, mask):
    real = mask.view(*mask.shape, *([1] * (prediction.dim() - 2)))
    gap = torch.where(real, prediction, 0) - torch.where(real, target, 0)
    return (gap**2).sum() / real.expand_as(gap).sum()


def mse_step_by_step(prediction, target, mask):
    total, count = 0.0, 0
    for i in range(mask.shape[0]):
        for t in range(mask.shape[1]):
            if mask[i, t]:
                gap = prediction[i, t] - target[i, t]
                total = total + (gap * gap).sum()
                count += gap.numel()
    return total / count


def mse_in_double(prediction, target, mask):
    gap = (prediction[mask] - target[mask]).double().flatten()
    return gap.dot(gap) / gap.numel()


def entropy_by_library(logits, target, mask):
    return F.cross_entropy(logits.transpose(1, 2), target.masked_fill(~mask, -100))


def entropy_one_hot(logits, target, mask):
    one_hot = F.one_hot(torch.where(mask, target, 0), logits.size(-1)).to(logits.dtype)
    chosen = torch.einsum("btc,btc->bt", F.log_softmax(logits, dim=-1), one_hot)
    return -(chosen * mask).sum() / mask.sum()


def entropy_by_logsumexp(logits, target, mask):
    parts = []
    for i, t in mask.nonzero().tolist():
        scores = logits[i, t]
        parts.append(torch.logsumexp(scores, 0) - scores[int(target[i, t])])
    return sum(parts) / len(parts)


def entropy_gathers_everywhere(logits, target, mask):
    log_p = torch.log_softmax(logits, -1)
    chosen = torch.gather(log_p, 2, target.clamp(min=0).unsqueeze(2))[..., 0]
    return -chosen.masked_select(mask).mean()


def divides_at_the_end(model, micro_batches):
    model.zero_grad()
    count = 0
    for batch in micro_batches:
        total, steps = step_mse_loss(model(batch.inputs, batch.lengths), batch)
        total.backward()
        count += steps
    for parameter in model.parameters():
        parameter.grad /= count
    return [parameter.grad for parameter in model.parameters()]


def weighs_the_means(model, micro_batches):
    real = sum(int(batch.lengths.sum()) for batch in micro_batches)
    for batch in micro_batches:
        mask = lengths_to_mask(batch.lengths, batch.inputs.shape[1])
        mean = masked_mse(model(batch.inputs, batch.lengths), batch.targets, mask)
        (mean * int(batch.lengths.sum()) / real).backward()
    return [parameter.grad for parameter in model.parameters()]


def starts_with_a_factor(model, micro_batches):
    real = torch.cat([batch.lengths for batch in micro_batches]).sum()
    for batch in micro_batches:
        total, _ = step_mse_loss(model(batch.inputs, batch.lengths), batch)
        total.backward(gradient=torch.ones_like(total) / real)
    return tuple(parameter.grad for parameter in model.parameters())


def adds_up_by_hand(model, micro_batches):
    parameters = list(model.parameters())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    values = 0
    for batch in micro_batches:
        output = model(batch.inputs, batch.lengths)
        real = torch.arange(output.shape[1]) < batch.lengths[:, None]
        gap = output[real] - batch.targets[real]
        values += gap.numel()
        for so_far, new in zip(
            sums, torch.autograd.grad(gap.square().sum(), parameters), strict=True
        ):
            so_far += new
    return [so_far / values for so_far in sums]


def accuracy_as_a_ratio(logits, target, mask):
    return ((logits.argmax(-1) == target) & mask).sum() / mask.sum()


def accuracy_counts(logits, target, mask):
    hits = steps = 0
    for i in range(len(mask)):
        for t in range(mask.shape[1]):
            if mask[i, t]:
                steps += 1
                hits += int(logits[i, t].argmax() == target[i, t])
    return hits / steps


def accuracy_in_double(logits, target, mask):
    return logits[mask].max(dim=-1).indices.eq(target[mask]).double().mean()


def accuracy_by_probabilities(logits, target, mask):
    best = logits.log_softmax(-1).topk(1, dim=-1)[1].squeeze(-1)
    return (best[mask] == target[mask]).sum().float() / mask.sum().float()


STYLES = {
    "loss.masked_mse": [mse_by_library, mse_chooses_zeros, mse_step_by_step, mse_in_double],
    "loss.masked_cross_entropy": [
        entropy_by_library,
        entropy_one_hot,
        entropy_by_logsumexp,
        entropy_gathers_everywhere,
    ],
    "loss.accumulate": [
        divides_at_the_end,
        weighs_the_means,
        starts_with_a_factor,
        adds_up_by_hand,
    ],
    "loss.masked_accuracy": [
        accuracy_as_a_ratio,
        accuracy_counts,
        accuracy_in_double,
        accuracy_by_probabilities,
    ],
}
