"""What notebooks 04 and 05 build by hand, their pictures and their explorers.

Oracles: PyTorch's own layers on one sequence at a time, and PyTorch's own packing.
"""

from __future__ import annotations

import re

import pytest
import torch
from explorer_parts import alt, parts
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

from course_utils import colours, explorers
from course_utils.data import small_batch
from course_utils.explorers.pad_treatments import WAYS, run_way
from course_utils.models import run_masked
from course_utils.pictures import draw_masking, draw_packing
from course_utils.sequences import lengths_to_mask, pad_batch
from course_utils.topics import packing as topic
from course_utils.topics.masking import masked_recurrence, safe_log
from course_utils.topics.packing import (
    final_states,
    pack_by_hand,
    packed_recurrence,
    unpack_by_hand,
)

LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def padded_batch(lengths: list[int], features: int, extra: int = 0) -> Tensor:
    sequences = small_batch(lengths, features, dtype=torch.float64)
    return pad_batch(sequences, 9.0, max_length=max(lengths) + extra)


def cell_and_layer(features: int, hidden: int) -> tuple[nn.RNNCell, nn.RNN]:
    """The same random weights as a cell and as a layer."""
    layer = nn.RNN(features, hidden, batch_first=True, dtype=torch.float64)
    cell = nn.RNNCell(features, hidden, dtype=torch.float64)
    cell.load_state_dict({name: layer.state_dict()[f"{name}_l0"] for name in cell.state_dict()})
    return cell, layer


def gradients_of(module: nn.Module, value: Tensor) -> list[Tensor]:
    weights = torch.arange(1.0, value.numel() + 1, dtype=value.dtype).view(value.shape)
    return list(torch.autograd.grad((value * weights).sum(), list(module.parameters())))


@given(LENGTHS, st.integers(0, 2), st.integers(1, 3), st.integers(1, 3))
def test_masked_recurrence_is_the_layer_alone(lengths, extra, features, hidden):
    cell, layer = cell_and_layer(features, hidden)
    inputs = padded_batch(lengths, features, extra)
    mask = lengths_to_mask(lengths, inputs.shape[1])
    outputs, final = masked_recurrence(cell, inputs, mask)
    runs = [layer(row[None, :n]) for row, n in zip(inputs, lengths, strict=True)]
    assert_close(final, torch.cat([state[0] for _, state in runs]))
    assert_close(outputs[mask], torch.cat([output[0] for output, _ in runs]))
    assert (outputs[~mask] == 0).all()
    alone = gradients_of(layer, torch.cat([state[0] for _, state in runs]))
    for mine, wanted in zip(gradients_of(cell, final), alone, strict=True):
        assert_close(mine, wanted)


def test_masked_recurrence_skips_holes_as_run_masked_does():
    cell, layer = cell_and_layer(2, 3)
    inputs, mask = torch.randn(3, 5, 2, dtype=torch.float64), torch.rand(3, 5) > 0.5
    outputs, final = masked_recurrence(cell, inputs, mask)
    expected, state = run_masked(layer, inputs, mask)
    assert_close(outputs, expected)
    assert_close(final, state[0])


def test_safe_log_is_clean_in_both_directions():
    values = torch.tensor([2.0, 0.0, -1.0, torch.nan, torch.inf, 1e-9], requires_grad=True)
    mask = torch.tensor([True, False, False, False, False, True])
    result = safe_log(values, mask)
    assert_close(result[mask], values[mask].log())
    assert (result[~mask] == 0).all()
    (slope,) = torch.autograd.grad(result.sum(), values)
    assert_close(slope[mask], 1 / values.detach()[mask])
    assert (slope[~mask] == 0).all()


@given(LENGTHS, st.integers(0, 2), st.integers(1, 3))
def test_packing_by_hand_is_pytorchs(lengths, extra, features):
    padded, counts = padded_batch(lengths, features, extra), torch.tensor(lengths)
    data, batch_sizes, order, inverse = pack_by_hand(padded, counts)
    # Rows sorted beforehand, so that equal lengths cannot change places.
    expected = pack_padded_sequence(padded[order], counts[order], batch_first=True)
    assert_close(data, expected.data)
    assert_close(batch_sizes, expected.batch_sizes)
    assert (counts[order].diff() <= 0).all()
    assert_close(order[inverse], torch.arange(len(lengths)))
    again, counts_again = unpack_by_hand(data, batch_sizes, inverse)
    sorted_rows = pad_packed_sequence(expected, batch_first=True)[0]
    assert_close(again, sorted_rows[inverse])
    assert_close(counts_again, counts)


@given(LENGTHS, st.integers(1, 3), st.integers(1, 3))
def test_packed_recurrence_is_the_layer_alone(lengths, features, hidden):
    cell, layer = cell_and_layer(features, hidden)
    padded = padded_batch(lengths, features)
    data, batch_sizes, order, inverse = pack_by_hand(padded, torch.tensor(lengths))
    outputs, final = packed_recurrence(cell, data, batch_sizes)
    runs = [layer(row[None, :n]) for row, n in zip(padded, lengths, strict=True)]
    alone = torch.cat([state[0] for _, state in runs])
    assert_close(final[inverse], alone)
    unpacked, _ = unpack_by_hand(outputs, batch_sizes, inverse)
    for row, (output, _) in zip(unpacked, runs, strict=True):
        assert_close(row[: output.shape[1]], output[0])
    assert len(order) == len(final)
    pairs = zip(gradients_of(cell, final[inverse]), gradients_of(layer, alone), strict=True)
    for mine, wanted in pairs:
        assert_close(mine, wanted)


