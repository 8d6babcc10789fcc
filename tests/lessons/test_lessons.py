"""The parts of the lessons: stopping code, comparing results, cards, quizzes, guesses, terms."""

from __future__ import annotations

import html
import linecache
import re
import signal
import sys
import threading
import time
from collections import namedtuple

import ipywidgets as widgets
import pytest
import torch

from course_utils import lessons
from course_utils.html import rich
from course_utils.lessons import progress
from course_utils.lessons.buttons import plain
from course_utils.lessons.cards import exercise_card
from course_utils.lessons.checking import judge
from course_utils.lessons.compare import brief, difference
from course_utils.lessons.entries import Exercise
from course_utils.lessons.feedback import verdict_message
from course_utils.lessons.guard import TimeUp, run_guarded
from course_utils.lessons.questions import guess_answer, guess_card, quiz_card
from course_utils.lessons.solutions import Case, Solution
from course_utils.lessons.terms import glossary_message
from course_utils.lessons.topics import exercises, guesses, quizzes, terms

EXERCISES, QUIZZES, GUESSES = exercises(), quizzes(), guesses()


@pytest.fixture(autouse=True)
def _own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))


def parts(widget: widgets.Widget, kind: type) -> list:
    """All widgets of a kind inside another one, in order."""
    found = [widget] if isinstance(widget, kind) else []
    return found + [p for child in getattr(widget, "children", ()) for p in parts(child, kind)]


def words(widget: widgets.Widget) -> str:
    markup = " ".join(part.value for part in parts(widget, widgets.HTML))
    return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?code>", "", markup)))


# Stopping code.


def plain_loop():
    while True:
        pass


def bare_except():
    while True:
        try:
            torch.zeros(2).sum()
        except:  # noqa: E722
            continue


def swallowing_base_exception():
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            continue


def in_a_generator():
    return sum(1 for _ in iter(int, 1))


def while_sleeping():
    time.sleep(60)


LOOPS = [plain_loop, bare_except, swallowing_base_exception, in_a_generator]


@pytest.mark.parametrize("loop", [*LOOPS, while_sleeping])
def test_endless_code_is_stopped_in_the_main_thread(loop):
    trace, handler = sys.gettrace(), signal.getsignal(signal.SIGALRM)
    run = run_guarded(loop, 0.1)
    assert isinstance(run.error, TimeUp)
    assert run.stopped
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert sys.gettrace() is trace


@pytest.mark.parametrize("loop", [plain_loop, in_a_generator])
def test_endless_code_is_stopped_in_another_thread(loop):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(run_guarded(loop, 0.1)), daemon=True)
    threads = threading.active_count()
    thread.start()
    thread.join(20)
    assert isinstance(runs[0].error, TimeUp)
    assert threading.active_count() == threads


def test_endless_code_is_stopped_without_signals(monkeypatch):
    with monkeypatch.context() as patch:
        patch.delattr(signal, "setitimer")
        assert isinstance(run_guarded(plain_loop, 0.1).error, TimeUp)
        assert run_guarded(lambda: 3, 0.1).value == 3
    assert isinstance(run_guarded(plain_loop, 0.1).error, TimeUp)  # nothing is left behind


def test_quick_code_is_left_alone():
    for _ in range(50):
        assert run_guarded(lambda: sum(range(100)), 5).value == 4950
    time.sleep(0.05)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_output_is_captured_and_bounded(capsys):
    def loud():
        print("first")
        sys.stderr.write("second\n")
        print("x" * 100_000)

    printed = run_guarded(loud, 5).printed
    assert printed.startswith("first\nsecond\nx")
    assert len(printed) <= 1000
    assert capsys.readouterr() == ("", "")


