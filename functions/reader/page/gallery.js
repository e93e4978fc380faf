// The pictures of a case: a print for each item, with its picture or the reason for its absence. Names are inserted as text only.

import { works } from "./api.js";
import { isOpen, itemsOf } from "./job.js";
import { load } from "./loading.js";
import { reason } from "./words.js";

const LOAD_TIMEOUT_S = 45;
const template = document.querySelector("#print");
const prints = new Map();
let shown = "";

/**
 * Show `job`. `onRetry(item)` is called for a missing print whose button is pressed; without it there is no button.
 * `onEnlarge(id)` is called for a picture that is pressed, `onStale()` is awaited when a link is broken.
 */
export function show(job, onRetry, onEnlarge, onStale) {
  if (job.jobId !== shown) clear();
  shown = job.jobId;
  for (const kind of ["evidence", "locations"]) document.getElementById(kind).hidden = job[kind].length === 0;
  for (const item of itemsOf(job)) {
    const print = prints.get(item.id) ?? add(item);
    Object.assign(print, { item, onRetry, onEnlarge, onStale, open: isOpen(job), status: job.status });
    if (item.link && print.picture === "none") loadPicture(print);
    else paint(print);
  }
}

/** Return the loaded pictures in the order of the page. */
export const pictures = () =>
  [...prints.values()].filter(({ image }) => image).map(({ item, image }) => ({ id: item.id, name: item.name, src: image.src }));

/** Load the pictures that could not be loaded before. */
export function reload() {
  for (const print of prints.values()) if (print.picture === "unloaded") loadPicture(print);
}

function clear() {
  for (const { node } of prints.values()) node.remove();
  prints.clear();
}

function add(item) {
  const node = template.content.firstElementChild.cloneNode(true);
  const [heading, name, why, button] = ["h3", "bdi", ".why", "button"].map((part) => node.querySelector(part));
  name.textContent = heading.title = item.name;
  document.getElementById(item.kind).querySelector("ul").append(node);
  const print = { node, why, button, image: null, picture: "none" };
  prints.set(item.id, print);
  return print;
}

/** Return how a print looks: its class, the text below it, and its button's label and action. */
function look({ item, onRetry, open, status, picture }) {
  if (picture === "there") return ["there", ""];
  if (picture === "unloaded") return ["unloaded", "The picture could not be loaded.", "Load again", loadAgain];
  if (item.link) return ["coming", "loading"];
  if (open && !item.failure) return ["coming", "not made yet"];
  const { short, requested } = reason(item, status);
  return [requested ? "failed" : "undone", short, ...(open || !onRetry ? [] : ["Try again…", () => onRetry(item)])];
}

function paint(print) {
  const { node, why, button, item } = print;
  const [state, text, label, press] = look(print);
  for (const each of ["there", "coming", "unloaded", "failed", "undone"]) node.classList.toggle(each, each === state);
  why.textContent = text;
  button.hidden = !label;
  if (!label) return;
  button.textContent = label;
  button.setAttribute("aria-label", `${label} ${item.name}`);
  button.onclick = () => press(print);
}

/** Load a picture again. Its button disappears, so the print has the focus until the picture is loaded. */
function loadAgain(print) {
  print.node.focus();
  renew(print).then(() => loadPicture(print));
}

async function loadPicture(print) {
  const attempt = (print.attempt = {});
  const settle = (picture) => {
    if (print.image || print.attempt !== attempt) return;
    print.picture = picture;
    paint(print);
  };
  settle("loading");
  const late = setTimeout(settle, 1000 * LOAD_TIMEOUT_S, "unloaded"); // the picture is still shown if it loads later
  const image = await load(() => print.item.link, () => renew(print));
  clearTimeout(late);
  if (image && !print.image) insert(print, image);
  else settle("unloaded");
}

function insert(print, image) {
  const button = document.createElement("button");
  image.alt = "";
  button.type = "button";
  button.setAttribute("aria-label", `Enlarge ${print.item.name}`);
  button.onclick = () => print.onEnlarge(print.item.id);
  button.append(image);
  print.node.querySelector(".paper").replaceChildren(button);
  print.node.classList.add("fresh");
  Object.assign(print, { image, picture: "there" });
  const focused = document.activeElement === print.node || document.activeElement === print.button;
  paint(print);
  if (focused) button.focus();
}

/** Get a new link if the old one is broken. */
async function renew({ item, onStale }) {
  if (!(await works(item.link))) await onStale?.();
}
