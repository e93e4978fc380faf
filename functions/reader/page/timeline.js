// What happened when, as bars over time: one row for each item, one for what was told.

import { clock, duration } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;

function element(name, attributes = {}, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Draw `told` (the API's timeline) into `box`; `names` maps ids to what people call the items. */
export function draw(box, told, names) {
  const events = told.runs.flatMap(({ events }) => events);
  const moves = element("ul", { class: "moves" });
  for (const { at, what, run, by } of told.moves) {
    moves.append(element("li", {}, `${clock(at)} ${what} by ${by}${run > 1 ? `, run ${run}` : ""}`));
  }
  const from = Math.min(told.createdAt, ...events.map(({ at }) => at));
  const until = Math.max(...events.map(({ at, milliseconds }) => at + milliseconds), from + 1000);
  const shots = [...names].map(([id, name]) => [name, events.filter(({ shotId }) => shotId === id)]);
  const rows = [...shots, ["told", events.filter(({ kind }) => kind === "snapshot")]].filter(([, found]) => found.length);
  const key = element("p", { class: "key" }, `From ${clock(from)}, ${duration(until - from)} in all. Bright bars made a picture, red ones failed, grey ones were given up, dark ones waited.`);
  box.replaceChildren(moves, ...rows.map(([name, found]) => row(name, found, from, until)), key);
}

function row(name, events, from, until) {
  const line = element("div", { class: "row" });
  const title = element("span", {}, name);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} 20`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${name}: ${events.map(say).join("; ")}`);
  for (const event of events) svg.append(bar(event, from, until));
  line.append(title, svg);
  return line;
}

function bar(event, from, until) {
  const scale = WIDTH / (until - from);
  const rect = document.createElementNS(SVG, "rect");
  rect.setAttribute("x", (event.at - from) * scale);
  rect.setAttribute("width", Math.max(3, event.milliseconds * scale));
  rect.setAttribute("y", event.hedge ? 11 : 2);
  rect.setAttribute("height", event.hedge ? 7 : event.kind === "try" ? 8 : 16);
  rect.setAttribute("class", look(event));
  const title = document.createElementNS(SVG, "title");
  title.textContent = say(event);
  rect.append(title);
  return rect;
}

function look({ kind, outcome }) {
  if (kind === "wait") return "wait";
  if (kind === "snapshot") return outcome === "delivered" ? "told" : "fault";
  return outcome === "made" ? "made" : outcome === "cancelled" ? "stopped" : "fault";
}

function say({ kind, outcome, milliseconds, attempt, hedge, costUsd }) {
  const price = costUsd ? `, $${costUsd.toFixed(3)}` : "";
  return `${hedge ? "second request" : kind}${attempt ? ` ${attempt}` : ""}: ${outcome}, ${duration(milliseconds)}${price}`;
}
