// Tables that draw only the rows of the current page.

const ROWS_A_PAGE = 25;
const ROWS_PRINTED = 200;

// One row an item. A column is {title, cell(item), sort(item)?, numeric?, wide?}: a `wide` column is left out on narrow
// screens. With `detail(item)` the first column is a button that shows and hides the detail below its row.
class PagedTable {
  constructor(host, { label, columns, items, detail = null, nothing = "None." }) {
    Object.assign(this, { columns, detail, items, shown: items, page: 0, size: ROWS_A_PAGE, sorted: null });
    this.open = new Set();
    this.body = make("tbody");
    this.headings = columns.map((column, i) => this.heading(column, i));
    const head = make("thead", {}, make("tr", {}, ...this.headings));
    this.scroll = scrolling(label, make("table", {}, make("caption", { class: "hidden" }, label), head, this.body));
    this.status = make("span", { role: "status" });
    this.back = [button("First", () => this.turn(0)), button("Back", () => this.turn(this.page - 1))];
    this.on = [button("Next", () => this.turn(this.page + 1)), button("Last", () => this.turn(this.lastPage))];
    this.pager = make("div", { class: "pager" }, ...this.back, this.status, ...this.on);
    this.nothing = make("p", { class: "how" }, nothing);
    host.append(this.nothing, this.scroll, this.pager);
    this.draw();
    addEventListener("beforeprint", () => this.resize(ROWS_PRINTED));
    addEventListener("afterprint", () => this.resize(ROWS_A_PAGE));
  }

  get lastPage() {
    return Math.max(0, Math.ceil(this.shown.length / this.size) - 1);
  }

  // Show only the items for which `keeps` is true, in the chosen order.
  filter(keeps) {
    this.kept = keeps ? this.items.filter(keeps) : this.items;
    this.arrange();
  }

  // Go to the page of an item and open it; return the button of its row.
  reveal(item) {
    this.page = Math.floor(this.shown.indexOf(item) / this.size);
    this.open.add(item);
    this.draw();
    return this.buttonOf(item);
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
    const title = column.sort ? button(column.title, () => this.sortBy(i), { class: "plain" }) : column.title;
    return make("th", { scope: "col", class: this.classes(column) }, title);
  }

  classes(column) {
    return [column.numeric && "number", column.wide && "wide"].filter(Boolean).join(" ") || null;
  }

  // Sort upwards, at the next click downwards, then in the original order.
  sortBy(i) {
    const was = this.sorted?.[0] === i ? this.sorted[1] : "";
    const next = { "": "ascending", ascending: "descending", descending: "" }[was];
    this.sorted = next && [i, next];
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
      // Missing values come last in either direction.
      const keyed = this.shown.map((item) => [this.columns[i].sort(item), item]);
      const isMissing = (key) => Number.isNaN(key) || key === null;
      keyed.sort(([a], [b]) => isMissing(a) - isMissing(b) || (a < b ? -sign : a > b ? sign : 0));
      this.shown = keyed.map(([, item]) => item);
    }
    this.page = 0;
    this.draw();
  }

  draw() {
    const first = this.page * this.size, last = Math.min(first + this.size, this.shown.length), n = this.shown.length;
    this.body.replaceChildren(...this.shown.slice(first, last).flatMap((item) => this.rows(item)));
    const isPart = n > last - first;
    this.status.textContent = isPart ? `rows ${count(first + 1)} to ${count(last)} of ${count(n)}` : `${count(n)} rows`;
    this.nothing.hidden = this.items.length > 0;
    this.scroll.hidden = this.items.length === 0;
    this.pager.hidden = this.items.length <= ROWS_A_PAGE;
    // Not `disabled`, which would take the focus from whoever turns the pages by keyboard.
    for (const one of this.back) one.setAttribute("aria-disabled", this.page === 0);
    for (const one of this.on) one.setAttribute("aria-disabled", this.page === this.lastPage);
    for (const one of [...this.back, ...this.on]) one.hidden = this.lastPage === 0;
  }

  rows(item) {
    const isOpen = this.open.has(item);
    const row = make("tr", { "data-item": this.detail && item }, ...this.columns.map((column, i) => {
      if (i || !this.detail) return make("td", { class: this.classes(column) }, column.cell(item));
      const attributes = { class: "plain", "aria-expanded": String(isOpen) };
      return make("th", { scope: "row" }, button(column.cell(item), () => this.toggle(item), attributes));
    }));
    if (!isOpen) return [row];
    return [row, make("tr", { class: "detail" }, make("td", { colspan: this.columns.length }, this.detail(item)))];
  }

  toggle(item) {
    if (!this.open.delete(item)) this.open.add(item);
    this.draw();
    this.buttonOf(item).focus();
  }

  buttonOf(item) {
    return this.body.querySelector(`[data-item="${item}"] button`);
  }
}