# Comparing.

Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")])),
        (torch.tensor([1.0 + 1e-7]), torch.tensor([1.0])),
        (torch.tensor([1.0]).double() + 1e-9, torch.tensor([1.0]).double()),
        ((1, 2), [1, 2]),
        ([torch.ones(2)], (torch.ones(2),)),
        (1, 1.0),
        (0.1 + 0.2, 0.3),
        (float("nan"), float("nan")),
        ({"a": 1}, {"a": 1}),
        (Pair(1, 2), Pair(1, 2)),
        (True, True),
        (None, None),
        (torch.tensor([1j]), torch.tensor([1j])),
        (torch.empty(0, 2), torch.empty(0, 2)),
    ],
)
def test_same_results(got, expected):
    assert difference(got, expected) is None


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (None, 1, "`return`"),
        (torch.ones(2), torch.ones(2, 1), "shape (2,), expected (2, 1)"),
        (torch.ones(2), torch.ones(2).double(), "dtype torch.float32"),
        (torch.ones(2, device="meta"), torch.ones(2), "device meta, expected cpu"),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "NaN at index (1,)"),
        (torch.tensor([[1, 2]]), torch.tensor([[1, 3]]), "is 2 at index (0, 1), expected 3"),
        (torch.tensor([1.0 + 1e-4]), torch.tensor([1.0]), "index (0,)"),
        (torch.tensor([1.0]).double() + 1e-6, torch.tensor([1.0]).double(), "index (0,)"),
        (torch.zeros(1), 0.0, "shape (1,), expected one number"),
        (1_000_000, 1_000_001, "1000000, expected 1000001"),
        (1.0, 1, "a float, expected an int"),
        (True, 1, "a bool, expected an int"),
        ([1], [1, 2], "has 1 entry, expected 2"),
        ([[0, 1]], [[0, 2]], "your result[0][1] is 1"),
        ((1, 2), Pair(1, 2), "a tuple, expected a Pair"),
        (Pair(1, 3), Pair(1, 2), "your result.b is 3"),
        ({"b": 1}, {"a": 1}, "keys"),
        ("x", "y", "'x', expected 'y'"),
        (float("nan"), 1.0, "nan"),
    ],
)
def test_differences_are_told(got, expected, said: str):
    assert said in difference(got, expected)


def test_brief_shortens():
    assert len(brief(torch.randn(1000, 1000))) < 600
    assert len(brief(list(range(10**6)))) < 600
    assert brief(torch.ones(1, 2, dtype=torch.bfloat16)) == "tensor (1, 2) bfloat16\n[[1., 1.]]"


# Gradients and diagnoses, on an exercise made for the purpose.


def scaled(x: torch.Tensor, layer: torch.nn.Linear) -> torch.Tensor:
    return 2 * layer(x)


def scaled_cases() -> list[Case]:
    torch.manual_seed(0)
    layer = torch.nn.Linear(2, 1)
    return [Case(f"{n} rows", (torch.randn(n, 2, requires_grad=True), layer)) for n in (1, 3)]


Solution("t.scaled", scaled).cases(scaled_cases)
SCALED = Exercise("t.scaled", "1.1", "t", 1, 1, "t", ["a", "b"])


def test_gradients_of_inputs_and_parameters_are_compared():
    def stops_at_weight(x, layer):
        return 2 * torch.nn.functional.linear(x, layer.weight.detach(), layer.bias)

    assert judge(SCALED, scaled).status == "right"
    assert judge(SCALED, lambda x, layer: layer(x) + layer(x)).status == "right"
    verdict = judge(SCALED, stops_at_weight)
    assert verdict.problem.startswith("the gradient of `layer.weight` is 0")
    assert "no gradient" in judge(SCALED, lambda x, layer: scaled(x, layer).detach()).problem


def test_a_backward_pass_that_fails_is_told():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise ArithmeticError("no way back")

    verdict = judge(SCALED, lambda x, layer: Broken.apply(scaled(x, layer)))
    assert "no way back" in verdict.problem


def test_a_result_that_is_overwritten_later_still_counts():
    buffer = []

    def reuses(x, layer):
        buffer.append(scaled(x, layer))
        return buffer

    assert "expected a Tensor" in judge(SCALED, reuses).problem


def test_changed_parameters_are_seen():
    def trains(x, layer):
        result = scaled(x, layer)
        layer.weight.data = layer.weight.data + 1
        return result

    assert "changes its inputs" in judge(SCALED, trains).problem


def test_the_learners_text_cannot_break_the_page():
    def hostile(x, layer):
        raise ValueError("<script>alert('`x`')</script>")

    message = verdict_message(SCALED, judge(SCALED, hostile), "")
    assert "<script>" not in message.html
    assert rich("`a<b`") == "<code>a&lt;b</code>"


# The card.


