import { Drawer, Queue, randomKey } from "./queue.js";
import { View } from "./view.js";
import { helpRows, readKey } from "./keys.js";
import { $, askForName, isDoubleClick, listenForEntry, listenForHelp, named, Server, tellWaiting, toast } from "./page.js";

const QUESTIONS = {
  shape: "Would a real defect of this kind have such a shape?", place: "Could such a defect be at this place?",
  scale: "Is it as large as such defects are?", orientation: "Would it lie this way round?",
  real: "Is the defect in this photograph real, or generated?",
};
let rater, drawer, queue, view, items = [], state = {}, done = [], now = null;

// ---- talking to the server
const server = new Server(15000, () => named(rater));

async function load() {
  const { status, body } = await server.call("/api/work");
  if (status !== 200) return status;
  items = body.items;
  state = body.state;
  done = [];
  for (const item of items) {
    for (const [criterion, slot] of Object.entries(state[item.id] ?? {})) {
      if (slot.kind === "grade") done.push({ item: item.id, criterion, key: slot.key, seq: slot.seq });
    }
  }
  done.sort((one, other) => one.seq - other.seq);
  for (const action of queue.waiting) apply(action);
  return 200;
}

// ---- what has been answered
const slot = (item, criterion) => state[item]?.[criterion];
const graded = (item, criterion) => typeof slot(item, criterion)?.grade === "number";
const complete = (item) => server.session.criteria.every((criterion) => graded(item.id, criterion));

function apply(action) {
  const slots = state[action.item] ??= {}, before = slots[action.criterion];
  const latest = { key: action.key, kind: action.kind, grade: action.grade ?? null, comment: action.comment ?? null, before };
  if (action.kind === "undo") latest.grade = action.restores ?? null;
  slots[action.criterion] = latest;
  latest.seq = Infinity;
  if (action.kind === "grade") done.push({ item: action.item, criterion: action.criterion, key: action.key });
  if (action.kind === "undo") done = done.filter((one) => one.key !== action.undoes);
}

function act(kind, item, criterion, more = {}) {
  const action = { key: randomKey(), item: item.id, version: item.version, kind, criterion,
    expects: slot(item.id, criterion)?.key ?? "", ...more };
  apply(action);
  queue.add(action);
}

function send(action) {
  const { restores, ...body } = action;
  return server.change("/api/events", body);
}

async function refused(action, status, body) {
  await load();
  const item = items.find((one) => one.id === action.item);
  toast(status === 422 ? "The server did not understand this answer." : item && item.version === action.version
    ? "You have graded this one elsewhere meanwhile (another tab?). What is shown now is what counts."
    : "This mask has been replaced meanwhile. Please look at it again.");
  now = null;
  next();
}

// ---- going on
function next() {
  const open = items.filter((item) => !complete(item));
  const skipped = (item) => slot(item.id, "skip")?.seq ?? (slot(item.id, "skip") ? Infinity : 0);
  const waiting = open.filter((item) => !skipped(item));
  const rounds = open.filter(skipped).sort((one, other) => skipped(one) - skipped(other) || passed(one) - passed(other));
  if (!(now && !complete(now.item) && !now.left)) {
    const item = waiting[0] ?? rounds[0];
    now = item ? { item, criterion: null } : null;
  }
  if (now) now.criterion = server.session.criteria.find((criterion) => !graded(now.item.id, criterion));
  draw();
}

const passes = new Map();
const passed = (item) => passes.get(item.id) ?? 0;

function give(grade) {
  if (!now) return;
  act("grade", now.item, now.criterion, { grade });
  next();
}

const commands = {
  undo() {
    const last = done.at(-1);
    if (!last) return toast("There is nothing to undo.");
    const item = items.find((one) => one.id === last.item), current = slot(last.item, last.criterion);
    act("undo", item, last.criterion, { undoes: last.key, restores: current?.before?.grade ?? null });
    now = { item, criterion: last.criterion };
    next();
  },
  skip() {
    if (!now) return;
    passes.set(now.item.id, passes.size + 1 + Math.max(0, ...passes.values()));
    act("skip", now.item, "skip");
    now.left = true;
    next();
  },
  comment() {
    if (!now) return;
    $("text").value = slot(now.item.id, "comment")?.comment ?? "";
    $("comments").showModal();
    $("text").focus();
  },
  mask() { if (server.session.mode === "grade") { view.toggle("mask"); draw(); } },
  outline() { if (server.session.mode === "grade") { view.toggle("outline"); draw(); } },
  "zoom-in": () => view.zoom(1.5), "zoom-out": () => view.zoom(1 / 1.5), "zoom-fit": () => view.fit(),
  left: () => view.move(60, 0), right: () => view.move(-60, 0), up: () => view.move(0, 60), down: () => view.move(0, -60),
  help() { $("helping").showModal(); },
};

function keepComment(event) {
  event.preventDefault();
  const comment = $("text").value, before = slot(now.item.id, "comment")?.comment ?? "";
  $("comments").close();
  if (comment !== before) act("comment", now.item, "comment", { comment });
  draw();
}

// ---- drawing
const url = (item, layer) => `/image/${item.id}/${layer}.png?v=${item.version}`;
const gradeName = (grade) => server.session.names[Math.round(grade / server.session.highest * (server.session.names.length - 1))];
let shownItem = null;

