// Generated photographs one by one, at 1:1: accept, reject, wrong category, why.
import { isDoubleClick } from "./page.js";
import { Queue, randomKey } from "./queue.js";
import { View } from "./view.js";

const NEWS_MS = 5000;
const REASONS = ["no defect to be seen", "its edge shows", "at an impossible place", "of an impossible size or shape",
  "unlike the material"];
const WORDS = { accept: "accepted", reject: "rejected", wrong_category: "wrong category" };
const KEYS = [["A", "accept"], ["R", "reject"], ["1 – 5", "reject, for this reason"], ["W, then a digit", "wrong category"],
  ["C", "why, in your words; then decide"], ["U or Backspace", "undo"], ["← →", "before, next"], ["F or Space", "mask on and off"],
  ["O", "outline on and off"], ["N", "1:1"], ["Z", "whole photograph"], ["+  −  wheel  pinch", "zoom"], ["drag", "move the photograph"]];
const COMMANDS = { a: "accept", r: "reject", w: "wrong", c: "why", u: "undo", backspace: "undo", arrowleft: "before",
  arrowright: "after", f: "mask", " ": "mask", o: "outline", n: "one-to-one", z: "zoom-fit", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out" };

export class Review {
  constructor(studio, drawer, forget) {
    Object.assign(this, { studio, forget, items: [], standing: {}, keys: {}, done: [], place: 0, seq: 0 });
    this.$ = studio.$;
    this.queue = new Queue(drawer, (action) => this.#send(action),
      { changed: () => studio.tell(this.queue), refused: (action, status) => this.#refused(status, action.painting) });
    window.addEventListener("online", () => this.queue.run());
    this.#build();
    setInterval(() => this.#news(), NEWS_MS);
  }

  async open() {
    if (this.items.length && !this.stale) return this.#draw();
    const status = await this.#load();
    if (status === 403) return this.forget();
    if (status !== 200) { this.studio.toast("No connection; trying again."); setTimeout(() => this.open(), 2000); return; }
    this.view ??= new View(this.$("stage"));
    this.view.native = true;
    this.view.shown.mask = false;
    this.#list();
    this.queue.run();
  }

  key(key, repeat) {
    const reason = REASONS[Number(key) - 1];
    if (reason) { if (!repeat) this.#decide("reject", { why: this.#why(reason) }); return true; }
    const command = COMMANDS[key];
    if (!command || (repeat && !/zoom|before|after/.test(command))) return false;
    this.#do(command);
    return true;
  }

  // ---- what stands
  async #load() {
    const { status, body } = await this.studio.call("/api/review");
    if (status !== 200) return status;
    Object.assign(this, { stale: false, items: body.items, standing: body.standing, keys: body.keys });
    this.byId = Object.fromEntries(this.items.map((item) => [item.id, item]));
    this.#note(body.standing);
    for (const action of this.queue.waiting) this.#apply(action);
    const arms = [...new Set(this.items.map((item) => item.arm))].sort(), kept = this.$("arm").value;
    this.$("arm").replaceChildren(...arms.map((arm) => new Option(arm, arm)));
    if (arms.includes(kept)) this.$("arm").value = kept;
    return 200;
  }

  #note(standing) {
    for (const one of Object.values(standing)) this.seq = Math.max(this.seq, one.seq);
  }

  async #news() {
    if (!this.shown || !this.items.length || this.queue.running) return;
    const { status, body } = await this.studio.call(`/api/review/news?since=${this.seq}`);
    if (status !== 200 || this.queue.running) return;
    this.#note(body.standing);
    const theirs = Object.entries(body.standing).filter(([, one]) => !one.mine);  // mine may be older than what is here
    for (const [id, one] of theirs) this.standing[id] = one;
    if (theirs.length) this.#draw();
  }

  #apply(action) {
    if (action.painting) return;
    this.keys[action.item] = action.key;
    if (action.decision === "undo") { delete this.standing[action.item]; return; }
    this.standing[action.item] = { ...action, reviewer: this.studio.person.name, mine: true };
  }

  #send(action) {
    if (!action.painting) return this.studio.change("/api/review", action);
    return this.studio.change("/api/painting/keep", action.painting).then((answer) => {
      if (answer.status === 200) { this.stale = true; this.studio.toast(`Kept in the run as painted/${answer.body.name}. It goes out once accepted: Review, set aside.`); }
      return answer;
    });
  }

  async #refused(status, painting) {
    if (painting) return this.studio.toast("This painting cannot be kept: the photograph was replaced, or its training is another now.");
    await this.#load();
    this.studio.toast(status === 422 ? "The server did not understand this decision."
      : "This photograph was replaced, or you decided on it elsewhere meanwhile. What is shown now is what counts.");
    this.#list();
  }

  // ---- deciding
  #decide(decision, more = {}) {
    const item = this.item;
    if (!item) return;
    const before = this.standing[item.id], action = { key: randomKey(), item: item.id, version: item.version, decision,
      why: this.#why(), expects: this.keys[item.id] ?? "", ...more };
    this.done.push({ item, key: action.key, before: before?.mine ? before : null });
    this.#add(action);
    this.$("why").value = "";
    this.#go(1, true);
  }

  #add(action) {
    this.#apply(action);
    this.queue.add(action);
  }

  #why(reason = "") {
    return [reason, this.$("why").value.trim()].filter(Boolean).join(": ").slice(0, this.studio.session.why_chars);
  }

  #undo() {
    const last = this.done.pop();
    if (!last) return this.studio.toast("There is nothing to undo.");
    const { item, before } = last, shared = { key: randomKey(), item: item.id, version: item.version, expects: this.keys[item.id] ?? "" };
    this.#add(before ? { ...shared, decision: before.decision, why: before.why, right_category: before.right_category ?? null }
      : { ...shared, decision: "undo", undoes: last.key });
    this.#list(item.id);
  }

  #do(command) {
    const commands = {
      accept: () => this.#decide("accept"), reject: () => this.#decide("reject"), undo: () => this.#undo(),
      wrong: () => { if (this.item) this.#ask(); }, why: () => this.$("why").focus(),
      before: () => this.#go(-1), after: () => this.#go(1),
      mask: () => { this.view.toggle("mask"); this.#draw(); }, outline: () => { this.view.toggle("outline"); this.#draw(); },
      "one-to-one": () => this.view.oneToOne(this.item?.centre), "zoom-fit": () => this.view.fit(),
      "zoom-in": () => this.view.zoom(1.5), "zoom-out": () => this.view.zoom(1 / 1.5),
    };
    commands[command]();
  }

  // ---- going on
  get item() { return this.list?.[this.place]; }

  #wanted(item) {
    const which = this.$("which").value, said = this.standing[item.id]?.decision;
    if (item.arm !== this.$("arm").value) return false;
    if (which === "refused") return Boolean(item.aside);
    return which === "all" || (which === "open" ? !said && !item.aside : said === which);
  }

  // The photographs that are asked for; what is decided meanwhile stays in the list until it is made anew.
  #list(id) {
    const wanted = this.items.filter((item) => this.#wanted(item) || item.id === id);
    this.list = wanted;
    this.place = Math.max(0, wanted.findIndex((item) => item.id === id));
    this.#draw();
  }

  #go(step, toOpen = false) {
    let place = this.place + step;
    if (toOpen && this.$("which").value === "open") {
      while (this.list[place] && this.standing[this.list[place].id]) place += 1;
      if (!this.list[place]) return this.#list();  // from the start: what was passed over
    }
    this.place = Math.max(0, Math.min(this.list.length - 1, place));
    this.#draw();
  }

  // ---- drawing
  #draw() {
    if (!this.shown) return;
    const refused = this.$("which").value === "refused";
    const of = this.items.filter((item) => item.arm === this.$("arm").value && Boolean(item.aside) === refused), decided = of.filter((item) => this.standing[item.id]);
    this.$("count").textContent = `${decided.length} of ${of.length} reviewed`;
    this.$("bar").style.width = `${of.length ? 100 * decided.length / of.length : 0}%`;
    const item = this.item, said = item && this.standing[item.id];
    this.$("stage").querySelector("#layers").hidden = !item;
    if (!item) {
      this.$("category").textContent = !this.items.length ? "No gate of this run has accepted a photograph yet."
        : this.$("which").value === "open" ? "All are reviewed: thank you! Next: anomaly-gan export." : "None of these.";
      this.$("standing").textContent = this.$("refusal").textContent = "";
      return;
    }
    const shown = item.id + item.version;
    if (this.showing !== shown) {
      this.showing = shown;
      this.view.show(item, true, (one, layer) => `/image/${one.id}/${layer}.png?v=${one.version}`);
      this.#preload();
    }
    const bold = Object.assign(document.createElement("b"), { textContent: item.label });
    this.$("category").replaceChildren("Made as: ", bold, ` · ${item.name}`);
    this.$("standing").textContent = said ? `${WORDS[said.decision]}${said.right_category ? `, shows ${said.right_category}` : ""}`
      + ` by ${said.reviewer}${said.why ? `: ${said.why}` : ""}` : item.aside ? "" : "not reviewed yet";
    this.$("refusal").textContent = item.aside ? `${item.name.startsWith("painted/") ? "Not in the export" : "The gate rejected it"}: ${item.aside}. Accepted here, it goes out.` : "";
    for (const name of ["accept", "reject"]) document.querySelector(`[data-do=${name}]`).setAttribute("aria-pressed", said?.decision === name);
    for (const layer of ["mask", "outline"]) document.querySelector(`[data-do=${layer}]`).setAttribute("aria-pressed", this.view.shown[layer]);
  }

  #preload() {
    const next = this.list[this.place + 1];
    for (const layer of next ? ["photo", "mask", "outline"] : []) new Image().src = `/image/${next.id}/${layer}.png?v=${next.version}`;
  }

  #ask() {
    const others = this.studio.session.categories.filter((name) => name !== this.item.label);
    this.$("categories").replaceChildren(...others.map((name, at) => this.#button(name, at < 9 ? String(at + 1) : "", () => this.#wrong(name))),
      this.#button("none of these: leave it out", "0", () => this.#wrong(null)));
    this.$("right").showModal();
  }

  #wrong(name) {
    this.$("right").close();
    this.#decide("wrong_category", { right_category: name });
  }

  #button(text, key, act) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(Object.assign(document.createElement("b"), { textContent: text }), Object.assign(document.createElement("kbd"), { textContent: key }));
    button.dataset.key = key;
    button.addEventListener("click", (event) => { act(event); button.blur(); });
    return button;
  }

  #build() {
    REASONS.forEach((reason, at) => this.$("reasons").append(this.#button(reason, String(at + 1), (event) => {
      if (!isDoubleClick(event)) this.#decide("reject", { why: this.#why(reason) });
    })));
    for (const [key, meaning] of KEYS) {
      this.$("keys").append(Object.assign(document.createElement("dt"), { textContent: key }),
        Object.assign(document.createElement("dd"), { textContent: meaning }));
    }
    this.$("why").maxLength = this.studio.session.why_chars;
    this.$("why").addEventListener("keydown", (event) => { if (/Enter|Escape/.test(event.key)) this.$("why").blur(); });
    this.$("right").addEventListener("keydown", (event) => {
      const button = [...this.$("categories").children].find((one) => one.dataset.key && one.dataset.key === event.key);
      if (button && !event.repeat) { event.preventDefault(); event.stopPropagation(); button.click(); }
    });
    for (const name of ["arm", "which"]) this.$(name).addEventListener("change", () => { this.#list(); this.$(name).blur(); });
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (!button || !this.shown) return;
      if (!(/accept|reject|undo/.test(button.dataset.do) && isDoubleClick(event))) this.#do(button.dataset.do);
      button.blur();
    });
  }
}
