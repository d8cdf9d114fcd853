// The map explorer: a cell for each pair of rates of two functions, at fixed rates of the others.

const MAX_LEVELS_DRAWN = 150;
const MIN_MARKED_PX = 9;
const MIN_NUMBERED_PX = 26;
const MAX_CELL_WIDTH_PX = 160;
const MAX_CELL_HEIGHT_PX = 64;
const MAX_HEIGHT_PX = 600;
const LETTER_PX = 7;

class MapExplorer {
  // `jump` is called with the configuration whose runs are to be shown.
  constructor(jump) {
    this.plot = document.getElementById("plot");
    this.panel = document.getElementById("cell");
    this.table = document.getElementById("map-table");
    this.tooltip = document.getElementById("tooltip");
    this.jump = jump;
    this.cursor = [0, 0];  // column, row
    this.isPointed = false;  // the panel has its placeholder until somebody points at a cell
    this.controls = new Controls(document.getElementById("controls"), () => this.changed());
    this.selectCells();
    this.cursor = this.firstCell();
    drawLegend();
    this.redraw = keepDrawn(document.getElementById("explorer"), (width) => this.draw(width));
    dark.addEventListener("change", drawLegend);
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.table.addEventListener("toggle", () => this.drawTable());
    this.redraw();
    this.slices = new Slices(this);
  }

  changed() {
    this.selectCells();
    this.redraw();
    this.drawTable();
    this.slices.draw();
    this.updatePanel();
  }

  // Compute the part of the map that the controls select.
  selectCells() {
    const { x, y } = this.controls;
    this.xLevels = this.drawnLevels(x);
    this.yLevels = y === null ? [0] : this.drawnLevels(y);
    this.grid = this.gridAt(this.controls.levels);
    const [x0, y0] = this.cursor;
    this.cursor = [Math.min(x0, this.xLevels.length - 1), Math.min(y0, this.yLevels.length - 1)];
  }

  firstCell() {
    for (const [y, row] of this.grid.entries()) {
      const x = row.findIndex(isOfMap);
      if (x >= 0) return [x, y];
    }
    return [0, 0];
  }

  // Return the levels of a function that are drawn: all, or some of many, with the level of the controls among them.
  drawnLevels(i) {
    const n = space.rates[i].length, step = Math.ceil(n / MAX_LEVELS_DRAWN), own = this.controls.levels[i];
    const isDrawn = (level) => level >= FIRST_LEVEL && (!level || level === own || (n - level) % step === 0);
    return Array.from({ length: n + 1 }, (_, level) => level).filter(isDrawn);
  }

  // Return the configurations of the drawn rates, row by row, at given levels of the other functions.
  gridAt(levels) {
    return this.yLevels.map((yLevel) => this.xLevels.map((xLevel) => space.index(this.levels(xLevel, yLevel, levels))));
  }

  levels(xLevel, yLevel, levels = this.controls.levels) {
    const { x, y } = this.controls;
    return levels.map((level, i) => (i === x ? xLevel : i === y ? yLevel : level));
  }

  // Draw the part of the map that a configuration is in, and put the cursor on it.
  show(index) {
    const levels = space.levels(index), { x, y } = this.controls;
    this.controls.show(levels);
    this.moveTo(this.xLevels.indexOf(levels[x]), y === null ? 0 : this.yLevels.indexOf(levels[y]));
    this.plot.focus();
  }

  draw(width) {
    const { x, y } = this.controls, nx = this.xLevels.length, ny = this.yLevels.length;
    const wide = (i, levels) => 10 + 8 * Math.max(...levels.map((level) => this.tick(i, level).length));
    const left = y === null ? 12 : 32 + wide(y, this.yLevels);
    const cellPx = Math.min(MAX_CELL_WIDTH_PX, (width - left - 12) / nx);
    const rowPx = Math.min(MAX_CELL_HEIGHT_PX, Math.max(cellPx, 24), MAX_HEIGHT_PX / ny);
    const margin = { l: left, r: 12, t: 8, b: 56 };
    const layout = plotLayout({
      width: cellPx * nx + margin.l + margin.r, height: rowPx * ny + margin.t + margin.b, margin,
      hovermode: "closest", shapes: this.cursorShapes(),
      xaxis: this.plotAxis(x, this.xLevels, wide(x, this.xLevels), cellPx),
      yaxis: y === null ? { visible: false, range: [-0.5, 0.5] } : this.plotAxis(y, this.yLevels, 18, rowPx),
    });
    const smallest = Math.min(cellPx, rowPx);
    Plotly.react(this.plot, [this.heat(smallest), ...this.marks(smallest), ...this.frontiers()], layout, PLOT_OPTIONS);
    if (!this.isListening) this.listen();
    this.updateNote();
  }

