"""For teachers: every exercise with its solution and its common wrong answers, as Markdown.

Run ``python -m course_utils.lessons.answers > answers.md``, or name keys or topics to have only
those. Nothing is written down twice: solutions and wrong answers are what learners are shown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from course_utils.lessons.entries import Exercise
from course_utils.lessons.topics import exercises

# More wrong versions than this are told apart by their parts, and a list of them helps nobody.
_MOST_WRONG = 12


def answer_key(chosen: Iterable[Exercise]) -> str:
    """One section an exercise: task, solution, and what wrong answers look like."""
    return "\n".join(_section(exercise) for exercise in chosen)


def _section(exercise: Exercise) -> str:
    wrong = sorted(exercise.wrong, key=lambda version: len(version.explanation))[:_MOST_WRONG]
    rows = [f"- {version.explanation} *Belief:* {version.belief}" for version in wrong]
    if len(exercise.wrong) > len(wrong):
        rows.append(f"- {len(exercise.wrong) - len(wrong)} more, combinations of these.")
    head = f"## {exercise.number} {exercise.title} (`{exercise.key}`, {exercise.minutes} minutes)"
    solution = f"```python\n{exercise.solution.source}\n```"
    return "\n\n".join([head, exercise.task, solution, "Wrong answers:", "\n".join(rows), ""])


def main(wanted: list[str]) -> int:
    """Print the answer key of the exercises whose key or topic is named, or of all."""
    names = {key: {key, exercise.topic} for key, exercise in exercises().items()}
    known = set().union(*names.values())
    if unknown := [name for name in wanted if name not in known]:
        print(f"there is no exercise or topic {unknown[0]!r}: use {sorted(known)}", file=sys.stderr)
        return 2
    chosen = [key for key in names if not wanted or names[key] & set(wanted)]
    print(answer_key(exercises()[key] for key in chosen))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
