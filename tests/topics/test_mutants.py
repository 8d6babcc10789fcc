"""Every one-step mutant of a solution is rejected or listed as equivalent, and most get a name."""

from __future__ import annotations

import math
import re

import pytest
import torch

from course_utils.lessons import diagnosis
from course_utils.lessons.checking import judge
from course_utils.lessons.entries import Exercise
from course_utils.lessons.faults import faults_of
from course_utils.lessons.mutants import MOST_TURNS, Mutant, TooManyTurns, cuts_of, mutants_of
from course_utils.lessons.solutions import Case, Solution
from course_utils.lessons.topics import exercises
from course_utils.lessons.trials import bench_of

EXERCISES = exercises()

WITH_RANDOM_CASES = [e for e in EXERCISES.values() if e.solution.draw_case is not None]
# What an answer's problem says by itself, without a symptom.
TELLS = re.compile(
    r"raises|is None|has dtype|changes its inputs|no gradient flows|is a \w+, expected"
)


@pytest.fixture(params=WITH_RANDOM_CASES, ids=[e.key for e in WITH_RANDOM_CASES])
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


def is_right(exercise: Exercise, mutant: Mutant) -> bool:
    bench = bench_of(exercise)
    return not any(
        faults_of(exercise, mutant.function, trial, bench.outcome(mutant.function, i))
        for i, trial in enumerate(bench.trials)
    )


def test_every_mutant_is_rejected_or_listed_as_equivalent(exercise: Exercise):
    listed = exercise.solution.equivalents
    right = {m.line for m in mutants_of(exercise.reference) if is_right(exercise, m)}
    unlisted = "\n".join(sorted(right - set(listed)))
    assert not unlisted, f"{exercise.key}: not rejected:\n{unlisted}"
    stale = set(listed) - right
    assert not stale, f"{exercise.key}: listed as equivalent, and rejected or no mutant: {stale}"
    for reason in listed.values():
        assert re.fullmatch(r"[A-Z`].*\.", reason)


COLUMNS = (
    "mutants",
    "equivalent",
    "belief",
    "symptom",
    "by itself",
    "where",
    "as mutant",
    "number",
)


@pytest.mark.slow
def test_most_rejected_mutants_are_told():
    """Prints the table by exercise.

    ``by itself``: an exception, a type, a lost history; ``where`` says where a result differs;
    ``as mutant``: nothing but the mutant itself has words; ``number``: only that it differs.
    """
    rows = {exercise.key: table_row(exercise) for exercise in WITH_RANDOM_CASES}
    total = {column: sum(row[column] for row in rows.values()) for column in COLUMNS}
    print(f"\n{'':32}" + "".join(f"{column:>12}" for column in COLUMNS))
    for key, row in {**rows, "all": total}.items():
        print(f"{key:32}" + "".join(f"{row[column]:12}" for column in COLUMNS))
    rejected = total["mutants"] - total["equivalent"]
    assert total["number"] <= 0.1 * rejected
    assert total["number"] + total["where"] <= 0.2 * rejected


def table_row(exercise: Exercise) -> dict[str, int]:
    told = [how_told(exercise, mutant) for mutant in mutants_of(exercise.reference)]
    return {column: told.count(column) for column in COLUMNS} | {"mutants": len(told)}


