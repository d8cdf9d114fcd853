// Tables of configurations: the list of all with their runs, the frontier, and the contradictions.

const isAny = (...kinds) => (index) => kinds.includes(cells[index]);

const SELECTIONS = {
  "that were run": (index) => rowOf[index] >= 0,
  "all": () => true,
  "OK": isAny(OK_MEASURED, OK_INFERRED),
  "OVERLOADED": isAny(OVERLOADED_MEASURED, OVERLOADED_INFERRED),
  "inferred": isAny(OK_INFERRED, OVERLOADED_INFERRED),
  "contradicted": isAny(CONTRADICTED),
  "incomplete": isAny(INCOMPLETE),
  "unknown": isAny(UNKNOWN),
  "with runs that disagree": (index) => isSplit(index),
  "with INVALID runs": (index) => rowOf[index] >= 0 && summaries.nRuns[rowOf[index]] > summaries.nValid[rowOf[index]],
};

const isSplit = (index) => rowOf[index] >= 0 && summaries.nAgreeing[rowOf[index]] < summaries.nValid[rowOf[index]];

// The verdict in the table; if runs disagree, with the number that agree with it.
function verdictText(index) {
  const isMeasured = [OK_MEASURED, OVERLOADED_MEASURED].includes(cells[index]), one = summaryOf(index);
  if (!isMeasured || !isSplit(index)) return statusText(index);
  return `${CELL_TEXTS[cells[index]]}, ${one.nAgreeing} of ${one.nValid}`;
}

// A column of numbers from runs; empty without runs, and then last in either order of sorting.
function numberColumn(title, name, text, wide = false) {
  const sort = (index) => (rowOf[index] < 0 ? NaN : value(summaries[name], rowOf[index]));
  return { title, numeric: true, wide, sort, cell: (index) => (rowOf[index] < 0 ? "" : text(summaryOf(index))) };
}

const NUMBERS = [
  numberColumn("runs", "nRuns", agreement),
  numberColumn("success", "success", (one) => fixed(one.success, 3)),
  numberColumn("p95 ms", "p95Ms", (one) => fixed(one.p95Ms, 0)),
  numberColumn("CPU %", "cpuPct", (one) => fixed(one.cpuPct, 1), true),
  numberColumn("RAM %", "ramPct", (one) => fixed(one.ramPct, 1), true),
  numberColumn("margin", "margin", (one) => signed(one.margin, 3)),
];

const configColumn = (cell) => ({ title: "configuration (rps)", sort: (index) => index, cell });

class Configurations {
  // `showInMap` is called with a configuration.
  constructor(showInMap) {
    this.showInMap = showInMap;
    const host = document.getElementById("configurations-table"), items = [];
    for (let index = 0; index < cells.length; index++) {
      if (isOfMap(index) && isListed(index)) items.push(index);
    }
    if (!areAllListed) {
      const said = `There are ${count(cells.length)} configurations: only those that were run are listed.`;
      host.append(make("p", { class: "how" }, said));
    }
    const filter = () => this.filter();
    const placeholder = space.text(items[0] ?? 0);
    this.words = make("input", { type: "search", id: "search", oninput: filter, placeholder });
    const options = Object.keys(SELECTIONS).map((name) => make("option", {}, name));
    this.selection = make("select", { id: "kind", onchange: filter }, ...options);
    const labels = [make("label", {}, "Search ", this.words), make("label", {}, "Show ", this.selection)];
    host.append(make("div", { class: "controls" }, ...labels));
    const verdict = { title: "verdict", sort: (index) => cells[index], cell: verdictText };
    this.table = new PagedTable(host, {
      label: "Configurations",
      columns: [configColumn((index) => space.text(index)), verdict, ...NUMBERS],
      items,
      detail: (index) => this.detail(index),
      nothing: "No configuration was run.",
    });
    this.filter();
  }

  // Keep the selected configurations whose text has each word of the search; a number must be a whole rate.
  filter() {
    const words = this.words.value.toLowerCase().split(/[\s+,]+/).filter(Boolean);
    const isSelected = SELECTIONS[this.selection.value];
    this.table.filter((index) => isSelected(index) && (!words.length || this.matches(index, words)));
  }

  matches(index, words) {
    const parts = space.text(index).toLowerCase().split(/[\s+]+/);
    const isIn = (word) => (/^\d+$/.test(word) ? parts.includes(word) : parts.some((part) => part.includes(word)));
    return words.every(isIn);
  }

  // Go to a configuration, and open it.
  jump(index) {
    this.words.value = "";
    this.selection.value = rowOf[index] >= 0 ? "that were run" : "all";
    this.filter();
    if (!this.table.shown.includes(index)) return;
    const row = this.table.reveal(index);
    row.scrollIntoView({ block: "start" });
    row.focus({ preventScroll: true });
  }

