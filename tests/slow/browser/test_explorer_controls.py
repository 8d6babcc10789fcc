"""Every explorer in JupyterLab: all its controls by mouse and by keyboard, and bad input."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest

from course_utils import explorers

pytestmark = pytest.mark.slow
PATHS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))
NAMED = re.compile(r"""- '?(?P<role>\w+) "(?P<name>[^"]*\w[^"]*)\"""")
# What is typed in place of lengths -> what is said about it.
NOT_LENGTHS = {"5, three": "not a list of whole numbers", "": "got 0", "1000": "between 1 and"}
Seen = tuple[str, str]


def cell_of(function: str) -> tuple[Path, str]:
    """The notebook that shows an explorer, and the code of its cell."""
    for path in PATHS:
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "code" and f"{function}(" in cell.source:
                return path, cell.source
    raise AssertionError(f"no notebook shows {function}")


class Explorer:
    """An explorer's controls and picture, as they stand on the page."""

    def __init__(self, page, output) -> None:
        output.locator("svg[role=img]").wait_for()
        self.page, self.output = page, output
        self.controls = output.locator("input, select, textarea, button").all()
        self.sliders = output.locator("input[type=range]").all()
        self.choices = output.locator("select").all()
        self.texts = output.locator("input[type=text]").all()
        self.buttons = output.locator("button").all()

    def shown(self) -> Seen:
        """The markup and the text alternative of the picture; empty if a message stands there."""
        return tuple(
            self.output.evaluate(
                """node => {
                    const svg = node.querySelector("svg[role=img]");
                    return [svg?.innerHTML ?? "", svg?.getAttribute("aria-label") ?? ""];
                }"""
            )
        )

    def changed(self, before: Seen, seconds: float = 60) -> Seen:
        """What is shown once it has come to rest, and is new in both parts."""
        end, last, since = time.monotonic() + seconds, before, time.monotonic()
        while time.monotonic() < end:
            now = self.shown()
            if now != last:
                last, since = now, time.monotonic()
            new = all(part != old for part, old in zip(now, before, strict=True))
            if new and time.monotonic() > since + 0.3:
                return now
            self.page.wait_for_timeout(30)
        parts = zip(("the picture", "the text alternative"), last, before, strict=True)
        raise AssertionError(" and ".join(name for name, a, b in parts if a == b) + " stayed")

    def restored(self, before: Seen, seconds: float = 60) -> None:
        """Wait for exactly what was shown before."""
        end = time.monotonic() + seconds
        while self.shown() != before:
            if time.monotonic() > end:
                raise AssertionError("going back does not restore the picture")
            self.page.wait_for_timeout(30)

    def go(self, act: Callable[[Any], None], there: Any, back: Any) -> None:
        """``act(there)`` changes what is shown, and ``act(back)`` restores it in every detail."""
        before = self.shown()
        act(there)
        self.changed(before)
        act(back)
        self.restored(before)

    def click(self, control, x: float = 0.5) -> None:
        """Press and release the mouse on a control; ``x`` is 0 at its left end, 1 at its right."""
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        place = min(max(x * box["width"], 3), box["width"] - 3)
        self.page.mouse.click(box["x"] + place, box["y"] + box["height"] / 2)

    def press(self, control, *keys: str) -> None:
        """Press keys, as long as they reach the control."""
        control.focus()
        for key in keys:
            self.page.keyboard.press(key)
            assert control.evaluate("node => node === document.activeElement"), f"{key} moved away"

    def pick(self, choice, key: str) -> None:
        """Open a list with the mouse, move in it by a key, and choose."""
        self.click(choice)
        self.press(choice, key, "Enter")

    def type(self, control, text: str) -> None:
        """Replace what stands in a text field, by keys alone."""
        self.press(control, "Control+a", "Delete")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")
        assert control.input_value() == text


@pytest.fixture(scope="module", params=explorers.__all__)
def explorer(request: pytest.FixtureRequest, opened) -> Iterator[Explorer]:
    """An explorer in its own notebook, after the cells that it needs."""
    path, source = cell_of(request.param)
    with opened(path.name) as notebook:
        _, index = notebook.cell_with(source)
        if f"{request.param}()" in source:
            notebook.run_setup()
        else:
            notebook.page.evaluate(
                f"index => {{ {notebook.CURRENT}.content.activeCellIndex = index }}", index
            )
            notebook.command("notebook:run-all-above")
        node = notebook.run(source)
        assert notebook.unexpected_errors() == []
        yield Explorer(notebook.page, node.locator(".jp-Cell-outputArea"))


def test_tab_visits_every_control_in_order_and_each_has_a_name(explorer: Explorer):
    known = [*explorer.sliders, *explorer.choices, *explorer.texts, *explorer.buttons]
    assert len(explorer.controls) == len(known), "a control of a new kind"
    said = [NAMED.match(control.aria_snapshot()) for control in explorer.controls]
    assert all(said), [control.aria_snapshot() for control in explorer.controls]
    assert len({match["name"] for match in said}) == len(said)
    explorer.controls[0].focus()
    explorer.page.keyboard.press("Shift+Tab")
    here = "node => [...node.querySelectorAll('input, select, textarea, button')]"
    visited = []
    for _ in range(len(explorer.controls) + 2):
        visited.append(explorer.output.evaluate(f"{here}.indexOf(document.activeElement)"))
        explorer.page.keyboard.press("Tab")
    assert visited == [-1, *range(len(explorer.controls)), -1]


def test_sliders(explorer: Explorer):
    """The mouse takes each slider to its far end; arrow keys bring it back, step by step."""
    for slider in explorer.sliders:
        value = float(slider.input_value())
        low, high, step = (float(slider.get_attribute(name)) for name in ("min", "max", "step"))
        far, x, key = (
            (high, 1, "ArrowLeft") if high - value >= value - low else (low, 0, "ArrowRight")
        )
        before = explorer.shown()
        explorer.click(slider, x)
        assert float(slider.input_value()) == far
        explorer.changed(before)
        explorer.press(slider, *[key] * round(abs(far - value) / step))
        assert float(slider.input_value()) == pytest.approx(value)
        explorer.restored(before)


def test_choices(explorer: Explorer):
    """Arrow keys choose, with the list closed, and with the list that a click opens."""
    for choice in explorer.choices:
        explorer.go(partial(explorer.press, choice), "ArrowDown", "ArrowUp")
        explorer.go(partial(explorer.pick, choice), "ArrowDown", "ArrowUp")


def test_buttons(explorer: Explorer):
    """Next changes and Back restores, by the mouse, by Enter and by the space bar."""
    if explorer.buttons:
        back, forth = explorer.buttons
        explorer.go(explorer.click, forth, back)
        explorer.go(lambda button: explorer.press(button, "Enter"), forth, back)
        explorer.go(lambda button: explorer.press(button, "Space"), forth, back)


def test_texts_and_what_cannot_be_read_in_them(explorer: Explorer):
    """Other lengths change the picture; bad ones get a sentence, and nothing is lost."""
    for field in explorer.texts:
        before, text = explorer.shown(), field.input_value()
        others = [c.input_value() for c in [*explorer.sliders, *explorer.choices]]
        explorer.click(field)
        explorer.type(field, f"{text}, 2")
        explorer.changed(before)
        for bad, said in NOT_LENGTHS.items():
            explorer.type(field, bad)
            explorer.output.locator("div[role=alert]", has_text=said).wait_for()
            assert explorer.shown() == ("", "")
            assert field.input_value() == bad
            assert [c.input_value() for c in [*explorer.sliders, *explorer.choices]] == others
        explorer.type(field, text)
        explorer.restored(before)
