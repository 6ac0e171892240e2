// Painting: a mask drawn by hand or taken from the pool, on a sound photograph; the generator answers at once.

const WAIT_MS = 120;  // after a stroke or a slider's move
const KEYS = { b: "brush", p: "polygon", e: "eraser", m: "mask" };

export class Paint {
  constructor(studio) {
    Object.assign(this, { studio, tool: "brush", points: [], stamp: null, number: 0, undone: [] });
    this.$ = studio.$;
    this.canvas = this.$("picture");
    this.over = this.$("drawn");
    this.mask = document.createElement("canvas");
    this.#listen();
    this.#take("brush");
  }

  async open() {
    if (this.photographs) return;
    const [painting, masks] = await Promise.all([this.studio.call("/api/painting"), this.studio.call("/api/masks")]);
    if (painting.status !== 200) return this.studio.toast("The photographs cannot be read.");
    this.photographs = painting.body.photographs;
    this.masks = masks.body?.items ?? [];
    this.#fill("method", painting.body.methods);
    this.#fill("paint-category", this.studio.session.categories);
    this.#fill("sound", this.photographs.map((one, at) => at), (at) => this.photographs[at].name);
    this.$("no-method").hidden = painting.body.methods.length > 0;
    await this.#photograph(0);
  }

  key(key) {
    if (KEYS[key]) this.#take(KEYS[key]);
    else if (key === "u" || key === "backspace") this.#undo();
    else if (key === "enter") this.#close();
    else if (key === "n") this.#other();
    else if (key === "k") this.#keep();
    else if (key === "arrowleft" || key === "arrowright") this.#photograph(Number(this.$("sound").value) + (key === "arrowleft" ? -1 : 1));
    else return false;
    return true;
  }