def test_card_gives_hints_one_at_a_time_and_the_solution_on_demand(monkeypatch):
    monkeypatch.delenv("COURSE_SOLUTIONS", raising=False)
    exercise = EXERCISES["padding.pad_batch"]
    card = exercise_card(exercise)
    hint, solution = parts(card, widgets.Button)
    assert "●●○" in words(card)
    for number in range(len(exercise.hints)):
        assert hint.description == f"Hint {number + 1} of 3"
        hint.click()
        assert words(card).count("sequence.new_full") == (number >= 1)
    assert hint.disabled
    assert "def pad_batch" not in words(card)
    solution.click()
    assert "def pad_batch" in words(card)
    assert "one (B, max L_i, F) tensor" not in words(card)  # the docstring
    solution.click()
    assert "def pad_batch" not in words(card)


@pytest.mark.parametrize("body", ["return int(lengths.sum())", "return len(lengths)"])
def test_the_learners_code_and_the_solution_are_shown_together(body, monkeypatch):
    monkeypatch.delenv("COURSE_SOLUTIONS", raising=False)
    messages = []
    monkeypatch.setattr(lessons, "display", messages.append)
    cell = f'@check("start.count_real_steps")\ndef mine(lengths):\n    """Mine."""\n    {body}\n'
    linecache.cache["<cell>"] = (len(cell), None, cell.splitlines(True), "<cell>")
    exec(compile(cell, "<cell>", "exec"), {"check": lessons.check})
    solution = EXERCISES["start.count_real_steps"].solution.source
    card = exercise_card(EXERCISES["start.count_real_steps"])
    parts(card, widgets.Button)[-1].click()
    for page in (words(widgets.HTML(messages[0].html)), words(card)):
        mine, shown = page.index("Your code:"), page.index("The solution:")
        assert mine < page.index(f"def mine(lengths):\n    {body}") < shown
        assert shown < page.index(solution)
    monkeypatch.setenv("COURSE_SOLUTIONS", "hidden")
    exec(compile(cell, "<cell>", "exec"), {"check": lessons.check})
    assert "Your code" not in messages[1].html


@pytest.mark.parametrize("thing", [len, dict, 7])
def test_what_has_no_source_of_its_own_is_not_shown(thing, monkeypatch):
    monkeypatch.delenv("COURSE_SOLUTIONS", raising=False)
    messages = []
    monkeypatch.setattr(lessons, "display", messages.append)
    lessons.check("start.count_real_steps")(thing)
    assert "<summary>The solution</summary>" in messages[0].html


def test_card_withholds_solutions(monkeypatch):
    monkeypatch.setenv("COURSE_SOLUTIONS", "hidden")
    (hint,) = parts(exercise_card(EXERCISES["padding.pad_batch"]), widgets.Button)
    assert hint.description.startswith("Hint")


def test_card_remembers_a_solved_exercise():
    key = "padding.padding_waste"
    assert "have solved" not in words(exercise_card(EXERCISES[key]))
    lessons.check(key)(EXERCISES[key].reference)
    assert "have solved" in words(exercise_card(EXERCISES[key]))


def test_an_error_in_a_callback_is_shown(monkeypatch):
    card = exercise_card(EXERCISES["padding.pad_batch"])
    monkeypatch.setattr("inspect.getsource", lambda _: 1 / 0)
    parts(card, widgets.Button)[1].click()
    assert "ZeroDivisionError" in words(card)


# Quizzes.


@pytest.mark.parametrize("key", QUIZZES)
def test_quiz_texts(key: str):
    quiz = QUIZZES[key]
    assert len(quiz.questions) >= 3
    places = []
    for question in quiz.questions:
        places += [i for i, option in enumerate(question.shown_options) if option.right]
        for option in question.shown_options:
            assert option.why.endswith((".", "?"))
    assert len(set(places)) > 1, "the right option always stands in the same place"


@pytest.mark.parametrize("key", QUIZZES)
def test_every_option_answers_at_once_with_its_reason(key: str):
    quiz = QUIZZES[key]
    for question in quiz.questions:
        for option in question.shown_options:
            card = quiz_card(quiz)
            labels = [button.description for button in parts(card, widgets.Button)]
            assert plain(option.text) in labels
            first = sum(len(q.options) for q in quiz.questions[: quiz.questions.index(question)])
            button = parts(card, widgets.Button)[first + list(question.shown_options).index(option)]
            button.click()
            assert button.description == f"{'✓' if option.right else '✗'} {plain(option.text)}"
            assert plain(option.why) in words(card)


