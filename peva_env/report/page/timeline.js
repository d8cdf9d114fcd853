// The machine time of each run: cooldown, load, and overhead, which is the rest.

const MAX_BARS = 200;
const PARTS = ["cooldown", "load", "overhead"];
const PATTERNS = { cooldown: "", load: "/", overhead: "." };

const MAX_BORDERS = 20;
const NARROW_PX = 600;  // a legend needs more lines
const DRIFT_HEIGHT_PX = 340;
const SUSPECT = "suspect: ";
const canaries = { ...data.canaries, ...unpackAll({ before: data.canaries.before, verdict: data.canaries.verdict, p95Ms: data.canaries.p95Ms }) };

function mean(numbers) {
  const known = numbers.filter(Number.isFinite);
  return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : NaN;
}

class Timeline {
  constructor() {
    this.plot = document.getElementById("timeline-plot");
    this.step = Math.max(1, Math.ceil(nRuns / MAX_BARS));
    document.getElementById("timeline-text").textContent = this.text();
    this.plot.hidden = nRuns === 0;
    if (!nRuns) return;
    whenSeen(this.plot, () => this.begin());
  }

  begin() {
    const { runs } = recorded(), { cooldownS, durationS, costS } = runs;
    const [cooldown, load, cost] = [cooldownS, durationS, costS].map((column) =>
      Array.from({ length: nRuns }, (_, run) => value(column, run)));
    this.seconds = { cooldown, load, overhead: cost.map((all, run) => Math.max(0, all - cooldown[run] - load[run])) };
    this.drawSums();
    keepDrawn(this.plot, (width) => this.draw(width))();
    this.beginDrift();
  }

  text() {
    if (!nRuns) return "No run was made.";
    const mean = `the mean of ${count(this.step)} of the ${count(nRuns)} runs`;
    const marked = canaries.before.length ? " A circle above the bars is a canary that was OK, a cross one that was OVERLOADED." : "";
    return `Runs in the order of their measurement; a bar is ${this.step > 1 ? mean : "a run"}. `
      + `Overhead is the machine time of a run without its cooldown and load.${marked}`;
  }

  // The index of the first run of each bar.
  get starts() {
    return Array.from({ length: Math.ceil(nRuns / this.step) }, (_, i) => i * this.step);
  }

  // A line between the runs of two campaigns; none if there are too many campaigns.
  borders() {
    const { runs } = recorded(), first = [];
    for (let run = 1; run < nRuns; run++) if (runs.campaign[run] !== runs.campaign[run - 1]) first.push(run);
    const line = { color: palette().ink, width: 1, dash: "dot" };
    if (first.length > MAX_BORDERS) return [];
    return first.map((run) => ({ type: "line", x0: run + 0.5, x1: run + 0.5, yref: "paper", y0: 0, y1: 1, line }));
  }

  trace(part) {
    const { ink, parts } = palette(), shape = PATTERNS[part];
    const pattern = { shape, fillmode: "overlay", fgcolor: ink, fgopacity: 0.35, size: 6, solidity: 0.2 };
    return {
      type: "bar", name: part, width: this.step,
      x: this.starts.map((from) => from + (Math.min(this.step, nRuns - from) + 1) / 2),
      y: this.starts.map((from) => mean(this.seconds[part].slice(from, from + this.step))),
      marker: { color: parts[part], line: { width: 0 }, pattern },
      hovertemplate: `${part} %{y:.2f} s<extra></extra>`,
    };
  }

  // Canaries between the runs, and runs that became suspect: marks above the bars.
  marks() {
    const { runs, reasons } = recorded(), { fill } = palette(), all = Array.from({ length: nRuns }, (_, run) => run);
    const suspect = all.filter((run) => reasons[runs.reasons[run]].some((one) => one.startsWith(SUSPECT)));
    const mark = (name, x, kind, text) => ({
      type: "scatter", mode: "markers", name, yaxis: "y2", x, y: x.map(() => 0.5), showlegend: x.length > 0,
      marker: { color: fill[kind], symbol: SYMBOLS[kind], size: 9 }, text, hovertemplate: "%{text}<extra></extra>",
    });
    const of = (verdict) => Array.from(canaries.before, (_, at) => at).filter((at) => (RUN_VERDICTS[canaries.verdict[at]] === "OK") === (verdict === "OK"));
    const canary = (verdict, kind) => mark(`canary ${verdict}`, of(verdict).map((at) => canaries.before[at] + 0.5), kind,
      of(verdict).map((at) => `canary ${canaryText(at)}: ${RUN_VERDICTS[canaries.verdict[at]]}`));
    const runText = (run) => `run ${run + 1} is suspect: ${reasons[runs.reasons[run]][0].slice(SUSPECT.length)}`;
    return [canary("OK", OK_MEASURED), canary("OVERLOADED", OVERLOADED_MEASURED),
      mark("suspect run", suspect.map((run) => run + 1), CONTRADICTED, suspect.map((run) => shortened(runText(run), 120)))];
  }