  listen() {
    this.isListening = true;
    this.plot.on("plotly_hover", ({ event, points: [point] }) => {
      this.moveTo(point.x, point.y);
      this.pointAt(event.clientX, event.clientY);
    });
    this.plot.on("plotly_unhover", () => (this.tooltip.hidden = true));
    this.plot.on("plotly_click", ({ points: [point] }) => {
      this.moveTo(point.x, point.y);
      // A touch screen has no hover: a tap shows the numbers, with a button for the runs.
      if (matchMedia("(hover: hover)").matches) this.enter();
    });
  }

  heat(cellPx) {
    const shades = Array.from({ length: N_SHADES }, (_, i) => shade((i + 0.5) / N_SHADES));
    const colours = [...KINDS.map((kind) => palette().fill[kind]), ...shades];
    const gap = cellPx >= MIN_MARKED_PX ? 1 : 0;
    return {
      type: "heatmap", z: this.grid.map((row) => row.map(colourNumber)), zmin: -0.5, zmax: colours.length - 0.5,
      colorscale: colours.flatMap((colour, i) => [[i / colours.length, colour], [(i + 1) / colours.length, colour]]),
      showscale: false, xgap: gap, ygap: gap, hoverongaps: false, hoverinfo: "none",
    };
  }

  marks(cellPx) {
    const marked = { x: [], y: [], symbol: [], color: [], unsure: [] }, numbered = { x: [], y: [], text: [] };
    this.grid.forEach((row, y) => row.forEach((index, x) => {
      if (SYMBOLS[cells[index]]) {
        marked.x.push(x);
        marked.y.push(y);
        marked.symbol.push(SYMBOLS[cells[index]]);
        marked.color.push(palette().mark[cells[index]]);
        marked.unsure.push(isUnsure(index));
      } else if (isPredicted(index)) {
        numbered.x.push(x);
        numbered.y.push(y);
        numbered.text.push(String(predicted[index]));
      }
    }));
    const { x, y, symbol, color, unsure } = marked, common = { type: "scatter", hoverinfo: "skip" };
    const visible = cellPx >= MIN_MARKED_PX, size = Math.min(12, cellPx * 0.5);
    const marker = { symbol, color, size, line: { color, width: 1.5 } };
    const ringed = (values) => values.filter((_, at) => unsure[at]);
    const ring = { symbol: "circle-open", color: ringed(color), size: 1.8 * size, line: { width: 1.5 } };
    return [
      { ...common, mode: "markers", visible, x, y, marker },
      { ...common, mode: "markers", visible, x: ringed(x), y: ringed(y), marker: ring },
      { ...common, mode: "text", visible: cellPx >= MIN_NUMBERED_PX, ...numbered, textfont: { size: 11 } },
    ];
  }

  // The lines between OK and overloaded: what is proved, and what is predicted.
  frontiers() {
    return [false, true].map((likely) => {
      const edges = frontierEdges(this.grid, likely);
      return {
        type: "scatter", mode: "lines", hoverinfo: "skip", line: { color: palette().ink, width: 3, dash: likely ? "dot" : "solid" },
        x: edges.flatMap(([x0, , x1]) => [x0, x1, null]), y: edges.flatMap(([, y0, , y1]) => [y0, y1, null]),
      };
    });
  }

  tick = (i, level) => (level ? String(space.rates[i][level - 1]) : "none");

  // An axis with as many labels, and as much of its name, as fit.
  plotAxis(i, levels, labelPx, cellPx) {
    const shown = levels.map((_, at) => at).filter((at) => at % Math.ceil(labelPx / cellPx) === 0);
    const name = shortened(space.functions[i], Math.floor((levels.length * cellPx) / LETTER_PX) - " (rps)".length);
    return {
      title: { text: escaped(`${isolated(name)} (rps)`), standoff: 8 },
      range: [-0.5, levels.length - 0.5], showgrid: false,
      tickvals: shown, ticktext: shown.map((at) => this.tick(i, levels[at])), tickangle: 0,
    };
  }

  // The cell that the panel is about: a frame with a halo, which stands out from the frontier.
  cursorShapes() {
    if (!this.isPointed) return [];
    const [x, y] = this.cursor, { cursor, halo } = palette();
    const frame = (line) => ({ type: "rect", x0: x - 0.5, x1: x + 0.5, y0: y - 0.5, y1: y + 0.5, line });
    return [frame({ color: halo, width: 7 }), frame({ color: cursor, width: 3 })];
  }

  get chosen() {
    return this.grid[this.cursor[1]][this.cursor[0]];
  }

  moveTo(x, y) {
    if (this.isPointed && x === this.cursor[0] && y === this.cursor[1]) return;
    this.isPointed = true;
    this.cursor = [x, y];
    Plotly.relayout(this.plot, { shapes: this.cursorShapes() });
    this.updatePanel();
  }

