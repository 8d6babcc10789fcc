"""padcheck on a zoo of models, which brute force has judged: no miss, no false alarm, no crash."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import replace

import pytest
from zoo import RIGHT, WRONG, ZOO, Specimen, brute_force
from zoo.asking import ask, cause_of
from zoo.entries import SIZES, UNKNOWN, floats, vector

from course_utils import wrong_models
from course_utils.padcheck import Report
from course_utils.padcheck.causes import CAUSES

SEEDS = range(3)
MANY_SEEDS = range(20)
# Of the wrong models whose cause has a name, so many may be given no name.
UNNAMED_ALLOWED = 5

every = pytest.mark.parametrize("specimen", ZOO, ids=lambda specimen: specimen.name)


def assert_judged(specimen: Specimen, seed: int) -> None:
    judgement = brute_force(specimen, *specimen.draw(seed))
    assert judgement.right is specimen.right, f"seed {seed}: {judgement}"
    # What is wrong is wrong beyond doubt: a model between the two proves nothing.
    assert specimen.right or judgement.deviation > 3 * judgement.tolerance, judgement


def well_named(specimen: Specimen, report: Report, seed: int) -> bool:
    """Whether the cause is a right one; or nameless, and then it says where to look."""
    cause = cause_of(report)
    if specimen.right:
        return cause is None
    if cause == "padding side" and specimen.side == "right":
        other = replace(specimen, side="left")
        return brute_force(other, *other.draw(seed)).right
    return cause in specimen.causes or (cause == UNKNOWN and bool(report.cause.where))


@every
def test_brute_force_agrees_with_the_label(specimen):
    assert_judged(specimen, seed=0)


@every
def test_verdict_and_cause(specimen):
    for seed in SEEDS:
        report = ask(specimen, seed)
        assert report.ok is specimen.right, f"seed {seed}: {report}"
        assert bool(report) is specimen.right
        assert well_named(specimen, report, seed), f"seed {seed}: {report.cause}"


def test_brute_force_measures_what_can_be_computed_by_hand():
    """Each result is the number of steps: 2 alone, 34 where the batch of 4 gets 30 pads more."""
    counts = vector("steps counted", lambda: lambda x, n: x.new_full((len(x),), x.shape[1]))
    judgement = brute_force(counts, counts.build(), floats([2, 4], 0))
    assert judgement.outputs == (34 - 2) / 2
    assert judgement.where == "row 0 padded by (30, 11, 1.0)"
    assert not judgement.right


def test_brute_force_sees_faults_of_the_gradient_alone():
    specimen = next(s for s in WRONG if s.name == "straight through the pads")
    judgement = brute_force(specimen, *specimen.draw(0))
    assert judgement.outputs <= specimen.tolerance < judgement.gradients


def test_most_causes_are_named():
    unnamed = [
        specimen.name
        for specimen in WRONG
        if UNKNOWN not in specimen.causes and cause_of(ask(specimen, 0)) == UNKNOWN
    ]
    assert len(unnamed) <= UNNAMED_ALLOWED, unnamed


def test_every_wrong_model_of_the_course_is_in_the_zoo():
    names = {
        name
        for name, kind in inspect.getmembers(wrong_models, inspect.isclass)
        if kind.__module__ == wrong_models.__name__ and name != "StepModel"
    }
    assert names == {s.name.split()[0] for s in ZOO} & names
    for name in names:
        kind = getattr(wrong_models, name)
        for sentence in (kind.belief, kind.explanation):
            assert sentence.endswith(".")
            assert len(sentence) < 100


def test_every_cause_has_a_model_that_shows_it():
    shown = {cause for specimen in WRONG for cause in specimen.causes}
    assert set(CAUSES) <= shown


def test_the_zoo_is_large_enough():
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 50
    assert len({s.name for s in ZOO}) == len(ZOO)
    assert len(MANY_SEEDS) > len(SIZES)


@pytest.mark.long
@every
def test_brute_force_agrees_with_the_label_over_many_seeds(specimen):
    for seed in MANY_SEEDS:
        assert_judged(specimen, seed)


@pytest.mark.long
def test_no_miss_and_no_false_alarm_over_many_seeds(capsys):
    lines, wrong = [], []
    for specimen in ZOO:
        verdicts, causes = Counter(), Counter()
        for seed in MANY_SEEDS:
            report = ask(specimen, seed)
            verdicts[report.ok] += 1
            causes[cause_of(report)] += 1
            if report.ok is not specimen.right or not well_named(specimen, report, seed):
                wrong.append(f"{specimen.name} (seed {seed})")
        found = ", ".join(f"{cause or 'none'} x {n}" for cause, n in causes.items())
        lines.append(f"{specimen.name:<52}{specimen.right!s:<7}{dict(verdicts)!s:<24} {found}")
    with capsys.disabled():
        print(f"\n{'model':<52}{'right':<7}{'verdicts':<24} likely cause, {len(MANY_SEEDS)} seeds")
        print("\n".join(lines))
    assert not wrong
