// Load against latency, success and CPU: the runs of each function, and the steps of the scouting.

const CURVE_HEIGHT_PX = 280;
const MAX_POINTS = 4000;
const LOG_FROM = 20;  // how many times as high as the lowest the highest latency is where its axis is logarithmic
const HEADROOM = 1.15;

const latency = (key, name) => ({ key, name: `${name} latency of successful requests (ms)`, scale: 1, top: null, unit: " ms" });

// `limit` is what the line of the rule is called.
const QUANTITIES = [
  latency("p95Ms", "p95"), latency("meanMs", "mean"), latency("p50Ms", "p50"), latency("p90Ms", "p90"), latency("p99Ms", "p99"),
  { key: "success", name: "successful requests (% of offered)", scale: 100, top: 100, unit: " %" },
  { key: "cpuPct", name: "CPU of the node (% of capacity)", scale: 1, top: 100, unit: " %" },
];

const finite = (number) => number !== null && Number.isFinite(number);

class Curves {
  constructor() {
    this.drawn = [];  // functions that draw the curves that have come into view
    this.select = make("select", { id: "quantity", onchange: () => this.drawn.forEach((draw) => draw()) });
    this.addSection("curves-plots", space.functions.map((name, i) => [isolated(name), "", () => runPoints(i), i]));
    const rays = data.curves.scouting.map((ray) => [ray.functions.map(isolated).join(" + "), ray.text, () => ray, space.functions.indexOf(ray.functions[0])]);
    this.addSection("scouting-plots", rays);
    document.getElementById("scouting").hidden = rays.length === 0;
    this.drawLegend();
    dark.addEventListener("change", () => this.drawLegend());
    whenSeen(document.getElementById("curves"), () => this.offerQuantities());
  }

  // Offer what was measured: runs are read when the section comes into view.
  offerQuantities() {
    const there = ({ key }) => key === "cpuPct" ? recorded().runs.cpuPct !== null : recorded().runFunctions[key] !== null;
    const options = QUANTITIES.flatMap((one, i) => (there(one) ? [make("option", { value: i }, one.name)] : []));
    this.select.replaceChildren(...options);
    document.getElementById("curves-controls").replaceChildren(make("label", {}, "Show ", this.select));
  }

  get quantity() {
    return QUANTITIES[Number(this.select.value || 0)];
  }

  addSection(id, curves) {
    for (const [name, text, points, i] of curves) {
      const said = `Load against ${name}: the table of configurations has the numbers`;
      const plot = make("div", { class: "plot", role: "img", "aria-label": said });
      const caption = make("figcaption", {}, make("h4", {}, name), ...(text ? [make("p", { class: "how" }, text)] : []));
      document.getElementById(id).append(make("figure", { class: "curve" }, caption, plot));
      whenSeen(plot, () => {
        if (!this.select.value) this.offerQuantities();
        const draw = keepDrawn(plot, (width) => drawCurve(plot, width, points(), this.quantity, i));
        this.drawn.push(draw);
        draw();
      });
    }
  }

  drawLegend() {
    const { fill, mark } = palette(), dashed = legendLine("dashed", "limit of the rule, such as the objective");
    const marks = [[OK_MEASURED, "OK run"], [OVERLOADED_MEASURED, "OVERLOADED run"]].map(([kind, text]) =>
      legendEntry(fill[kind], mark[kind], LETTERS[SYMBOLS[kind]], text));
    const line = legendLine("solid", "median of the runs of this function alone");
    document.getElementById("curves-legend").replaceChildren(...marks, line, dashed);
  }
}

