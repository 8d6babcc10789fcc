"""Every exercise: the reference passes, the stub is no attempt, wrong versions are told apart,
and whatever a learner's code does gets a message."""

from __future__ import annotations

import ast
import itertools
import re
import sys

import pytest
import torch
from right_answers import styles

from course_utils.lessons import WrongAnswer, check, solutions
from course_utils.lessons.checking import hand_out, judge
from course_utils.lessons.entries import Exercise
from course_utils.lessons.feedback import verdict_message
from course_utils.lessons.running import run_case, same_outcome
from course_utils.lessons.solutions import Wrong, solution, solution_of
from course_utils.lessons.topics import exercises

EXERCISES = exercises()
EXERCISE_LIST = list(EXERCISES.values())
WRONGS = [(e, w) for e in EXERCISE_LIST for w in e.wrong]


@pytest.fixture(params=EXERCISE_LIST, ids=list(EXERCISES))
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


@pytest.fixture(autouse=True)
def _own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("COURSE_STRICT", raising=False)


def test_reference_passes(exercise: Exercise):
    assert judge(exercise, exercise.reference).status == "right"


def test_solution_agrees_with_another_way(exercise: Exercise):
    """In value and gradients, on every case: with the library's function, or unlike answers."""
    others = [exercise.solution.careful] if exercise.solution.careful else styles()[exercise.key]
    for other, case in itertools.product(others, exercise.cases()):
        mine, theirs = (run_case(function, case) for function in (exercise.reference, other))
        assert mine.run.error is theirs.run.error is None
        assert same_outcome(mine, theirs)


def test_cases_are_the_same_every_time_and_no_two_alike(exercise: Exercise):
    once, again = exercise.cases(), exercise.cases()
    for one, other in zip(once, again, strict=True):
        results = [run_case(exercise.reference, case) for case in (one, other)]
        assert same_outcome(*results)
        assert results[0].run.error is None
    assert len(once) >= 3


def test_stub_is_no_attempt(exercise: Exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError(exercise.number)

    assert judge(exercise, stub).status == "not attempted"


def test_reference_that_was_handed_out_is_no_attempt(exercise: Exercise):
    given = hand_out(exercise)
    assert judge(exercise, given).status == "not attempted"
    case = exercise.cases()[0]
    assert same_outcome(run_case(given, case), run_case(exercise.reference, case))


@pytest.mark.parametrize(
    ("exercise", "wrong"), WRONGS, ids=[f"{e.key}-{w.name}" for e, w in WRONGS]
)
def test_wrong_version_gets_its_own_diagnosis(exercise: Exercise, wrong: Wrong):
    verdict = judge(exercise, wrong.function)
    assert verdict.status == "not yet"
    assert verdict.diagnosis is wrong
    message = verdict_message(exercise, verdict, "")
    assert wrong.explanation in message.text
    assert judge(exercise, wrong.function).problem == verdict.problem


def test_no_two_wrong_versions_agree_on_all_cases(exercise: Exercise):
    cases = exercise.cases()
    outcomes = {w.name: [run_case(w.function, case) for case in cases] for w in exercise.wrong}
    assert len(outcomes) == len(exercise.wrong) >= 2
    for one, other in itertools.combinations(outcomes, 2):
        pairs = zip(outcomes[one], outcomes[other], strict=True)
        assert not all(same_outcome(a, b) for a, b in pairs), f"{one} and {other}"


def test_wrong_versions_run_and_are_explained(exercise: Exercise):
    for wrong in exercise.wrong:
        run = run_case(wrong.function, exercise.cases()[0]).run
        assert run.error is None, f"{wrong.name} is rejected because it raises {run.error!r}"
        for sentence in (wrong.explanation, wrong.belief):
            assert re.fullmatch(r"[A-Z].*\.", sentence)


def test_cases_have_names_of_their_own_in_plain_words(exercise: Exercise):
    names = [case.name for case in exercise.cases()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"(NaN|[a-z\d])[\w ,-]+", name) for name in names), names


def test_a_solution_without_cases_and_a_key_used_twice_are_refused(monkeypatch):
    monkeypatch.setattr(solutions, "_SOLUTIONS", dict(solutions.all_solutions()))
    key = EXERCISE_LIST[0].key
    with pytest.raises(ValueError, match="two solutions with the key"):
        solution(key)(lambda lengths: 0)
    with pytest.raises(ValueError, match="has no cases"):
        solution("no.cases")(lambda: 0).all_cases()
    with pytest.raises(KeyError, match=r"no topic has a solution 'no\.such'"):
        solution_of("no.such")


def test_every_solution_stands_beside_the_text_of_its_exercise():
    topics = {
        key: found.function.__module__
        for key, found in solutions.all_solutions().items()
        if found.function.__module__.startswith("course_utils.topics.")
    }
    assert topics == {e.key: f"course_utils.topics.{e.topic}" for e in EXERCISE_LIST}


def test_solution_that_is_shown_is_code(exercise: Exercise):
    assert isinstance(ast.parse(exercise.solution.source).body[0], ast.FunctionDef)


# What learners' code can do, as functions of the right result.


def spoil(value):
    """Change tensors and lists in place."""
    if isinstance(value, torch.Tensor):
        with torch.no_grad():
            value.logical_not_() if value.dtype == torch.bool else value.add_(1)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            spoil(entry)
        if isinstance(value, list):
            value.append(1)


def copied(result):
    """The result with copies of its tensors, still in the graph."""
    if isinstance(result, torch.Tensor):
        return result.clone()
    return type(result)(map(copied, result)) if isinstance(result, (list, tuple)) else result


