// The controls of the map: two functions as axes, and a rate for each other function.

// Lowest level of a function: 0, not loaded, unless the map has only configurations of all functions.
const FIRST_LEVEL = space.min === space.functions.length ? 1 : 0;

const levelText = (i, level) => (level ? `${space.rates[i][level - 1]} rps` : "not loaded");

class Controls {
  // `changed` is called when another part of the map is to be drawn.
  constructor(host, changed) {
    this.x = 0;
    this.y = space.functions.length > 1 ? 1 : null;
    this.levels = this.mostMeasured();
    this.changed = changed;
    this.axes = make("div", { class: "axes" });
    this.sliders = make("div", { class: "sliders" });
    host.append(this.axes, this.sliders);
    host.addEventListener("submit", (event) => event.preventDefault());
    this.draw();
  }

  // Return the levels of the other functions with most measured configurations.
  mostMeasured() {
    const counts = new Map();
    let best = Array(space.functions.length).fill(FIRST_LEVEL), most = 0;
    for (const index of configs) {
      const levels = space.levels(index).map((level, i) => (i === this.x || i === this.y ? 0 : level));
      const n = (counts.get(levels.join()) ?? 0) + 1;
      counts.set(levels.join(), n);
      if (n > most) [best, most] = [levels, n];
    }
    return best;
  }

  // Draw the part of the map that has a configuration in it.
  show(levels) {
    this.levels = [...levels];
    this.draw();
    this.changed();
  }

  draw() {
    const axes = space.functions.length > 1 ? [["x", "Across"], ["y", "Upwards"]] : [];
    this.axes.replaceChildren(...axes.map(([axis, name]) => this.axis(axis, name)));
    const others = space.functions.map((_, i) => i).filter((i) => i !== this.x && i !== this.y);
    this.sliders.replaceChildren(...others.map((i) => this.slider(i)));
  }

  axis(axis, name) {
    const options = space.functions.map((text, i) => make("option", { value: i, selected: i === this[axis] }, text));
    const onchange = () => this.choose(axis, Number(select.value));
    const select = make("select", { id: `axis-${axis}`, onchange }, ...options);
    return make("label", {}, `${name} `, select);
  }

  choose(axis, i) {
    const other = axis === "x" ? "y" : "x";
    if (this[other] === i) this[other] = this[axis];
    this[axis] = i;
    this.draw();
    document.getElementById(`axis-${axis}`).focus();
    this.changed();
  }

  slider(i) {
    const id = `level-${i}`, limits = { min: FIRST_LEVEL, max: space.rates[i].length };
    const output = make("output", { for: id });
    const oninput = () => this.move(i, input, output);
    const input = make("input", { type: "range", id, ...limits, value: this.levels[i], oninput });
    this.showLevel(i, input, output);
    return make("div", { class: "slider" }, make("label", { for: id }, isolated(space.functions[i])), input, output);
  }

  move(i, input, output) {
    this.levels[i] = Number(input.value);
    this.showLevel(i, input, output);
    this.changed();
  }

  showLevel(i, input, output) {
    output.textContent = levelText(i, this.levels[i]);
    input.setAttribute("aria-valuetext", output.textContent);
  }
}
