// Formatting of numbers, and construction of the page's elements.

const count = (n) => n.toLocaleString("en-US");
const fixed = (number, digits, unit = "") => (Number.isFinite(number) ? `${number.toFixed(digits)}${unit}` : "–");

function signed(number, digits) {
  if (!Number.isFinite(number)) return "–";
  return `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;
}

const SUREST = 0.999;

function confidenceText(share) {
  return share > SUREST ? `over ${fixed(100 * SUREST, 1, " %")}` : fixed(100 * share, 1, " %");
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function moment(seconds) {
  const date = new Date(1000 * seconds);
  return Number.isNaN(date.getTime()) ? "–" : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// A name in Unicode isolates, so that right-to-left letters do not displace the number beside it. An ASCII name stays as
// it is, so that it can be copied and searched for.
const isolated = (name) => (/^[\x00-\x7f]*$/.test(name) ? name : `\u2068${name}\u2069`);

// Cut a text to a number of letters.
const shortened = (text, limit) => {
  const letters = [...text];
  return letters.length > limit ? `${letters.slice(0, Math.max(1, limit - 1)).join("")}…` : text;
};

// Return an element whose children are texts and elements, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, one] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), one);
    else if (one !== null && one !== false) element.setAttribute(name, one === true ? "" : one);
  }
  element.append(...children);
  return element;
}

const button = (text, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, text);

const listOf = (texts) => make("ul", { class: "reasons" }, ...texts.map((text) => make("li", {}, text)));

// A description list of [term, text] pairs.
const descriptionList = (entries, className = null) => make("dl", { class: className }, ...entries.map(([term, text]) =>
  make("div", {}, make("dt", {}, term), make("dd", {}, text))));

// A table that may be wider than the page scrolls inside its own region, by keyboard too.
function scrolling(label, table) {
  return hinted(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table));
}

// Mark a region while its content is wider, so that the style sheet can say that it scrolls: phones show no scroll bar.
function hinted(region) {
  const sizes = new ResizeObserver(() => region.classList.toggle("scrolls", region.scrollWidth > region.clientWidth));
  sizes.observe(region);
  sizes.observe(region.firstElementChild);
  return region;
}
