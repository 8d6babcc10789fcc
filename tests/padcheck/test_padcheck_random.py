"""padcheck on random small models, against brute force."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from zoo import brute_force
from zoo.asking import ask_about
from zoo.brute_force import NOTHING
from zoo.stacks import ENDS, INNER, Piece, stack

# Between the two, rounding and fault cannot be told apart.
ROUNDING, FAULT = 1e-9, 1e-6

models = st.fixed_dictionaries(
    {
        "inner": st.lists(st.sampled_from(INNER), max_size=4),
        "end": st.sampled_from(ENDS),
        "tokens": st.booleans(),
        "lengths": st.lists(st.integers(1, 7), min_size=2, max_size=8).filter(
            lambda lengths: len(set(lengths)) > 1
        ),
        "spare": st.integers(0, 2),
        "seed": st.integers(0, 2**31),
    }
)


def agrees(
    inner: list[Piece], end: Piece, tokens: bool, lengths: list[int], spare: int, seed: int
) -> None:
    """padcheck's verdict is brute force's, and of safe pieces both say that they are right."""
    specimen = stack(inner, end, tokens)
    torch.manual_seed(seed)
    model, problem = specimen.build(), specimen.data(lengths, spare)
    assume(not tokens or len(torch.cat(problem.main.rows).unique()) > 1)
    judgement = brute_force(specimen, model, problem)
    assume(judgement.deviation <= ROUNDING or judgement.deviation > FAULT)
    assume(judgement.size > NOTHING)
    right = judgement.deviation <= ROUNDING
    assert right or not all(piece.safe for piece in (*inner, end)), judgement
    report = ask_about(specimen, model, problem, seed=seed % 1000)
    assert report.ok is right, f"{specimen.name} {lengths}: {judgement}\n{report}"


@settings(derandomize=True, max_examples=60)
@given(models)
def test_random_models(model):
    agrees(**model)


@pytest.mark.long
@settings(max_examples=3000)
@given(models)
def test_many_random_models(model):
    agrees(**model)
