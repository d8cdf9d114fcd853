// The map explorer: a cell for each configuration of two functions' rates, at given rates of the others.

const MAX_LEVELS_DRAWN = 150;
const MIN_MARKED_PX = 9;
const MIN_NUMBERED_PX = 26;
const MAX_CELL_PX = 64;
const MAX_HEIGHT_PX = 560;
const MAX_NAMED = 5;

class MapExplorer {
  // `jump` is called with the configuration whose runs are to be shown.
  constructor(jump) {
    this.plot = document.getElementById("plot");
    this.panel = document.getElementById("cell");
    this.table = document.getElementById("map-table");
    this.tooltip = document.getElementById("tooltip");
    this.jump = jump;
    this.cursor = [0, 0];  // column, row
    this.controls = new Controls(document.getElementById("controls"), () => this.changed());
    this.look();
    this.cursor = this.firstCell();
    this.legend();
    this.redraw = keepDrawn(document.getElementById("explorer"), (width) => this.draw(width));
    dark.addEventListener("change", () => this.legend());
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.table.addEventListener("toggle", () => this.drawTable());
    this.redraw();
    this.tell();
  }

  changed() {
    this.look();
    this.redraw();
    this.drawTable();
    this.tell();
  }

  // Take the part of the map that the controls say.
  look() {
    const { x, y } = this.controls;
    this.xLevels = this.drawnLevels(x);
    this.yLevels = y === null ? [0] : this.drawnLevels(y);
    this.grid = this.yLevels.map((yLevel) => this.xLevels.map((xLevel) => space.index(this.levels(xLevel, yLevel))));
    this.cursor = [Math.min(this.cursor[0], this.xLevels.length - 1), Math.min(this.cursor[1], this.yLevels.length - 1)];
  }

  firstCell() {
    for (const [y, row] of this.grid.entries()) {
      const x = row.findIndex((index) => index >= 0 && cells[index] !== ABSENT);
      if (x >= 0) return [x, y];
    }
    return [0, 0];
  }

  drawnLevels(i) {
    const n = space.rates[i].length, step = Math.ceil(n / MAX_LEVELS_DRAWN);
    const levels = [];
    for (let level = n; level > 0; level -= step) levels.unshift(level);
    return FIRST_LEVEL ? levels : [0, ...levels];
  }

  levels(xLevel, yLevel) {
    const { x, y, levels } = this.controls;
    return levels.map((level, i) => (i === x ? xLevel : i === y ? yLevel : level));
  }

  // Put the cursor on a configuration, and draw the part of the map that it is in.
  show(index) {
    const levels = space.levels(index), { x, y } = this.controls;
    const nearest = (drawn, level) => drawn.reduce((best, one, at) => (Math.abs(one - level) < Math.abs(drawn[best] - level) ? at : best), 0);
    this.cursor = [nearest(this.xLevels, levels[x]), y === null ? 0 : nearest(this.yLevels, levels[y])];
    this.controls.show(levels);
    this.plot.focus();
  }

