// The shell of the page: who is there, tabs, talking to the server, telling.
import { $, askForName, listenForEntry, named, Server, toast } from "./page.js";
import { Drawer } from "./queue.js";
import { Paint } from "./paint.js";
import { Review } from "./review.js";
import { Masks, Verdict } from "./views.js";

let person, drawer;
const tabs = {};
const server = new Server(120000, () => named(person));

// ---- telling
function tell(queue) {
  const number = queue.waiting.length;
  $("banner").hidden = !queue.trouble && drawer.lasting;
  const kept = number === 1 ? "1 decision is" : `${number} decisions are`;
  $("banner").textContent = queue.trouble === "away"
    ? `No connection. ${kept} kept on this device and will be sent; you can go on.`
    : queue.trouble === "locked" ? `The server asks for its link again: open the link you were given. ${kept} kept here.`
    : "This browser keeps nothing: please do not close the page before all is sent.";
}

// ---- tabs
function open(name) {
  location.hash = name;
  for (const button of $("tabs").children) button.setAttribute("aria-current", button.dataset.tab === name);
  for (const tab of document.querySelectorAll("main.tab")) tab.hidden = tab.id !== name;
  for (const [other, tab] of Object.entries(tabs)) tab.shown = other === name;
  tabs[name].open();
}

export const studio = {
  $, toast, tell, call: (...given) => server.call(...given), change: (...given) => server.change(...given),
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
  $("help").addEventListener("click", () => $("helping").showModal());
  $("other").addEventListener("click", () => {
    if (tabs.work?.queue.waiting.length) { $("helping").close(); return toast("Please wait until all decisions are sent."); }
    forget();
  });
  listenForEntry(server, drawer, "person", (one) => { person = one; begin(); });
}

server.begin(() => {
  drawer = new Drawer(`studio:${server.session.store}:`);
  listen();
  person = drawer.get("person");
  if (person) begin(); else askForName();
});
