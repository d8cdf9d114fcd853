// Colours and widths of Plotly's drawings, which style sheets do not reach. The colours are those of Okabe and Ito,
// "Color universal design" (2008), and tints of them.

const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const print = matchMedia("print");
const PRINTED_WIDTH_PX = 660;
const MIN_WIDTH_PX = 240;

const KINDS = [OK_MEASURED, OK_INFERRED, OVERLOADED_MEASURED, OVERLOADED_INFERRED, CONTRADICTED, INCOMPLETE, UNKNOWN];
const ofKinds = (...colours) => Object.fromEntries(KINDS.map((kind, i) => [kind, colours[i]]));

// The fills and marks, in the order of KINDS.
const LIGHT = {
  ink: "#1b1f24", grid: "#d0d4d9", cursor: "#000000", halo: "#ffffff",
  fill: ofKinds("#0072b2", "#a6d0ea", "#d55e00", "#f5c19d", "#cc79a7", "#f0e442", "#cfd3d8"),
  mark: ofKinds("#ffffff", "#00466e", "#ffffff", "#7a3600", "#000000", "#000000", "#1b1f24"),
  predicted: ["#e4f1f9", "#f3f3f3", "#fcebdd"],
  parts: { cooldown: "#56b4e9", load: "#d55e00", overhead: "#999999" },
};
const DARK = {
  ink: "#e6e8eb", grid: "#3b4048", cursor: "#ffffff", halo: "#14171b",
  fill: ofKinds("#56b4e9", "#1c5a82", "#e8792b", "#7d4013", "#cc79a7", "#a89c1e", "#555b63"),
  mark: ofKinds("#00263c", "#bfe3f8", "#331500", "#ffd9bd", "#000000", "#000000", "#e6e8eb"),
  predicted: ["#15303f", "#2c2f33", "#3c2a1c"],
  parts: { cooldown: "#56b4e9", load: "#e8792b", overhead: "#9aa0a6" },
};
const palette = () => (dark.matches ? DARK : LIGHT);

// The mark of each state, besides its colour.
const SYMBOLS = {
  [CONTRADICTED]: "diamond-tall",
  [OK_MEASURED]: "circle",
  [OK_INFERRED]: "circle-open",
  [OVERLOADED_MEASURED]: "x",
  [OVERLOADED_INFERRED]: "x-thin-open",
  [INCOMPLETE]: "line-ew-open",
};

// A cell's colour by number: first those of KINDS, then shades of a probability.
const N_SHADES = 10;

function colourNumber(index) {
  if (!isOfMap(index)) return null;
  if (!isPredicted(index)) return KINDS.indexOf(cells[index]);
  return KINDS.length + Math.min(N_SHADES - 1, Math.floor((predicted[index] * N_SHADES) / 100));
}

// Return the shade of a probability between those of 0, 1/2 and 1.
function shade(share) {
  const [low, middle, high] = palette().predicted;
  const [from, to, weight] = share < 0.5 ? [low, middle, 2 * share] : [middle, high, 2 * share - 1];
  const part = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(part(from, at) + weight * (part(to, at) - part(from, at))));
  return `rgb(${mixed.join()})`;
}

// Plotly interprets tags and entities in texts: escape names, so that they are shown as they are.
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const PLOT_OPTIONS = { displayModeBar: false, responsive: false, doubleClick: false };

function plotLayout(more) {
  const axis = { fixedrange: true, zeroline: false, gridcolor: palette().grid, automargin: false };
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", dragmode: false, showlegend: false,
    font: { family: "system-ui, sans-serif", size: 13, color: palette().ink },
    ...more, xaxis: { ...axis, ...more.xaxis }, yaxis: { ...axis, ...more.yaxis },
  };
}

// Return a function that draws with the width of a host, and call it whenever the width or the colours change.
function keepDrawn(host, draw) {
  let printing = false, width = 0;
  const redraw = () => draw(printing || print.matches ? PRINTED_WIDTH_PX : room(host));
  new ResizeObserver(() => {
    if (room(host) === width || printing) return;
    width = room(host);
    redraw();
  }).observe(host);
  dark.addEventListener("change", redraw);
  print.addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    printing = true;
    redraw();
  });
  addEventListener("afterprint", () => {
    printing = false;
    redraw();
  });
  return redraw;
}

// Call a function once, when an element comes into view or is printed, so that a report opens sooner.
function whenSeen(element, begin) {
  let hasBegun = false;
  const start = () => {
    if (hasBegun) return;
    hasBegun = true;
    begin();
  };
  const seen = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) start();
  }, { rootMargin: "300px" });
  seen.observe(element);
  addEventListener("beforeprint", start);
}

// Tell whether an element's panel stands beside its first child, not below it.
function hasPanelBeside(host) {
  return host.getElementsByTagName("aside").length > 0 && getComputedStyle(host).gridTemplateColumns.includes(" ");
}

// The width of an element without that of a panel beside its first child.
function room(host) {
  const [panel] = host.getElementsByTagName("aside"), { columnGap } = getComputedStyle(host);
  const taken = hasPanelBeside(host) ? panel.offsetWidth + parseFloat(columnGap) : 0;
  return Math.max(MIN_WIDTH_PX, host.clientWidth - taken);
}
