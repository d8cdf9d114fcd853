// Configurations as rows: all of them with their runs, and those of the frontier and of the contradictions.

const MAX_LISTED = 100_000;

const KINDS = {
  "that were run": (index) => rowOf[index] >= 0,
  "all": () => true,
  "OK": (index) => cells[index] === OK_MEASURED || cells[index] === OK_INFERRED,
  "OVERLOADED": (index) => cells[index] === OVERLOADED_MEASURED || cells[index] === OVERLOADED_INFERRED,
  "known without a run": (index) => cells[index] === OK_INFERRED || cells[index] === OVERLOADED_INFERRED,
  "contradicted": (index) => cells[index] === CONTRADICTED,
  "unknown": (index) => cells[index] === UNKNOWN,
  "with INVALID runs": (index) => rowOf[index] >= 0 && summaries[rowOf[index]].nRuns > summaries[rowOf[index]].nValid,
};

const number = (title, of, cell, wide = false) => ({
  title, numeric: true, wide, sort: (index) => of(index), cell: (index) => (summaryOfConfig(index) ? cell(summaryOfConfig(index)) : ""),
});

const read = (name) => (index) => summaryOfConfig(index)?.[name] ?? NaN;

const NUMBERS = [
  number("runs", read("nRuns"), (one) => (one.nRuns === one.nAgreeing ? String(one.nRuns) : `${one.nAgreeing} of ${one.nRuns}`)),
  number("success", read("success"), (one) => fixed(one.success, 3)),
  number("p95 ms", read("p95Ms"), (one) => fixed(one.p95Ms, 0)),
  number("CPU %", read("cpuPct"), (one) => fixed(one.cpuPct, 1), true),
  number("RAM %", read("ramPct"), (one) => fixed(one.ramPct, 1), true),
  number("margin", read("margin"), (one) => signed(one.margin, 3)),
];

const configuration = (cell) => ({ title: "configuration (rps)", sort: (index) => index, cell });

class Configurations {
  constructor(showInMap) {
    this.showInMap = showInMap;
    const isWhole = cells.length <= MAX_LISTED;
    const items = [];
    cells.forEach((code, index) => {
      if (code !== ABSENT && (isWhole || rowOf[index] >= 0)) items.push(index);
    });
    const host = document.getElementById("configurations-table");
    if (!isWhole) host.append(make("p", { class: "how" }, `Of ${count(cells.length)} configurations only those that were run are listed.`));
    const kinds = isWhole ? KINDS : Object.fromEntries(Object.entries(KINDS).filter(([name]) => name !== "known without a run" && name !== "unknown"));
    this.text = make("input", { type: "search", id: "search", oninput: () => this.filter(), placeholder: space.text(items[0] ?? 0) });
    this.kind = make("select", { id: "kind", onchange: () => this.filter() }, ...Object.keys(kinds).map((name) => make("option", {}, name)));
    host.append(make("div", { class: "controls" }, make("label", {}, "Search ", this.text), make("label", {}, "Show ", this.kind)));
    const columns = [configuration((index) => space.text(index)), { title: "verdict", sort: statusText, cell: statusText }, ...NUMBERS];
    this.table = new PagedTable(host, { label: "Configurations", columns, items, detail: (index) => this.detail(index), nothing: "No configuration was run." });
    this.filter();
  }

  // Keep what has each word of the search in it.
  filter() {
    const words = this.text.value.toLowerCase().split(/[\s+,]+/).filter(Boolean), isKind = KINDS[this.kind.value];
    this.table.filter((index) => isKind(index) && (!words.length || this.matches(index, words)));
  }

  matches(index, words) {
    const parts = space.text(index).toLowerCase().split(/[\s+]+/);
    return words.every((word) => (/^\d+$/.test(word) ? parts.includes(word) : parts.some((part) => part.includes(word))));
  }

  // Go to a configuration, and open it.
  jump(index) {
    this.text.value = "";
    this.kind.value = rowOf[index] >= 0 ? "that were run" : "all";
    this.filter();
    if (!this.table.shown.includes(index)) return;
    const button = this.table.reveal(index);
    button.scrollIntoView({ block: "start" });
    button.focus({ preventScroll: true });
  }

