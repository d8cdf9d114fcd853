// The data of the page: columns of numbers, and the row of each configuration in them.
//
// A configuration is its index in plan order. `levels` has a number for each function: 0 = not loaded, j = its j-th
// lowest rate. A configuration that was run has a row in `configs` and in the columns of `summaries`, a run has one in
// those of `runs`, and a run of k functions has k rows in those of `runFunctions`.

const data = JSON.parse(document.getElementById("data").textContent);

// As in run_data.py.
const RUN_VERDICTS = ["OK", "OVERLOADED", "INVALID"];

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

function unpack(column) {
  if (column === null) return null;
  const text = atob(column.base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[column.kind](bytes.buffer);
}

const unpackAll = (columns) => Object.fromEntries(Object.entries(columns).map(([name, one]) => [name, unpack(one)]));

// The configurations in plan order: by number of functions, then functions, then rates; see peva_env/space.py.
class Space {
  constructor({ functions, rates, minFunctions, maxFunctions }) {
    this.functions = functions;
    this.rates = rates;
    this.min = minFunctions;
    this.max = maxFunctions;
    // tails[i][k]: configurations of exactly k of the functions i, i + 1, ...
    this.tails = [[1, ...Array(maxFunctions).fill(0)]];
    for (const own of [...rates].reverse()) {
      const [after] = this.tails;
      this.tails.unshift(after.map((n, k) => (k ? n + own.length * after[k - 1] : 1)));
    }
    this.firstOfSize = { [minFunctions]: 0 };
    for (let k = minFunctions; k < maxFunctions; k++) {
      this.firstOfSize[k + 1] = this.firstOfSize[k] + this.tails[0][k];
    }
  }

  // Return the index of a configuration, or -1 if the plan never loads that number of functions at once.
  index(levels) {
    const size = levels.filter((level) => level > 0).length;
    if (size < this.min || size >= this.max) return -1;
    let rank = this.firstOfSize[size], weight = 1, within = 0, missing = size;
    for (let i = 0; missing > 0; i++) {
      const n = this.rates[i].length;
      if (levels[i]) {
        weight *= n;
        within = within * n + levels[i] - 1;
        missing--;
      } else {
        rank += weight * n * this.tails[i + 1][missing - 1];
      }
    }
    return rank + within;
  }

  levels(index) {
    let size = this.min;
    while (size + 1 < this.max && index >= this.firstOfSize[size + 1]) size++;
    let rank = index - this.firstOfSize[size], weight = 1;
    const levels = Array(this.functions.length).fill(0), loaded = [];
    for (let i = 0; loaded.length < size; i++) {
      const n = this.rates[i].length, withIt = weight * n * this.tails[i + 1][size - loaded.length - 1];
      if (rank < withIt) {
        loaded.push(i);
        weight *= n;
      } else {
        rank -= withIt;
      }
    }
    for (const i of loaded.reverse()) {
      levels[i] = (rank % this.rates[i].length) + 1;
      rank = Math.floor(rank / this.rates[i].length);
    }
    return levels;
  }

  text(index) {
    return this.loads(this.levels(index));
  }

  loads(levels) {
    const text = (level, i) => `${isolated(this.functions[i])} ${this.rates[i][level - 1]}`;
    return levels.flatMap((level, i) => (level ? [text(level, i)] : [])).join(" + ");
  }
}

const space = new Space(data);
const { nRuns } = data;
const cells = unpack(data.cells);
const predicted = unpack(data.predicted);
const proof = unpack(data.proof);
const evidence = unpack(data.evidence);
const configs = unpack(data.configs);
const summaries = unpackAll(data.summaries);

// The row in `configs` of each configuration, -1 where it was not run.
const rowOf = new Int32Array(cells.length).fill(-1);
configs.forEach((index, row) => (rowOf[index] = row));

const value = (column, row) => (column === null ? NaN : column[row]);

// The majority and the means of a configuration's valid runs; null if it was not run.
function summaryOf(index) {
  const row = rowOf[index];
  if (row < 0) return null;
  const numbers = Object.entries(summaries).map(([name, column]) => [name, value(column, row)]);
  return { ...Object.fromEntries(numbers), verdict: RUN_VERDICTS[summaries.verdict[row]] };
}

// The runs, which are most of the data, are read when the first of them is looked at: {runs, runFunctions, reasons},
// `of` the runs of each row of `configs`, and the `firstFunction` of each run, its first row in `runFunctions`.
let readAlready = null;

function recorded() {
  readAlready ??= readRuns(JSON.parse(document.getElementById("runs").textContent));
  return readAlready;
}

function readRuns({ runs, runFunctions, reasons }) {
  const own = unpackAll(runs), of = Array.from(configs, () => []), firstFunction = [0];
  for (let run = 0; run < data.nRuns; run++) {
    of[own.config[run]].push(run);
    firstFunction.push(firstFunction[run] + own.nFunctions[run]);
  }
  return { runs: own, runFunctions: unpackAll(runFunctions), reasons, of, firstFunction };
}

const runsOf = (index) => (rowOf[index] < 0 ? [] : recorded().of[rowOf[index]]);

// The reasons of a configuration's verdict, and the runs that state each: an outvoted run does not explain it.
function reasonsOf(index) {
  const { runs, reasons } = recorded(), { verdict } = summaryOf(index), said = new Map();
  for (const run of runsOf(index).filter((one) => RUN_VERDICTS[runs.verdict[one]] === verdict)) {
    for (const reason of reasons[runs.reasons[run]]) {
      said.set(reason, [...(said.get(reason) ?? []), runs.iteration[run] + 1]);
    }
  }
  return Array.from(said, ([reason, own]) => `${own.length > 1 ? "Runs" : "Run"} ${own.join(", ")}: ${reason}`);
}

// How many of the valid runs agree, and how many runs were INVALID.
function agreement(one) {
  const valid = one.nAgreeing === one.nValid ? String(one.nValid) : `${one.nAgreeing} of ${one.nValid}`;
  return withInvalid(valid, one);
}

function withInvalid(text, one) {
  const nInvalid = one.nRuns - one.nValid;
  return nInvalid ? `${text}, ${nInvalid} INVALID` : text;
}

const isPredicted = (index) => cells[index] === UNKNOWN && predicted !== null && predicted[index] !== NOT_PREDICTED;

// If there are more configurations than this, only those that were run are listed.
const MAX_LISTED = 100_000;
const areAllListed = cells.length <= MAX_LISTED;
const isListed = (index) => areAllListed || rowOf[index] >= 0;

const isOfMap = (index) => index >= 0 && cells[index] !== ABSENT;

// The side of the frontier that a configuration is on: -1 OK, 1 overloaded, 0 neither. `likely`: where it is not known,
// that of its prediction.
function sideOf(index, likely = false) {
  if (!isOfMap(index)) return 0;
  if (likely && isPredicted(index)) return likelySide(predicted[index]);
  return SIDES[cells[index]] ?? 0;
}

// The edges of a grid of configurations at which OK and overloaded meet. `likely`: only those that follow from a prediction.
const frontierEdges = (grid, likely = false) =>
  edgesBetween(grid, (index) => sideOf(index), likely ? (index) => sideOf(index, true) : null);

// Whether a configuration was measured, but its runs leave more doubt of the verdict than is usual to accept.
const SURE = 0.95;

function isUnsure(index) {
  const isMeasured = cells[index] === OK_MEASURED || cells[index] === OVERLOADED_MEASURED;
  return isMeasured && value(summaries.confidence, rowOf[index]) < SURE;
}

// The state of a configuration in words.
function statusText(index) {
  const code = cells[index], one = summaryOf(index);
  const said = one && (one.nValid ? `its runs say ${one.verdict}` : "all its runs were INVALID");
  const is = isPredicted(index) ? `unknown, predicted overloaded with ${predicted[index]} %` : CELL_TEXTS[code];
  return said && (code === CONTRADICTED || code === INCOMPLETE) ? `${is}; ${said}` : is;
}