function draw() {
  const finished = items.filter(complete).length;
  $("work").hidden = !now;
  $("done").hidden = Boolean(now);
  $("summary").textContent = `You have answered ${finished} of ${items.length}.`;
  if (!now) return;
  $("count").textContent = `${finished + 1} of ${items.length}`;
  $("bar").style.width = `${100 * finished / items.length}%`;
  if (shownItem !== now.item.id + now.item.version) {
    shownItem = now.item.id + now.item.version;
    view.show(now.item, server.session.mode === "grade", url);
    preload();
  }
  $("category").replaceChildren(...(now.item.label ? ["Kind of defect: ", bold(now.item.label)] : []));
  $("question").textContent = QUESTIONS[now.criterion] ?? `Grade: ${now.criterion}`;
  for (const row of $("criteria").children) {
    const grade = slot(now.item.id, row.dataset.criterion)?.grade;
    row.classList.toggle("current", row.dataset.criterion === now.criterion);
    row.lastChild.textContent = typeof grade === "number" ? `${grade} · ${gradeName(grade)}` : "–";
  }
  for (const layer of ["mask", "outline"]) {
    document.querySelector(`[data-do=${layer}]`).setAttribute("aria-pressed", view.shown[layer]);
  }
  document.querySelector("[data-do=comment]").classList.toggle("has", Boolean(slot(now.item.id, "comment")?.comment));
}

function preload() {
  const after = items.filter((item) => item !== now.item && !complete(item) && !slot(item.id, "skip"))[0];
  for (const layer of after ? server.session.mode === "grade" ? ["photo", "mask", "outline"] : ["photo"] : []) {
    new Image().src = url(after, layer);
  }
}

const status = () => tellWaiting(queue, drawer, "answer");

const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });

function gradeButton(grade, name, ...parts) {
  const button = Object.assign(document.createElement("button"), { className: `grade ${name}` });
  button.append(...parts);
  button.dataset.grade = grade;
  button.addEventListener("click", (event) => {
    if (isDoubleClick(event)) return;
    give(grade);
    button.blur();
  });
  return button;
}

const kbd = (text) => Object.assign(document.createElement("kbd"), { textContent: text });

function build() {
  document.body.classList.add(server.session.mode);
  const answers = server.session.mode === "answer";
  $("intro").textContent = answers
    ? "You will see photographs of defects. Some are real, some were made by a program. Say which is which."
    : "You will see defects drawn over photographs. Say how well each could be real: 0 is unreasonable, 10 is perfect.";
  if (answers) {
    $("grades").append(gradeButton(server.session.answers.real, "real", bold("Real"), kbd("R")),
      gradeButton(server.session.answers.generated, "generated", bold("Generated"), kbd("G")));
  } else {
    for (const name of server.session.names) {
      const band = Object.assign(document.createElement("div"), { className: `band ${name}` });
      const all = Array.from({ length: server.session.highest + 1 }, (_, grade) => grade).filter((grade) => gradeName(grade) === name);
      band.style.flexGrow = all.length;
      const row = Object.assign(document.createElement("div"), { className: "row" });
      row.append(...all.map((grade) => gradeButton(grade, name, bold(grade),
        ...(grade === server.session.highest ? [kbd("X")] : []))));
      band.append(Object.assign(document.createElement("span"), { textContent: name }), row);
      $("grades").append(band);
    }
    for (const criterion of server.session.criteria) {
      const row = document.createElement("li");
      row.dataset.criterion = criterion;
      row.append(bold(criterion), document.createElement("span"));
      row.addEventListener("click", () => { if (now) { now.criterion = criterion; draw(); } });
      $("criteria").append(row);
    }
  }
  for (const [key, meaning] of helpRows(server.session.mode)) {
    $("keys").append(Object.assign(document.createElement("dt"), { textContent: key }),
      Object.assign(document.createElement("dd"), { textContent: meaning }));
  }
  $("text").maxLength = server.session.comment_chars;
}

// ---- beginning
async function begin() {
  const own = new Drawer(`rate:${server.session.store}:${server.session.what}:${rater.id}:`);
  queue = new Queue(own, send, { changed: status, refused });
  const answer = await load();
  if (answer === 403) { drawer.drop("rater"); $("entry").hidden = false; return; }
  if (answer !== 200) { toast("No connection; trying again."); setTimeout(begin, 2000); return; }
  $("entry").hidden = true;
  $("who").textContent = rater.name;
  $("mycode").textContent = rater.secret;
  $("work").hidden = false;
  view ??= new View($("stage"));
  next();
  queue.run();
}

function listen() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    if (!(/undo|skip/.test(button.dataset.do) && isDoubleClick(event))) commands[button.dataset.do]();
    button.blur();
  });
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || !rater || !$("entry").hidden) return;
    const read = readKey(event, server.session);
    if (!read) return;
    event.preventDefault();
    if ("grade" in read) give(read.grade); else commands[read.command]();
  });
  listenForHelp("answer", () => queue, () => { drawer.drop("rater"); location.reload(); });
  $("keep-comment").addEventListener("click", keepComment);
  $("no-comment").addEventListener("click", () => $("comments").close());
  $("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && event.ctrlKey) keepComment(event); });
  listenForEntry(server, drawer, "rater", (person) => { rater = person; begin(); });
  window.addEventListener("online", () => queue?.run());
}

server.begin(async () => {
  drawer = new Drawer(`rate:${server.session.store}:`);
  build();
  listen();
  rater = drawer.get("rater");
  if (rater) await begin(); else askForName();
});