  detail(index) {
    const own = runsOf(index).map((run) => runDetail(run, index));
    const said = own.length ? why(index) : `It was not measured. ${why(index)}`;
    if (said) own.unshift(make("p", {}, said));
    return make("div", {}, ...own, button("Show it in the map", () => this.showInMap(index)));
  }
}

// The details of one run.
function runDetail(run, index) {
  const { runs, reasons } = recorded(), name = `Run ${runs.iteration[run] + 1}`, own = reasons[runs.reasons[run]];
  const entries = [
    ["margin", signed(value(runs.margin, run), 3)],
    ["CPU", fixed(value(runs.cpuPct, run), 1, " %")],
    ["RAM", fixed(value(runs.ramPct, run), 1, " %")],
    ["began", moment(value(runs.startedAt, run))],
    ["cooldown", fixed(value(runs.cooldownS, run), 1, " s")],
    ["load", fixed(value(runs.durationS, run), 1, " s")],
    ["machine time", fixed(value(runs.costS, run), 1, " s")],
    ["campaign", data.campaigns[runs.campaign[run]] ?? "not recorded"],
  ];
  const parts = [make("h4", {}, `${name}: ${RUN_VERDICTS[runs.verdict[run]]}`)];
  if (own.length) parts.push(listOf(own));
  parts.push(descriptionList(entries, "inline"));
  if (runs.nFunctions[run]) parts.push(scrolling(`Functions of ${name.toLowerCase()}`, functionTable(run, index)));
  return make("section", { class: "run" }, ...parts);
}

const FUNCTION_COLUMNS = [
  ["offered", "offered", 0], ["dropped", "dropped", 0], ["success", "success", 3], ["p50 ms", "p50Ms", 0],
  ["p95 ms", "p95Ms", 0], ["CPU %", "cpuPct", 1], ["replicas", "replicas", 0],
];

function functionTable(run, index) {
  const { runFunctions, firstFunction } = recorded();
  const names = space.levels(index).flatMap((level, i) => (level ? [isolated(space.functions[i])] : []));
  const titles = FUNCTION_COLUMNS.map(([title]) => make("th", { scope: "col", class: "number" }, title));
  const text = (row) => ([, column, digits]) => fixed(value(runFunctions[column], row), digits);
  const rows = names.map((name, i) => {
    const texts = FUNCTION_COLUMNS.map(text(firstFunction[run] + i));
    const numbers = texts.map((one) => make("td", { class: "number" }, one));
    return make("tr", {}, make("th", { scope: "row" }, name), ...numbers);
  });
  const head = make("tr", {}, make("th", { scope: "col" }, "function"), ...titles);
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

// A configuration as a button that goes to its runs.
const linkTo = (jump) => (index) => button(space.text(index), () => jump(index), { class: "plain" });

function drawFrontier(jump) {
  const nKnownBy = new Map();
  for (const one of evidence) {
    if (one) nKnownBy.set(proof[one - 1], (nKnownBy.get(proof[one - 1]) ?? 0) + 1);
  }
  const sort = (index) => nKnownBy.get(index) ?? 0;
  const knownBy = { title: "inferred from it", numeric: true, wide: true, sort, cell: (index) => count(sort(index)) };
  const confidence = numberColumn("confidence", "confidence", (one) => confidenceText(one.confidence));
  const numbers = NUMBERS.filter(({ title }) => title !== "RAM %");
  const columns = [configColumn(linkTo(jump)), ...numbers, confidence, knownBy];
  const draw = (id, label, items) => new PagedTable(document.getElementById(id), { label, columns, items });
  const all = Array.from(proof);
  draw("overloaded-table", "The lowest overloaded configurations", all.slice(0, data.nProofOverloaded));
  draw("ok-table", "The highest configurations that are OK", all.slice(data.nProofOverloaded));
}

const STATES = {
  open: "open: unknown until one is measured again",
  quarantine: "quarantine: measured again and still contradicted, nothing is inferred from either",
  settled: "settled: measured again, and one verdict changed",
};

function drawDisputes(jump) {
  if (!data.disputes.length) return;
  const link = linkTo(jump), columns = [
    { title: "was OVERLOADED", sort: ([low]) => low, cell: ([low]) => link(low) },
    { title: "was OK", sort: ([, high]) => high, cell: ([, high]) => link(high) },
    { title: "state", sort: ([, , state]) => state, cell: ([, , state]) => STATES[state] },
  ];
  const host = document.getElementById("contradictions-table");
  new PagedTable(host, { label: "Contradictions", columns, items: data.disputes });
}
