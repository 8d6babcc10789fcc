"""How often continuous integration executes each notebook, and in which conditions.

Whatever executes a notebook of the course calls :func:`note`, in whichever process it runs.
``COURSE_EXECUTIONS`` names the file that keeps the lines, and
``python tests/executions.py FILE`` prints them as a table.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

NAMES = {path.stem for path in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb")}


def note(condition: str, notebook: str | Path) -> None:
    """Write down that a notebook of the course is about to be executed in some condition.

    Nothing is written without the variable, or about other notebooks, which tests make up.
    """
    file, name = os.environ.get("COURSE_EXECUTIONS"), Path(notebook).stem
    if file and name in NAMES:
        with Path(file).open("a", encoding="utf-8") as log:
            log.write(f"{name}\t{condition}\n")


def table(lines: list[str]) -> str:
    """One row a notebook, one column a condition, and the sums."""
    counts = Counter(tuple(line.split("\t")) for line in lines)
    conditions = list(dict.fromkeys(line.split("\t")[1] for line in lines))
    rows = [["notebook", *conditions, "all"]]
    for notebook in sorted(NAMES):
        each = [counts[notebook, condition] for condition in conditions]
        rows.append([notebook, *map(str, each), str(sum(each))])
    sums = [sum(int(row[column]) for row in rows[1:]) for column in range(1, len(conditions) + 2)]
    rows.append(["all", *map(str, sums)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text("utf-8").splitlines()))
