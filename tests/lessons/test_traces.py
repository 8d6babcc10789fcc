"""A learner's code leaves nothing changed behind it, however it ends, and is told what it did."""

from __future__ import annotations

import os
import sys
import threading
import warnings

import pytest
import torch

from course_utils import lessons
from course_utils.lessons.checking import judge
from course_utils.lessons.entries import Exercise
from course_utils.lessons.feedback import verdict_message
from course_utils.lessons.guard import TimeUp, run_guarded
from course_utils.lessons.solutions import Case, Solution
from course_utils.lessons.traces import leaving_no_traces

KEPT_OPEN = []  # what would end by itself if nobody held it


def state() -> list:
    """Everything that a check sets back, read here once more by other ways where there are some."""
    return [
        torch.tensor(0.5).dtype,
        torch.tensor(0.5).device,
        (torch.ones(1, requires_grad=True) * 2).requires_grad,
        torch.is_inference_mode_enabled(),
        [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
        torch.get_autocast_dtype("cpu"),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.is_anomaly_enabled(),
        os.getcwd(),
        dict(os.environ),
        list(sys.path),
        list(warnings.filters),
        torch.random.get_rng_state().tolist(),
    ]


def go_to_a_folder_that_is_gone() -> None:
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")


def open_inference_mode() -> None:
    KEPT_OPEN.append(torch.inference_mode())
    KEPT_OPEN[-1].__enter__()


CHANGES = {
    "the default dtype": lambda: torch.set_default_dtype(torch.float64),
    "the default device": lambda: torch.set_default_device("meta"),
    "whether gradients are recorded": lambda: torch.set_grad_enabled(False),
    "automatic mixed precision": lambda: torch.autocast("cpu").__enter__(),
    "the number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "deterministic mode": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "the working folder": lambda: os.chdir("/"),
    "where Python looks for modules": lambda: sys.path.append("elsewhere"),
}
WAYS = [
    *CHANGES.items(),
    ("whether gradients are recorded", open_inference_mode),
    ("the working folder", go_to_a_folder_that_is_gone),
]
NAMES = [f"{number} {words}" for number, (words, _) in enumerate(WAYS)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("ending", ["returns", "raises", "exits", "never ends"])
@pytest.mark.parametrize(("words", "change"), WAYS, ids=NAMES)
def test_changes_are_set_back_and_named_however_the_code_ends(words, change, ending):
    def work():
        change()
        torch.rand(3)
        if ending == "raises":
            raise ArithmeticError
        if ending == "exits":
            sys.exit(3)
        while ending == "never ends":
            pass

    before = state()
    run = run_guarded(work, 0.1 if ending == "never ends" else 10)
    assert state() == before
    assert run.traces == (words,)
    errors = {"raises": ArithmeticError, "exits": SystemExit, "never ends": TimeUp}
    assert type(run.error) is errors.get(ending, type(None))


@pytest.mark.parametrize(("words", "change"), WAYS, ids=NAMES)
def test_changes_are_set_back_in_another_thread(words, change):
    found = []

    def work():
        before = state()[:5]
        traces = run_guarded(change, 10).traces
        found.extend([traces == (words,), state()[:5] == before])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == [True, True]


def test_what_the_notebook_had_set_is_what_comes_back(tmp_path):
    with torch.no_grad(), torch.autocast("cpu", torch.float16):
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        try:
            run = run_guarded(lambda: [change() for change in CHANGES.values()], 10)
            other = run_guarded(lambda: torch.set_default_dtype(torch.float32), 10)
            device = run_guarded(lambda: torch.set_default_device("cpu"), 10)
            assert torch.tensor(0.5).dtype == torch.float64
            assert torch.tensor(0.5).device.type == "meta"
            assert not torch.is_grad_enabled()
            assert torch.is_autocast_enabled("cpu")
            assert torch.get_autocast_dtype("cpu") == torch.float16
        finally:
            torch.set_default_device(None)
            torch.set_default_dtype(torch.float32)
    # What was as the code wanted it already is not said to be changed.
    asked = list(CHANGES)[:4]
    assert asked[-1] == "automatic mixed precision"
    assert run.traces == tuple(CHANGES)[4:]
    assert other.traces == ("the default dtype",)
    assert device.traces == ("the default device",)
    assert os.getcwd() == str(tmp_path)


def test_an_inference_mode_around_the_check_stays_and_stops():
    with torch.inference_mode():
        assert run_guarded(lambda: torch.ones(2).is_inference(), 10).value
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_what_a_with_block_changes_is_no_trace():
    def careful():
        with (
            torch.no_grad(),
            torch.autocast("cpu"),
            torch.device("meta"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            return torch.ones(2)

    assert run_guarded(careful, 10).traces == ()


def test_what_an_import_may_change_is_set_back_without_a_word():
    def silences():
        warnings.simplefilter("ignore")
        os.environ["COURSE_PROGRESS"] = "elsewhere"
        del os.environ["PATH"]

    before = dict(os.environ)

    assert run_guarded(silences, 10).traces == ()
    assert dict(os.environ) == before
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


# What is made of it.


def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


TWICE = Exercise("t.twice", "1.1", "t", 1, 1, "t", ["a", "b"])
solution = Solution(TWICE.key, twice)
solution.cases(lambda: [Case(f"{n}", (torch.ones(n, requires_grad=True),)) for n in (1, 3)])


def twice_with_traces(x: torch.Tensor) -> torch.Tensor:
    result = 2 * x
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    return result


def test_a_right_answer_with_traces_is_right_and_told_so_in_one_sentence():
    verdict = judge(TWICE, twice_with_traces)
    assert verdict.status == "right"
    assert verdict.traces == ("the default dtype", "whether gradients are recorded")
    message = verdict_message(TWICE, verdict, "Saved.")
    for text in (message.text, message.html):
        assert "also changes the default dtype and whether gradients are recorded" in text
    clean = judge(TWICE, twice)
    assert clean.traces == ()
    assert "also changes" not in verdict_message(TWICE, clean, "Saved.").text


@pytest.mark.parametrize("ending", ["wrong value", "raises", "backward"])
def test_a_wrong_answer_is_told_of_its_traces_too(ending):
    class Leaky(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            torch.set_num_threads(3)
            return gradient

    def wrong(x):
        if ending == "backward":
            return Leaky.apply(x)
        torch.set_num_threads(3)
        return 1 / 0 if ending == "raises" else 3 * x

    threads = torch.get_num_threads()
    verdict = judge(TWICE, wrong)
    assert verdict.status == "not yet"
    assert verdict.traces == ("the number of threads",)
    assert "also changes the number of threads" in verdict_message(TWICE, verdict, "").text
    assert torch.get_num_threads() == threads


def test_a_kept_answer_leaves_no_traces_where_later_cells_call_it(monkeypatch, capsys):
    monkeypatch.setattr(lessons, "find_exercise", lambda key: TWICE)
    assert lessons.check(TWICE.key)(twice_with_traces).__name__ == "twice_with_traces"
    kept = lessons.check(TWICE.key)(twice_with_traces)
    before = state()
    x = torch.ones(2, requires_grad=True)
    assert kept(x).requires_grad
    assert state() == before
    assert lessons.check(TWICE.key)(twice) is not twice_with_traces
    assert capsys.readouterr().out.count("also changes") == 2


def test_a_function_that_leaves_no_traces_keeps_its_name_and_its_errors():
    def fails():
        torch.set_default_dtype(torch.float64)
        raise ArithmeticError("told")

    clean = leaving_no_traces(fails)
    assert clean.__name__ == "fails"
    with pytest.raises(ArithmeticError, match="told"):
        clean()
    assert torch.get_default_dtype() == torch.float32
