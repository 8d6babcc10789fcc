"""Controls for explorers, each with a name that a screen reader can say.

ipywidgets' sliders have no accessible name, and its dropdowns lose their arrow keys to
JupyterLab; the browser's own ``<input>`` and ``<select>`` inside a ``<label>`` have a name, and
keyboard and touch for free.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import anywidget
import traitlets


class Control(anywidget.AnyWidget):
    """What all controls share: a name, and the browser's part, which asks for their kind."""

    _esm = Path(__file__).with_name("controls.js")
    _css = Path(__file__).with_name("controls.css")
    description = traitlets.Unicode().tag(sync=True)


class Slider(Control):
    """A slider with a name: ``Slider(description="Steps", value=3, min=1, max=9)``.

    With ``buttons=True`` two buttons beside it go one step back and forth.
    """

    kind = traitlets.Unicode("slider").tag(sync=True)
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0).tag(sync=True)
    max = traitlets.Float(10).tag(sync=True)
    step = traitlets.Float(1).tag(sync=True)
    buttons = traitlets.Bool(False).tag(sync=True)


class Choice(Control):
    """A list to choose from, with a name: ``Choice(["right", "left"], description="Side")``."""

    kind = traitlets.Unicode("choice").tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)

    def __init__(self, options: Iterable[str], description: str = "") -> None:
        """The first of the options is chosen."""
        options = list(options)
        super().__init__(options=options, value=options[0], description=description)

    @traitlets.validate("value")
    def _one_of_the_options(self, proposal: dict) -> str:
        if proposal["value"] not in self.options:
            raise traitlets.TraitError(
                f"{self.description} is one of {', '.join(self.options)}, got {proposal['value']!r}"
            )
        return proposal["value"]


class TextField(Control):
    """A line of text, with a name: ``TextField("5, 3, 7", description="Lengths")``.

    The value changes on Enter, or when the learner leaves the field.
    """

    kind = traitlets.Unicode("text").tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)

    def __init__(self, value: str, description: str = "") -> None:
        super().__init__(value=value, description=description)
