"""Packing: pack, unpack, run over a packed batch, keep rows in order."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from course_utils.lessons.solutions import solution


@solution("packing.pack_by_hand")
def pack_by_hand(
    padded: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """data, batch_sizes, sorted_indices and unsorted_indices of a padded batch."""
    order = lengths.argsort(descending=True, stable=True)
    rows = padded[order]
    batch_sizes = torch.stack([(lengths > t).sum() for t in range(int(lengths.max()))])
    data = torch.cat([rows[:n, t] for t, n in enumerate(batch_sizes)])
    return data, batch_sizes, order, order.argsort()


@solution("packing.unpack_by_hand")
def unpack_by_hand(
    data: torch.Tensor, batch_sizes: torch.Tensor, unsorted_indices: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The padded batch (B, T, F) with zeros at pads, and the lengths (B,)."""
    padded = data.new_zeros(int(batch_sizes[0]), len(batch_sizes), data.shape[1])
    for t, piece in enumerate(data.split(batch_sizes.tolist())):
        padded[: len(piece), t] = piece
    lengths = torch.stack([(batch_sizes > row).sum() for row in range(len(padded))])
    return padded[unsorted_indices], lengths[unsorted_indices]


@solution("packing.packed_recurrence")
def packed_recurrence(
    cell: torch.nn.RNNCell, data: torch.Tensor, batch_sizes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Packed outputs (N, H), and final states (B, H) in sorted order."""
    state = data.new_zeros(int(batch_sizes[0]), cell.hidden_size)
    outputs, ended = [], []
    for piece in data.split(batch_sizes.tolist()):
        ended.append(state[len(piece) :])
        state = cell(piece, state[: len(piece)])
        outputs.append(state)
    return torch.cat(outputs), torch.cat([state, *reversed(ended)])


@solution("packing.final_states")
def final_states(
    rnn: torch.nn.RNN, padded: torch.Tensor, lengths: torch.Tensor, initial: torch.Tensor
) -> torch.Tensor:
    """Final state of each row, (B, H); row i starts from initial[i]."""
    packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    _, states = rnn(packed, initial[None])
    return states[0]
