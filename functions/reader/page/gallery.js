// The prints: one for each item, coming, there, or lost. Text is only ever put in as text.

import { failure } from "./words.js";

const template = document.querySelector("#print");
const prints = new Map();

/** Show `job`; `onRetry(item)` is called for a lost print whose button is pressed, null forbids it. */
export function show(job, onRetry) {
  for (const [kind, images] of [["evidence", job.evidenceImages], ["locations", job.locationImages]]) {
    const section = document.getElementById(kind);
    section.hidden = job[kind].length === 0;
    for (const item of job[kind]) update(section.querySelector("ul"), job, item, images[item.id], onRetry);
  }
}

function update(list, job, item, link, onRetry) {
  if (!prints.has(item.id)) {
    const node = template.content.firstElementChild.cloneNode(true);
    node.querySelector("bdi").textContent = item.name;
    list.append(node);
    prints.set(item.id, { node, link: null, shown: false });
  }
  const print = prints.get(item.id);
  const open = job.status === "pending" || job.status === "generating";
  const lost = !link && (job.errors[item.id] ?? (open ? null : { code: job.status, message: "It was not made." }));
  const { node } = print;
  node.classList.toggle("coming", !lost && !print.shown);
  node.classList.toggle("lost", Boolean(lost));
  node.querySelector(".why").textContent = link ? "" : lost ? failure(lost) : "in the tray";
  const button = node.querySelector("button");
  button.hidden = !lost || open || !onRetry;
  button.setAttribute("aria-label", `Try again: ${item.name}`);
  button.onclick = () => onRetry(item, failure(lost));
  if (link && link !== print.link) develop(print, item, link);
}

function develop(print, item, link) {
  const paper = print.node.querySelector(".paper");
  const [anchor, image] = [document.createElement("a"), document.createElement("img")];
  image.alt = item.name;
  image.decoding = "async";
  image.onload = () => {
    paper.replaceChildren(anchor);
    print.node.classList.remove("coming");
    print.shown = true;
  };
  image.onerror = () => { print.link = null; }; // the next poll tries again
  image.src = anchor.href = link;
  anchor.target = "_blank";
  anchor.rel = "noopener";
  anchor.append(image);
  print.node.classList.add("fresh");
  print.link = link;
}
