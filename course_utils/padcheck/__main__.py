"""``python -m course_utils.padcheck package.module:factory``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from course_utils.padcheck.check import padcheck

EPILOG = """\
The factory takes no arguments and returns model, inputs, lengths, *extra; a dictionary at the end
holds further arguments of padcheck, such as call= or pad_marker=.
Exit status: 0 padding does not change the answer, 1 it does, 2 no verdict or no usable call."""


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
        prog="python -m course_utils.padcheck",
        description="Does padding change a model's answer?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("factory", help="package.module:factory")
    parser.add_argument("--mode", choices=("eval", "train"), default="eval")
    parser.add_argument("--padding-side", choices=("right", "left"), default="right")
    parser.add_argument("--seed", type=int, default=0, help="of the random padding")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report and return the exit status."""
    parsed = vars(_parser().parse_args(arguments))
    try:
        given = load_factory(parsed.pop("factory"))()
        if not isinstance(given, (tuple, list)) or len(given) < 3:
            raise ValueError("the factory must return model, inputs, lengths, *extra")
        given = list(given)
        options = parsed | (given.pop() if isinstance(given[-1], dict) else {})
        report = padcheck(*given, **options)
    except (TypeError, ValueError) as error:
        print(f"padcheck: {error}", file=sys.stderr)
        return 2
    print(report)
    return {True: 0, False: 1, None: 2}[report.ok]


if __name__ == "__main__":
    sys.exit(main())
