// The texts of a cell: a few lines for the tooltip, everything for the panel, one word for the table.

const MAX_NAMED = 5;

// Explain a state that does not follow from the configuration's own runs.
function why(index) {
  if (evidence[index]) return `It is inferred from ${space.text(proof[evidence[index] - 1])}.`;
  const against = data.disputes.flatMap(([low, high, state]) => {
    if (state === "settled" || (low !== index && high !== index)) return [];
    return [low === index ? high : low];
  });
  const named = against.slice(0, MAX_NAMED).map((one) => space.text(one)).join(", ");
  if (named) return `Contradicted by ${named}${against.length > MAX_NAMED ? ", ..." : ""}.`;
  return cells[index] === CONTRADICTED ? "It lies between configurations that contradict each other." : "";
}

function tooltipText(index) {
  const one = summaryOf(index), lines = [space.text(index), statusText(index)];
  if (one) {
    lines.push(withInvalid(`${one.nAgreeing} of ${one.nValid} runs agree`, one));
    lines.push(`success ${fixed(one.success, 3)}, p95 ${fixed(one.p95Ms, 0, " ms")}, margin ${signed(one.margin, 2)}`);
    lines.push(`CPU ${fixed(one.cpuPct, 1, " %")}, RAM ${fixed(one.ramPct, 1, " %")}`);
  }
  return lines.join("\n");
}

// Return the elements of the panel; its button calls `enter`.
function panelElements(index, enter) {
  const one = summaryOf(index);
  const parts = [make("h3", {}, space.text(index)), make("p", { class: "verdict" }, statusText(index))];
  if (why(index)) parts.push(make("p", {}, why(index)));
  if (one) parts.push(descriptionList(numbersOf(one)));
  const reasons = one ? reasonsOf(index) : [];
  if (reasons.length) parts.push(listOf(reasons));
  if (one) return [...parts, button("Show its runs", enter)];
  if (evidence[index]) return [...parts, button("Show the runs that it is inferred from", enter)];
  return isListed(index) ? [...parts, button("Show it in the list", enter)] : parts;
}

// The numbers of a configuration that was run.
function numbersOf(one) {
  return [
    ["runs", withInvalid(`${one.nAgreeing} of ${one.nValid} agree`, one)],
    ["success", fixed(one.success, 3)],
    ["p95", fixed(one.p95Ms, 0, " ms")],
    ["CPU", fixed(one.cpuPct, 1, " %")],
    ["RAM", fixed(one.ramPct, 1, " %")],
    ["margin", signed(one.margin, 3)],
    ["confidence", confidenceText(one.confidence)],
  ];
}

const TABLE_TEXTS = {
  [UNKNOWN]: "?",
  [CONTRADICTED]: "contradicted",
  [INCOMPLETE]: "incomplete",
  [OK_MEASURED]: "OK",
  [OK_INFERRED]: "(OK)",
  [OVERLOADED_MEASURED]: "over",
  [OVERLOADED_INFERRED]: "(over)",
};

function tableText(index) {
  if (!isOfMap(index)) return "";
  return isPredicted(index) ? `${predicted[index]} %` : TABLE_TEXTS[cells[index]];
}

// --- the legend

const LETTERS = { circle: "●", "circle-open": "○", x: "✖", "x-thin-open": "×", "diamond-tall": "♦", "line-ew-open": "–" };

function drawLegend() {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])), { fill, mark, ink } = palette();
  let nPredicted = 0;
  for (let index = 0; index < cells.length; index++) {
    if (isPredicted(index)) nPredicted++;
    else counts[cells[index]]++;
  }
  const kinds = KINDS.filter((kind) => counts[kind]);
  const entries = kinds.map((kind) => stateEntry(kind, `${CELL_TEXTS[kind]}: ${count(counts[kind])}`));
  const text = `predicted, with the probability of overload in %: ${count(nPredicted)}`;
  if (nPredicted) entries.push(legendEntry(shade(0.85), ink, "%", text));
  const nUnsure = configs.filter(isUnsure).length, ofUnsure = `ringed, less than ${100 * SURE} % sure: ${count(nUnsure)}`;
  if (nUnsure) entries.push(legendEntry(fill[OK_MEASURED], mark[OK_MEASURED], "◎", ofUnsure));
  entries.push(...frontierEntries(kinds, nPredicted > 0));
  document.getElementById("legend").replaceChildren(...entries);
}

// The entries of the frontiers between these states.
function frontierEntries(kinds, isPredicted) {
  const isThere = (side) => kinds.some((kind) => SIDES[kind] === side);
  const proved = isThere(-1) && isThere(1) ? [legendLine("solid", "frontier: OK below, overloaded above")] : [];
  return [...proved, ...(isPredicted ? [legendLine("dotted", "frontier, predicted")] : [])];
}

function legendLine(style, text) {
  const key = make("span", { class: "key line", "aria-hidden": "true" });
  key.style.borderTopStyle = style;
  return make("li", {}, key, text);
}

function stateEntry(kind, text) {
  const { fill, mark } = palette();
  return legendEntry(fill[kind], mark[kind], LETTERS[SYMBOLS[kind]] ?? "", text);
}

function legendEntry(fill, ink, letter, text) {
  const key = make("span", { class: "key", "aria-hidden": "true" }, letter);
  key.style.background = fill;
  key.style.color = ink;
  return make("li", {}, key, text);
}
