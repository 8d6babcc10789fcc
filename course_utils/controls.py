"""Controls for explorers, each with a name that a screen reader can say.

ipywidgets' sliders have no accessible name; the browser's own ``<input type="range">`` inside a
``<label>`` has one, and keyboard and touch for free.
"""

from __future__ import annotations

import anywidget
import traitlets

_SLIDER_JS = """
export default {
  render({ model, el }) {
    const label = document.createElement("label");
    const name = document.createElement("span");
    const input = document.createElement("input");
    const output = document.createElement("output");
    label.className = "course-slider";
    // JupyterLab would take the arrow keys for moves from cell to cell.
    input.setAttribute("data-lm-suppress-shortcuts", "true");
    input.type = "range";
    label.append(name, input, output);
    const row = document.createElement("div");
    row.className = "course-slider";
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

_SLIDER_CSS = """
.course-slider { display: flex; align-items: center; gap: 8px; margin: 2px 0;
  color: var(--jp-content-font-color1, #1f1f1f); font-size: 13px; }
.course-slider span { min-width: 120px; }
.course-slider input { width: 220px; accent-color: #0072B2; }
.course-slider button { color: inherit; background: transparent; font: inherit; padding: 2px 10px;
  border: 1px solid var(--jp-border-color1, #888); border-radius: 4px; cursor: pointer; }
.course-slider output { min-width: 40px; font-variant-numeric: tabular-nums; }
"""


class Slider(anywidget.AnyWidget):
    """A slider with a name: ``Slider(description="Steps", value=3, min=1, max=9)``.

    With ``buttons=True`` two buttons beside it go one step back and forth.
    """

    _esm = _SLIDER_JS
    _css = _SLIDER_CSS
    description = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0).tag(sync=True)
    max = traitlets.Float(10).tag(sync=True)
    step = traitlets.Float(1).tag(sync=True)
    buttons = traitlets.Bool(False).tag(sync=True)
