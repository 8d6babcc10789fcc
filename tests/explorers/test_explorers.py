"""Explorers: every control moved over its range, by Python and by the browser's path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest
from explorer_parts import alt, parts
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

from course_utils import explorers
from course_utils.explorers.bucketing import batches_in_buckets
from course_utils.explorers.controls import Choice, Slider, TextField
from course_utils.explorers.wiring import explorer, parse_lengths
from course_utils.pictures import Picture
from course_utils.sequences import padding_waste

EXPLORERS = [function for name, function in vars(explorers).items() if name.startswith("explore_")]


def places(control: widgets.Widget) -> Iterator:
    """Values over the whole range of a control."""
    if isinstance(control, Slider):
        count = round((control.max - control.min) / control.step)
        yield from (control.min + i * control.step for i in range(count + 1))
    elif isinstance(control, Choice):
        yield from control.options
    elif isinstance(control, TextField):
        yield from ("3", "1, 1, 1", "5 3 7 2", "9, 9, 9, 9", "1, 60")
    else:
        raise AssertionError(f"a control that this test cannot move: {control}")


def test_there_are_explorers():
    assert explorers.explore_padding in EXPLORERS


@pytest.mark.parametrize("explore", EXPLORERS)
def test_every_control_has_a_name_and_changes_the_picture(explore: Callable):
    controls, picture = parts(explore())
    for control in controls:
        assert control.description
        before, start = set(), control.value
        for value in places(control):
            control.value = value
            before.add(picture.value)
            assert re.search(r"\d", alt(picture))
        assert len(before) > 1, f"{control.description} changes nothing"
        control.value = start
    assert plt.get_fignums() == []


@pytest.mark.parametrize("explore", EXPLORERS)
def test_browser_path_redraws(explore: Callable):
    controls, picture = parts(explore())
    slider = next(control for control in controls if isinstance(control, Slider))
    before = picture.value
    other = slider.min if slider.value != slider.min else slider.max
    data = {"method": "update", "state": {"value": other}, "buffer_paths": []}
    slider._handle_msg({"content": {"data": data}, "buffers": []})
    assert picture.value != before


def test_a_choice_takes_its_options_and_nothing_else():
    choice = Choice(["right", "left"], description="Side")
    assert choice.value == "right"
    choice.value = "left"
    with pytest.raises(TraitError, match="Side is one of right, left, got 'up'"):
        choice.value = "up"


def test_a_sentence_for_the_learner_instead_of_a_picture():
    controls, picture = parts(explorers.explore_padding())
    controls[0].value = "5, three"
    assert "not a list of whole numbers" in picture.value
    controls[0].value = "5, 3"
    assert "padding" in alt(picture)


def test_a_fault_of_ours_is_shown_and_raised():
    def draw(x: float) -> Picture:
        if x > 1:
            raise KeyError("lost")
        return Picture("<svg></svg>", "one")

    controls, picture = parts(explorer(draw, x=Slider(value=1)))
    with pytest.raises(KeyError):
        controls[0].value = 2
    assert "KeyError" in picture.value


@pytest.mark.parametrize(
    ("text", "said"), [("", "got 0"), ("1 " * 61, "got 61"), ("0", "between"), ("99", "between")]
)
def test_lengths_out_of_range_are_refused(text: str, said: str):
    with pytest.raises(ValueError, match=said):
        parse_lengths(text)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 9), st.integers(1, 30))
def test_buckets_keep_every_sequence_and_never_mix_widths_backwards(lengths, batch_size, width):
    batches = batches_in_buckets(lengths, batch_size, width)
    flat = [n for batch in batches for n in batch]
    assert sorted(flat) == sorted(lengths)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    buckets = [(n - 1) // width for n in flat]
    assert buckets == sorted(buckets)


def test_width_one_sorts_and_a_wide_bucket_leaves_the_order_alone():
    lengths = [5, 3, 7, 2, 6, 1]
    assert batches_in_buckets(lengths, 6, 1) == [sorted(lengths)]
    assert batches_in_buckets(lengths, 6, 7) == [lengths]
    assert padding_waste(batches_in_buckets(lengths, 2, 1)[0]) == 0.25
