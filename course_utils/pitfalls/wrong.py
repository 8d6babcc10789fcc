"""How a wrong version is written down: the function, what it does, where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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

    def decorate(function: Callable[..., Any]) -> Wrong:
        return Wrong(function, explanation, belief)

    return decorate
