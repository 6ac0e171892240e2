// What the keys do: one table, from which the help is written as well.

const GRADING = [
  ["0 – 9", "give this grade and go on (0 unreasonable)"], ["X", "give 10 (perfect)"],
];
const ANSWERING = [["R or 1", "real"], ["G or 0", "generated"]];
const COMMON = [
  ["U or Backspace", "undo the last answer"], ["S", "skip; it comes again at the end"], ["C", "comment"],
  ["+  −  wheel  pinch", "zoom"], ["arrows  drag", "move the photograph"], ["Z", "whole photograph"],
];
const LAYERS = [["F or Space", "mask on and off"], ["O", "outline on and off"]];

export function helpRows(mode) {
  return mode === "answer" ? [...ANSWERING, ...COMMON] : [...GRADING, ...LAYERS, ...COMMON];
}

const COMMANDS = {
  u: "undo", backspace: "undo", s: "skip", c: "comment", f: "mask", " ": "mask", o: "outline", "+": "zoom-in",
  "=": "zoom-in", "-": "zoom-out", z: "zoom-fit", arrowleft: "left", arrowright: "right", arrowup: "up",
  arrowdown: "down", "?": "help", h: "help",
};

// The command of a key press: {grade} or {command}, or null. A held key gives no second grade.
export function readKey(event, session) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const key = event.key.toLowerCase();
  if (session.mode === "answer") {
    const answer = { r: "real", 1: "real", g: "generated", 0: "generated" }[key];
    if (answer) return event.repeat ? null : { grade: session.answers[answer] };
  } else if (/^[0-9]$/.test(key) || key === "x") {
    return event.repeat ? null : { grade: key === "x" ? session.highest : Number(key) };
  }
  const command = COMMANDS[key];
  if (!command || (event.repeat && !/zoom|left|right|up|down/.test(command))) return null;
  return { command };
}
