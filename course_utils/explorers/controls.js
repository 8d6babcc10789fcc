// One control with its name in front of it. The model's `kind` says which one it is.

const element = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// Each kind makes its own field, and answers with what else there is to it:
// `event` says when the learner has chosen, `read` what; `show` brings the model's state
// to the page; `beside` stands behind the field, and `outside` behind the whole label.
const KINDS = {
  slider(model) {
    const field = element("input", { type: "range" });
    const output = element("output");
    const move = (by) => {
      field.value = Number(field.value) + by * Number(field.step); // the browser keeps its range
      field.dispatchEvent(new Event("input"));
    };
    const button = (text, by) =>
      element("button", { type: "button", textContent: text, onclick: () => move(by) });
    return {
      field,
      event: "input",
      read: () => Number(field.value),
      show() {
        for (const name of ["min", "max", "step", "value"]) field[name] = model.get(name);
        output.textContent = Number(model.get("value")).toLocaleString("en", {
          maximumFractionDigits: 3,
        });
      },
      beside: [output],
      outside: model.get("buttons") ? [button("◀ Back", -1), button("Next ▶", 1)] : [],
    };
  },

  choice(model) {
    const options = model.get("options").map((text) => new Option(text, text));
    return { field: element("select", {}, ...options) };
  },

  text() {
    // On Enter or on leaving the field: a half-typed list is not what the learner means.
    const field = element("input", { type: "text" });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") field.dispatchEvent(new Event("change"));
    });
    return { field };
  },
};

function render({ model, el }) {
  const {
    field,
    event = "change",
    read = () => field.value,
    show = () => { field.value = model.get("value"); },
    beside = [],
    outside = [],
  } = KINDS[model.get("kind")](model);
  const name = element("span");
  const label = element("label", {}, name, field, ...beside);
  // JupyterLab would take the arrow keys for moves from cell to cell.
  field.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(element("div", { className: "course-control" }, label, ...outside));

  const refresh = () => {
    name.textContent = model.get("description");
    show();
  };
  field.addEventListener(event, () => {
    model.set("value", read());
    model.save_changes();
  });
  model.on("change", refresh);
  refresh();
}

export default { render };