// The runs that load a function, as columns: {rps, verdict, isAlone, and a column for each quantity}; of many every n-th.
function runPoints(i) {
  const { runs, runFunctions, firstFunction } = recorded(), rows = [];
  for (let run = 0; run < nRuns; run++) {
    if (RUN_VERDICTS[runs.verdict[run]] === "INVALID" || !runs.nFunctions[run]) continue;
    const levels = space.levels(configs[runs.config[run]]);
    if (!levels[i]) continue;
    const place = levels.slice(0, i).filter(Boolean).length;
    rows.push({ run, row: firstFunction[run] + place, rps: space.rates[i][levels[i] - 1], isAlone: levels.filter(Boolean).length === 1 });
  }
  const kept = rows.filter((_, at) => at % Math.ceil(rows.length / MAX_POINTS) === 0);
  const column = ({ key }) => [key, kept.map(({ run, row }) => value(key === "cpuPct" ? runs.cpuPct : runFunctions[key], key === "cpuPct" ? run : row))];
  return {
    rps: kept.map(({ rps }) => rps), verdict: kept.map(({ run }) => runs.verdict[run]), isAlone: kept.map(({ isAlone }) => isAlone),
    ...Object.fromEntries(QUANTITIES.map(column)),
  };
}

const isOfMix = (points, at) => points.isAlone !== undefined && !points.isAlone[at];

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// The line of the curve: the steps of a ray, or the median of the runs of a function alone.
function curveLine(points, values) {
  const of = new Map();
  points.rps.forEach((rps, at) => {
    if (finite(values[at]) && (!points.isAlone || points.isAlone[at])) of.set(rps, [...(of.get(rps) ?? []), values[at]]);
  });
  const rates = [...of.keys()].sort((one, other) => one - other);
  return { x: rates, y: rates.map((rps) => median(of.get(rps))) };
}

function drawCurve(plot, width, points, quantity, i) {
  const { ink, fill } = palette(), common = { type: "scatter", hoverinfo: "skip" };
  const values = points[quantity.key].map((one) => (finite(one) ? quantity.scale * one : NaN)), there = values.filter(finite);
  const rule = data.curves.limits[quantity.key]?.[i] ?? null, limit = rule === null ? null : quantity.scale * rule;
  const high = Math.max(0, ...points.rps);
  const marks = [OK_MEASURED, OVERLOADED_MEASURED].map((kind, verdict) => {
    const own = points.rps.flatMap((_, at) => (points.verdict[at] === verdict && finite(values[at]) ? [at] : []));
    return {
      ...common, mode: "markers", x: own.map((at) => points.rps[at]), y: own.map((at) => values[at]), hoverinfo: "all",
      hovertemplate: `%{x} rps: %{y:.4g}${quantity.unit}<extra>${RUN_VERDICTS[verdict]}</extra>`,
      marker: {
        color: fill[kind], symbol: SYMBOLS[kind], size: own.map((at) => (isOfMix(points, at) ? 5 : 8)),
        opacity: own.map((at) => (isOfMix(points, at) ? 0.5 : 1)), line: { width: 0 },
      },
    };
  });
  const line = { ...common, mode: "lines", line: { color: ink, width: 1.5 }, ...curveLine(points, values) };
  const rules = { ...common, mode: "lines+text", line: { color: ink, width: 2, dash: "dash" }, x: [0, high], y: [limit, limit],
    text: ["", `${/Ms$/.test(quantity.key) ? "objective" : "limit"} ${limit}${quantity.unit}`], textposition: "top left", visible: limit !== null };
  const top = Math.max(...there, limit ?? 0, quantity.top ?? 0), bottom = Math.min(...there);
  const isLog = quantity.top === null && bottom > 0 && top > LOG_FROM * bottom;
  const band = points.band && { type: "rect", yref: "paper", y0: 0, y1: 1, x0: points.band[0], x1: points.band[1], line: { width: 0 }, fillcolor: fill[OVERLOADED_MEASURED], opacity: 0.18 };
  const layout = plotLayout({
    width, height: CURVE_HEIGHT_PX, margin: { l: 60, r: 12, t: 8, b: 48 }, hovermode: "closest", shapes: band ? [band] : [],
    xaxis: { title: { text: points.band === undefined ? "offered requests/s" : "offered requests/s in total", standoff: 8 }, rangemode: "tozero" },
    yaxis: {
      title: { text: escaped(quantity.name.replace(" of successful requests", "")), standoff: 8 },
      ...(isLog ? { type: "log", dtick: "D2" } : { range: [0, HEADROOM * (top || 1)] }),
    },
  });
  Plotly.react(plot, [...marks, line, rules], layout, PLOT_OPTIONS);
}
