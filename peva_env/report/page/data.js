// What the page is drawn from: columns of numbers, and where a configuration stands in them.
//
// A configuration is its index in plan order. `levels` has a number for each function: 0 = not loaded, j = its j-th
// lowest rate. A configuration that was run has a row in `configs`, a run has one in the columns of `runs`, and a run
// of k functions has k rows in those of `runFunctions`.

const data = JSON.parse(document.getElementById("data").textContent);

// As in page_data.py.
const ABSENT = 0, UNKNOWN = 1, CONTRADICTED = 2, OK_MEASURED = 3, OK_INFERRED = 4, OVERLOADED_MEASURED = 5,
  OVERLOADED_INFERRED = 6;
const NOT_PREDICTED = 255;
const RUN_VERDICTS = ["OK", "OVERLOADED", "INVALID"];

const CELL_TEXTS = {
  [UNKNOWN]: "unknown",
  [CONTRADICTED]: "contradicted",
  [OK_MEASURED]: "OK, measured",
  [OK_INFERRED]: "OK, known without a run",
  [OVERLOADED_MEASURED]: "OVERLOADED, measured",
  [OVERLOADED_INFERRED]: "OVERLOADED, known without a run",
};

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

  // Return the index of a configuration, or -1 where so many functions are not loaded at once.
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
    const text = (level, i) => `${this.functions[i]} ${this.rates[i][level - 1]}`;
    return levels.flatMap((level, i) => (level ? [text(level, i)] : [])).join(" + ");
  }
}

const space = new Space(data);
const cells = unpack(data.cells);
const predicted = unpack(data.predicted);
const proof = unpack(data.proof);
const evidence = unpack(data.evidence);
const configs = unpack(data.configs);
const runs = unpackAll(data.runs);
const runFunctions = unpackAll(data.runFunctions);
const nRuns = runs.config.length;

// The row in `configs` of each configuration, -1 where it was not run.
const rowOf = new Int32Array(cells.length).fill(-1);
configs.forEach((index, row) => (rowOf[index] = row));

// The runs of each row of `configs`, and the first row in `runFunctions` of each run.
const runsOf = Array.from(configs, () => []);
const firstFunction = new Uint32Array(nRuns + 1);
for (let run = 0; run < nRuns; run++) {
  runsOf[runs.config[run]].push(run);
  firstFunction[run + 1] = firstFunction[run] + runs.nFunctions[run];
}

const value = (column, row) => (column === null ? NaN : column[row]);

function mean(numbers) {
  const known = numbers.filter(Number.isFinite);
  return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : NaN;
}

// What the valid runs of a row of `configs` say together.
function summaryOf(row) {
  const valid = runsOf[row].filter((run) => RUN_VERDICTS[runs.verdict[run]] !== "INVALID");
  const over = valid.filter((run) => RUN_VERDICTS[runs.verdict[run]] === "OVERLOADED").length;
  const verdict = !valid.length ? "INVALID" : 2 * over > valid.length ? "OVERLOADED" : "OK";
  const success = [], p95Ms = [];
  for (const run of valid) {
    for (let i = firstFunction[run]; i < firstFunction[run + 1]; i++) {
      if (runFunctions.offered[i]) success.push(value(runFunctions.success, i));
      p95Ms.push(value(runFunctions.p95Ms, i));
    }
  }
  const agreeing = valid.filter((run) => RUN_VERDICTS[runs.verdict[run]] === verdict);
  return {
    verdict,
    nRuns: runsOf[row].length,
    nValid: valid.length,
    nAgreeing: agreeing.length,
    success: mean(success),
    p95Ms: mean(p95Ms),
    cpuPct: mean(valid.map((run) => value(runs.cpuPct, run))),
    ramPct: mean(valid.map((run) => value(runs.ramPct, run))),
    margin: mean(valid.map((run) => value(runs.margin, run))),
    // A run that was outvoted does not explain the verdict.
    reasons: [...new Set((agreeing.length ? agreeing : runsOf[row]).flatMap((run) => data.reasons[runs.reasons[run]]))],
  };
}

const summaries = Array.from(configs, (_, row) => summaryOf(row));

const summaryOfConfig = (index) => (rowOf[index] < 0 ? null : summaries[rowOf[index]]);

const isPredicted = (index) => cells[index] === UNKNOWN && predicted !== null && predicted[index] !== NOT_PREDICTED;

const isOfMap = (index) => index >= 0 && cells[index] !== ABSENT;

// Say what a configuration is.
function statusText(index) {
  const code = cells[index], one = summaryOfConfig(index);
  const said = one && (one.nValid ? `its runs say ${one.verdict}` : "all its runs were INVALID");
  const is = isPredicted(index) ? `unknown, predicted ${predicted[index]} % overloaded` : CELL_TEXTS[code];
  return said && (code === CONTRADICTED || code === UNKNOWN) ? `${is}; ${said}` : is;
}
