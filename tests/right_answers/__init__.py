"""Right answers in unlike styles, by exercise: each topic's module has a dictionary ``STYLES``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable


def styles() -> dict[str, list[Callable]]:
    """All right answers, by the exercise's key."""
    found: dict[str, list[Callable]] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module.name}").STYLES
    return found
