"""Random batches and numbers through every picture: well-formed, described, or refused."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from random_inputs import in_time, lengths_at_most, nonsense, numbers
from test_random_models import draw_steps, random_graph
from torch import Tensor

from course_utils import pictures
from course_utils.graphs import step_through
from course_utils.lessons.compare import brief, difference
from course_utils.pictures import Picture

pytestmark = pytest.mark.slow
DRAWS = 40


def lengths_of(rng: random.Random) -> list[int]:
    return lengths_at_most(rng, 7, rng.randint(1, 6), 1)


def positive(rng: random.Random, *shape: int) -> Tensor:
    """Sizes from nothing to huge."""
    found = numbers(rng, shape, torch.float64).detach().abs() * 10 ** rng.uniform(-12, 12)
    return found * (rng.random() > 0.1)


def batch_with_values(rng):
    lengths = lengths_of(rng)
    values = rng.choice([None, numbers(rng, (len(lengths), max(lengths)), torch.float32)])
    return pictures.draw_batch(
        lengths, padding_side=rng.choice(["right", "left"]),
        values=None if values is None else values.detach(), title=rng.choice(["", "<a> & b"]),
    )  # fmt: skip


def attention(rng):
    steps = rng.randint(1, 8)
    documents = torch.tensor(sorted(rng.randint(0, 2) for _ in range(steps)))
    documents[rng.randint(1, steps) :] = -1
    return pictures.draw_attention(positive(rng, steps, steps), documents, title="Weights")


def masking(rng):
    lengths = lengths_of(rng)
    shape = (len(lengths), max(lengths) + rng.randint(0, 2))
    states = numbers(rng, shape, torch.float64).detach().tanh()
    return pictures.draw_masking(
        states, states[:, 0], positive(rng, len(lengths)), positive(rng, *shape), lengths, title="M"
    )


def reading(rng):
    lengths, ways = lengths_of(rng), rng.randint(1, 2)
    shares = torch.rand(ways, len(lengths), max(lengths))
    read = [[n - 1 for n in lengths] for _ in range(ways)]
    return pictures.draw_reading(shares, lengths, read)


def heat(rng):
    lengths = lengths_of(rng)
    return pictures.draw_heat(positive(rng, len(lengths), max(lengths)), lengths, title="Heat")


def graph(rng):
    if rng.random() < 0.5:
        return pictures.draw_graph(random_graph(rng))
    (operations, leaves), _ = draw_steps(rng)
    clicks = rng.randint(0, 2 * len(operations))
    return pictures.draw_graph(operations, step_through(operations, leaves, clicks))


def shares(rng):
    parts = [lengths_at_most(rng, 9, rng.randint(0, 4), 1) for _ in range(rng.randint(1, 4))]
    parts = [[5], *parts]
    return pictures.draw_shares(parts, ["note"] * len(parts), title="Shares")


def probabilities(rng):
    classes = rng.randint(2, 5)
    chances = {name: torch.rand(classes).softmax(0) for name in ("a", "<b>")}
    return pictures.draw_probabilities(
        chances, true=rng.randrange(classes), names=[f"c{i}" for i in range(classes)], title="P"
    )


def packing(rng):
    lengths = lengths_of(rng)
    return pictures.draw_packing(lengths, rng.choice([None, rng.randrange(max(lengths))]))


def curves(rng):
    count = rng.randint(1, 9)
    lines = {name: positive(rng, count).tolist() for name in "ab"[: rng.randint(1, 2)]}
    return pictures.plot_curves(lines, xlabel="x", ylabel="y")


def bars(rng):
    names = ["one", "two"][: rng.randint(1, 2)]
    heights = {name: {g: rng.uniform(0, 9) for g in ("g", "h")} for name in names}
    return pictures.plot_bars(heights, ylabel="y", errors=rng.choice([None, heights]))


def matrix(rng):
    return pictures.plot_heatmap(
        positive(rng, rng.randint(1, 4), rng.randint(1, 4)), xlabel="x", ylabel="y",
        annotate=rng.random() < 0.5,
    )  # fmt: skip


def confusion(rng):
    size = rng.randint(1, 4)
    counts = torch.tensor([[rng.randint(0, 9) for _ in range(size)] for _ in range(size)])
    return pictures.plot_confusion(counts, names=[f"c{i}" for i in range(size)])


def histogram(rng):
    return pictures.plot_lengths({"a": torch.tensor(lengths_of(rng)), "b": torch.tensor([3])})


PICTURES: dict[str, Callable[[random.Random], Picture]] = {
    "draw_attention": attention,
    "draw_batch": batch_with_values,
    "draw_batches": lambda rng: pictures.draw_batches([lengths_of(rng), lengths_of(rng)]),
    "draw_gradient_flow": lambda rng: pictures.draw_gradient_flow(positive(rng, 5)),
    "draw_graph": graph,
    "draw_heat": heat,
    "draw_map": lambda rng: pictures.draw_map(),
    "draw_masking": masking,
    "draw_packing": packing,
    "draw_probabilities": probabilities,
    "draw_readers": lambda rng: pictures.draw_readers(lengths_of(rng)),
    "draw_reading": reading,
    "draw_shares": shares,
    "draw_unrolled": lambda rng: pictures.draw_unrolled(lengths_of(rng)),
    "plot_bars": bars,
    "plot_confusion": confusion,
    "plot_curves": curves,
    "plot_heatmap": matrix,
    "plot_lengths": histogram,
}
# Pictures of a batch take lengths first, as everything in the course does.
OF_LENGTHS = ("draw_batch", "draw_readers", "draw_packing")


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_random_numbers_are_well_formed_and_described(name):
    rng = random.Random(name)
    for _ in range(3 if name == "draw_map" else 10 if name.startswith("plot") else DRAWS):
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            picture = PICTURES[name](rng)
        ElementTree.fromstring(picture.svg)
        assert len(picture.alt) > 10
        assert not re.search(r"\b(nan|inf)\b", picture.svg + picture.alt)


@pytest.mark.parametrize("name", OF_LENGTHS)
def test_pictures_of_no_batch_are_refused(name):
    rng = random.Random(name)
    for _ in range(300):
        value = rng.choice([nonsense(rng), [3, -1], [2.5], [1, None]])
        try:
            getattr(pictures, name)(value)
        except (ValueError, TypeError) as error:
            refusal: Any = str(error)
        else:
            refusal = None
        good = isinstance(value, (list, tuple, range)) or hasattr(value, "tolist")
        assert refusal or good, f"{name}({value!r}) is drawn"


def test_comparing_whatever_a_learner_returns_never_fails():
    rng = random.Random(0)
    for _ in range(2000):
        value, right = nonsense(rng), rng.choice([torch.ones(2), [torch.ones(1)], 2.5, {"a": 1}])
        told = difference(value, right)
        assert told is None or isinstance(told, str)
        assert isinstance(brief(value), str)
