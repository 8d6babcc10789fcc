"""``padcheck package.module:factory``, or ``python -m course_utils.padcheck``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from course_utils.padcheck.check import padcheck

EPILOG = """\
The factory takes no arguments and returns model, inputs, lengths, *extra; a dictionary at the end
holds further arguments of padcheck, such as call= or pad_marker=. Extras with padding are declared:
Padded(values, lengths). Recipes: docs/padcheck.md.
Exit status: 0 padding does not change the results, 1 it does, 2 no verdict or no usable call."""


def load_factory(name: str) -> Callable[[], Sequence[Any]]:
    """The function named ``package.module:function``.

    Raises:
        ValueError: the name is not of this form, or there is no such function.
    """
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise ValueError(f"{name!r} is not of the form package.module:factory")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"module {module!r} cannot be imported: {error}") from error
    if not callable(getattr(found, function, None)):
        raise ValueError(f"module {module!r} has no function {function!r}")
    return getattr(found, function)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="padcheck",
        description="Does padding change a model's results?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("factory", help="package.module:factory")
    parser.add_argument("--mode", choices=("eval", "train"), default="eval")
    parser.add_argument("--padding-side", choices=("right", "left"), default="right")
    parser.add_argument("--rows", type=int, default=5, help="most sequences asked about")
    parser.add_argument("--seed", type=int, default=0, help="of the random padding")
    parser.add_argument("--save", metavar="FILE", help="also write the report: .html, .json, .txt")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report and return the exit status."""
    parsed = vars(_parser().parse_args(arguments))
    save = parsed.pop("save")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a console script does not look where it is called
    try:
        given = load_factory(parsed.pop("factory"))()
        if not isinstance(given, (tuple, list)) or len(given) < 3:
            raise ValueError("the factory must return model, inputs, lengths, *extra")
        given = list(given)
        options = parsed | (given.pop() if isinstance(given[-1], dict) else {})
        report = padcheck(*given, **options)
        if save:
            report.save(save)
    except (TypeError, ValueError, OSError) as error:
        print(f"padcheck: {error}", file=sys.stderr)
        return 2
    print(report)
    return {True: 0, False: 1, None: 2}[report.ok]


if __name__ == "__main__":
    sys.exit(main())
