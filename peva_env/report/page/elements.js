// Numbers as texts, and elements of the page.

const count = (n) => n.toLocaleString("en-US");
const fixed = (number, digits, unit = "") => (Number.isFinite(number) ? `${number.toFixed(digits)}${unit}` : "–");

function signed(number, digits) {
  if (!Number.isFinite(number)) return "–";
  return `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function moment(seconds) {
  const date = new Date(1000 * seconds);
  return Number.isNaN(date.getTime()) ? "–" : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// Letters written from the right do not carry away the number beside a name. A name in ASCII has none, and stays as it
// is: it can be copied and searched for.
const isolated = (name) => (/^[\x00-\x7f]*$/.test(name) ? name : `\u2068${name}\u2069`);

// Leave out the end of a text that has not the room.
const shortened = (text, limit) => {
  const letters = [...text];
  return letters.length > limit ? `${letters.slice(0, Math.max(1, limit - 1)).join("")}…` : text;
};

// Return an element; what it holds are texts and other elements, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, one] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), one);
    else if (one !== null && one !== false) element.setAttribute(name, one === true ? "" : one);
  }
  element.append(...children);
  return element;
}

// Do what nobody waits for: not before the page is there.
const whenIdle = (call) => (window.requestIdleCallback ? requestIdleCallback(call) : setTimeout(call));

const button = (text, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, text);

const listOf = (texts) => make("ul", { class: "reasons" }, ...texts.map((text) => make("li", {}, text)));

// Facts are pairs of what they are about and what there is to say.
const factsOf = (facts, className = null) => make("dl", { class: className }, ...facts.map(([term, text]) =>
  make("div", {}, make("dt", {}, term), make("dd", {}, text))));

// What may be wider than the page scrolls by itself, by keyboard too.
function scrolling(label, table) {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
}
