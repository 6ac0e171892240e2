// The shell of the page: who is there, tabs, talking to the server, telling.
import { Drawer, randomKey } from "./queue.js";
import { Paint } from "./paint.js";
import { Review } from "./review.js";
import { Masks, Verdict } from "./sights.js";

const $ = (id) => document.getElementById(id);
let session, person, drawer;
const tabs = {};

// ---- talking to the server
const mine = () => person ? { "X-Rater": String(person.id), "X-Rater-Secret": person.secret } : {};

async function call(path, body, raw = false) {
  try {
    const answer = await fetch(path, {
      method: body ? "POST" : "GET", credentials: "same-origin", signal: AbortSignal.timeout(120000),
      headers: { ...mine(), ...(body && { "Content-Type": "application/json", "X-Page-Token": session.page_token }) },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: raw && answer.ok ? await answer.blob() : await answer.json(), headers: answer.headers };
  } catch { return { status: 0, body: null }; }
}

async function change(path, body, raw) {
  const first = await call(path, body, raw);
  if (first.status !== 403) return first;
  const fresh = await call("/api/session");  // the server was started anew and has another page token
  if (fresh.status !== 200 || fresh.body.page_token === session.page_token) return first;
  session = fresh.body;
  return call(path, body, raw);
}

// ---- telling
let fading;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

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

export const studio = { $, call, change, toast, tell, get session() { return session; }, get person() { return person; } };

// ---- beginning
async function enter(name, secret) {
  const { status, body } = await change("/api/enter", { name, secret });
  if (status !== 200) {
    $("refused").textContent = status === 403 ? "This name is taken. Choose another, or give the code from the device "
      + "where you began." : status === 422 ? "Please begin the name with a letter or digit." : "No connection; try again.";
    return;
  }
  person = { id: body.rater, name: body.name, secret };
  drawer.put("person", person);
  drawer.put(`secret:${person.name.toLowerCase()}`, secret);  // people take turns at one tablet
  begin();
}

function begin() {
  $("entry").hidden = true;
  $("head").hidden = false;
  $("who").textContent = person.name;
  $("mycode").textContent = person.secret;
  tabs.work = new Review(studio, new Drawer(`studio:${session.store}:${person.id}:`), forget);
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
  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const known = drawer.get(`secret:${$("name").value.trim().toLowerCase()}`);
    enter($("name").value, $("code").value.trim() || known || randomKey());
  });
}

async function start() {
  const { status, body } = await call("/api/session");
  if (status !== 200) {
    toast(status === 401 ? "Open the link you were given." : "No connection; trying again.");
    setTimeout(start, 2000);
    return;
  }
  session = body;
  drawer = new Drawer(`studio:${session.store}:`);
  listen();
  person = drawer.get("person");
  if (person) begin();
  else { $("entry").hidden = false; $("name").focus(); }
}

start();
