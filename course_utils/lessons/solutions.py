"""The solution of an exercise as it is shown, its cases and its wrong versions.

Solutions stand in ``course_utils/topics``: every module there is a topic, and is found by its file.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

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


@dataclass(frozen=True)
class Sign:
    """What a result shows, by itself or beside the arguments, where it is wrong.

    ``text`` follows "Your result" or "Your `part`": ``"has an empty batch"``. ``holds`` gets the
    learner's whole result, and the arguments that it names.
    """

    text: str
    part: str
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Case:
    """Arguments to call a learner's function with.

    Tensors that require a gradient, and the parameters of modules, also have their gradients
    compared, unless ``gradients`` is False: where they are not determined, as in a tie, or
    ``"reached"``: they must only arrive, whatever they are. ``name`` says in plain words what is
    special about the case: ``"equal lengths"``; random cases have none.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    gradients: bool | Literal["reached"] = True


@dataclass(frozen=True)
class Wrong:
    """A wrong version of an exercise's function; called like the function itself.

    ``explanation`` is one sentence that tells learners what their code does.
    ``belief`` is the wrong belief that such code comes from.
    """

    function: Callable[..., Any]
    explanation: str
    belief: str

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def wrong(explanation: str, *, belief: str) -> Callable[[Callable[..., Any]], Wrong]:
    """Decorator that turns a function into a :class:`Wrong` with these two sentences."""
    return lambda function: Wrong(function, explanation, belief)


CaseBuilder = Callable[[], Sequence[Case]]


class Solution:
    """The right answer to an exercise: a plain function that a learner is shown.

    Cases and wrong versions are added where they stand::

        @pad_batch.cases
        def _() -> list[Case]: ...

        @pad_batch.wrong("Your batch is padded on the left.", belief="The last column is real.")
        def pads_left(sequences, padding_value=0.0): ...

    Random cases (:meth:`random`), properties that cases may have (:meth:`trait`) and changes that
    make no difference (:meth:`equivalent`) are added in the same way.

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
        ValueError: another module has a solution with this key.
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
        known = _SOLUTIONS.get(key)
        if known is not None and known.function.__module__ != function.__module__:
            raise ValueError(f"there are two solutions with the key {key!r}: rename one of them")
        _SOLUTIONS[key] = self
        self.key = key
        self.function = function
        self.careful = careful
        self.parts = tuple(parts)
        self.gradients = gradients if isinstance(gradients, bool) else tuple(gradients)
        self.exact = tuple(exact)
        self.draw_case: Callable[[Draw], Case] | None = None
        self.traits: list[Trait] = []
        self.signs: list[Sign] = []
        self.equivalents: dict[str, str] = {}
        self.wrong_versions: list[Wrong] = []
        """In the order in which they stand; no two of them agree on all cases."""
        self._build_cases: CaseBuilder | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def random(self, function: Callable[[Draw], Case]) -> Callable[[Draw], Case]:
        """Decorator for the function that draws one small random case."""
        self.draw_case = function
        return function

    def trait(self, text: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
        """Decorator for a property of a case; see :class:`Trait`."""

        def decorate(function: Callable[..., bool]) -> Callable[..., bool]:
            self.traits.append(Trait(text, function))
            return function

        return decorate

    def sign(
        self, text: str, *, part: str = ""
    ) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
        """Decorator for what a wrong result, or a part of it, shows; see :class:`Sign`."""

        def decorate(function: Callable[..., bool]) -> Callable[..., bool]:
            self.signs.append(Sign(text, part, function))
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

    def cases(self, build: CaseBuilder) -> CaseBuilder:
        """Decorator for the function that builds the cases, always the same, smallest first."""
        self._build_cases = build
        return build

    def all_cases(self) -> list[Case]:
        """The cases, built anew.

        Raises:
            ValueError: there are none.
        """
        if self._build_cases is None:
            raise ValueError(f"{self.key} has no cases: add a function with @NAME.cases")
        return list(self._build_cases())

    def wrong(self, explanation: str, *, belief: str) -> Callable[[Callable[..., Any]], Wrong]:
        """Decorator that adds a wrong version: what it does, and the belief it comes from."""

        def add(function: Callable[..., Any]) -> Wrong:
            version = Wrong(function, explanation, belief)
            self.wrong_versions.append(version)
            return version

        return add


def solution(
    key: str, *, careful: Callable[..., Any] | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Solution]:
    """Decorator that makes a function the :class:`Solution` of the exercise with this key.

    ``options`` are those of :class:`Solution`: ``parts``, ``gradients``, ``exact``.
    """
    return lambda function: Solution(key, function, careful, **options)


def solution_of(key: str, topic: str = "") -> Solution:
    """The solution of the exercise with this key.

    Args:
        key: of the exercise.
        topic: whose module alone is imported; without it, those of all topics are.

    Raises:
        KeyError: there is none.
    """
    if topic and key not in _SOLUTIONS:
        importlib.import_module(f"course_utils.topics.{topic}")
    found = _SOLUTIONS if topic else all_solutions()
    if key not in found:
        where = f"topics/{topic}.py has no" if topic else "no topic has a"
        raise KeyError(f"{where} solution {key!r}: add one with @solution({key!r})")
    return found[key]


def all_solutions() -> Mapping[str, Solution]:
    """All solutions by their keys, of topics and of whatever else was imported."""
    _import_topics()
    return MappingProxyType(_SOLUTIONS)


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
