"""Controls for explorers, each with a name that a screen reader can say.

ipywidgets' sliders have no accessible name, and its dropdowns lose their arrow keys to
JupyterLab; the browser's own ``<input>`` and ``<select>`` inside a ``<label>`` have a name, and
keyboard and touch for free.
"""

from __future__ import annotations

from collections.abc import Iterable

import anywidget
import traitlets

_SLIDER_JS = """
export default {
  render({ model, el }) {
    const label = document.createElement("label");
    const name = document.createElement("span");
    const input = document.createElement("input");
    const output = document.createElement("output");
    label.className = "course-control";
    // JupyterLab would take the arrow keys for moves from cell to cell.
    input.setAttribute("data-lm-suppress-shortcuts", "true");
    input.type = "range";
    label.append(name, input, output);
    const row = document.createElement("div");
    row.className = "course-control";
    row.append(label);
    el.append(row);
    const move = (by) => {
      const there = Number(input.value) + by * Number(input.step);
      input.value = there; // the browser keeps it in range
      input.dispatchEvent(new Event("input"));
    };
    for (const [text, by] of model.get("buttons") ? [["◀ Back", -1], ["Next ▶", 1]] : []) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => move(by));
      row.append(button);
    }
    const refresh = () => {
      name.textContent = model.get("description");
      input.min = model.get("min");
      input.max = model.get("max");
      input.step = model.get("step");
      input.value = model.get("value");
      output.textContent = Number(model.get("value")).toLocaleString("en", {
        maximumFractionDigits: 3,
      });
    };
    input.addEventListener("input", () => {
      model.set("value", Number(input.value));
      model.save_changes();
    });
    model.on("change", refresh);
    refresh();
  },
};
"""

_CHOICE_JS = """
export default {
  render({ model, el }) {
    const label = document.createElement("label");
    const name = document.createElement("span");
    const select = document.createElement("select");
    label.className = "course-control";
    // JupyterLab would take the arrow keys for moves from cell to cell.
    select.setAttribute("data-lm-suppress-shortcuts", "true");
    name.textContent = model.get("description");
    select.append(...model.get("options").map((text) => new Option(text, text)));
    label.append(name, select);
    el.append(label);
    const refresh = () => {
      select.value = model.get("value");
    };
    select.addEventListener("change", () => {
      model.set("value", select.value);
      model.save_changes();
    });
    model.on("change:value", refresh);
    refresh();
  },
};
"""

_TEXT_FIELD_JS = """
export default {
  render({ model, el }) {
    const label = document.createElement("label");
    const name = document.createElement("span");
    const input = document.createElement("input");
    label.className = "course-control";
    input.setAttribute("data-lm-suppress-shortcuts", "true");
    input.type = "text";
    name.textContent = model.get("description");
    label.append(name, input);
    el.append(label);
    const refresh = () => {
      input.value = model.get("value");
    };
    const commit = () => {
      model.set("value", input.value);
      model.save_changes();
    };
    // On Enter or on leaving the field: a half-typed list is not what the learner means.
    input.addEventListener("change", commit);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") commit();
    });
    model.on("change:value", refresh);
    refresh();
  },
};
"""

_CSS = """
.course-control { display: flex; align-items: center; gap: 8px; margin: 2px 0;
  color: var(--jp-content-font-color1, #1f1f1f); font-size: 13px; }
.course-control span { min-width: 145px; }
.course-control input[type="range"] { width: 220px; accent-color: #0072B2; }
.course-control input[type="text"] { width: 320px; }
.course-control select, .course-control input[type="text"] { color: inherit; font: inherit;
  padding: 3px 6px; max-width: 100%; background: var(--jp-layout-color1, #fff);
  border: 1px solid var(--jp-border-color1, #888); }
.course-control button { color: inherit; background: transparent; font: inherit; padding: 2px 10px;
  border: 1px solid var(--jp-border-color1, #888); border-radius: 4px; cursor: pointer; }
.course-control output { min-width: 40px; font-variant-numeric: tabular-nums; }
"""


class Slider(anywidget.AnyWidget):
    """A slider with a name: ``Slider(description="Steps", value=3, min=1, max=9)``.

    With ``buttons=True`` two buttons beside it go one step back and forth.
    """

    _esm = _SLIDER_JS
    _css = _CSS
    description = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0).tag(sync=True)
    max = traitlets.Float(10).tag(sync=True)
    step = traitlets.Float(1).tag(sync=True)
    buttons = traitlets.Bool(False).tag(sync=True)


class Choice(anywidget.AnyWidget):
    """A list to choose from, with a name: ``Choice(["right", "left"], description="Side")``."""

    _esm = _CHOICE_JS
    _css = _CSS
    description = traitlets.Unicode().tag(sync=True)
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


class TextField(anywidget.AnyWidget):
    """A line of text, with a name: ``TextField("5, 3, 7", description="Lengths")``.

    The value changes on Enter, or when the learner leaves the field.
    """

    _esm = _TEXT_FIELD_JS
    _css = _CSS
    description = traitlets.Unicode().tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)

    def __init__(self, value: str, description: str = "") -> None:
        super().__init__(value=value, description=description)
