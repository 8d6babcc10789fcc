"""The solution of an exercise as it is shown, found by the exercise's key.

Solutions stand in ``course_utils/topics``: every module there is a topic, and is found by its file.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TOPICS = Path(__file__).parents[1] / "topics"
_SOLUTIONS: dict[str, Solution] = {}


class Solution:
    """The right answer to an exercise: a plain function that a learner is shown.

    Args:
        key: the exercise's key: ``"padding.pad_batch"``.
        function: the answer; called as the exercise's stub is.
        careful: the library's function for the same, where there is one: it checks its arguments,
            and gives the same values and gradients on every case.

    Raises:
        ValueError: there is a solution with this key already.
    """

    def __init__(
        self, key: str, function: Callable[..., Any], careful: Callable[..., Any] | None = None
    ) -> None:
        if key in _SOLUTIONS:
            raise ValueError(f"there are two solutions with the key {key!r}: rename one of them")
        _SOLUTIONS[key] = self
        self.key = key
        self.function = function
        self.careful = careful

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def source(self) -> str:
        """What is shown: the function from ``def`` on, without its docstring."""
        return plain_source(self.function)


def solution(
    key: str, *, careful: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], Solution]:
    """Decorator that makes a function the :class:`Solution` of the exercise with this key."""
    return lambda function: Solution(key, function, careful)


def solution_of(key: str) -> Solution:
    """The solution of the exercise with this key.

    Raises:
        KeyError: no topic has one.
    """
    _import_topics()
    if key not in _SOLUTIONS:
        raise KeyError(f"no topic has a solution {key!r}: add one with @solution({key!r})")
    return _SOLUTIONS[key]


@functools.cache
def _import_topics() -> None:
    for path in sorted(_TOPICS.glob("[!_]*.py")):
        importlib.import_module(f"course_utils.topics.{path.stem}")


def plain_source(function: Callable[..., Any]) -> str:
    """The source of a function from its ``def`` on, without decorators and docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines[definition.lineno - 1 :])
