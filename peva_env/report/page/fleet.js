// The nodes of a fleet side by side: a small map of each.

const FEW = 6;  // so few nodes have larger maps
const PLOT_PX = 130;
const PLOT_OF_FEW_PX = 250;
const MAX_CELL_PX = 20;
const MAX_CELL_OF_FEW_PX = 32;
const MIN_LETTERED_PX = 8;
const DIGIT_PX = 7;
const LINE_PX = 14;
const TOP_PX = 2;
const FRONTIER_PX = 2;

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
  if (shape.startsWith("line")) return `M${x - r} ${y}h${2 * r}`;
  return shape ? `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}z` : "";
}

const isPredictedCell = ({ kind, percent }) => kind === UNKNOWN && percent !== NOT_PREDICTED;
const fillOf = (cell) => (isPredictedCell(cell) ? shade(cell.percent / 100) : palette().fill[cell.kind]);
const sideOfCell = ({ kind }) => SIDES[kind] ?? 0;
const likelySideOfCell = (cell) => (isPredictedCell(cell) ? likelySide(cell.percent) : sideOfCell(cell));

// The cells of a node's small map, row by row, from the lowest rate up: {kind, percent}.
const gridOf = ({ cells, predicted }) => cells.map((row, y) => row.map((kind, x) => ({ kind, percent: predicted[y][x] })));

// A path for each fill and for each mark; `corner` gives the upper left corner of a cell.
function drawCells(grid, cellPx, corner) {
  const side = cellPx > 3 ? cellPx - 1 : cellPx, r = Math.min(6, Math.max(2, cellPx * 0.22)), squares = new Map(), marks = new Map();
  const add = (paths, key, path) => paths.set(key, (paths.get(key) ?? "") + path);
  grid.forEach((row, up) => row.forEach((cell, at) => {
    if (cell.kind === ABSENT) return;
    const [x, y] = corner(at, up);
    add(squares, fillOf(cell), `M${x} ${y}h${side}v${side}h${-side}z`);
    if (SYMBOLS[cell.kind]) add(marks, cell.kind, markPath(cell.kind, x + side / 2, y + side / 2, r));
  }));
  const { mark } = palette(), drawn = Array.from(squares, ([fill, d]) => svg("path", { d, fill }));
  if (cellPx < MIN_LETTERED_PX) return drawn;
  return [...drawn, ...Array.from(marks, ([kind, d]) => {
    const isFilled = ["circle", "diamond-tall"].includes(SYMBOLS[kind]), isBold = kind === OVERLOADED_MEASURED;
    return svg("path", { d, fill: isFilled ? mark[kind] : "none", stroke: mark[kind], "stroke-width": isBold ? 2.2 : 1.1 });
  })];
}

// The lines between OK and overloaded: what is proved, and what is predicted; `corner` as in drawCells.
function drawFrontiers(grid, corner) {
  return [null, likelySideOfCell].map((likely) => {
    const point = (x, y) => corner(x + 0.5, y - 0.5).map((one) => one - 0.5).join(" ");  // in the gap between cells
    const edges = edgesBetween(grid, sideOfCell, likely).map(([x0, y0, x1, y1]) => `M${point(x0, y0)}L${point(x1, y1)}`);
    const style = { stroke: palette().ink, "stroke-width": FRONTIER_PX, "stroke-linecap": likely ? "butt" : "square" };
    return svg("path", { d: edges.join(""), fill: "none", ...style, ...(likely && { "stroke-dasharray": FRONTIER_PX }) });
  });
}

// The labels of an axis, as many as fit; the last one is always there, and so is "none".
function ticks(levels, labelPx, cellPx, place) {
  const step = Math.ceil(labelPx / cellPx), last = levels.length - 1, hasNone = levels[0] === "none";
  const isShown = (at) => (hasNone && at < step ? at === 0 : (last - at) % step === 0);
  return levels.flatMap((level, at) => (isShown(at) ? [place(level, at)] : []));
}

function drawSmall(host, part) {
  const { x, y } = part, grid = gridOf(part), nx = x.levels.length, ny = grid.length;
  const [plotPx, maxPx] = fleet.length > FEW ? [PLOT_PX, MAX_CELL_PX] : [PLOT_OF_FEW_PX, MAX_CELL_OF_FEW_PX];
  const cellPx = Math.min(maxPx, plotPx / Math.max(nx, ny));
  const widest = (levels) => DIGIT_PX * Math.max(...levels.map((level) => level.length)) + 6;
  const left = y ? widest(y.levels) : 2, height = TOP_PX + ny * cellPx;
  const corner = (at, up) => [left + at * cellPx, height - (up + 1) * cellPx];
  const text = (attributes, label) => svg("text", { "font-size": 11, fill: "currentColor", ...attributes }, label);
  const across = ticks(x.levels, widest(x.levels), cellPx, (level, at) =>
    text({ x: left + (at + 0.5) * cellPx, y: height + LINE_PX, "text-anchor": "middle" }, level));
  const upwards = y ? ticks(y.levels, LINE_PX, cellPx, (level, at) =>
    text({ x: left - 4, y: height - (at + 0.5) * cellPx + 4, "text-anchor": "end" }, level)) : [];
  const width = left + nx * cellPx + widest(x.levels) / 2, whole = height + LINE_PX + 4;
  const drawn = [...drawCells(grid, cellPx, corner), ...drawFrontiers(grid, corner), ...across, ...upwards];
  const size = { width, height: whole, viewBox: `0 0 ${width} ${whole}` };
  host.replaceChildren(svg("svg", { ...size, role: "img", "aria-label": cellCounts(grid) }, ...drawn));
}

// The numbers of cells in each state, in words.
function cellCounts(grid) {
  const own = grid.flat(), n = (kind) => own.filter((one) => one.kind === kind && !isPredictedCell(one)).length;
  const counted = [...KINDS.map((kind) => [CELL_TEXTS[kind], n(kind)]), ["predicted", own.filter(isPredictedCell).length]];
  return counted.flatMap(([name, number]) => (number ? [`${name}: ${number}`] : [])).join(", ");
}

function drawFleet() {
  const all = fleet.flatMap((part) => gridOf(part).flat()), hasPredicted = all.some(isPredictedCell);
  const there = new Set(all.filter((cell) => !isPredictedCell(cell)).map(({ kind }) => kind));
  const kinds = KINDS.filter((kind) => there.has(kind)), entries = kinds.map((kind) => stateEntry(kind, CELL_TEXTS[kind]));
  const shades = `linear-gradient(to right, ${[0, 0.5, 1].map(shade).join()})`;
  if (hasPredicted) entries.push(legendEntry(shades, palette().ink, "", "predicted, from likely OK to likely overloaded"));
  document.getElementById("fleet-legend").replaceChildren(...entries, ...frontierEntries(kinds, hasPredicted));
  document.querySelector(".small-maps").classList.toggle("few", fleet.length <= FEW);
  document.querySelectorAll(".small-map").forEach((host, at) => drawSmall(host, fleet[at]));
}

drawFleet();
document.querySelectorAll(".scroll").forEach(hinted);
for (const query of [dark, print]) query.addEventListener("change", drawFleet);
