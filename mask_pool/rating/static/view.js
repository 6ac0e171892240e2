// The photograph with its mask: zoom, pan, layers.

const LARGEST = 16;

export class View {
  constructor(stage) {
    this.stage = stage;
    this.layers = stage.querySelector("#layers");
    this.images = Object.fromEntries(["photo", "mask", "outline"].map((name) => [name, stage.querySelector(`#${name}`)]));
    this.shown = { mask: true, outline: true };
    this.fingers = new Map();
    this.fit();
    new ResizeObserver(() => this.#place()).observe(stage);
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), ...this.#at(event));
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, this.#at(event));
    });
    stage.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
    }
  }

  show(item, withMask, url) {
    this.size = [item.width, item.height];
    for (const [name, image] of Object.entries(this.images)) {
      const wanted = name === "photo" || withMask;
      image.hidden = !wanted || (name !== "photo" && !this.shown[name]);
      if (wanted) { if (image.getAttribute("src") !== url(item, name)) image.src = url(item, name); }
      else image.removeAttribute("src");
    }
    this.native ? this.oneToOne(item.centre) : this.fit();
  }

  toggle(name) {
    this.shown[name] = !this.shown[name];
    this.images[name].hidden = !this.shown[name];
    return this.shown[name];
  }

  fit() { this.native = false; this.scale = 1; this.x = 0; this.y = 0; this.#place(); }

  // A pixel of the photograph is a pixel of the screen, around `centre` (x, y in the photograph) where there is one.
  oneToOne(centre) {
    const [w, h] = this.size, [x, y] = centre ?? [w / 2, h / 2], ratio = window.devicePixelRatio || 1;
    this.native = true;
    this.scale = 1;
    this.x = (w / 2 - x) / ratio;
    this.y = (h / 2 - y) / ratio;
    this.#place();
  }

  // Zoom by a factor around a point, in pixels from the middle of the stage.
  zoom(factor, x = 0, y = 0) {
    const scale = Math.min(LARGEST, Math.max(this.native ? 0.1 : 1, this.scale * factor));
    this.x = x - (x - this.x) * scale / this.scale;
    this.y = y - (y - this.y) * scale / this.scale;
    this.scale = scale;
    this.#place();
  }

  move(x, y) { this.x += x; this.y += y; this.#place(); }

  #at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  #drag(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const now = this.#at(event), other = [...this.fingers].find(([id]) => id !== event.pointerId);
    this.fingers.set(event.pointerId, now);
    if (!other) return this.move(now[0] - before[0], now[1] - before[1]);
    const span = (one) => Math.hypot(one[0] - other[1][0], one[1] - other[1][1]);
    this.zoom(span(now) / Math.max(span(before), 1), (now[0] + other[1][0]) / 2, (now[1] + other[1][1]) / 2);
  }

  #place() {
    if (!this.size) return;
    const { clientWidth: width, clientHeight: height } = this.stage, [w, h] = this.size;
    const fitted = this.native ? 1 / (window.devicePixelRatio || 1) : Math.min((width - 16) / w, (height - 16) / h);
    const wide = w * fitted, high = h * fitted, ground = (has, side) => this.native ? Math.round((has - side) / 2) : (has - side) / 2;
    const room = (side, has) => Math.max(0, (side * this.scale - has) / 2 + 40);
    const [rx, ry] = this.scale === 1 && !this.native ? [0, 0] : [room(wide, width), room(high, height)];
    this.x = Math.min(rx, Math.max(-rx, this.x));
    this.y = Math.min(ry, Math.max(-ry, this.y));
    const style = this.layers.style;
    style.width = `${wide}px`;
    style.height = `${high}px`;
    style.left = `${ground(width, wide)}px`;
    style.top = `${ground(height, high)}px`;
    const [x, y] = this.native ? [Math.round(this.x), Math.round(this.y)] : [this.x, this.y];
    style.transform = `translate(${x}px, ${y}px) scale(${this.scale})`;
    this.layers.classList.toggle("pixels", this.native || fitted * this.scale >= 4);
  }
}
