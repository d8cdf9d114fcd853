// The machine time of each run: cooldown, load, and overhead, which is the rest.

const MAX_BARS = 200;
const PARTS = ["cooldown", "load", "overhead"];
const PATTERNS = { cooldown: "", load: "/", overhead: "." };

const MAX_BORDERS = 20;
const { nRuns } = data;

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
    // Drawn only when it comes into view or is printed, so that a report opens sooner.
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.begin();
    }, { rootMargin: "300px" });
    seen.observe(this.plot);
    addEventListener("beforeprint", () => this.begin());
  }

  begin() {
    if (this.seconds) return;
    const { runs } = recorded(), { cooldownS, durationS, costS } = runs;
    const [cooldown, load, cost] = [cooldownS, durationS, costS].map((column) =>
      Array.from({ length: nRuns }, (_, run) => value(column, run)));
    this.seconds = { cooldown, load, overhead: cost.map((all, run) => Math.max(0, all - cooldown[run] - load[run])) };
    this.drawSums();
    keepDrawn(this.plot, (width) => this.draw(width))();
  }

  text() {
    if (!nRuns) return "No run was made.";
    const mean = `the mean of ${count(this.step)} of the ${count(nRuns)} runs`;
    return `Runs in the order of their measurement; a bar is ${this.step > 1 ? mean : "a run"}. `
      + "Overhead is the machine time of a run without its cooldown and load.";
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

  draw(width) {
    const layout = plotLayout({
      width, height: 300, margin: { l: 56, r: 12, t: 32, b: 48 }, barmode: "stack", bargap: 0, hovermode: "x",
      showlegend: true, legend: { orientation: "h", x: 0, y: 1.15 }, shapes: this.borders(),
      xaxis: { title: { text: "run", standoff: 8 }, showgrid: false, range: [0.5, nRuns + 0.5], tickformat: ",d" },
      yaxis: { title: { text: "seconds a run", standoff: 8 }, rangemode: "tozero" },
    });
    Plotly.react(this.plot, PARTS.map((part) => this.trace(part)), layout, PLOT_OPTIONS);
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