  detail(index) {
    const back = make("button", { type: "button", onclick: () => this.showInMap(index) }, "Show it in the map");
    if (rowOf[index] < 0) {
      const why = evidence[index] ? `It was not run: it follows from ${space.text(proof[evidence[index] - 1])}.` : "It was not run.";
      return make("div", {}, make("p", {}, why), back);
    }
    return make("div", {}, ...runsOf[rowOf[index]].map((run) => runDetail(run, index)), back);
  }
}

// All that is known of one run.
function runDetail(run, index) {
  const load = value(runs.durationS, run), rest = value(runs.cooldownS, run), cost = value(runs.costS, run);
  const campaign = data.campaigns[runs.campaign[run]] ?? "not recorded";
  const facts = [
    ["margin", signed(value(runs.margin, run), 3)], ["CPU", fixed(value(runs.cpuPct, run), 1, " %")],
    ["RAM", fixed(value(runs.ramPct, run), 1, " %")], ["began", moment(runs.startedAt[run])],
    ["cooldown", fixed(rest, 1, " s")], ["load", fixed(load, 1, " s")], ["machine time", fixed(cost, 1, " s")], ["campaign", campaign],
  ];
  const reasons = data.reasons[runs.reasons[run]];
  const names = space.levels(index).flatMap((level, i) => (level ? [space.functions[i]] : []));
  const rows = [];
  for (let i = firstFunction[run]; i < firstFunction[run + 1]; i++) {
    rows.push([
      names[i - firstFunction[run]], count(runFunctions.offered[i]), count(runFunctions.dropped[i]), fixed(value(runFunctions.success, i), 3),
      fixed(value(runFunctions.p50Ms, i), 0), fixed(value(runFunctions.p95Ms, i), 0), fixed(value(runFunctions.cpuPct, i), 1), fixed(value(runFunctions.replicas, i), 0),
    ]);
  }
  const head = ["function", "offered", "dropped", "success", "p50 ms", "p95 ms", "CPU %", "replicas"];
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head.map((text, i) => make("th", { scope: "col", class: i ? "number" : null }, text)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((text, i) => make(i ? "td" : "th", i ? { class: "number" } : { scope: "row" }, text))))));
  return make("section", { class: "run" },
    make("h4", {}, `Run ${runs.iteration[run] + 1}: ${RUN_VERDICTS[runs.verdict[run]]}`),
    ...(reasons.length ? [make("ul", { class: "reasons" }, ...reasons.map((text) => make("li", {}, text)))] : []),
    make("dl", { class: "inline" }, ...facts.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text)))),
    ...(rows.length ? [make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Functions of run ${runs.iteration[run] + 1}` }, table)] : []));
}

// A configuration as a button that goes to its runs.
const linkTo = (jump) => (index) => make("button", { type: "button", class: "plain", onclick: () => jump(index) }, space.text(index));

function drawFrontier(jump) {
  const all = Array.from(proof), columns = [configuration(linkTo(jump)), ...NUMBERS];
  const nFollowing = new Map();
  evidence.forEach((one) => one && nFollowing.set(proof[one - 1], (nFollowing.get(proof[one - 1]) ?? 0) + 1));
  columns.push({ title: "known by it", numeric: true, wide: true, sort: (index) => nFollowing.get(index) ?? 0, cell: (index) => count(nFollowing.get(index) ?? 0) });
  const overloaded = all.slice(0, data.nProofOverloaded), ok = all.slice(data.nProofOverloaded);
  new PagedTable(document.getElementById("overloaded-table"), { label: "The lowest overloaded configurations", columns, items: overloaded });
  new PagedTable(document.getElementById("ok-table"), { label: "The highest configurations that are OK", columns, items: ok });
}

const STATES = {
  open: "open: to be measured again",
  quarantine: "measured again, and still so: nothing is inferred from either",
  settled: "settled: measured again, and one turned out otherwise",
};

function drawDisputes(jump) {
  if (!data.disputes.length) return;
  const link = linkTo(jump);
  const columns = [
    { title: "was OVERLOADED", sort: ([low]) => low, cell: ([low]) => link(low) },
    { title: "was OK", sort: ([, high]) => high, cell: ([, high]) => link(high) },
    { title: "what became of it", sort: ([, , state]) => state, cell: ([, , state]) => STATES[state] },
  ];
  new PagedTable(document.getElementById("contradictions-table"), { label: "Contradictions", columns, items: data.disputes });
}
