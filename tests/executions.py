"""How often continuous integration executes each notebook, and in which conditions.

Whatever executes a notebook calls :func:`note`. ``COURSE_EXECUTIONS`` names the file that keeps
the lines; ``python tests/executions.py`` prints them as a table.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path


def note(condition: str, notebook: str) -> None:
    """Write down that a notebook is about to be executed; without the variable, nothing."""
    if file := os.environ.get("COURSE_EXECUTIONS"):
        with Path(file).open("a", encoding="utf-8") as log:
            log.write(f"{Path(notebook).stem}\t{condition}\n")


def table(lines: list[str]) -> str:
    """One row a notebook, one column a condition, and the sums."""
    counts = Counter(tuple(line.split("\t")) for line in lines)
    notebooks = sorted({notebook for notebook, _ in counts})
    conditions = list(dict.fromkeys(line.split("\t")[1] for line in lines))
    rows = [["notebook", *conditions, "all"]]
    for notebook in notebooks:
        each = [counts[notebook, condition] for condition in conditions]
        rows.append([notebook, *map(str, each), str(sum(each))])
    sums = [sum(counts[n, condition] for n in notebooks) for condition in conditions]
    rows.append(["all", *map(str, sums), str(sum(sums))])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in row)
        for row in (list(enumerate(zip(row, widths, strict=True))) for row in rows)
    )


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text("utf-8").splitlines()))