def answer(card: widgets.Widget, quiz, choose) -> None:
    buttons = iter(parts(card, widgets.Button))
    for question in quiz.questions:
        mine = [next(buttons) for _ in question.shown_options]
        mine[choose(question)].click()


def right_one(question) -> int:
    return next(i for i, option in enumerate(question.shown_options) if option.right)


def test_placement_quiz_names_the_earliest_notebook_missed():
    quiz = QUIZZES["start"]
    card = quiz_card(quiz)
    answer(card, quiz, right_one)
    assert "5 of 5 right" in words(card)
    for missed in quiz.questions:
        card = quiz_card(quiz)
        late = [q for q in quiz.questions if q.notebook >= missed.notebook]
        answer(card, quiz, lambda q, late=late: -1 if q in late else right_one(q))
        assert f"Start with notebook {missed.notebook:02d}" in words(card)


def test_the_first_answer_counts_and_the_best_is_kept():
    quiz = QUIZZES["padding"]
    card = quiz_card(quiz)
    answer(card, quiz, lambda q: (right_one(q) + 1) % len(q.options))
    assert "0 of 5 right at the first try" in words(card)
    answer(card, quiz, right_one)
    assert "0 of 5 right at the first try" in words(card)
    assert "answered 5 of 5 questions right" in words(quiz_card(quiz))


# Guesses.


@pytest.mark.parametrize("key", GUESSES)
def test_guess_is_kept_and_comes_back(key: str):
    guess = GUESSES[key]
    assert bool(guess.options) != (guess.unit is not None)
    assert "made no guess" in guess_answer(guess, True).text
    card = guess_card(guess)
    if guess.unit is not None:
        parts(card, widgets.FloatText)[0].value = 12.5
        parts(card, widgets.Button)[0].click()
        assert "You guess: 12.5" in words(card)
        assert "You guessed: 12.5" in guess_answer(guess, 28.57).text
        assert "The run says: 28.6" in guess_answer(guess, 28.57).text
        return
    assert sum(option.right for option in guess.options) == 1
    for option, button in zip(guess.shown_options, parts(card, widgets.Button), strict=True):
        button.click()
        assert f"You guess: {plain(option.text)}" in words(card)
        message = guess_answer(guess, True)
        assert option.text in message.text
        assert ("That is right" in message.text) == option.right
        assert (option.why in message.text) == (not option.right)
        assert guess.why in message.text
        assert plain(option.text) in words(guess_card(guess))


def test_calls_in_a_notebook_show_something(capsys):
    lessons.exercise("padding.pad_batch")
    lessons.quiz("padding")
    lessons.guess("padding.stack")
    lessons.guess("padding.stack", reveal=True)
    lessons.show_progress()
    lessons.glossary("mask")
    out = capsys.readouterr().out
    for part in ("Exercise 3.1", "Quiz", "guess first", "made no guess", "Your progress", "mask:"):
        assert part in out
    assert not progress.progress_path().exists()  # looking is not doing


# Terms.


def test_glossary():
    everything = glossary_message(())
    assert everything.text.splitlines() == [
        f"{term.name}: {term.meaning}" for term in terms().values()
    ]
    for term in terms().values():
        assert term.meaning.endswith(".")
    assert glossary_message(("Mask",)).text == f"mask: {terms()['mask'].meaning}"
    assert "Did you mean: oracle" in glossary_message(("orakle",)).text
    assert "not in the glossary" in glossary_message(("qqqq",)).html


def test_options_are_shuffled_in_the_same_way_every_time_and_tell_nothing():
    questions = [q for quiz in QUIZZES.values() for q in quiz.questions]
    choices = [*questions, *(g for g in GUESSES.values() if g.options)]
    for choice in choices:
        assert choice.shown_options == choice.shown_options
        assert sorted(choice.shown_options, key=choice.options.index) == list(choice.options)
    places = [next(i for i, o in enumerate(c.shown_options) if o.right) for c in choices]
    for place in range(3):
        assert 0.15 < places.count(place) / len(places) < 0.55
