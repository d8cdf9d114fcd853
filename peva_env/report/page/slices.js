// Small maps of the two functions that are drawn, one for each load of the others: how the limit moves at a glance.

const MAX_SLICES = 12;
const SLICE_WIDTH_PX = 176;
const SLICE_HEIGHT_PX = 128;
const SLICE_LINE_PX = 2;

class Slices {
  // `explorer` draws the one that is chosen.
  constructor(explorer) {
    this.explorer = explorer;
    this.section = document.getElementById("slices");
    this.host = document.getElementById("slices-maps");
    this.section.hidden = space.functions.length < 3;
    if (this.section.hidden) return;
    this.draw();
    dark.addEventListener("change", () => this.draw());
  }

  // Return the loads of the other functions that are drawn, as levels: all, or of many those with most runs.
  loads() {
    const { x, y } = this.explorer.controls, counts = new Map();
    const own = (levels) => levels.map((level, i) => (i === x || i === y ? FIRST_LEVEL : level));
    for (const index of configs) {
      const key = own(space.levels(index)).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const nLevels = space.rates.map((rates, i) => (i === x || i === y ? 1 : rates.length + 1 - FIRST_LEVEL));
    this.nLoads = nLevels.reduce((product, n) => product * n, 1);
    if (this.nLoads <= MAX_SLICES) {
      const all = nLevels.reduce((some, n) => some.flatMap((levels) =>
        Array.from({ length: n }, (_, level) => [...levels, level + FIRST_LEVEL])), [[]]);
      return all.filter((levels) => this.explorer.gridAt(levels).flat().some(isOfMap));
    }
    const most = [...counts].sort(([, one], [, other]) => other - one).slice(0, MAX_SLICES);
    const found = most.map(([key]) => key.split(",").map(Number));
    return found.sort((one, other) => {
      const i = one.findIndex((level, at) => level !== other[at]);
      return i < 0 ? 0 : one[i] - other[i];
    });
  }

  draw() {
    if (this.section.hidden) return;
    const { x, y } = this.explorer.controls, loads = this.loads();
    const [across, upwards] = [x, y].map((i) => isolated(space.functions[i]));
    const some = loads.length < this.nLoads && this.nLoads > MAX_SLICES;
    const which = some ? ` Of ${count(this.nLoads)} loads of the others these ${loads.length} have the most measured configurations.` : "";
    const said = `${across} across, ${upwards} upwards, as in the map above; choose one to see it there.${which}`;
    document.getElementById("slices-text").textContent = said;
    this.host.replaceChildren(...loads.map((levels) => this.slice(levels)));
  }

  slice(levels) {
    const canvas = make("canvas", { "aria-hidden": "true" }), grid = this.explorer.gridAt(levels);
    drawSlice(canvas, grid);
    const isShown = this.explorer.isShown(levels), name = this.explorer.others(levels).join(", ");
    const onclick = () => {
      this.explorer.showLoad(levels);
      this.host.querySelector("[aria-pressed=true]")?.focus();
    };
    const label = make("span", {}, name), attributes = { class: "slice", "aria-pressed": String(isShown) };
    return make("button", { type: "button", onclick, ...attributes }, canvas, label, make("span", {}, sliceText(grid)));
  }
}

function sliceText(grid) {
  const sides = grid.flat().filter(isOfMap).map((index) => sideOf(index));
  const n = (side) => sides.filter((one) => one === side).length;
  return `${n(-1)} OK, ${n(1)} overloaded${n(0) ? `, ${n(0)} not known` : ""}`;
}

// Draw a grid of configurations: the colours of the map, and the frontier.
function drawSlice(canvas, grid) {
  const scale = 2, { fill, ink } = palette(), context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [scale * SLICE_WIDTH_PX, scale * SLICE_HEIGHT_PX];
  const width = canvas.width / grid[0].length, height = canvas.height / grid.length;
  const at = (x, y) => [(x + 0.5) * width, canvas.height - (y + 0.5) * height];
  grid.forEach((row, y) => row.forEach((index, x) => {
    if (!isOfMap(index)) return;
    context.fillStyle = isPredicted(index) ? shade(predicted[index] / 100) : fill[cells[index]];
    context.fillRect(x * width, canvas.height - (y + 1) * height, width, height);
  }));
  for (const likely of [false, true]) {
    context.beginPath();
    for (const [x0, y0, x1, y1] of frontierEdges(grid, likely)) {
      context.moveTo(...at(x0, y0));
      context.lineTo(...at(x1, y1));
    }
    Object.assign(context, { strokeStyle: ink, lineWidth: scale * SLICE_LINE_PX, lineCap: "square" });
    context.setLineDash(likely ? [scale, 3 * scale] : []);
    context.stroke();
  }
}
