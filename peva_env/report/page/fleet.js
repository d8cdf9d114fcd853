// The nodes of a fleet side by side: a small map of each.

const PLOT_PX = 130;
const MAX_SMALL_PX = 20;
const MIN_LETTERED_PX = 8;
const DIGIT_PX = 7;
const LINE_PX = 14;

const fleet = JSON.parse(document.getElementById("fleet-data").textContent);

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, one] of Object.entries(attributes)) element.setAttribute(name, one);
  element.append(...children);
  return element;
}

// The outline of the mark of a state around the middle of a cell, as a path.
function markPath(kind, x, y, r) {
  const shape = SYMBOLS[kind] ?? "";
  if (shape.startsWith("circle")) return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  if (shape.startsWith("x")) return `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`;
  return shape ? `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}z` : "";
}

// The paths of all cells of a state, and of their marks.
function drawKind(kind, places, cellPx) {
  const { fill, mark } = palette(), side = cellPx > 3 ? cellPx - 1 : cellPx, r = Math.max(2, cellPx * 0.22);
  const squares = places.map(([x, y]) => `M${x} ${y}h${side}v${side}h${-side}z`).join("");
  const parts = [svg("path", { d: squares, fill: fill[kind] })];
  if (cellPx >= MIN_LETTERED_PX && SYMBOLS[kind]) {
    const marks = places.map(([x, y]) => markPath(kind, x + side / 2, y + side / 2, r)).join("");
    const isFilled = ["circle", "diamond-tall"].includes(SYMBOLS[kind]), isBold = kind === OVERLOADED_MEASURED;
    parts.push(svg("path", {
      d: marks, fill: isFilled ? mark[kind] : "none", stroke: mark[kind], "stroke-width": isBold ? 2.2 : 1.1,
    }));
  }
  return parts;
}

// The labels of an axis, as many as fit; the last one is always there.
function ticks(levels, labelPx, cellPx, place) {
  const step = Math.ceil(labelPx / cellPx), last = levels.length - 1;
  return levels.flatMap((level, at) => ((last - at) % step === 0 ? [place(level, at)] : []));
}

function drawSmall(host, { x, y, cells }) {
  const nx = x.levels.length, ny = cells.length, cellPx = Math.min(MAX_SMALL_PX, PLOT_PX / Math.max(nx, ny));
  const widest = (levels) => DIGIT_PX * Math.max(...levels.map((level) => level.length)) + 6;
  const left = y ? widest(y.levels) : 2, height = ny * cellPx, places = new Map();
  cells.forEach((row, up) => row.forEach((kind, at) => {
    if (kind === ABSENT) return;
    if (!places.has(kind)) places.set(kind, []);
    places.get(kind).push([left + at * cellPx, height - (up + 1) * cellPx]);
  }));
  const text = (attributes, label) => svg("text", { "font-size": 11, fill: "currentColor", ...attributes }, label);
  const across = ticks(x.levels, widest(x.levels), cellPx, (level, at) =>
    text({ x: left + (at + 0.5) * cellPx, y: height + LINE_PX, "text-anchor": "middle" }, level));
  const upwards = y ? ticks(y.levels, LINE_PX, cellPx, (level, at) =>
    text({ x: left - 4, y: height - (at + 0.5) * cellPx + 4, "text-anchor": "end" }, level)) : [];
  const width = left + nx * cellPx + widest(x.levels) / 2, whole = height + LINE_PX + 4;
  const kinds = [...places].flatMap(([kind, own]) => drawKind(kind, own, cellPx));
  const size = { width, height: whole, viewBox: `0 0 ${width} ${whole}` };
  host.replaceChildren(svg("svg", { ...size, role: "img", "aria-label": cellCounts(cells) }, ...kinds, ...across, ...upwards));
}

// The numbers of cells in each state, in words.
function cellCounts(cells) {
  const counted = KINDS.map((kind) => [kind, cells.flat().filter((one) => one === kind).length]);
  return counted.flatMap(([kind, n]) => (n ? [`${CELL_TEXTS[kind]}: ${n}`] : [])).join(", ");
}

function drawFleet() {
  const { fill, mark } = palette(), there = new Set(fleet.flatMap(({ cells }) => cells.flat()));
  const entries = KINDS.filter((kind) => there.has(kind)).map((kind) =>
    legendEntry(fill[kind], mark[kind], LETTERS[SYMBOLS[kind]] ?? "", CELL_TEXTS[kind]));
  document.getElementById("fleet-legend").replaceChildren(...entries);
  document.querySelectorAll(".small-map").forEach((host, at) => drawSmall(host, fleet[at]));
}

drawFleet();
for (const query of [dark, print]) query.addEventListener("change", drawFleet);