@given(LENGTHS)
def test_final_states_start_from_their_own(lengths):
    layer = nn.RNN(2, 3, batch_first=True, dtype=torch.float64)
    padded = padded_batch(lengths, 2)
    initial = torch.randn(len(lengths), 3, dtype=torch.float64)
    found = final_states(layer, padded, torch.tensor(lengths), initial)
    for row, (n, state) in enumerate(zip(lengths, initial, strict=True)):
        assert_close(found[row], layer(padded[row, None, :n], state[None, None])[1][0, 0])


def test_wrong_unpacking_starts_from_what_was_packed():
    """The wrong versions differ from the right one in what they are about, and in no more."""
    padded = padded_batch([5, 3, 7, 2], 2)
    parts = pack_by_hand(padded, torch.tensor([5, 3, 7, 2]))
    args = (parts[0], parts[1], parts[3])
    right, lengths = unpack_by_hand(*args)
    stays, sorted_lengths = topic.stays_sorted(*args)
    assert_close(stays, right[parts[2]])
    assert_close(sorted_lengths, lengths[parts[2]])


# Pictures.


def masking_picture(**changes):
    numbers = {
        "states": torch.tensor([[0.5, -0.5, 0.1], [0.2, 0.3, 0.4]]),
        "goals": torch.tensor([0.1, 0.2]),
        "errors": torch.tensor([0.0, 0.25]),
        "sizes": torch.tensor([[1.0, 2.0, 3.0], [1.0, 0.5, 0.0]]),
        "lengths": [3, 1],
    } | changes
    return draw_masking(**numbers, title="A title")


def test_masking_picture_tells_states_and_leaks():
    picture = masking_picture()
    assert "sequence 0, length 3: final state as alone" in picture.alt
    assert "sequence 1, length 1: final state off by 0.25" in picture.alt
    assert "Gradient reaches 1 of 2 pads." in picture.alt
    assert picture.svg.count(f'r="2.5" fill="{colours.BLUE}"') == 4 + 1  # and the legend's


@pytest.mark.parametrize("name", ["goals", "errors", "sizes"])
def test_masking_picture_refuses_what_does_not_fit(name):
    with pytest.raises(ValueError, match=rf"{name} are \(2, 4\)"):
        masking_picture(**{name: torch.zeros(2, 4)})


def data_labels(svg: str) -> list[str]:
    """The cells of the packed column: their text is smaller than that of the page."""
    return re.findall(r">([A-L]\d+)<", svg.split("packed data")[1])


def test_packing_picture_lists_the_data_in_packed_order():
    picture = draw_packing([2, 1, 3])
    assert data_labels(picture.svg) == ["C0", "A0", "B0", "C1", "A1", "C2"]
    assert "Longest first: C, A, B." in picture.alt
    assert "batch_sizes 3, 2, 1; 6 rows of packed data." in picture.alt
    assert "sorted_indices [2, 0, 1]" in picture.svg
    assert "unsorted_indices [1, 2, 0]" in picture.svg


def test_packing_picture_fills_the_data_up_to_a_step():
    picture = draw_packing([2, 1, 3], 1)
    assert data_labels(picture.svg) == ["C0", "A0", "B0", "C1", "A1"]
    assert "At step 1 the data get C1, A1; then 5 rows are filled." in picture.alt
    assert picture.svg.count(colours.VERMILLION) == 2 + 2  # two columns and two rows of data


@pytest.mark.parametrize(
    ("lengths", "step", "said"),
    [([1] * 13, None, "13 sequences"), ([2, 0], None, "lengths"), ([2, 1], 2, "expected 0 to 1")],
)
def test_packing_picture_refuses_what_it_cannot_draw(lengths, step, said):
    with pytest.raises(ValueError, match=said):
        draw_packing(lengths, step)


# Explorers.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lengths", [[5, 3, 7, 2], [4, 4, 4], [1], [1, 6]])
def test_only_the_masked_state_ends_as_alone(way, lengths):
    rnn = nn.RNN(3, 4, batch_first=True, dtype=torch.float64)
    inputs = padded_batch(lengths, 3, extra=1)
    states = run_way(way, rnn, inputs, lengths_to_mask(lengths, inputs.shape[1]))
    for row, n in enumerate(lengths):
        alone = rnn(inputs[row, None, :n])[0][0]
        assert_close(states[row, :n], alone)
        assert torch.allclose(states[row, -1], alone[-1]) == (way == "masked state")


def test_masking_explorer_shows_a_leak_and_closes_it():
    (lengths, way, extra, size), picture = parts(explorers.explore_masking())
    assert "Gradient reaches 11 of 11 pads" in alt(picture)
    way.value = "masked state"
    assert "Gradient reaches 0 of 11 pads" in alt(picture)
    assert "off by" not in alt(picture)
    before = re.sub(r"0 of \d+", "", alt(picture))
    extra.value, size.value = 6, 3
    assert re.sub(r"0 of \d+", "", alt(picture)) == before
    way.value, size.value, extra.value = "no mask", 0, 0
    lengths.value = "4, 4, 4"
    assert "Gradient reaches 0 of 0 pads" in alt(picture)
    assert "off by" not in alt(picture)


def test_masking_explorer_leaves_random_numbers_alone():
    before = torch.get_rng_state()
    explorers.explore_masking()
    assert torch.equal(torch.get_rng_state(), before)


def test_packing_explorers_slider_follows_the_longest_sequence():
    (lengths, step), picture = parts(explorers.explore_packing())
    step.value = 6
    assert "At step 6 the data get C6" in alt(picture)
    lengths.value = "2, 3"
    assert (step.max, step.value) == (2, 2)
    assert "At step 2 the data get B2" in alt(picture)
    lengths.value = "5, three"
    assert "not a list of whole numbers" in picture.value
    assert step.max == 2
