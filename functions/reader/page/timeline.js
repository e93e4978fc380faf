// Draws the timeline of a case as bars: a row for each item, and one for the worker's snapshots.

import { clock, duration } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000, PAUSE_MS = 120_000;
const legend = new Map(Object.entries({
  made: "a picture was made",
  fault: "failed",
  stopped: "stopped: another request was faster, or the case was cancelled",
  wait: "waited for the image service",
  reported: "progress was reported",
}));

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

/** Draw `timeline` (from the API) into `box`; `names` maps ids to the names of the items. */
export function draw(box, timeline, names) {
  const history = element("ul", { class: "history" });
  for (const { at, action, run, by } of timeline.history) {
    history.append(element("li", {}, `${clock(at)} ${action} by ${by}${run > 1 ? `, run ${run}` : ""}`));
  }
  const charts = stretches(timeline.runs.flatMap(({ events }) => events).filter(({ kind }) => kind !== "batch"));
  box.replaceChildren(history, legendOf(charts.flat()), ...charts.flatMap((events) => chart(events, names)));
}

/** Split the events at long pauses, which would leave no room for the events in one chart. */
function stretches(events) {
  const parts = [];
  let until = -Infinity;
  for (const event of [...events].sort((a, b) => a.at - b.at)) {
    if (event.at > until + PAUSE_MS) parts.push([]);
    parts.at(-1).push(event);
    until = Math.max(until, event.at + event.milliseconds);
  }
  return parts;
}

function chart(events, names) {
  const from = events[0].at;
  const until = Math.max(from + 1000, ...events.map(({ at, milliseconds }) => at + milliseconds));
  const shots = [...names].map(([id, name]) => [name, events.filter(({ shotId }) => shotId === id)]);
  const rows = [...shots, ["Reports", events.filter(({ kind }) => kind === "snapshot")]].filter(([, found]) => found.length);
  const title = element("h3", {}, `From ${clock(from)}, ${duration(until - from)} in total`);
  return [title, ...rows.map(([name, found]) => row(name, found, from, until))];
}

function row(name, events, from, until) {
  const label = `${name}: ${events.map(describe).join("; ")}`;
  const picture = graphic(`0 0 ${WIDTH} 20`, { preserveAspectRatio: "none", role: "img", "aria-label": label });
  for (const event of events) picture.append(bar(event, from, until));
  return element("div", { class: "row" }, element("span", { dir: "auto", title: name }, name), picture);
}

function bar(event, from, until) {
  const scale = WIDTH / (until - from);
  const place = { x: (event.at - from) * scale, width: Math.max(3, event.milliseconds * scale) };
  const [kind, height] = [classOf(event), event.kind === "snapshot" ? 14 : 7];
  const size = kind === "wait" ? { y: 5, height: 2 } : { y: event.hedge ? 11 : 2, height };
  const rect = shape("rect", { ...place, ...size, class: kind });
  const title = document.createElementNS(SVG, "title");
  title.textContent = describe(event);
  rect.append(title);
  return rect;
}

/** Return a legend of the colours that `events` have. */
function legendOf(events) {
  const found = new Set(events.map(classOf));
  const list = element("ul", { class: "legend" });
  for (const [name, meaning] of legend) {
    if (!found.has(name)) continue;
    const swatch = graphic("0 0 20 10", { "aria-hidden": "true" });
    swatch.append(shape("rect", { width: 20, y: name === "wait" ? 4 : 1, height: name === "wait" ? 2 : 8, class: name }));
    list.append(element("li", {}, swatch, meaning));
  }
  return list;
}

const graphic = (viewBox, attributes) => shape("svg", { viewBox, ...attributes });

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function classOf({ kind, outcome }) {
  if (kind === "wait") return "wait";
  if (kind === "snapshot") return outcome === "delivered" ? "reported" : "fault";
  return outcome === "made" ? "made" : outcome === "cancelled" ? "stopped" : "fault";
}

function describe({ kind, outcome, milliseconds, attempt, hedge, costUsd }) {
  const price = costUsd ? `, $${costUsd.toFixed(3)}` : "";
  return `${hedge ? "extra request" : kind}${attempt ? ` ${attempt}` : ""}: ${outcome}, ${duration(milliseconds)}${price}`;
}