  key(event) {
    const [x, y] = this.cursor, lastX = this.xLevels.length - 1, lastY = this.yLevels.length - 1;
    const to = {
      ArrowLeft: [Math.max(0, x - 1), y], ArrowRight: [Math.min(lastX, x + 1), y],
      ArrowDown: [x, Math.max(0, y - 1)], ArrowUp: [x, Math.min(lastY, y + 1)],
      Home: [0, y], End: [lastX, y],
    }[event.key];
    const isOfBrowser = event.altKey || event.ctrlKey || event.metaKey;
    if (isOfBrowser || (event.key !== "Enter" && !to)) return;
    event.preventDefault();
    if (to) this.moveTo(...to);
    else this.enter();
  }

  enter() {
    const index = this.chosen;
    if (!isOfMap(index)) return;
    const shown = rowOf[index] < 0 && evidence[index] ? proof[evidence[index] - 1] : index;
    if (isListed(shown)) this.jump(shown);
  }

  // Show a tooltip at the pointer, unless the panel with the same numbers stands beside the map. Plotly's own labels are
  // cut off at the edge of a plot.
  pointAt(x, y) {
    if (hasPanelBeside(document.getElementById("explorer"))) return;
    this.tooltip.textContent = tooltipText(this.chosen);
    this.tooltip.hidden = false;
    const { offsetWidth, offsetHeight } = this.tooltip, right = document.documentElement.clientWidth - offsetWidth - 4;
    this.tooltip.style.left = `${Math.max(4, Math.min(x + 16, right))}px`;
    this.tooltip.style.top = `${y + 16 + offsetHeight < innerHeight ? y + 16 : y - 16 - offsetHeight}px`;
  }

  // Show everything about the cell under the cursor in the panel.
  updatePanel() {
    if (!this.isPointed) return;
    const index = this.chosen;
    if (isOfMap(index)) return this.panel.replaceChildren(...panelElements(index, () => this.enter()));
    const levels = this.levels(this.xLevels[this.cursor[0]], this.yLevels[this.cursor[1]]);
    const name = make("h3", {}, space.loads(levels) || "no load");
    return this.panel.replaceChildren(name, make("p", {}, "not part of this map"));
  }

  // Show the rates of the other functions, and which rates are not drawn.
  updateNote() {
    const { x, y } = this.controls;
    const isThinned = (i) => i !== null && space.rates[i].length > MAX_LEVELS_DRAWN;
    const thinned = [x, y].filter(isThinned).map((i) => {
      const n = space.rates[i].length;
      const step = Math.ceil(n / MAX_LEVELS_DRAWN);
      return `Of the ${count(n)} rates of ${isolated(space.functions[i])} every ${step}th is drawn.`;
    });
    const sentences = this.others().length ? [`At ${this.others().join(", ")}.`, ...thinned] : thinned;
    if (thinned.length) sentences.push("Some measured configurations are not drawn: the list below has them all.");
    document.getElementById("drawn").textContent = sentences.join(" ");
  }

  // Draw the map at given levels of the other functions.
  showLoad(levels) {
    const { x, y } = this.controls, own = this.controls.levels;
    this.controls.show(levels.map((level, i) => (i === x || i === y ? own[i] : level)));
  }

  isShown(levels) {
    const { x, y } = this.controls, own = this.controls.levels;
    return levels.every((level, i) => i === x || i === y || level === own[i]);
  }

  others(levels = this.controls.levels) {
    const { x, y } = this.controls;
    return space.functions.flatMap((name, i) => (i === x || i === y ? [] : [`${isolated(name)} ${levelText(i, levels[i])}`]));
  }

  drawTable() {
    const host = this.table.querySelector("div");
    if (!this.table.open) return host.replaceChildren();
    const { x, y } = this.controls, scope = (of) => ({ scope: of });
    const corner = y === null ? "" : `${isolated(space.functions[y])} down, ${isolated(space.functions[x])} across (rps)`;
    const names = this.yLevels.map((level) => (y === null ? isolated(space.functions[x]) : this.tick(y, level)));
    const headings = this.xLevels.map((level) => make("th", scope("col"), this.tick(x, level)));
    const rows = this.grid.map((row, at) =>
      make("tr", {}, make("th", scope("row"), names[at]), ...row.map((index) => make("td", {}, tableText(index)))));
    const head = make("thead", {}, make("tr", {}, make("td", {}, corner), ...headings));
    const table = make("table", { class: "cells" }, head, make("tbody", {}, ...rows.reverse()));
    const how = "In brackets: inferred; in percent: predicted probability of overload.";
    return host.replaceChildren(make("p", { class: "how" }, how), scrolling("The map as a table", table));
  }
}
