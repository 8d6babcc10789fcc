"""Exercises on packing: pack, unpack, run over a packed batch, keep rows in order."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

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
