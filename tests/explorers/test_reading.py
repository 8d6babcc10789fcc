"""What readers of a recurrent layer read: the explorer's numbers and its picture."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from torch import nn

from course_utils.colours import ORANGE
from course_utils.explorers.readers import READERS, reader_shares, row_shares, steps_read
from course_utils.pictures import draw_reading
from course_utils.sequences import lengths_to_mask, pack, pad_batch, unpack
from course_utils.topics.last_step import both_ends

LENGTHS = [[5, 3, 7, 2], [4, 4, 4], [1], [2, 6, 1]]
ALL = list(itertools.product(READERS.values(), [False, True]))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("extra", [0, 3])
@pytest.mark.parametrize(("reader", "bidirectional"), ALL, ids=str)
def test_rows_share_one_gradient_and_packed_runs_leave_pads_alone(
    lengths: list[int], extra: int, reader: tuple[bool, str], bidirectional: bool
):
    packed, what = reader
    steps = max(lengths) + extra
    shares, read = reader_shares(
        lengths, steps, what=what, packed=packed, bidirectional=bidirectional
    )
    assert shares.shape == (1 + bidirectional, len(lengths), steps)
    assert [len(rows) for rows in read] == [len(lengths)] * (1 + bidirectional)
    totals = shares.sum(-1)
    nothing = packed & (what == "last column") & (torch.tensor(lengths) < steps)
    torch.testing.assert_close(totals, (~nothing).double().expand_as(totals))
    if packed:
        assert (shares[:, ~lengths_to_mask(lengths, steps)] == 0).all()


@pytest.mark.parametrize("what", ["last real step", "h_n"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_right_readers_see_in_a_batch_what_they_see_alone(what: str, bidirectional: bool):
    options = {"what": what, "packed": True, "bidirectional": bidirectional}
    batched, _ = reader_shares([3, 7], 9, **options)
    alone, _ = reader_shares([3], 3, **options)
    torch.testing.assert_close(batched[:, :1, :3], alone)


def test_the_last_column_of_a_padded_run_looks_mostly_at_pads():
    options = {"what": "last column", "packed": False, "bidirectional": False}
    shares, _ = reader_shares([2, 8], 8, **options)
    assert shares[0, 0, 2:].sum() > 0.9
    assert shares[0, 1].argmax() == 7


def test_backward_half_at_the_last_real_step_has_seen_one_step():
    options = {"what": "last real step", "packed": True, "bidirectional": True}
    shares, read = reader_shares([5, 3], 5, **options)
    assert read == [[4, 2], [4, 2]]
    assert (shares[1] > 0).sum(-1).tolist() == [1, 1]
    assert (shares[0] > 0).sum(-1).tolist() == [5, 3]


@pytest.mark.parametrize("packed", [False, True])
def test_final_states_stand_where_the_explorer_says(packed: bool):
    lengths = torch.tensor([4, 2, 3])
    torch.manual_seed(0)
    rnn = nn.GRU(2, 3, batch_first=True, bidirectional=True).double()
    inputs = torch.randn(3, 6, 2, dtype=torch.float64)
    if packed:
        output, hidden = rnn(pack(inputs, lengths))
        output = unpack(output, total_length=6)[0]
    else:
        output, hidden = rnn(inputs)
    forward, backward = steps_read("h_n", packed, lengths, 6)
    rows = torch.arange(3)
    torch.testing.assert_close(output[rows, forward, :3], hidden[0])
    torch.testing.assert_close(output[rows, backward, 3:], hidden[1])


def test_both_ends_are_the_final_states_of_single_runs():
    torch.manual_seed(1)
    rnn = nn.LSTM(2, 3, batch_first=True, bidirectional=True).double()
    sequences = [torch.randn(n, 2, dtype=torch.float64) for n in (3, 1, 4, 4)]
    lengths = torch.tensor([3, 1, 4, 4])
    output = unpack(rnn(pack(pad_batch(sequences), lengths))[0])[0]
    finals = [rnn(sequence[None])[1][0] for sequence in sequences]
    expected = torch.cat([torch.cat([h[0], h[1]], dim=-1) for h in finals])
    torch.testing.assert_close(both_ends(output, lengths), expected)


def test_row_without_gradient_gets_zeros_and_keeps_its_neighbours():
    gradient = torch.tensor([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert row_shares(gradient).tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_picture_frames_the_step_that_is_read_and_counts_what_pads_get():
    shares = torch.tensor([[[0.25, 0.75], [0.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]]])
    picture = draw_reading(shares, [1, 2], [[1, 1], [0, 0]], title="Reader")
    assert picture.svg.count(ORANGE) == 4 + 1  # one frame a row and direction, one in the legend
    said = ["reads step 1, 75 % on pads", "no gradient", "reads step 0, 0 % on pads"]
    places = [picture.alt.index(words) for words in said]
    assert places == sorted(places)
    frames = re.findall(rf'<rect x="([\d.]+)"[^>]*stroke="{ORANGE}"', picture.svg)
    columns = [float(x) for x in frames[:4]]
    assert columns[0] == columns[1] > columns[2] == columns[3]


@pytest.mark.parametrize("read", [[[0]], [[0, 1], [0]], [[0], [0]]])
def test_picture_refuses_steps_that_do_not_fit(read: list):
    with pytest.raises(ValueError, match="expected 2 a direction"):
        draw_reading(torch.zeros(1 if len(read) == 1 else 2, 2, 3), [1, 3], read)
