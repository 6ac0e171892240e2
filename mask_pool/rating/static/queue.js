// Answers on their way to the server. Each stays in localStorage until the server has said that it is on disk; sending
// one twice is harmless, because the server knows it by its key.

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export function randomKey(bytes = 16) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (one) => one.toString(16).padStart(2, "0")).join("");
}

// Storage that goes on in memory where the browser refuses (private window, full, forbidden).
export class Drawer {
  constructor(prefix) { this.prefix = prefix; this.memory = new Map(); this.lasting = true; }

  get(name) {
    if (this.memory.has(name)) return this.memory.get(name);
    try { return JSON.parse(localStorage.getItem(this.prefix + name)); } catch { return null; }
  }

  put(name, value) {
    try { localStorage.setItem(this.prefix + name, JSON.stringify(value)); this.memory.delete(name); }
    catch { this.lasting = false; this.memory.set(name, value); }
  }

  drop(name) {
    this.memory.delete(name);
    try { localStorage.removeItem(this.prefix + name); } catch { /* it was in memory only */ }
  }

  names(start) {
    const found = new Set([...this.memory.keys()].filter((name) => name.startsWith(start)));
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const name = localStorage.key(i);
        if (name.startsWith(this.prefix + start)) found.add(name.slice(this.prefix.length));
      }
    } catch { /* as above */ }
    return [...found].sort();
  }
}

export class Queue {
  // send(action) resolves to {status, body}; status 0 means that no answer came.
  constructor(drawer, send, { changed, refused }) {
    Object.assign(this, { drawer, send, changed, refused, running: false, trouble: null, last: 0 });
  }

  get names() { return this.drawer.names("wait:"); }
  get waiting() { return this.names.map((name) => this.drawer.get(name)).filter(Boolean); }

  add(action) {
    // never before an earlier one, even if the clock is set back
    const newest = this.names.at(-1);
    this.last = Math.max(this.last + 1, Date.now(), newest ? Number(newest.split(":")[1]) + 1 : 0);
    this.drawer.put(`wait:${String(this.last).padStart(16, "0")}:${action.key}`, action);
    this.run();
  }

  async run() {
    if (this.running) return;
    this.running = true;
    let delay = 300;
    for (let names = this.names; names.length; names = this.names) {
      const action = this.drawer.get(names[0]);
      if (action === null) { this.drawer.drop(names[0]); continue; }  // another tab was quicker
      const { status, body } = await this.send(action);
      if (status === 200) {
        this.drawer.drop(names[0]);
        this.trouble = null;
        delay = 300;
      } else if (status === 409 || status === 422) {
        this.drawer.drop(names[0]);
        await this.refused(action, status, body);
      } else {
        this.trouble = status === 401 || status === 403 ? "locked" : "away";
        this.changed();
        await pause(delay + Math.random() * 200);
        delay = Math.min(delay * 2, 5000);
        continue;
      }
      this.changed();
    }
    this.trouble = null;
    this.running = false;
    this.changed();
  }
}
