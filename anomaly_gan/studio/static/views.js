// What can be looked at: the pool's masks with their ancestry, and the verdict.

const make = (name, more = {}, ...children) => {
  const element = Object.assign(document.createElement(name), more);
  element.append(...children);
  return element;
};

export class Masks {
  constructor(studio) {
    this.studio = studio;
    this.$ = studio.$;
    this.$("mask-category").addEventListener("change", () => this.#draw());
    this.$("close-origin").addEventListener("click", () => { this.$("origin").hidden = true; });
  }

  async open() {
    const { status, body } = await this.studio.call("/api/masks");
    if (status !== 200) return this.studio.toast("The masks cannot be read.");
    this.items = body.items;
    const names = [...new Set(this.items.map((item) => item.label))].sort(), kept = this.$("mask-category").value;
    this.$("mask-category").replaceChildren(new Option("all categories", ""), ...names.map((name) => new Option(name, name)));
    this.$("mask-category").value = names.includes(kept) ? kept : "";
    this.#draw();
  }

  key(key) {
    if (key !== "escape") return false;
    this.$("origin").hidden = true;
    return true;
  }

  #draw() {
    const wanted = this.$("mask-category").value, shown = this.items.filter((item) => !wanted || item.label === wanted);
    this.$("mask-count").textContent = this.items.length ? `${shown.length} masks` : "This run has no mask pool yet.";
    this.$("grid").replaceChildren(...shown.map((item) => {
      const picture = make("img", { loading: "lazy", alt: "", src: `/thumb/${item.id}.png?v=${item.version}`, width: 144, height: 144 });
      const button = make("button", {}, picture, item.name);
      button.addEventListener("click", () => this.#show(item));
      return button;
    }));
  }

  async #show(item) {
    const { status, body } = await this.studio.call(`/api/masks/${item.id}`);
    if (status !== 200) return this.studio.toast("This mask is there no more.");
    this.$("origin").hidden = false;
    this.$("origin-name").textContent = item.name;
    this.$("ancestry").textContent = body.lines.join("\n");
    const figure = (source, words) => make("figure", {}, make("img", { src: source, alt: "" }), make("figcaption", { textContent: words }));
    this.$("family").replaceChildren(...body.parents.map((at) => figure(`/parent/${item.id}/${at}.png?v=${item.version}`,
      body.parents.length > 1 ? `parent of element ${at + 1}` : "cut from this real defect")), figure(`/thumb/${item.id}.png?v=${item.version}`, "as it lies in the pool"));
  }
}

export class Verdict {
  constructor(studio) { this.studio = studio; this.$ = studio.$; }

  async open() {
    const { status, body } = await this.studio.call("/api/verdict");
    if (status !== 200) return this.studio.toast("The verdict cannot be read.");
    this.$("paragraph").textContent = body.missing ? "No verdict yet: the run's report brings it (anomaly-gan report)." : body.paragraph;
    this.$("arms").replaceChildren(...(body.arms ?? []).map((arm) => this.#arm(arm)));
  }

  #arm(arm) {
    const cell = (text) => make("td", { textContent: text });
    const rows = arm.rows.map((row) => make("tr", {}, cell(row.category), make("td", {}, make("b", { textContent: row.call })),
      cell(this.#difference(row)), cell(row.why ?? "")));
    const head = make("tr", {}, ...["category", "verdict", "AP@0.5 against real alone", "why"].map((text) => make("th", { textContent: text })));
    const advice = arm.advice.map((text) => make("li", { textContent: text }));
    return make("section", {}, make("h2", { textContent: arm.arm }), make("table", {}, head, ...rows), make("ul", {}, ...advice));
  }

  #difference({ difference, low, high }) {
    const signed = (value) => (value >= 0 ? "+" : "−") + Math.abs(value).toFixed(3);
    if (typeof difference !== "number") return "–";
    return signed(difference) + (typeof low === "number" && typeof high === "number" ? ` [${signed(low)}, ${signed(high)}]` : "");
  }
}
