"""Packing: pack, unpack, run over a packed batch, keep rows in order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from course_utils.data import small_batch
from course_utils.lessons.case_inputs import made_with_seed, random_tensors
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.sequences import pack, pad_batch

Packed = tuple[Tensor, Tensor, Tensor, Tensor]


@solution(
    "packing.pack_by_hand", parts=("data", "batch_sizes", "sorted_indices", "unsorted_indices")
)
def pack_by_hand(
    padded: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """data, batch_sizes, sorted_indices and unsorted_indices of a padded batch."""
    order = lengths.argsort(descending=True, stable=True)
    rows, longest = padded[order], int(lengths.max())
    batch_sizes = torch.stack([(lengths > t).sum() for t in range(longest)])
    data = torch.cat([rows[:n, t] for t, n in enumerate(batch_sizes)])
    return data, batch_sizes, order, order.argsort()


# Most orders here differ from their inverse.
_LISTS = {
    "two sequences": [1, 2],
    "four sequences": [5, 3, 7, 2],
    "as many sequences as steps": [2, 3, 1],
    "sorted already": [3, 2],
    "equal lengths": [2, 2, 2],
    "one sequence": [4],
    "five sequences": [1, 4, 2, 6, 3],
}


def _padded(lengths: Sequence[int], features: int, extra: int = 0) -> Tensor:
    batch = small_batch(lengths, features, dtype=torch.float64)
    # Pads are not zero, so that a pad among the data is noticed.
    return pad_batch(batch, 9.0, max_length=max(lengths) + extra)


@pack_by_hand.cases
def _() -> list[Case]:
    found = []
    for i, (name, lengths) in enumerate(_LISTS.items()):
        padded = _padded(lengths, 1 + i % 3, extra=2 * (i == 2)).requires_grad_()
        found.append(Case(name, (padded, torch.tensor(lengths, device="cpu"))))
    return found


def _drawn_batch(draw: Draw, pad: float) -> tuple[Tensor, Tensor]:
    """A padded batch and its lengths; some real steps are zero, and T may be above the longest."""
    lengths = torch.tensor(draw.lengths(draw.integer(1, 4), 5), device="cpu")
    steps = int(lengths.max()) + draw.choice([0, 0, 1, 2])
    padded = draw.normal(len(lengths), steps, draw.integer(1, 3))
    padded = padded.masked_fill(~draw.mask(len(lengths), steps, 1, share=0.8), 0)
    real = torch.arange(steps, device="cpu") < lengths[:, None]
    return torch.where(real[..., None], padded, pad), lengths


@pack_by_hand.random
def _(draw: Draw) -> Case:
    padded, lengths = _drawn_batch(draw, draw.choice([9.0, 0.0, torch.nan]))
    return Case("", (padded.requires_grad_(), lengths))


for _count in ("lengths.max()", "int(lengths.amax(0, keepdim=True))"):
    pack_by_hand.equivalent(
        f"rows, longest = (padded[order], {_count})", because="It is the same whole number."
    )
pack_by_hand.equivalent(
    "rows, longest = (padded[order], int(lengths.amax(-1, keepdim=True)))",
    because="It is the same whole number.",
)
for _line in (
    "order = lengths.argsort(descending=True)",
    "order = lengths.argsort(descending=True, stable=False)",
):
    pack_by_hand.equivalent(
        _line, because="On the CPU so few lengths are sorted stably in any case."
    )


def _order(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Rows from the longest to the shortest, and what undoes that order."""
    order = lengths.argsort(descending=True, stable=True)
    return order, order.argsort()


@pack_by_hand.wrong(
    "Your data hold one whole sequence after the other: packing goes step by step, first all "
    "first steps, then all second steps.",
    belief="Packing joins the sequences end to end.",
)
def row_after_row(padded: Tensor, lengths: Tensor) -> Packed:
    _, batch_sizes, order, inverse = pack_by_hand(padded, lengths)
    data = torch.cat([padded[row, : lengths[row]] for row in order.tolist()])
    return data, batch_sizes, order, inverse