  draw(width) {
    const { x, y } = this.controls, nx = this.xLevels.length, ny = this.yLevels.length;
    const wide = (i, levels) => 10 + 8 * Math.max(...levels.map((level) => this.tick(i, level).length));
    const left = y === null ? 12 : 32 + wide(y, this.yLevels);
    const cellPx = Math.min(MAX_CELL_PX, (width - left - 12) / nx);
    const rowPx = Math.min(MAX_CELL_PX, Math.max(cellPx, 24), MAX_HEIGHT_PX / ny);
    const margin = { l: left, r: 12, t: 8, b: 56 };
    const layout = plotLayout({
      width: cellPx * nx + margin.l + margin.r, height: rowPx * ny + margin.t + margin.b, margin,
      hovermode: "closest", shapes: [this.cursorShape()],
      xaxis: this.plotAxis(x, this.xLevels, wide(x, this.xLevels) / cellPx),
      yaxis: y === null ? { visible: false, range: [-0.5, 0.5] } : this.plotAxis(y, this.yLevels, 18 / rowPx),
    });
    const smallest = Math.min(cellPx, rowPx);
    Plotly.react(this.plot, [this.heat(smallest), ...this.marks(smallest)], layout, PLOT_OPTIONS);
    if (!this.isListening) this.listen();
    this.say();
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
      // A finger cannot point without a click: it gets the numbers, and the button beside them.
      if (matchMedia("(hover: hover)").matches) this.enter();
    });
  }

  heat(cellPx) {
    const flat = [UNKNOWN, CONTRADICTED, OK_MEASURED, OK_INFERRED, OVERLOADED_MEASURED, OVERLOADED_INFERRED].map((one) => palette().fill[one]);
    const shades = Array.from({ length: N_PREDICTED_SHADES }, (_, i) => shade((i + 0.5) / N_PREDICTED_SHADES));
    const colours = [...flat, ...shades];
    const z = this.grid.map((row) => row.map((index) => {
      if (index < 0 || cells[index] === ABSENT) return null;
      return isPredicted(index) ? flat.length + Math.min(N_PREDICTED_SHADES - 1, Math.floor(predicted[index] / N_PREDICTED_SHADES)) : cells[index] - UNKNOWN;
    }));
    const gap = cellPx >= MIN_MARKED_PX ? 1 : 0;
    return {
      type: "heatmap", z, zmin: -0.5, zmax: colours.length - 0.5, showscale: false, xgap: gap, ygap: gap, hoverongaps: false,
      colorscale: colours.flatMap((colour, i) => [[i / colours.length, colour], [(i + 1) / colours.length, colour]]),
      hoverinfo: "none",
    };
  }

  marks(cellPx) {
    const marked = { x: [], y: [], symbol: [], color: [] }, numbered = { x: [], y: [], text: [] };
    this.grid.forEach((row, y) => row.forEach((index, x) => {
      if (index < 0) return;
      if (SYMBOLS[cells[index]]) {
        marked.x.push(x);
        marked.y.push(y);
        marked.symbol.push(SYMBOLS[cells[index]]);
        marked.color.push(palette().mark[cells[index]]);
      } else if (isPredicted(index)) {
        numbered.x.push(x);
        numbered.y.push(y);
        numbered.text.push(String(predicted[index]));
      }
    }));
    const { symbol, color } = marked, common = { type: "scatter", hoverinfo: "skip" };
    const size = Math.min(12, cellPx * 0.5);
    return [
      { ...common, mode: "markers", visible: cellPx >= MIN_MARKED_PX, x: marked.x, y: marked.y, marker: { symbol, color, size, line: { color, width: 1.5 } } },
      { ...common, mode: "text", visible: cellPx >= MIN_NUMBERED_PX, ...numbered, textfont: { size: 11 } },
    ];
  }

  tick = (i, level) => (level ? String(space.rates[i][level - 1]) : "none");

  // An axis with as many labels as fit: `needed` is the room of a label as a share of that of a cell.
  plotAxis(i, levels, needed) {
    const shown = levels.map((_, at) => at).filter((at) => at % Math.ceil(needed) === 0);
    return {
      title: { text: escaped(`${space.functions[i]} (rps)`), standoff: 8 }, range: [-0.5, levels.length - 0.5], showgrid: false,
      tickvals: shown, ticktext: shown.map((at) => this.tick(i, levels[at])), tickangle: 0,
    };
  }

  cursorShape() {
    const [x, y] = this.cursor;
    return { type: "rect", x0: x - 0.5, x1: x + 0.5, y0: y - 0.5, y1: y + 0.5, line: { color: palette().cursor, width: 3 } };
  }

  get chosen() {
    return this.grid[this.cursor[1]][this.cursor[0]];
  }

  moveTo(x, y) {
    if (x === this.cursor[0] && y === this.cursor[1]) return;
    this.cursor = [x, y];
    Plotly.relayout(this.plot, { shapes: [this.cursorShape()] });
    this.tell();
  }

  key(event) {
    const [x, y] = this.cursor, lastX = this.xLevels.length - 1, lastY = this.yLevels.length - 1;
    const to = {
      ArrowLeft: [Math.max(0, x - 1), y], ArrowRight: [Math.min(lastX, x + 1), y],
      ArrowDown: [x, Math.max(0, y - 1)], ArrowUp: [x, Math.min(lastY, y + 1)],
      Home: [0, y], End: [lastX, y],
    }[event.key];
    if (event.key !== "Enter" && !to) return;
    event.preventDefault();
    if (to) this.moveTo(...to);
    else this.enter();
  }

  enter() {
    const index = this.chosen;
    if (index < 0 || cells[index] === ABSENT) return;
    const shown = rowOf[index] < 0 && evidence[index] ? proof[evidence[index] - 1] : index;
    this.jump(shown);
  }

  // --- what is said of a cell

  status(index) {
    return index < 0 || cells[index] === ABSENT ? "not part of this map" : statusText(index);
  }

  // Say why a configuration is what it is, where its own runs do not say so.
  why(index) {
    if (evidence[index]) return `It follows from ${space.text(proof[evidence[index] - 1])}.`;
    const against = data.disputes.flatMap(([low, high, state]) => (state === "settled" ? [] : low === index ? [high] : high === index ? [low] : []));
    if (against.length) return `Contradicted by ${against.slice(0, MAX_NAMED).map((one) => space.text(one)).join(", ")}${against.length > MAX_NAMED ? ", ..." : ""}.`;
    return cells[index] === CONTRADICTED ? "It lies between configurations that contradict each other." : "";
  }

  // Show the numbers of the cell under the pointer beside it. Plotly's own labels end at the edge of a plot.
  pointAt(x, y) {
    const index = this.chosen, one = summaryOfConfig(index), lines = [space.text(index), this.status(index)];
    if (one) {
      lines.push(`${one.nAgreeing} of ${one.nValid} runs agree`, `success ${fixed(one.success, 3)}, p95 ${fixed(one.p95Ms, 0, " ms")}`);
      lines.push(`CPU ${fixed(one.cpuPct, 0, " %")}, RAM ${fixed(one.ramPct, 0, " %")}, margin ${signed(one.margin, 2)}`);
    }
    this.tooltip.textContent = lines.join("\n");
    this.tooltip.hidden = false;
    const { offsetWidth, offsetHeight } = this.tooltip;
    this.tooltip.style.left = `${Math.max(4, Math.min(x + 16, document.documentElement.clientWidth - offsetWidth - 4))}px`;
    this.tooltip.style.top = `${y + 16 + offsetHeight < innerHeight ? y + 16 : y - 16 - offsetHeight}px`;
  }

  // Tell of the cell under the cursor, all that there is.
  tell() {
    const index = this.chosen;
    if (index < 0 || cells[index] === ABSENT) {
      const loads = this.levels(this.xLevels[this.cursor[0]], this.yLevels[this.cursor[1]])
        .map((level, i) => level && `${space.functions[i]} ${space.rates[i][level - 1]}`).filter(Boolean);
      this.panel.replaceChildren(make("h3", {}, loads.join(" + ") || "no load"), make("p", {}, this.status(index)));
      return;
    }
    const parts = [make("h3", {}, space.text(index)), make("p", { class: "verdict" }, this.status(index))];
    if (this.why(index)) parts.push(make("p", {}, this.why(index)));
    const one = summaryOfConfig(index);
    if (one) {
      parts.push(numbersOf(one));
      if (one.reasons.length) parts.push(make("ul", { class: "reasons" }, ...one.reasons.map((reason) => make("li", {}, reason))));
    }
    const label = one ? "Show its runs" : evidence[index] ? "Show the runs that it follows from" : "Show it in the list";
    parts.push(make("button", { type: "button", onclick: () => this.enter() }, label));
    this.panel.replaceChildren(...parts);
  }

  // Say at which rates of the other functions the map is drawn, and what of it is not.
  say() {
    const { x, y } = this.controls;
    const sentences = this.others().length ? [`At ${this.others().join(", ")}.`] : [];
    for (const i of [x, y]) {
      const n = i === null ? 0 : space.rates[i].length, step = Math.ceil(n / MAX_LEVELS_DRAWN);
      if (step > 1) sentences.push(`Of the ${count(n)} rates of ${space.functions[i]} one in ${step} is drawn.`);
    }
    document.getElementById("drawn").textContent = sentences.join(" ");
  }

  others() {
    const { x, y, levels } = this.controls;
    return space.functions.flatMap((name, i) => (i === x || i === y ? [] : [`${name} ${levelText(i, levels[i])}`]));
  }

  legend() {
    const counts = new Map();
    let nPredicted = 0;
    cells.forEach((code, index) => {
      if (isPredicted(index)) nPredicted++;
      else counts.set(code, (counts.get(code) ?? 0) + 1);
    });
    const entries = [OK_MEASURED, OK_INFERRED, OVERLOADED_MEASURED, OVERLOADED_INFERRED, CONTRADICTED, UNKNOWN]
      .filter((code) => counts.get(code))
      .map((code) => this.entry(palette().fill[code], palette().mark[code], SYMBOLS[code], `${CELL_TEXTS[code]}: ${count(counts.get(code))}`));
    if (nPredicted) entries.push(this.entry(shade(0.85), palette().ink, "number", `predicted, overloaded with so many %: ${count(nPredicted)}`));
    document.getElementById("legend").replaceChildren(...entries);
  }

  entry(fill, mark, symbol, text) {
    const letter = { circle: "●", "circle-open": "○", x: "✖", "x-thin-open": "×", "diamond-tall": "♦", number: "85" }[symbol] ?? "";
    const key = make("span", { class: "key", "aria-hidden": "true" }, letter);
    key.style.background = fill;
    key.style.color = mark ?? "inherit";
    return make("li", {}, key, text);
  }

  drawTable() {
    const host = this.table.querySelector("div");
    if (!this.table.open) return host.replaceChildren();
    const { x, y } = this.controls;
    const head = make("tr", {}, make("td", {}, y === null ? "" : `${space.functions[y]} down, ${space.functions[x]} across (rps)`), ...this.xLevels.map((level) => make("th", { scope: "col" }, this.tick(x, level))));
    const rows = this.grid.map((row, at) => make("tr", {}, make("th", { scope: "row" }, y === null ? space.functions[x] : this.tick(y, this.yLevels[at])), ...row.map((index) => make("td", {}, this.cellText(index)))));
    const table = make("table", { class: "cells" }, make("thead", {}, head), make("tbody", {}, ...rows.reverse()));
    host.replaceChildren(
      make("p", { class: "how" }, "In brackets: known without a run; in percent: predicted to be overloaded."),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The map as a table" }, table),
    );
  }

  cellText(index) {
    if (index < 0 || cells[index] === ABSENT) return "";
    if (isPredicted(index)) return `${predicted[index]} %`;
    return { [UNKNOWN]: "?", [CONTRADICTED]: "contradicted", [OK_MEASURED]: "OK", [OK_INFERRED]: "(OK)", [OVERLOADED_MEASURED]: "over", [OVERLOADED_INFERRED]: "(over)" }[cells[index]];
  }
}

// The numbers behind a configuration that was run.
function numbersOf(one) {
  const facts = [
    ["runs", `${one.nAgreeing} of ${one.nValid} agree${one.nRuns > one.nValid ? `, ${one.nRuns - one.nValid} INVALID` : ""}`],
    ["success", fixed(one.success, 3)], ["p95", fixed(one.p95Ms, 0, " ms")], ["CPU", fixed(one.cpuPct, 1, " %")],
    ["RAM", fixed(one.ramPct, 1, " %")], ["margin", signed(one.margin, 3)],
  ];
  return make("dl", {}, ...facts.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text))));
}
