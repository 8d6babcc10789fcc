"""Every one-step mutant of a solution is rejected or listed as equivalent, and most get a name."""

from __future__ import annotations

import math
import re

import pytest
import torch

from course_utils.lessons import diagnosis
from course_utils.lessons.checking import Verdict, judge
from course_utils.lessons.entries import Exercise
from course_utils.lessons.exercises import EXERCISES
from course_utils.lessons.mutants import MOST_TURNS, Mutant, TooManyTurns, mutants_of

WITH_RANDOM_CASES = [e for e in EXERCISES.values() if e.solution.draw_case is not None]
# What an answer's problem says by itself, without a symptom.
TELLS = re.compile(r"raises|is None|has dtype|changes its inputs|no gradient flows|history")


@pytest.fixture(params=WITH_RANDOM_CASES, ids=[e.key for e in WITH_RANDOM_CASES])
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[tuple[Mutant, Verdict]]]:
    """Every mutant's verdict, found without the mutants as diagnoses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis, "mutants_of", lambda function: [])
        return {
            e.key: [(m, judge(e, m.function, patience=math.inf)) for m in mutants_of(e.reference)]
            for e in WITH_RANDOM_CASES
        }


def test_every_mutant_is_rejected_or_listed_as_equivalent(exercise: Exercise, verdicts):
    listed = exercise.solution.equivalents
    pairs = verdicts[exercise.key]
    right = {mutant.line for mutant, verdict in pairs if verdict.status == "right"}
    unlisted = "\n".join(sorted(right - set(listed)))
    assert not unlisted, f"{exercise.key}: not rejected:\n{unlisted}"
    stale = set(listed) - right
    assert not stale, f"{exercise.key}: listed as equivalent, and rejected or no mutant: {stale}"
    for reason in listed.values():
        assert re.fullmatch(r"[A-Z`].*\.", reason)


def test_a_rejected_mutant_gets_a_name(exercise: Exercise, verdicts):
    """Its own words, or better ones; only where three failing cases are too many to ask, none."""
    for mutant, verdict in verdicts[exercise.key]:
        if verdict.status == "not yet" and not TELLS.search(verdict.problem):
            again = judge(exercise, mutant.function, patience=math.inf)
            assert again.remark, f"{exercise.key}: {mutant.line}"


def how_told(verdict: Verdict) -> str:
    if verdict.source in ("belief", "symptom"):
        return verdict.source
    if TELLS.search(verdict.problem):
        return "by itself"
    return "where" if verdict.source else "number"


COLUMNS = ("mutants", "equivalent", "belief", "symptom", "by itself", "where", "number")


def test_most_rejected_mutants_are_told_without_the_mutants_themselves(verdicts):
    """Prints the table by exercise; ``where`` says where a result differs, ``number`` only that."""
    rows = {key: table_row(pairs) for key, pairs in verdicts.items()}
    total = {column: sum(row[column] for row in rows.values()) for column in COLUMNS}
    print(f"\n{'':32}" + "".join(f"{column:>12}" for column in COLUMNS))
    for key, row in {**rows, "all": total}.items():
        print(f"{key:32}" + "".join(f"{row[column]:12}" for column in COLUMNS))
    rejected = total["mutants"] - total["equivalent"]
    assert rejected - total["number"] >= 0.8 * rejected


def table_row(pairs: list[tuple[Mutant, Verdict]]) -> dict[str, int]:
    told = [how_told(verdict) for _, verdict in pairs if verdict.status == "not yet"]
    counts = {column: told.count(column) for column in COLUMNS}
    return counts | {"mutants": len(pairs), "equivalent": len(pairs) - len(told)}


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


def test_words_name_no_local_variable(exercise: Exercise):
    code = exercise.reference.__code__
    local = set(code.co_varnames[code.co_argcount :])
    for mutant in mutants_of(exercise.reference):
        assert not {f"`{name}`" for name in local} & set(re.findall(r"`\w+`", mutant.text))


def test_a_function_without_source_has_no_mutants():
    assert mutants_of(len) == []
