// Tables that draw only the rows that are looked at.

const ROWS_A_PAGE = 25;
const ROWS_PRINTED = 1000;

// One row an item. A column is {title, cell(item), sort(item)?, numeric?, wide?}: `wide` ones are left out on narrow screens.
// With `detail(item)` the first column is a button that shows and hides it below its row.
class PagedTable {
  constructor(host, { label, columns, items, detail = null, nothing = "None." }) {
    Object.assign(this, { columns, detail, items, shown: items, page: 0, size: ROWS_A_PAGE, sorted: null, open: new Set() });
    this.body = make("tbody");
    this.headings = columns.map((column, i) => this.heading(column, i));
    this.table = make("table", {}, make("caption", { class: "hidden" }, label), make("thead", {}, make("tr", {}, ...this.headings)), this.body);
    this.status = make("span", { role: "status" });
    this.buttons = [["First", () => 0], ["Back", () => this.page - 1], ["Next", () => this.page + 1], ["Last", () => this.lastPage]]
      .map(([name, page]) => make("button", { type: "button", onclick: () => this.turn(page()) }, name));
    this.pager = make("div", { class: "pager" }, ...this.buttons.slice(0, 2), this.status, ...this.buttons.slice(2));
    this.scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, this.table);
    this.nothing = make("p", { class: "how" }, nothing);
    host.append(this.nothing, this.scroll, this.pager);
    this.draw();
    addEventListener("beforeprint", () => this.resize(ROWS_PRINTED));
    addEventListener("afterprint", () => this.resize(ROWS_A_PAGE));
  }

  get lastPage() {
    return Math.max(0, Math.ceil(this.shown.length / this.size) - 1);
  }

  // Show only some items, in the order that was chosen.
  filter(keeps) {
    this.kept = keeps ? this.items.filter(keeps) : this.items;
    this.arrange();
  }

  // Go to the page of an item and open it; return the button of its row.
  reveal(item) {
    this.page = Math.floor(this.shown.indexOf(item) / this.size);
    this.open.add(item);
    this.draw();
    return this.body.querySelector(`[data-item="${item}"] button`);
  }

  turn(page) {
    this.page = Math.min(Math.max(page, 0), this.lastPage);
    this.draw();
  }

  resize(size) {
    const first = this.page * this.size;
    this.size = size;
    this.turn(Math.floor(first / size));
  }

  heading(column, i) {
    const classes = this.classes(column);
    if (!column.sort) return make("th", { scope: "col", class: classes }, column.title);
    return make("th", { scope: "col", class: classes }, make("button", { type: "button", class: "plain", onclick: () => this.sortBy(i) }, column.title));
  }

  classes = (column) => [column.numeric && "number", column.wide && "wide"].filter(Boolean).join(" ") || null;

  // First upwards, then downwards, then as it was.
  sortBy(i) {
    const next = { ascending: "descending", descending: null }[this.sorted?.[0] === i ? this.sorted[1] : null];
    this.sorted = next === null ? null : [i, next ?? "ascending"];
    this.headings.forEach((heading, j) => {
      if (this.sorted?.[0] === j) heading.setAttribute("aria-sort", this.sorted[1]);
      else heading.removeAttribute("aria-sort");
    });
    this.arrange();
  }

  arrange() {
    this.shown = this.kept ?? this.items;
    if (this.sorted) {
      const [i, direction] = this.sorted, sign = direction === "ascending" ? 1 : -1;
      // What was not measured comes last, whichever way.
      const keyed = this.shown.map((item) => [this.columns[i].sort(item), item]);
      const isMissing = (key) => Number.isNaN(key) || key === null;
      keyed.sort(([a], [b]) => isMissing(a) - isMissing(b) || (a < b ? -sign : a > b ? sign : 0));
      this.shown = keyed.map(([, item]) => item);
    }
    this.page = 0;
    this.draw();
  }

  draw() {
    const first = this.page * this.size, last = Math.min(first + this.size, this.shown.length);
    this.body.replaceChildren(...this.shown.slice(first, last).flatMap((item) => this.row(item)));
    const rows = this.shown.length > last - first ? `rows ${count(first + 1)} to ${count(last)} of ${count(this.shown.length)}` : `${count(this.shown.length)} rows`;
    this.status.textContent = rows;
    this.nothing.hidden = this.items.length > 0;
    this.scroll.hidden = this.items.length === 0;
    this.pager.hidden = this.items.length <= ROWS_A_PAGE;
    this.buttons.forEach((button, i) => {
      // Not `disabled`, which would take the focus from whoever turns the pages by keyboard.
      button.setAttribute("aria-disabled", i < 2 ? this.page === 0 : this.page === this.lastPage);
      button.hidden = this.lastPage === 0;
    });
  }

  row(item) {
    const texts = this.columns.map((column) => column.cell(item));
    if (!this.detail) return [make("tr", {}, ...texts.map((text, i) => make("td", { class: this.classes(this.columns[i]) }, text)))];
    const isOpen = this.open.has(item);
    const button = make("button", { type: "button", class: "plain", "aria-expanded": String(isOpen), onclick: () => this.toggle(item) }, texts[0]);
    const cellsOfRow = [make("th", { scope: "row" }, button), ...texts.slice(1).map((text, i) => make("td", { class: this.classes(this.columns[i + 1]) }, text))];
    const row = make("tr", { "data-item": item }, ...cellsOfRow);
    return isOpen ? [row, make("tr", { class: "detail" }, make("td", { colspan: this.columns.length }, this.detail(item)))] : [row];
  }

  toggle(item) {
    if (!this.open.delete(item)) this.open.add(item);
    this.draw();
    this.body.querySelector(`[data-item="${item}"] button`).focus();
  }
}
