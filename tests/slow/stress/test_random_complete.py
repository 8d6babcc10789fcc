"""No public name of the course is forgotten by the random calls, and no excuse is out of date."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_random_masked
import test_random_models
import test_random_pictures
import test_random_sequences
import test_random_training

import course_utils

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[2]
FILES = (test_random_masked, test_random_models, test_random_sequences, test_random_training)
# What one case draws together with others.
DRAWN = {
    "models": "MaskedRNN LastStepRNN GatherRNN MeanPoolRNN RecurrentModel",
    "oracle": "gradients OracleResult",
    "collate": "Batch",
    "evaluate": "Evaluation",
    "fit": "History",
    "step_through": "Operation GraphState Rule",
    "experiments": "averages with_ddp gathered rounds_together rounds_joined example_problem "
    "build_model average_gradients joined",
    "padcheck": "Finding Padded Report Unpadded assert_padding_invariant",
    "check_lengths": "check_alike check_count check_choice check_tensor check_float check_real "
    "check_numbers check_whole check_shape check_number check_dim describe check_some_lengths",
}
# Left out, and where it is driven instead: (module or name, test file that must name it).
ELSEWHERE = {
    "course_utils.course": "test_readme.py",
    "course_utils.explorers": "test_explorers.py",
    "course_utils.html": "test_html.py",
    "course_utils.lessons": "test_lessons.py",
    "course_utils.wrong_models": "test_padcheck_zoo.py",  # wrong on purpose
    "course_utils.topics": "test_exercises.py",  # solutions, and wrong on purpose
    "course_utils.parallel.workers": "test_parallel.py",  # each call starts processes
    "course_utils.padcheck.__main__": "test_padcheck.py",
    "course_utils.padcheck": "test_padcheck.py",  # parts that only padcheck itself calls
    "course_utils.pictures": "test_pictures.py",  # cells and arrows of the pictures
    "course_utils.data.load_japanese_vowels": "test_data.py",  # a file, not a computation
    "course_utils.data.split_validation": "test_data.py",  # by chance, with its own checks
    "course_utils.devices.environment_report": "test_devices.py",
    "course_utils.devices.set_up": "test_devices.py",  # sets the random state, as it promises
    "course_utils.backprop.compare": "test_backprop.py",  # says what differs, in an assertion
    "course_utils.graphs.recorded_graph": "test_graphs.py",
    "course_utils.graphs.recorded_nodes": "test_graphs.py",
    "course_utils.parallel.experiments": "test_parallel.py",  # faults on purpose
}


def public_names() -> Iterator[str]:
    """Functions and classes that a module defines and does not hide, with their modules."""
    for found in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            value = inspect.unwrap(value) if callable(value) else value  # of a cache, say
            if inspect.isfunction(value) or inspect.isclass(value):
                own = value.__module__ == found.name and not name.startswith("_")
                if own and value.__name__ == name:
                    yield f"{found.name}.{name}"


def drawn() -> set[str]:
    """Names that random calls reach."""
    cases = {name for file in FILES for name in file.CASES}
    together = {name for case in DRAWN if case in cases for name in DRAWN[case].split()}
    return cases | together | set(test_random_pictures.PICTURES)


def excuse(name: str) -> str | None:
    """The longest entry of ELSEWHERE that a name belongs to."""
    fits = [entry for entry in ELSEWHERE if name == entry or name.startswith(f"{entry}.")]
    return max(fits, key=len, default=None)


def test_every_public_name_is_drawn_or_excused():
    names = list(public_names())
    assert len(names) > 200
    forgotten = [n for n in names if n.rpartition(".")[2] not in drawn() and not excuse(n)]
    assert not forgotten


def test_nothing_is_drawn_or_excused_that_is_not_there():
    names = list(public_names())
    bare = {name.rpartition(".")[2] for name in names}
    assert drawn() - bare <= {"models", "experiments"}
    for entry, file in ELSEWHERE.items():
        assert entry.endswith("__main__") or any(excuse(n) == entry for n in names), entry
        part, text = entry.rpartition(".")[2], next(TESTS.rglob(file)).read_text()
        assert entry.endswith("__main__") or part in text, (entry, file)