  #fill(id, values, words = (value) => value) {
    this.$(id).replaceChildren(...values.map((value) => new Option(words(value), value)));
  }

  // ---- the photograph
  async #photograph(at) {
    const one = this.photographs[(at + this.photographs.length) % this.photographs.length];
    if (!one) return this.studio.toast("This run has no training photograph.");
    this.$("sound").value = String(this.photographs.indexOf(one));
    const picture = new Image();
    picture.src = `/sound/${one.id}/photo.png?v=${one.version}`;
    try { await picture.decode(); } catch { return this.studio.toast("This photograph has changed since it was ingested."); }
    Object.assign(this, { one, picture, undone: [], points: [] });
    for (const canvas of [this.canvas, this.over, this.mask]) Object.assign(canvas, { width: one.width, height: one.height });
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.over]) Object.assign(canvas.style, { width: `${one.width / ratio}px`, height: `${one.height / ratio}px` });
    this.$("shown").textContent = "Draw a defect.";
    this.#base();
    this.#show();
  }

  #base() { this.canvas.getContext("2d").drawImage(this.picture, 0, 0); }

  // ---- the mask
  get pen() { return this.mask.getContext("2d", { willReadFrequently: true }); }

  #take(tool) {
    this.#close();
    this.tool = tool;
    for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tool);
    for (const one of document.querySelectorAll("[data-for]")) one.hidden = !one.dataset.for.split(" ").includes(tool);
    if (tool === "mask") this.#choose();
  }

  #at(event) {
    const box = this.over.getBoundingClientRect();
    return [(event.clientX - box.left) * this.one.width / box.width, (event.clientY - box.top) * this.one.height / box.height];
  }

  #remember() {
    this.undone.push(this.pen.getImageData(0, 0, this.one.width, this.one.height));
    if (this.undone.length > 20) this.undone.shift();
  }

  #undo() {
    this.points = [];
    const before = this.undone.pop();
    if (before) this.pen.putImageData(before, 0, 0);
    this.#show();
    this.#later();
  }

  #stroke(from, to) {
    const pen = this.pen;
    Object.assign(pen, { lineCap: "round", lineJoin: "round", lineWidth: Number(this.$("size").value), strokeStyle: "#000",
      globalCompositeOperation: this.tool === "eraser" ? "destination-out" : "source-over" });
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
    pen.globalCompositeOperation = "source-over";
    this.#show();
  }

  #close() {  // the polygon
    if (this.points.length > 2) {
      this.#remember();
      const pen = this.pen;
      pen.beginPath();
      for (const point of this.points) pen.lineTo(...point);
      pen.fill();
      this.#later();
    }
    this.points = [];
    this.#show();
  }

  #choose() {
    const wanted = this.$("paint-category").value, fitting = this.masks.filter((item) => item.label === wanted);
    this.$("mask-choice").replaceChildren(...fitting.slice(0, 60).map((item) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.append(Object.assign(new Image(), { src: `/thumb/${item.id}.png?v=${item.version}`, alt: item.name, loading: "lazy" }));
      button.addEventListener("click", () => { this.$("choosing").close(); this.#pick(item); });
      return button;
    }));
    if (!fitting.length) this.$("mask-choice").textContent = "The pool has no mask of this category.";
    this.$("choosing").showModal();
  }

  async #pick(item) {
    const picture = new Image();
    picture.src = `/pool/${item.id}/mask.png?v=${item.version}`;
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: item.width, height: item.height }), pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0);
    const alpha = pen.getImageData(0, 0, item.width, item.height).data;
    let [left, top, right, bottom] = [item.width, item.height, -1, -1];
    for (let at = 3, i = 0; at < alpha.length; at += 4, i++) {
      if (!alpha[at]) continue;
      alpha[at] = 255;
      const x = i % item.width, y = (i - x) / item.width;
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    }
    pen.putImageData(new ImageData(alpha, item.width, item.height), 0, 0);
    this.stamp = { canvas, left, top, width: right - left + 1, height: bottom - top + 1 };
    // where it lies in the pool, if this photograph has that place
    this.#place([Math.min(left + this.stamp.width / 2, this.one.width), Math.min(top + this.stamp.height / 2, this.one.height)]);
  }

  #place(at) {
    if (!this.stamp) return this.#choose();
    const { canvas, left, top, width, height } = this.stamp, pen = this.pen, scale = Number(this.$("scale").value);
    this.#remember();
    this.placed = at;
    pen.clearRect(0, 0, this.one.width, this.one.height);
    pen.save();
    pen.translate(Math.round(at[0]), Math.round(at[1]));
    pen.rotate(-Number(this.$("turn").value) * Math.PI / 180);
    pen.scale(scale, scale);
    pen.drawImage(canvas, left, top, width, height, -Math.round(width / 2), -Math.round(height / 2), width, height);
    pen.restore();
    this.#show();
    this.#later();
  }

  // Set pixels in turn with clear ones, row by row.
  #runs() {
    const { data } = this.pen.getImageData(0, 0, this.one.width, this.one.height), runs = [];
    let set = false, length = 0;
    for (let at = 3; at < data.length; at += 4) {
      if ((data[at] > 127) !== set) { runs.push(length); length = 0; set = !set; }
      length += 1;
    }
    runs.push(length);
    return runs;
  }

  // The outline of the mask, or the polygon on its way.
  #show() {
    const pen = this.over.getContext("2d"), { width, height } = this.over;
    pen.clearRect(0, 0, width, height);
    if (this.points.length) {
      Object.assign(pen, { strokeStyle: "#ff2060", lineWidth: 1 });
      pen.beginPath();
      for (const point of this.points) pen.lineTo(...point);
      pen.stroke();
      for (const [x, y] of this.points) pen.strokeRect(x - 2, y - 2, 4, 4);
    }
    if (!this.$("outlined").checked) return;
    pen.save();
    for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) pen.drawImage(this.mask, x, y);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = "#ff2060";
    pen.fillRect(0, 0, width, height);
    pen.globalCompositeOperation = "destination-out";
    pen.drawImage(this.mask, 0, 0);
    pen.restore();
  }

  // ---- painting
  #later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.#paint(), WAIT_MS);
  }

  async #paint() {
    const runs = this.#runs(), number = ++this.number;
    if (runs.length < 2) { this.request = null; this.#base(); this.$("shown").textContent = "Draw a defect."; return; }
    const began = performance.now(), free = this.$("as-real").checked;
    const request = { photograph: this.one.id, version: this.one.version, method: this.$("method").value, category: this.$("paint-category").value, runs,
      severity: free ? null : Number(this.$("severity").value) / 100, light: Number(this.$("light").value) / 10, seed: Number(this.$("seed").value) || 0 };
    this.request = null;
    const { status, body, headers } = await this.studio.change("/api/painting", request, true);
    if (number !== this.number) return;  // something newer is on its way
    if (status !== 200) {
      const field = body?.fields?.[0];
      this.studio.toast(field === "severity" ? "This training does not follow a severity." : field === "category" ? "This training does not know the category."
        : field === "method" ? "This training cannot paint under a mask." : field === "runs" ? "This mask cannot be painted: too large, or of too many parts."
        : status === 0 ? "No connection." : "This cannot be painted.");
      return;
    }
    this.request = request;
    const part = await createImageBitmap(body), first = headers.get("x-shown").split(" ")[0];
    this.#base();
    this.canvas.getContext("2d").drawImage(part, Number(headers.get("x-left")), Number(headers.get("x-top")));
    this.$("shown").textContent = `${((performance.now() - began) / 1000).toFixed(2)} s; ${Math.exp(first).toFixed(2)} times as bright as around it`;
    this.canvas.dataset.painted = number;
  }

  // In RUN/painted, under the painter's name; the review decides on it.
  #keep() {
    if (!this.request) return this.studio.toast("Draw a defect, and wait until it is painted.");
    this.studio.keep(this.request);
  }

  // Photograph and mask, as two files of this device: ingest and `anomaly-gan paint` read both.
  async #save() {
    const name = `${this.one.name.replace(/^.*\//, "").replace(/\.[^.]*$/, "")}_${this.$("paint-category").value}_${this.$("seed").value}`;
    const white = Object.assign(document.createElement("canvas"), { width: this.one.width, height: this.one.height }), pen = white.getContext("2d");
    const { data } = this.pen.getImageData(0, 0, this.one.width, this.one.height);
    for (let at = 0; at < data.length; at += 4) {
      data.fill(data[at + 3] > 127 ? 255 : 0, at, at + 3);
      data[at + 3] = 255;
    }
    pen.putImageData(new ImageData(data, this.one.width, this.one.height), 0, 0);
    for (const [canvas, end] of [[this.canvas, ""], [white, "_mask"]]) {
      const url = URL.createObjectURL(await new Promise((done) => canvas.toBlob(done)));
      Object.assign(document.createElement("a"), { href: url, download: `${name}${end}.png` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    }
  }

  #other() {
    this.$("seed").value = String(Math.floor(Math.random() * 1e6));
    this.#later();
  }

  #listen() {
    let last = null;
    this.over.addEventListener("pointerdown", (event) => {
      const at = this.#at(event);
      if (this.tool === "polygon") { this.points.push(at); return this.#show(); }
      if (this.tool === "mask") return this.#place(at);
      this.over.setPointerCapture(event.pointerId);
      this.#remember();
      last = at;
      this.#stroke(at, at);
    });
    this.over.addEventListener("pointermove", (event) => {
      if (!last) return;
      const at = this.#at(event);
      this.#stroke(last, at);
      last = at;
    });
    for (const end of ["pointerup", "pointercancel"]) this.over.addEventListener(end, () => { if (last) { last = null; this.#later(); } });
    this.over.addEventListener("dblclick", () => this.#close());
    for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => { this.#take(button.dataset.tool); button.blur(); });
    const clicks = { "paint-undo": () => this.#undo(), "paint-close": () => this.#close(), "paint-other": () => this.#other(), "paint-save": () => this.#save(), "paint-keep": () => this.#keep(),
      "paint-clear": () => { this.#remember(); this.pen.clearRect(0, 0, this.one.width, this.one.height); this.#show(); this.#later(); } };
    for (const [id, act] of Object.entries(clicks)) this.$(id).addEventListener("click", () => { act(); this.$(id).blur(); });
    for (const id of ["method", "paint-category", "severity", "as-real", "light", "seed"]) this.$(id).addEventListener("input", () => this.#later());
    this.$("severity").addEventListener("input", () => { this.$("as-real").checked = false; });
    for (const id of ["turn", "scale"]) this.$(id).addEventListener("input", () => { if (this.tool === "mask" && this.placed) this.#place(this.placed); });
    this.$("outlined").addEventListener("input", () => this.#show());
    this.$("sound").addEventListener("change", () => { this.#photograph(Number(this.$("sound").value)); this.$("sound").blur(); });
  }
}
