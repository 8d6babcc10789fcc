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
    label.setAttribute("data-lm-suppress-shortcuts", "true");
    input.type = "range";
    label.append(name, input, output);
    el.append(label);
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
.course-slider output { min-width: 40px; font-variant-numeric: tabular-nums; }
"""


class Slider(anywidget.AnyWidget):
    """A slider with a name: ``Slider(description="Steps", value=3, min=1, max=9)``."""

    _esm = _SLIDER_JS
    _css = _SLIDER_CSS
    description = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0).tag(sync=True)
    max = traitlets.Float(10).tag(sync=True)
    step = traitlets.Float(1).tag(sync=True)
