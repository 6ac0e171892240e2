// What the rating page and the studio share: the server, telling, and who is at this device.
import { randomKey } from "./queue.js";

export const $ = (id) => document.getElementById(id);

// A click sooner than this after one that counted belongs to the same double click and gives no second answer.
const CLICK_MS = 350;
let counted = -CLICK_MS;
export function isDoubleClick(event) {
  if (event.timeStamp - counted < CLICK_MS) return true;
  counted = event.timeStamp;
  return false;
}

let fading;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

export class Server {
  // who() gives the headers that name the person at this device
  constructor(patience, who) { this.patience = patience; this.who = who; this.session = null; }

  async call(path, body, raw = false) {
    try {
      const answer = await fetch(path, {
        method: body ? "POST" : "GET", credentials: "same-origin", signal: AbortSignal.timeout(this.patience),
        headers: { ...this.who(), ...(body && { "Content-Type": "application/json", "X-Page-Token": this.session.page_token }) },
        body: body && JSON.stringify(body),
      });
      return { status: answer.status, body: raw && answer.ok ? await answer.blob() : await answer.json(), headers: answer.headers };
    } catch { return { status: 0, body: null }; }
  }

  async change(path, body, raw) {
    const first = await this.call(path, body, raw);
    if (first.status !== 403) return first;
    const fresh = await this.call("/api/session");  // the server was started anew and has another page token
    if (fresh.status !== 200 || fresh.body.page_token === this.session.page_token) return first;
    this.session = fresh.body;
    return this.call(path, body, raw);
  }

  // Ask for the session until it is there.
  async begin(ready) {
    const { status, body } = await this.call("/api/session");
    if (status !== 200) {
      toast(status === 401 ? "Open the link you were given." : "No connection; trying again.");
      setTimeout(() => this.begin(ready), 2000);
      return;
    }
    this.session = body;
    await ready();
  }
}

export const named = (person) => person ? { "X-Rater": String(person.id), "X-Rater-Secret": person.secret } : {};

// Enter under a name; the person, kept in the drawer as `kind`, or null where it is refused, which the form then says.
async function enter(server, drawer, kind, name, secret) {
  const { status, body } = await server.change("/api/enter", { name, secret });
  if (status !== 200) {
    $("refused").textContent = status === 403 ? "This name is taken. Choose another, or give the code from the device "
      + "where you began." : status === 422 ? "Please begin the name with a letter or digit." : "No connection; try again.";
    return null;
  }
  const person = { id: body.rater, name: body.name, secret };
  drawer.put(kind, person);
  drawer.put(`secret:${person.name.toLowerCase()}`, secret);  // people take turns at one tablet
  return person;
}

export function listenForEntry(server, drawer, kind, entered) {
  $("enter").addEventListener("submit", async (event) => {
    event.preventDefault();
    const known = drawer.get(`secret:${$("name").value.trim().toLowerCase()}`);
    const person = await enter(server, drawer, kind, $("name").value, $("code").value.trim() || known || randomKey());
    if (person) entered(person);
  });
}

// The banner over what waits to be sent; `word` is what one of it is: an answer, a decision.
export function tellWaiting(queue, drawer, word) {
  const number = queue.waiting.length, kept = number === 1 ? `1 ${word} is` : `${number} ${word}s are`;
  $("banner").hidden = !queue.trouble && drawer.lasting;
  $("banner").textContent = queue.trouble === "away"
    ? `No connection. ${kept} kept on this device and will be sent; you can go on.`
    : queue.trouble === "locked" ? `The server asks for its link again: open the link you were given. ${kept} kept here.`
    : "This browser keeps nothing: please do not close the page before all is sent.";
}

// Help, and on it another person at this device, as soon as all is sent.
export function listenForHelp(word, queue, forget) {
  $("help").addEventListener("click", () => $("helping").showModal());
  $("other").addEventListener("click", () => {
    if (queue()?.waiting.length) { $("helping").close(); return toast(`Please wait until all ${word}s are sent.`); }
    forget();
  });
}

// Ask for a name, where nobody is known here.
export function askForName() { $("entry").hidden = false; $("name").focus(); }
