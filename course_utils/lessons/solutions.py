"""The solution of an exercise as it is shown, found by the exercise's key.

Solutions stand in ``course_utils/topics``: every module there is a topic, and is found by its file.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.lessons.draws import Draw

_TOPICS = Path(__file__).parents[1] / "topics"
_SOLUTIONS: dict[str, Solution] = {}
_EXACT = ("dtype", "kind", "history")


@dataclass(frozen=True)
class Trait:
    """A property of a case that may decide whether a learner's function is right.

    ``text`` completes "wrong where ...": ``"a row has no real step"``. ``holds`` gets the
    arguments that it names; None for those that a case does not give.
    """

    text: str
    holds: Callable[..., bool]


class Solution:
    """The right answer to an exercise: a plain function that a learner is shown.

    Beside it stand random cases (:meth:`random`), properties that cases may have (:meth:`trait`)
    and changes that make no difference (:meth:`equivalent`).

    Args:
        key: the exercise's key: ``"padding.pad_batch"``.
        function: the answer; called as the exercise's stub is.
        careful: the library's function for the same, where there is one: it checks its arguments,
            and gives the same values and gradients on every case.
        parts: names of the entries, where the result is a tuple.
        gradients: whether gradients are compared, or the names of the arguments for which.
        exact: what the task names and answers must keep: ``"dtype"`` (otherwise a wider one is
            fine), ``"kind"`` (otherwise a number is as good as a tensor without axes, and such a
            tensor as a number), ``"history"`` (otherwise a gradient that never arrives is as good
            as one of zeros).

    Raises:
        ValueError: there is a solution with this key already.
    """

    def __init__(
        self,
        key: str,
        function: Callable[..., Any],
        careful: Callable[..., Any] | None = None,
        *,
        parts: Sequence[str] = (),
        gradients: bool | Sequence[str] = True,
        exact: Sequence[str] = (),
    ) -> None:
        if unknown := set(exact) - set(_EXACT):
            raise ValueError(f"exact holds {sorted(unknown)} for {key!r}: there are {_EXACT}")
        if key in _SOLUTIONS:
            raise ValueError(f"there are two solutions with the key {key!r}: rename one of them")
        _SOLUTIONS[key] = self
        self.key = key
        self.function = function
        self.careful = careful
        self.parts = tuple(parts)
        self.gradients = gradients if isinstance(gradients, bool) else tuple(gradients)
        self.exact = tuple(exact)
        self.draw_case: Callable[[Draw], Any] | None = None
        self.traits: list[Trait] = []
        self.equivalents: dict[str, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def random(self, function: Callable[[Draw], Any]) -> Callable[[Draw], Any]:
        """Decorator for the function that draws one small random case."""
        self.draw_case = function
        return function

    def trait(self, text: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
        """Decorator for a property of a case; see :class:`Trait`."""

        def decorate(function: Callable[..., bool]) -> Callable[..., bool]:
            self.traits.append(Trait(text, function))
            return function

        return decorate

    def equivalent(self, line: str, *, because: str) -> None:
        """List a changed line of the solution that makes no difference.

        Args:
            line: as the test of mutants prints it.
            because: why nobody can tell it from the solution, a sentence.
        """
        self.equivalents[line] = because

    @property
    def source(self) -> str:
        """What is shown: the function from ``def`` on, without its docstring."""
        return plain_source(self.function)


def solution(
    key: str, *, careful: Callable[..., Any] | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Solution]:
    """Decorator that makes a function the :class:`Solution` of the exercise with this key.

    ``options`` are those of :class:`Solution`: ``parts``, ``gradients``, ``exact``.
    """
    return lambda function: Solution(key, function, careful, **options)


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