@pack_by_hand.wrong(
    "You take the first rows of the batch as it is: sort it first, or they are not the longest.",
    belief="The rows that still run are always the first ones.",
)
def forgets_to_sort(padded: Tensor, lengths: Tensor) -> Packed:
    _, batch_sizes, order, inverse = pack_by_hand(padded, lengths)
    data = torch.cat([padded[:n, t] for t, n in enumerate(batch_sizes.tolist())])
    return data, batch_sizes, order, inverse


@pack_by_hand.wrong(
    "Within each step your rows stand in the order of the batch: the longest sequence comes first "
    "in every step.",
    belief="A mask over the transposed batch picks the data in the right order.",
)
def keeps_the_batch_order(padded: Tensor, lengths: Tensor) -> Packed:
    _, batch_sizes, order, inverse = pack_by_hand(padded, lengths)
    running = [lengths > t for t in range(len(batch_sizes))]
    data = torch.cat([padded[rows, t] for t, rows in enumerate(running)])
    return data, batch_sizes, order, inverse


@pack_by_hand.wrong(
    "Your data still hold the pads: at each step take only the rows that are longer than it.",
    belief="Packing is a transposition.",
)
def keeps_the_pads(padded: Tensor, lengths: Tensor) -> Packed:
    order, inverse = _order(lengths)
    longest = int(lengths.max())
    data = padded[order, :longest].transpose(0, 1).flatten(0, 1)
    return data, lengths.new_full((longest,), len(lengths)), order, inverse


@pack_by_hand.wrong(
    "Your unsorted_indices are the sorted ones once more: they must undo the order, so sort it.",
    belief="Applying an order twice brings back the old one.",
)
def same_order_twice(padded: Tensor, lengths: Tensor) -> Packed:
    data, batch_sizes, order, _ = pack_by_hand(padded, lengths)
    return data, batch_sizes, order, order.clone()


