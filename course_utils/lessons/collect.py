"""The progress of a class as one table: ``python -m course_utils.lessons.collect FILES...``."""

from __future__ import annotations

import csv
import sys

from course_utils.lessons.progress import collect_progress


def main(paths: list[str]) -> int:
    """Print the progress of many files as CSV."""
    if not paths:
        print("usage: python -m course_utils.lessons.collect FILES...", file=sys.stderr)
        return 2
    columns = ["learner", "kind", "key", "status", "tries", "when"]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(collect_progress(paths))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
