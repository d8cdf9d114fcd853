// What each run took: cooldown, load, and what is left of its machine time.

const MAX_BARS = 200;
const PARTS = ["cooldown", "load", "overhead"];
const PATTERNS = { cooldown: "", load: "/", overhead: "." };

class Timeline {
  constructor() {
    this.plot = document.getElementById("timeline-plot");
    this.step = Math.max(1, Math.ceil(nRuns / MAX_BARS));
    this.seconds = { cooldown: runs.cooldownS ?? [], load: runs.durationS ?? [], overhead: [] };
    for (let run = 0; run < nRuns; run++) {
      this.seconds.overhead.push(Math.max(0, value(runs.costS, run) - value(runs.cooldownS, run) - value(runs.durationS, run)));
    }
    document.getElementById("timeline-text").textContent = this.text();
    this.plot.hidden = nRuns === 0;
    if (!nRuns) return;
    this.drawSums();
    // Drawn when it is looked at, or printed: a report opens sooner for it.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      this.begin();
    }, { rootMargin: "300px" });
    seen.observe(this.plot);
    addEventListener("beforeprint", () => this.begin());
  }

  begin() {
    this.redraw ??= keepDrawn(this.plot, (width) => this.draw(width));
    this.redraw();
  }

  text() {
    if (!nRuns) return "No run was made.";
    const each = this.step > 1 ? `a bar is the mean of ${count(this.step)} runs, as there are ${count(nRuns)}` : "a bar is a run";
    return `Runs in the order in which they were measured; ${each}. Overhead is what is left of a run's machine time beside cooldown and load.`;
  }

  bars(part) {
    const heights = [];
    for (let from = 0; from < nRuns; from += this.step) heights.push(mean(Array.from(this.seconds[part].slice(from, from + this.step))));
    return heights;
  }

  // Where another campaign's runs begin.
  borders() {
    const shapes = [];
    for (let run = 1; run < nRuns; run++) {
      if (runs.campaign[run] === runs.campaign[run - 1]) continue;
      const x = run + 0.5;
      shapes.push({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: palette().ink, width: 1, dash: "dot" } });
    }
    return shapes.length <= 20 ? shapes : [];
  }

  draw(width) {
    const first = Array.from({ length: Math.ceil(nRuns / this.step) }, (_, i) => i * this.step + 1 + (this.step - 1) / 2);
    const traces = PARTS.map((part) => {
      const y = this.bars(part), colour = palette().parts[part];
      return {
        type: "bar", name: part, x: first, y, width: this.step,
        marker: { color: colour, line: { width: 0 }, pattern: { shape: PATTERNS[part], fillmode: "overlay", fgcolor: palette().ink, fgopacity: 0.35, size: 6, solidity: 0.2 } },
        hovertemplate: `${part} %{y:.2f} s<extra></extra>`,
      };
    });
    const layout = plotLayout({
      width, height: 300, barmode: "stack", bargap: 0, hovermode: "x", showlegend: true, shapes: this.borders(),
      legend: { orientation: "h", x: 0, y: 1.15 }, margin: { l: 56, r: 12, t: 32, b: 48 },
      xaxis: { title: { text: "run", standoff: 8 }, showgrid: false, range: [0.5, nRuns + 0.5], tickformat: ",d" }, yaxis: { title: { text: "seconds a run", standoff: 8 }, rangemode: "tozero" },
    });
    Plotly.react(this.plot, traces, layout, PLOT_OPTIONS);
  }

  drawSums() {
    const sum = (numbers) => numbers.reduce((total, one) => total + (Number.isFinite(one) ? one : 0), 0);
    const sums = PARTS.map((part) => [part, sum(this.seconds[part])]), all = sum(sums.map(([, seconds]) => seconds));
    const columns = [
      { title: "part", cell: ([part]) => part },
      { title: "all runs", numeric: true, cell: ([, seconds]) => duration(seconds) },
      { title: "a run", numeric: true, cell: ([, seconds]) => fixed(seconds / nRuns, 2, " s") },
      { title: "share", numeric: true, cell: ([, seconds]) => fixed((100 * seconds) / (all || 1), 0, " %") },
    ];
    new PagedTable(document.getElementById("timeline-table"), { label: "Machine time", columns, items: [...sums, ["machine time", all]] });
  }
}
