"""A pytest plugin: fail notebook cells that nbval lets pass in silence."""

from __future__ import annotations

import pytest
from executions import note
from nbval.plugin import IPyNbCell, IPyNbFile

ALLOWS_STDERR = "prints-to-stderr"


def complaints(outputs: list[dict], tags: list[str]) -> list[str]:
    """What is wrong with the outputs of a cell that nbval has let pass."""
    found = []
    stderr = "".join(
        o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stderr"
    )
    if "UsageError:" in stderr:
        found.append(f"an unknown magic, and the rest of the cell did not run: {stderr}")
    elif stderr and ALLOWS_STDERR not in tags:
        found.append(f"a warning or an error was printed: {stderr}")
    failed = any(o["output_type"] == "error" for o in outputs)
    if "raises-exception" in tags and not failed:
        found.append("the cell is tagged raises-exception, but it raised nothing")
    return found


_noted = pytest.StashKey[bool]()


def _note_once(file: IPyNbFile) -> None:
    if not file.stash.get(_noted, False):
        file.stash[_noted] = True
        note("README's test", file.path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    if isinstance(item, IPyNbCell):
        _note_once(item.parent)
    result = yield
    if isinstance(item, IPyNbCell):
        tags = item.cell.metadata.get("tags", [])
        if found := complaints(item.test_outputs or [], tags):
            pytest.fail("; ".join(found), pytrace=False)
        if not item.parent.kernel.is_alive():
            pytest.fail("the kernel has ended: a cell must not exit", pytrace=False)
    return result