@solution("packing.unpack_by_hand", parts=("padded", "lengths"))
def unpack_by_hand(
    data: torch.Tensor, batch_sizes: torch.Tensor, unsorted_indices: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The padded batch (B, T, F) with zeros at pads, and the lengths (B,)."""
    padded = data.new_zeros(int(batch_sizes[0]), len(batch_sizes), data.shape[1])
    for t, piece in enumerate(data.split(batch_sizes.tolist())):
        padded[: len(piece), t] = piece
    lengths = torch.stack([(batch_sizes > row).sum() for row in range(len(padded))])
    return padded[unsorted_indices], lengths[unsorted_indices]


def _packed_parts(lengths: Sequence[int], features: int) -> tuple[Tensor, Tensor, Tensor]:
    """Data, as a leaf that wants a gradient, batch sizes and unsorted indices."""
    packed = pack(_padded(lengths, features), lengths)
    return packed.data.clone().requires_grad_(), packed.batch_sizes, packed.unsorted_indices


@unpack_by_hand.cases
def _() -> list[Case]:
    lists = enumerate(_LISTS.items())
    return [Case(name, _packed_parts(lengths, 1 + i % 3)) for i, (name, lengths) in lists]


@unpack_by_hand.random
def _(draw: Draw) -> Case:
    return Case("", _drawn_parts(draw))


def _drawn_parts(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    packed = pack(*_drawn_batch(draw, 9.0))
    return packed.data.clone().requires_grad_(), packed.batch_sizes, packed.unsorted_indices


for _line in (
    "lengths = torch.stack([(batch_sizes > row).sum() for row in range(len(padded) + 1)])",
    "lengths = torch.stack([(batch_sizes > row).sum() for row in range(0, len(padded) + 1)])",
):
    unpack_by_hand.equivalent(_line, because="No index picks the row that is too many.")
unpack_by_hand.equivalent(
    "padded = data.new_zeros(batch_sizes[0], len(batch_sizes), data.shape[1])",
    because="A tensor without axes is taken for a whole number.",
)


def _unpacked(data: Tensor, batch_sizes: Tensor) -> tuple[Tensor, Tensor]:
    """The padded batch in sorted order, time first, and its lengths."""
    rows, steps = int(batch_sizes[0]), len(batch_sizes)
    real = torch.arange(rows, device=batch_sizes.device)[None, :] < batch_sizes[:, None]
    padded = data.new_zeros(steps, rows, *data.shape[1:])
    padded[real] = data
    return padded, real.sum(0)


@unpack_by_hand.wrong(
    "Your rows stay in sorted order: index rows and lengths with unsorted_indices.",
    belief="Unpacking gives back the order by itself.",
)
def stays_sorted(
    data: Tensor, batch_sizes: Tensor, unsorted_indices: Tensor
) -> tuple[Tensor, Tensor]:
    padded, lengths = _unpacked(data, batch_sizes)
    return padded.transpose(0, 1), lengths


@unpack_by_hand.wrong(
    "You undo the order the wrong way round: row i of the batch is row unsorted_indices[i] of the "
    "sorted one.",
    belief="An index says where a row goes.",
)
def undoes_backwards(
    data: Tensor, batch_sizes: Tensor, unsorted_indices: Tensor
) -> tuple[Tensor, Tensor]:
    padded, lengths = _unpacked(data, batch_sizes)
    order = unsorted_indices.argsort()
    return padded.transpose(0, 1)[order], lengths[order]


@unpack_by_hand.wrong(
    "Your rows are back in order and your lengths are not: index both.",
    belief="Lengths have no order.",
)
def leaves_lengths_sorted(
    data: Tensor, batch_sizes: Tensor, unsorted_indices: Tensor
) -> tuple[Tensor, Tensor]:
    padded, lengths = _unpacked(data, batch_sizes)
    return padded.transpose(0, 1)[unsorted_indices], lengths


@unpack_by_hand.wrong(
    "You cut the data into whole sequences: they hold all first steps, then all second steps.",
    belief="The data hold one sequence after the other.",
)
def cuts_into_rows(
    data: Tensor, batch_sizes: Tensor, unsorted_indices: Tensor
) -> tuple[Tensor, Tensor]:
    _, lengths = _unpacked(data, batch_sizes)
    rows = pad_batch(data.split(lengths.tolist()))
    return rows[unsorted_indices], lengths[unsorted_indices]


@solution("packing.packed_recurrence", parts=("outputs", "final states"))
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


def _layer(kind: type[nn.Module], features: int, hidden: int, **options: bool) -> nn.Module:
    return made_with_seed(
        features + hidden, lambda: kind(features, hidden, dtype=torch.float64, **options)
    )


@packed_recurrence.cases
def _() -> list[Case]:
    found = []
    for i, (name, lengths) in enumerate(_LISTS.items()):
        features, hidden = 1 + i % 3, 1 + i % 4
        data, batch_sizes, _ = _packed_parts(lengths, features)
        found.append(Case(name, (_layer(nn.RNNCell, features, hidden), data, batch_sizes)))
    return found


@packed_recurrence.random
def _(draw: Draw) -> Case:
    data, batch_sizes, _ = _drawn_parts(draw)
    cell = _layer(nn.RNNCell, data.shape[1], draw.integer(1, 4), bias=draw.chance(0.8))
    return Case("", (cell, data, batch_sizes))


packed_recurrence.equivalent(
    "state = data.new_zeros(batch_sizes[0], cell.hidden_size)",
    because="A tensor without axes is taken for a whole number.",
)


def _run(cell: nn.RNNCell, data: Tensor, batch_sizes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Outputs, and the states of the rows that end before each step and after the last one."""
    state = data.new_zeros(int(batch_sizes[0]), cell.hidden_size)
    outputs, ended = [], []
    for step in data.split(batch_sizes.tolist()):
        ended.append(state[len(step) :])
        state = cell(step, state[: len(step)])
        outputs.append(state)
    return torch.cat(outputs), [*ended, outputs[-1]]


@packed_recurrence.wrong(
    "Your final states stand in the order in which the rows end: the longest row comes first in a "
    "sorted batch.",
    belief="Rows are finished in the order of the batch.",
)
def in_order_of_ending(
    cell: nn.RNNCell, data: Tensor, batch_sizes: Tensor
) -> tuple[Tensor, Tensor]:
    outputs, ended = _run(cell, data, batch_sizes)
    return outputs, torch.cat(ended)


@packed_recurrence.wrong(
    "When a row ends you keep the last rows of the state: the first ones go on, because the "
    "longest sequences come first.",
    belief="The first row is finished first.",
)
def drops_the_first_rows(
    cell: nn.RNNCell, data: Tensor, batch_sizes: Tensor
) -> tuple[Tensor, Tensor]:
    state = data.new_zeros(int(batch_sizes[0]), cell.hidden_size)
    outputs, ended = [], []
    for step in data.split(batch_sizes.tolist()):
        gone = len(state) - len(step)
        ended.append(state[:gone])
        state = cell(step, state[gone:])
        outputs.append(state)
    return torch.cat(outputs), torch.cat([state, *ended[::-1]])


@solution("packing.final_states")
def final_states(
    rnn: torch.nn.RNN, padded: torch.Tensor, lengths: torch.Tensor, initial: torch.Tensor
) -> torch.Tensor:
    """Final state of each row, (B, H); row i starts from initial[i]."""
    packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    _, states = rnn(packed, initial[None])
    return states[0]


@final_states.cases
def _() -> list[Case]:
    found = []
    for i, (name, lengths) in enumerate(_LISTS.items()):
        features, hidden = 1 + i % 3, 1 + i % 4
        rnn = _layer(nn.RNN, features, hidden, batch_first=True)
        (initial,) = random_tensors((len(lengths), hidden), seed=i)
        padded, counts = _padded(lengths, features), torch.tensor(lengths, device="cpu")
        found.append(Case(name, (rnn, padded, counts, initial.requires_grad_())))
    return found


@final_states.random
def _(draw: Draw) -> Case:
    padded, lengths = _drawn_batch(draw, draw.choice([9.0, -90.0, 0.0]))
    rnn = _layer(nn.RNN, padded.shape[2], draw.integer(1, 4), batch_first=True)
    initial = draw.normal(len(lengths), rnn.hidden_size)
    return Case("", (rnn, padded.requires_grad_(), lengths, initial.requires_grad_()))


final_states.equivalent(
    "return states[-1]", because="With one layer the first states are the last ones."
)


def _sorted_run(rnn: nn.RNN, padded: Tensor, lengths: Tensor, states: Tensor) -> Tensor:
    """Final states of rows that are sorted already, with states in the same order."""
    packed = pack_padded_sequence(padded, lengths, batch_first=True)
    return rnn(packed, states[None].contiguous())[1][0]


@final_states.wrong(
    "You sort the rows and not their states, and you leave the results sorted: two mistakes.",
    belief="Sorting the rows is all that packing needs.",
)
def sorts_the_rows_alone(rnn: nn.RNN, padded: Tensor, lengths: Tensor, initial: Tensor) -> Tensor:
    order, _ = _order(lengths)
    return _sorted_run(rnn, padded[order], lengths[order], initial)


@final_states.wrong(
    "Your rows are sorted and their states are not: each sequence starts from another one's state.",
    belief="The states find their rows by themselves.",
)
def states_in_batch_order(rnn: nn.RNN, padded: Tensor, lengths: Tensor, initial: Tensor) -> Tensor:
    order, inverse = _order(lengths)
    return _sorted_run(rnn, padded[order], lengths[order], initial)[inverse]


@final_states.wrong(
    "Your results stay in sorted order: row i must be sequence i's final state.",
    belief="Results come back in the order of the batch, whoever sorted it.",
)
def results_stay_sorted(rnn: nn.RNN, padded: Tensor, lengths: Tensor, initial: Tensor) -> Tensor:
    order, _ = _order(lengths)
    return _sorted_run(rnn, padded[order], lengths[order], initial[order])


@final_states.wrong(
    "You put the results back with the order itself: its inverse, order.argsort(), undoes it.",
    belief="Applying an order twice brings back the old one.",
)
def sorts_the_results_again(
    rnn: nn.RNN, padded: Tensor, lengths: Tensor, initial: Tensor
) -> Tensor:
    order, _ = _order(lengths)
    return _sorted_run(rnn, padded[order], lengths[order], initial[order])[order]


@final_states.wrong(
    "Your states are sorted twice: with enforce_sorted=False the layer sorts them itself.",
    belief="States must be sorted by hand in any case.",
)
def states_sorted_twice(rnn: nn.RNN, padded: Tensor, lengths: Tensor, initial: Tensor) -> Tensor:
    order, _ = _order(lengths)
    return rnn(pack(padded, lengths), initial[order][None])[1][0]