def mapped(result, change, otherwise):
    """The result with its tensors changed; ``otherwise`` where it holds none."""
    if isinstance(result, torch.Tensor):
        return change(result)
    if isinstance(result, (list, tuple)) and any(isinstance(r, torch.Tensor) for r in result):
        return type(result)(mapped(r, change, otherwise) for r in result)
    return otherwise


def other_dtype(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.float16 if tensor.dtype != torch.float16 else torch.float32)


RESULTS = {
    "none": lambda result: None,
    "string": lambda result: "padded",
    "nan": lambda result: mapped(result, lambda t: t * float("nan"), float("nan")),
    "dtype": lambda result: mapped(result, other_dtype, torch.tensor(1.0)),
    "device": lambda result: mapped(result, lambda t: t.to("meta"), torch.ones(1, device="meta")),
    "shape": lambda result: mapped(result, lambda t: t[None], [[result]]),
    "generator": lambda result: (entry for entry in [result]),
    "class": lambda result: object,
    "sparse": lambda result: mapped(result, lambda t: t.detach().to_sparse(), 1j),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_strange_result_gets_a_message(exercise: Exercise, kind: str):
    def learner(*args, **kwargs):
        return RESULTS[kind](exercise.reference(*args, **kwargs))

    verdict = judge(exercise, learner)
    assert verdict.status == "not yet"
    assert "could not be compared" not in verdict.problem
    message = verdict_message(exercise, verdict, "")
    assert verdict.problem[1:] in message.text
    assert "Traceback" not in message.text


def test_changed_inputs_get_a_message(exercise: Exercise):
    def learner(*args, **kwargs):
        result = copied(exercise.reference(*args, **kwargs))  # it may be a view of the inputs
        spoil(args)
        return result

    verdict = judge(exercise, learner)
    assert verdict.status == "not yet"
    assert "changes its inputs" in verdict.problem


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("boom"), "raises ValueError: boom"),
        (SystemExit(1), "ends the program"),
        (KeyboardInterrupt(), "interrupted"),
        (UnprintableError(), "raises UnprintableError"),
        (NotImplementedError("aten::something"), "raises NotImplementedError: aten"),
        (GeneratorExit(), "raises GeneratorExit"),
    ],
)
def test_exception_is_told_with_the_learners_line(exercise: Exercise, error, said: str):
    def learner(*args, **kwargs):
        raise error

    verdict = judge(exercise, learner)
    assert verdict.status == "not yet"
    assert said in verdict.problem
    assert "`raise error`" in verdict.problem


def test_other_failures_get_a_message(exercise: Exercise):
    def recursion(*args, **kwargs):
        return recursion(*args, **kwargs)

    def no_arguments():
        return 1

    assert "RecursionError" in judge(exercise, recursion).problem
    assert "raises TypeError" in judge(exercise, no_arguments).problem
    assert "type int" in judge(exercise, 7).problem
    assert "exit" in judge(exercise, lambda *a, **k: sys.exit()).problem


def test_endless_loop_is_stopped(exercise: Exercise):
    def learner(*args, **kwargs):
        while True:
            pass

    verdict = judge(exercise, learner, seconds=0.2)  # it comes back, or the test never ends
    assert verdict.status == "not yet"
    assert verdict.outcome.run.stopped
    assert "stopped after 0.2 seconds" in verdict.problem


# The decorator, on one exercise.

KEY = "padding.pad_batch"


def test_check_keeps_a_right_function_and_replaces_a_wrong_one(capsys):
    right = EXERCISES[KEY].reference
    assert check(KEY)(right) is right
    assert "Right. Well done" in capsys.readouterr().out
    left = EXERCISES[KEY].wrong[0].function
    given = check(KEY)(left)
    assert "padded on the left" in capsys.readouterr().out
    sequences = [torch.ones(2, 1), torch.ones(1, 1)]
    assert torch.equal(given(sequences), right(sequences))
    assert not torch.equal(given(sequences), left(sequences))
    check(KEY)(given)
    assert "Not attempted yet" in capsys.readouterr().out


def test_strict_mode_raises_for_wrong_answers_only(monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    check(KEY)(EXERCISES[KEY].reference)
    check(KEY)(hand_out(EXERCISES[KEY]))
    with pytest.raises(WrongAnswer, match="padded on the left"):
        check(KEY)(EXERCISES[KEY].wrong[0].function)


def test_what_learners_print_is_shown_shortened(capsys):
    @check(KEY)
    def chatty(sequences, padding_value=0.0):
        for _ in range(10_000):
            print("here I am")
        return None

    out = capsys.readouterr().out
    assert "Your function printed:" in out
    assert 1 < out.count("here I am") < 200


def test_a_fault_of_the_course_does_not_stop_the_learner(monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("no cases")

    monkeypatch.setattr("course_utils.lessons.judge", broken)
    given = check(KEY)(EXERCISES[KEY].reference)
    assert "please report" in capsys.readouterr().out
    assert given([torch.ones(1, 1)]).shape == (1, 1, 1)


def test_random_state_is_as_before():
    before = torch.get_rng_state()
    judge(EXERCISES[KEY], lambda *args, **kwargs: torch.randn(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_key_names_the_nearest():
    with pytest.raises(KeyError, match=r"did you mean 'padding\.pad_batch'"):
        check("padding.pad_batches")


def test_a_result_that_holds_itself_gets_a_message(exercise: Exercise):
    def learner(*args, **kwargs):
        found = []
        found += [found, found, found]
        return found

    verdict = judge(exercise, learner)
    assert verdict.status == "not yet"
    assert verdict.problem
