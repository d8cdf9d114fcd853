// Colours and widths of what plotly draws, which style sheets do not reach. After Okabe and Ito, "Color universal design".

const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const print = matchMedia("print");
const PRINTED_WIDTH_PX = 660;

const LIGHT = {
  ink: "#1b1f24", grid: "#d0d4d9", cursor: "#000000",
  fill: { [UNKNOWN]: "#cfd3d8", [CONTRADICTED]: "#cc79a7", [OK_MEASURED]: "#0072b2", [OK_INFERRED]: "#a6d0ea", [OVERLOADED_MEASURED]: "#d55e00", [OVERLOADED_INFERRED]: "#f5c19d" },
  mark: { [CONTRADICTED]: "#000000", [OK_MEASURED]: "#ffffff", [OK_INFERRED]: "#00466e", [OVERLOADED_MEASURED]: "#ffffff", [OVERLOADED_INFERRED]: "#7a3600" },
  predicted: ["#e4f1f9", "#f3f3f3", "#fcebdd"],
  parts: { cooldown: "#56b4e9", load: "#d55e00", overhead: "#999999" },
};
const DARK = {
  ink: "#e6e8eb", grid: "#3b4048", cursor: "#ffffff",
  fill: { [UNKNOWN]: "#555b63", [CONTRADICTED]: "#cc79a7", [OK_MEASURED]: "#56b4e9", [OK_INFERRED]: "#1c5a82", [OVERLOADED_MEASURED]: "#e8792b", [OVERLOADED_INFERRED]: "#7d4013" },
  mark: { [CONTRADICTED]: "#000000", [OK_MEASURED]: "#00263c", [OK_INFERRED]: "#bfe3f8", [OVERLOADED_MEASURED]: "#331500", [OVERLOADED_INFERRED]: "#ffd9bd" },
  predicted: ["#15303f", "#2c2f33", "#3c2a1c"],
  parts: { cooldown: "#56b4e9", load: "#e8792b", overhead: "#9aa0a6" },
};
const palette = () => (dark.matches ? DARK : LIGHT);

// How a configuration is marked beside its colour.
const SYMBOLS = {
  [CONTRADICTED]: "diamond-tall",
  [OK_MEASURED]: "circle",
  [OK_INFERRED]: "circle-open",
  [OVERLOADED_MEASURED]: "x",
  [OVERLOADED_INFERRED]: "x-thin-open",
};

const N_PREDICTED_SHADES = 10;

// Return the shade of a probability between those of 0, 1/2 and 1.
function shade(share) {
  const [low, middle, high] = palette().predicted;
  const [from, to, weight] = share < 0.5 ? [low, middle, 2 * share] : [middle, high, 2 * share - 1];
  const part = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(part(from, at) + weight * (part(to, at) - part(from, at))));
  return `rgb(${mixed.join()})`;
}

// Plotly reads tags and entities in texts: a name is to be shown as it is.
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const PLOT_OPTIONS = { displayModeBar: false, responsive: false, doubleClick: false };

function plotLayout(more) {
  const axis = { fixedrange: true, zeroline: false, gridcolor: palette().grid, automargin: false };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, showlegend: false,
    font: { family: "system-ui, sans-serif", size: 13, color: palette().ink },
    ...more, xaxis: { ...axis, ...more.xaxis }, yaxis: { ...axis, ...more.yaxis },
  };
}

// Draw into the room that a host has, now and whenever that or the colours change; `draw` is given its width.
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

// The width of an element without that of a panel beside its first child.
function room(host) {
  const [panel] = host.getElementsByTagName("aside");
  const isBeside = panel && getComputedStyle(host).gridTemplateColumns.includes(" ");
  return Math.max(240, host.clientWidth - (isBeside ? panel.offsetWidth + parseFloat(getComputedStyle(host).columnGap) : 0));
}