  // What drifts although the load does not: the canary's latency, and the CPU of the idle node.
  beginDrift() {
    const { runs } = recorded(), idle = Array.from({ length: nRuns }, (_, run) => value(runs.idleCpuPct, run));
    const p95 = Array.from(canaries.before, (_, at) => value(canaries.p95Ms, at));
    const series = [
      { name: "canary p95 (ms)", x: Array.from(canaries.before, (before) => before + 0.5), y: p95, unit: " ms" },
      { name: "idle CPU (%)", x: idle.map((_, run) => run + 1), y: idle, unit: " %" },
    ].filter(({ y }) => y.filter((one) => Number.isFinite(one) && one > 0).length > 1);
    document.getElementById("drift").hidden = series.length === 0;
    if (!series.length) return;
    document.getElementById("drift-text").textContent = series.map(driftText).join(" ");
    const plot = document.getElementById("drift-plot");
    keepDrawn(plot, (width) => drawDrift(plot, width, series))();
  }

  draw(width) {
    const layout = plotLayout({
      width, height: width < NARROW_PX ? 340 : 300, margin: { l: 56, r: 12, t: width < NARROW_PX ? 80 : 40, b: 48 }, barmode: "stack", bargap: 0, hovermode: "x",
      showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, shapes: this.borders(),
      xaxis: { title: { text: "run", standoff: 8 }, showgrid: false, range: [0.5, nRuns + 0.5], tickformat: ",d" },
      yaxis: { title: { text: "seconds a run", standoff: 8 }, rangemode: "tozero", domain: [0, 0.9] },
      yaxis2: { domain: [0.92, 1], range: [0, 1], visible: false, fixedrange: true },
    });
    Plotly.react(this.plot, [...PARTS.map((part) => this.trace(part)), ...this.marks()], layout, PLOT_OPTIONS);
  }

  drawSums() {
    const sum = (numbers) => numbers.filter(Number.isFinite).reduce((total, one) => total + one, 0);
    const sums = PARTS.map((part) => [part, sum(this.seconds[part])]);
    const all = sum(sums.map(([, seconds]) => seconds));
    const columns = [
      { title: "part", cell: ([part]) => part },
      { title: "all runs", numeric: true, cell: ([, seconds]) => duration(seconds) },
      { title: "a run", numeric: true, cell: ([, seconds]) => fixed(seconds / nRuns, 2, " s") },
      { title: "share", numeric: true, cell: ([, seconds]) => fixed((100 * seconds) / (all || 1), 0, " %") },
    ];
    const items = [...sums, ["machine time", all]];
    new PagedTable(document.getElementById("timeline-table"), { label: "Machine time", columns, items });
  }
}

const canaryText = (at) => canaries.config[at].map(([name, rate]) => `${isolated(name)} ${rate}`).join(" + ");

// The median of the first and of the last third: a single run says little.
function driftText({ name, y, unit }) {
  const there = y.filter(Number.isFinite), n = Math.ceil(there.length / 3);
  const [first, last] = [there.slice(0, n), there.slice(-n)].map(median);
  const what = name.startsWith("canary") ? "p95 latency of the canary" : "CPU of the idle node, before each run,";
  return `The ${what} was ${fixed(first, 1, unit)} in the first third and ${fixed(last, 1, unit)} in the last (medians).`;
}

function drawDrift(plot, width, series) {
  const { ink, fill } = palette(), gap = 0.12, share = (1 - gap * (series.length - 1)) / series.length;
  const traces = series.map(({ x, y, unit }, i) => ({
    type: "scatter", mode: x.length > 60 ? "lines" : "lines+markers", x, y, yaxis: i ? `y${i + 1}` : "y", line: { color: i ? ink : fill[OK_MEASURED], width: 1.5 },
    hovertemplate: `%{y:.1f}${unit}<extra></extra>`,
  }));
  const axis = (i) => ({
    title: { text: series[i].name, standoff: 8 }, rangemode: "tozero", fixedrange: true, zeroline: false, gridcolor: palette().grid, automargin: false, nticks: 4,
    domain: [1 - (i + 1) * share - i * gap, 1 - i * (share + gap)],
  });
  const layout = plotLayout({
    width, height: series.length > 1 ? DRIFT_HEIGHT_PX : DRIFT_HEIGHT_PX / 1.5, margin: { l: 56, r: 12, t: 8, b: 48 }, hovermode: "x",
    xaxis: { title: { text: "run", standoff: 8 }, showgrid: false, range: [0.5, nRuns + 0.5], tickformat: ",d", anchor: series.length > 1 ? "y2" : "y" },
    yaxis: axis(0), ...(series.length > 1 ? { yaxis2: axis(1) } : {}),
  });
  Plotly.react(plot, traces, layout, PLOT_OPTIONS);
}