def how_told(exercise: Exercise, mutant: Mutant) -> str:
    """The column: first of all without the mutants as diagnoses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis, "mutants_of", lambda function: [])
        verdict = judge(exercise, mutant.function, patience=math.inf)
    if verdict.status == "right":
        return "equivalent"
    if verdict.source in ("belief", "symptom"):
        return verdict.source
    if TELLS.search(verdict.problem):
        return "by itself"
    if judge(exercise, mutant.function, patience=math.inf).source == "mutant":
        return "as mutant"
    return "where" if verdict.source else "number"


# The machinery, on functions made for the purpose.


def waits(x: torch.Tensor, turns: int = 3) -> torch.Tensor:
    total = x
    while turns > 0:
        turns = turns - 1
        total = total * 2
    return total


def largest(x: torch.Tensor) -> torch.Tensor:
    return (x.clone() * 3).sum(0)


def test_a_mutant_that_never_ends_is_stopped_by_its_turns():
    stopped = []
    for mutant in mutants_of(waits):
        try:
            mutant.function(torch.ones(2))
        except TooManyTurns:
            stopped.append(mutant.line)
        except Exception:
            continue
    assert "turns = turns + 1" in stopped
    assert MOST_TURNS <= 10_000


def test_a_mutant_can_be_called_again_and_again():
    mutant = next(m for m in mutants_of(waits) if m.line == "while turns >= 0:")
    for _ in range(3):
        assert torch.equal(mutant.function(torch.ones(1)), torch.full((1,), 16.0))


def repeats(x: torch.Tensor, every: int) -> torch.Tensor:
    total = torch.zeros_like(x)
    for t in range(4):
        nudge = x * every
        if t % every == 0:
            total = total + nudge
    return total.tanh() * (1 - x.tanh() ** 2)


def test_changes_of_more_than_one_place_and_of_what_names_stand_for():
    told = {mutant.text: mutant for mutant in mutants_of(repeats)}
    x = torch.tensor([0.5, -1.0])
    results = {
        "what is made once, before a loop, were made anew in each turn, where `x` is used": None,
        "what is made anew in each turn of a loop were made once, before it, where `x` and `every` "
        "are used": repeats(x, 2),
        "each `tanh` were missing": 4 * x * (1 - x**2),
        "the derivative of one `tanh` were missing, where `x` is used": (4 * x).tanh(),
        "what belongs at each multiple happened once and never again, where `every` is used": (
            (2 * x).tanh() * (1 - x.tanh() ** 2)
        ),
    }
    for text, expected in results.items():
        found = told[text].function(x, 2)
        torch.testing.assert_close(found, torch.zeros(2) if expected is None else expected)


def test_no_two_mutants_are_alike_and_all_have_words():
    mutants = mutants_of(largest)
    assert {m.line for m in mutants} >= {
        "return (x * 3).sum(0)",
        "return (x.clone() / 3).sum(0)",
        "return (x.clone() * 3).mean(0)",
        "return (x.clone() * 3).sum(1)",
        "return (x.clone() * 4).sum(0)",
        "return x.clone().sum(0)",
    }
    assert len({m.line for m in mutants}) == len(mutants)
    for mutant in mutants:
        assert re.match(r"(a|an|the|one|two|`|nothing|all)\b|`", mutant.text), mutant.text
        assert "clone() *" not in mutant.text


def follows(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    state = torch.zeros_like(weight)
    for step in x:
        state = torch.tanh(step + weight * state)
    return state / state.abs().max()


def test_cuts_change_gradients_alone_and_say_where():
    x = torch.tensor([[0.5, -0.2], [0.3, 0.1], [-0.4, 0.6]]).double().requires_grad_()
    weight = torch.tensor([0.4, -0.7]).double().requires_grad_()
    found = {}
    for cut in cuts_of(follows):
        result = cut.function(x, weight)
        assert torch.equal(result, follows(x, weight))
        if result.requires_grad:
            found[cut.text] = torch.autograd.grad(result.sum(), weight, allow_unused=True)[0]
    right = torch.autograd.grad(follows(x, weight).sum(), weight)[0]
    cut = " were cut from its history"
    for words in ("the result of `max`", "what a loop hands from one turn to the next"):
        assert not torch.allclose(found[words + cut], right)
    assert found["`weight`, in one of its places," + cut] is None


SHAPES = ((4, 3), (3,))


def test_a_cut_is_a_diagnosis():
    def in_numbers(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        state = x.new_zeros(x.shape[1])
        for t in range(len(x)):
            state = (x[t] + state * weight).tanh()
        return state / max(state.abs().tolist())

    solution = Solution("test.follows", follows)
    solution.random(lambda draw: Case("", tuple(draw.normal(*s).requires_grad_() for s in SHAPES)))
    solution.cases(lambda: [Case("the same numbers", tuple(torch.full(s, 0.1) for s in SHAPES))])
    exercise = Exercise("test.follows", "1.1", "t", 1, 1, "t", ["a", "b"])
    verdict = judge(exercise, in_numbers)
    assert verdict.pattern.startswith("Your values are right, the gradients of `x` and `weight` ")
    assert verdict.remark == "It is as if the result of `max` were cut from its history."


def test_words_name_no_local_variable(exercise: Exercise):
    code = exercise.reference.__code__
    arguments = code.co_argcount + code.co_kwonlyargcount
    local = set(code.co_varnames[arguments:])
    for mutant in mutants_of(exercise.reference) + cuts_of(exercise.reference):
        assert not {f"`{name}`" for name in local} & set(re.findall(r"`\w+`", mutant.text))


def test_a_function_without_source_has_no_mutants():
    assert mutants_of(len) == []
