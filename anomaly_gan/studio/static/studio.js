// The shell of the page: who is there, tabs, talking to the server, telling.
import { $, askForName, listenForEntry, listenForHelp, named, Server, tellWaiting, toast } from "./page.js";
import { Drawer, randomKey } from "./queue.js";
import { Paint } from "./paint.js";
import { Review } from "./review.js";
import { Masks, Verdict } from "./views.js";

let person, drawer;
const tabs = {};
const server = new Server(120000, () => named(person));

// ---- tabs
function open(name) {
  location.hash = name;
  for (const button of $("tabs").children) button.setAttribute("aria-current", button.dataset.tab === name);
  for (const tab of document.querySelectorAll("main.tab")) tab.hidden = tab.id !== name;
  for (const [other, tab] of Object.entries(tabs)) tab.shown = other === name;
  tabs[name].open();
}

export const studio = {
  $, toast, tell: (queue) => tellWaiting(queue, drawer, "decision"),
  call: (...given) => server.call(...given), change: (...given) => server.change(...given),
  keep: (painting) => tabs.work.queue.add({ key: randomKey(), painting }),
  get session() { return server.session; }, get person() { return person; },
};

// ---- beginning
function begin() {
  $("entry").hidden = true;
  $("head").hidden = false;
  $("who").textContent = person.name;
  $("mycode").textContent = person.secret;
  tabs.work = new Review(studio, new Drawer(`studio:${server.session.store}:${person.id}:`), forget);
  tabs.paint = new Paint(studio);
  tabs.masks = new Masks(studio);
  tabs.verdict = new Verdict(studio);
  for (const button of $("tabs").children) button.addEventListener("click", () => { open(button.dataset.tab); button.blur(); });
  open(tabs[location.hash.slice(1)] ? location.hash.slice(1) : "work");
}

function forget() { drawer.drop("person"); location.reload(); }

function listen() {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || !person || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input:not([type=range]), textarea, select") || event.isComposing) return;
    const tab = Object.values(tabs).find((one) => one.shown);
    if (event.key === "?" || event.key === "h") $("help").click();
    else if (tab?.key?.(event.key.toLowerCase(), event.repeat)) event.preventDefault();
  });
  listenForHelp("decision", () => tabs.work?.queue, forget);
  listenForEntry(server, drawer, "person", (one) => { person = one; begin(); });
}

server.begin(() => {
  drawer = new Drawer(`studio:${server.session.store}:`);
  listen();
  person = drawer.get("person");
  if (person) begin(); else askForName();
});
