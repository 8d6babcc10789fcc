"""Right answers to the exercises on packing, in unlike styles."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)


def packs_with_pytorch(padded, lengths):
    return tuple(pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False))


def masks_the_transposed_batch(padded, lengths):
    order = torch.sort(-lengths, stable=True).indices
    real = torch.arange(int(lengths.max())) < lengths[order][:, None]
    data = padded[order][:, : real.shape[1]].transpose(0, 1)[real.T]
    return data, real.sum(0), order, torch.argsort(order)


def collects_rows(padded, lengths):
    counts = lengths.tolist()
    order = sorted(range(len(counts)), key=lambda row: -counts[row])
    data, sizes = [], []
    for t in range(max(counts)):
        alive = [row for row in order if counts[row] > t]
        sizes.append(len(alive))
        data += [padded[row, t] for row in alive]
    inverse = [order.index(row) for row in range(len(counts))]
    return torch.stack(data), torch.tensor(sizes), torch.tensor(order), torch.tensor(inverse)


def writes_the_inverse(padded, lengths):
    order = lengths.argsort(descending=True, stable=True)
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order))
    sizes = torch.bincount(lengths).flip(0).cumsum(0).flip(0)[1:]
    return [torch.cat([padded[order[:n], t] for t, n in enumerate(sizes)]), sizes, order, inverse]


def unpacks_with_pytorch(data, batch_sizes, unsorted_indices):
    packed = PackedSequence(data, batch_sizes, unsorted_indices.argsort(), unsorted_indices)
    return pad_packed_sequence(packed, batch_first=True)


def fills_by_a_mask(data, batch_sizes, unsorted_indices):
    real = torch.arange(int(batch_sizes[0])) < batch_sizes[:, None]
    columns = data.new_zeros(*real.shape, data.shape[1])
    columns[real] = data
    return columns.transpose(0, 1)[unsorted_indices], real.sum(0)[unsorted_indices]


def pads_each_step(data, batch_sizes, unsorted_indices):
    rows = int(batch_sizes.max())
    pieces = torch.split(data, batch_sizes.tolist())
    columns = [torch.nn.functional.pad(piece, (0, 0, 0, rows - len(piece))) for piece in pieces]
    lengths = torch.tensor([sum(n > row for n in batch_sizes.tolist()) for row in range(rows)])
    return torch.stack(columns, 1)[unsorted_indices], lengths[unsorted_indices]


def finds_each_sequence(data, batch_sizes, unsorted_indices):
    starts = (batch_sizes.cumsum(0) - batch_sizes).tolist()
    rows = []
    for row in unsorted_indices.tolist():
        length = int((batch_sizes > row).sum())
        rows.append(data[[start + row for start in starts[:length]]])
    return pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


def keeps_all_rows(cell, data, batch_sizes):
    state = torch.zeros(int(batch_sizes[0]), cell.hidden_size, dtype=data.dtype)
    outputs = []
    for piece in data.split(batch_sizes.tolist()):
        new = cell(piece, state[: len(piece)])
        outputs.append(new)
        state = torch.cat([new, state[len(piece) :]])
    return torch.cat(outputs), state


def one_sequence_at_a_time(cell, data, batch_sizes):
    starts = (batch_sizes.cumsum(0) - batch_sizes).tolist()
    outputs, finals = [None] * len(data), []
    for row in range(int(batch_sizes[0])):
        state = data.new_zeros(1, cell.hidden_size)
        for start in starts[: int((batch_sizes > row).sum())]:
            state = outputs[start + row] = cell(data[start + row][None], state)
        finals.append(state)
    return torch.cat(outputs), torch.cat(finals)


def reads_the_last_outputs(cell, data, batch_sizes):
    state, outputs = None, []
    for piece in data.split(batch_sizes.tolist()):
        state = cell(piece) if state is None else cell(piece, state[: piece.size(0)])
        outputs.append(state)
    joined = torch.cat(outputs)
    lengths = (batch_sizes > torch.arange(int(batch_sizes[0]))[:, None]).sum(1)
    starts = batch_sizes.cumsum(0) - batch_sizes
    return joined, joined[starts[lengths - 1] + torch.arange(len(lengths))]


def lists_of_states(cell, data, batch_sizes):
    final = list(data.new_zeros(int(batch_sizes[0]), cell.hidden_size))
    outputs, start = [], 0
    for n in batch_sizes.tolist():
        new = cell(data[start : start + n], torch.stack(final[:n]))
        final[:n] = list(new)
        outputs += list(new)
        start += n
    return [torch.stack(outputs), torch.stack(final)]


def lets_pytorch_sort(rnn, padded, lengths, initial):
    packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    return rnn(packed, initial.unsqueeze(0))[1].squeeze(0)


def sorts_three_things(rnn, padded, lengths, initial):
    order = lengths.argsort(descending=True)
    packed = pack_padded_sequence(padded[order], lengths[order], batch_first=True)
    _, states = rnn(packed, initial[order][None])
    return states[0][order.argsort()]


def each_alone(rnn, padded, lengths, initial):
    triples = zip(padded, lengths.tolist(), initial, strict=True)
    return torch.cat([rnn(row[None, :n], state[None, None])[1][0] for row, n, state in triples])


def reads_the_last_real_step(rnn, padded, lengths, initial):
    outputs, _ = rnn(padded, initial[None])
    return outputs[torch.arange(len(lengths)), lengths - 1]


def carries_across_pads(rnn, padded, lengths, initial):
    state = initial
    for t in range(padded.shape[1]):
        state = torch.where(
            (lengths > t)[:, None], rnn(padded[:, t : t + 1], state[None])[1][0], state
        )
    return state


STYLES = {
    "packing.pack_by_hand": [
        packs_with_pytorch,
        masks_the_transposed_batch,
        collects_rows,
        writes_the_inverse,
    ],
    "packing.unpack_by_hand": [
        unpacks_with_pytorch,
        fills_by_a_mask,
        pads_each_step,
        finds_each_sequence,
    ],
    "packing.packed_recurrence": [
        keeps_all_rows,
        one_sequence_at_a_time,
        reads_the_last_outputs,
        lists_of_states,
    ],
    "packing.final_states": [
        lets_pytorch_sort,
        sorts_three_things,
        each_alone,
        reads_the_last_real_step,
        carries_across_pads,
    ],
}
