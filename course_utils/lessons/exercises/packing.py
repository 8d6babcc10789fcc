"""Exercises on packing: pack, unpack, run over a packed batch, keep rows in order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.data import small_batch
from course_utils.lessons.entries import Case, Exercise
from course_utils.pitfalls import packing as pitfalls
from course_utils.sequences import pack, pad_batch


def _lists() -> list[list[int]]:
    # Most orders here differ from their inverse; one is sorted, one has equal lengths.
    return [[1, 2], [5, 3, 7, 2], [2, 3, 1], [3, 2], [2, 2, 2], [4], [1, 4, 2, 6, 3]]


def _padded(lengths: Sequence[int], features: int, extra: int = 0) -> Tensor:
    sequences = small_batch(lengths, features, dtype=torch.float64)
    # Pads are not zero, so that a pad among the data is noticed.
    return pad_batch(sequences, 9.0, max_length=max(lengths) + extra)


def _pack_cases() -> list[Case]:
    found = []
    for i, lengths in enumerate(_lists()):
        padded = _padded(lengths, 1 + i % 3, extra=2 * (i == 2)).requires_grad_()
        found.append(Case((padded, torch.tensor(lengths, device="cpu"))))
    return found


def _parts(lengths: Sequence[int], features: int) -> tuple[Tensor, Tensor, Tensor]:
    """Data, as a leaf that wants a gradient, batch sizes and unsorted indices."""
    packed = pack(_padded(lengths, features), lengths)
    return packed.data.clone().requires_grad_(), packed.batch_sizes, packed.unsorted_indices


def _unpack_cases() -> list[Case]:
    return [Case(_parts(lengths, 1 + i % 3)) for i, lengths in enumerate(_lists())]


def _layer(kind: type[nn.Module], features: int, hidden: int, **options: bool) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(features + hidden)
        return kind(features, hidden, dtype=torch.float64, device="cpu", **options)


def _recurrence_cases() -> list[Case]:
    found = []
    for i, lengths in enumerate(_lists()):
        features, hidden = 1 + i % 3, 1 + i % 4
        data, batch_sizes, _ = _parts(lengths, features)
        found.append(Case((_layer(nn.RNNCell, features, hidden), data, batch_sizes)))
    return found


def _state_cases() -> list[Case]:
    found = []
    for i, lengths in enumerate(_lists()):
        features, hidden = 1 + i % 3, 1 + i % 4
        rnn = _layer(nn.RNN, features, hidden, batch_first=True)
        generator = torch.Generator("cpu").manual_seed(i)
        initial = torch.randn(
            len(lengths), hidden, generator=generator, dtype=torch.float64, device="cpu"
        )
        padded, counts = _padded(lengths, features), torch.tensor(lengths, device="cpu")
        found.append(Case((rnn, padded, counts, initial.requires_grad_())))
    return found


EXERCISES = [
    Exercise(
        key="packing.pack_by_hand",
        number="5.1",
        title="Pack by hand",
        difficulty=3,
        minutes=12,
        task="Given `padded` `(B, T, F)` and `lengths` `(B,)`, return the four parts of a packed "
        "sequence: `data`, `batch_sizes`, `sorted_indices`, `unsorted_indices`. Longest sequences "
        "come first, and sequences of equal length keep their order.",
        cases=_pack_cases,
        wrong=[
            pitfalls.row_after_row,
            pitfalls.forgets_to_sort,
            pitfalls.keeps_the_batch_order,
            pitfalls.lengths_for_batch_sizes,
            pitfalls.keeps_the_pads,
            pitfalls.counts_padded_steps,
            pitfalls.same_order_twice,
        ],
        hints=[
            "Three moves: sort the rows, walk over the columns, and in each column take only the "
            "rows that are longer than the column's number.",
            "`lengths.argsort(descending=True, stable=True)` gives the order, and `argsort` of "
            "that order undoes it.",
            "At step `t` there are `n = (lengths > t).sum()` rows left, and in sorted order they "
            "are the first ones: `padded[order][:n, t]`. `torch.cat` of these is `data`.",
        ],
    ),
    Exercise(
        key="packing.unpack_by_hand",
        number="5.2",
        title="Unpack by hand",
        difficulty=2,
        minutes=8,
        task="The way back: from `data`, `batch_sizes` and `unsorted_indices` make the padded "
        "batch `(B, T, F)`, with zeros at pads, and the lengths `(B,)`. Return both, with the rows "
        "in the order they had before packing.",
        cases=_unpack_cases,
        wrong=[
            pitfalls.stays_sorted,
            pitfalls.undoes_backwards,
            pitfalls.leaves_lengths_sorted,
            pitfalls.unpacks_time_first,
            pitfalls.cuts_into_rows,
        ],
        hints=[
            "`batch_sizes[0]` is the number of rows, and `len(batch_sizes)` the number of steps. "
            "`data.split(batch_sizes.tolist())` gives the pieces, one a step.",
            "The piece of step `t` fills column `t` of the first rows: "
            "`padded[: len(piece), t] = piece`.",
            "The row with number `i` is alive at all steps with `batch_sizes > i`. At the end, "
            "index rows and lengths with `unsorted_indices`.",
        ],
    ),
    Exercise(
        key="packing.packed_recurrence",
        number="5.3",
        title="A layer without padding",
        difficulty=3,
        minutes=12,
        task="Run `cell`, an `nn.RNNCell`, over packed `data`, beginning with a state of zeros. "
        "Return the outputs as packed data `(N, H)`, where `N` is the number of real steps, and "
        "the final states `(B, H)` in sorted order, the longest sequence first.",
        cases=_recurrence_cases,
        wrong=[
            pitfalls.in_order_of_ending,
            pitfalls.forgets_short_rows,
            pitfalls.starts_every_step_anew,
            pitfalls.drops_the_first_rows,
            pitfalls.cuts_the_graph,
        ],
        hints=[
            "Begin with a state of `batch_sizes[0]` rows. Each step runs the cell on its piece of "
            "the data and on as many rows of the state.",
            "Rows are sorted, so those that end are the last rows of the state: "
            "`state[len(piece):]`. Put them aside before the step.",
            "The rows put aside first are the shortest, and they come last in sorted order: "
            "`torch.cat([state, *reversed(ended)])`.",
        ],
    ),
    Exercise(
        key="packing.final_states",
        number="5.4",
        title="Find the order bug",
        difficulty=2,
        minutes=8,
        task="Every sequence has a state to start from: `initial` `(B, H)`, in the order of the "
        "batch. Return the states `(B, H)` after the last real steps, in the same order. `rnn` is "
        "an `nn.RNN` with one layer and `batch_first=True`; `padded` is `(B, T, F)`.",
        cases=_state_cases,
        wrong=[
            pitfalls.sorts_the_rows_alone,
            pitfalls.states_in_batch_order,
            pitfalls.results_stay_sorted,
            pitfalls.sorts_the_results_again,
            pitfalls.states_sorted_twice,
            pitfalls.starts_from_zero,
            pitfalls.runs_over_the_pads,
        ],
        hints=[
            "Follow one sequence by name through the code above. Which state does it start from? "
            "In which row does its result stand?",
            "Either sort three things (rows, lengths, states) and put the result back, or let "
            "`pack_padded_sequence` sort. Doing half of each is the bug.",
            "With `enforce_sorted=False`, the layer sorts the states you give it and restores the "
            "order of those it returns. States have a layer axis first: `initial[None]`.",
        ],
    ),
]
