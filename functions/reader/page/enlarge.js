// Shows one picture enlarged; arrow keys and buttons lead to the others.

import * as gallery from "./gallery.js";

const $ = (id) => document.getElementById(id);
const dialog = $("enlarged");
let current = "";

/** Enlarge the picture of `id`. `link` is the link to copy; empty for a caller's own token, which must not be shared. */
export function open(id, link) {
  $("copy").hidden = !link;
  $("copy").onclick = () => copy(link);
  show(id);
  if (!dialog.open) dialog.showModal();
}

function show(id) {
  const all = gallery.pictures();
  const at = all.findIndex((picture) => picture.id === id);
  if (at < 0) return dialog.close();
  const { name, src } = all[at];
  current = id;
  $("large").replaceChildren(Object.assign(new Image(), { src, alt: name }));
  $("large-name").textContent = name;
  $("large-place").textContent = `${at + 1} of ${all.length}`;
  $("copied").textContent = "";
  $("previous").hidden = $("next").hidden = all.length < 2;
}

function step(by) {
  const all = gallery.pictures();
  const at = all.findIndex(({ id }) => id === current);
  show(all.at((at + by) % all.length)?.id);
}

async function copy(link) {
  try {
    await navigator.clipboard.writeText(link);
    $("copied").textContent = "The link to this page was copied. Everybody who has it can see the case.";
  } catch {
    $("copied").textContent = "This browser does not allow copying. The link is in the address bar.";
  }
}

$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("close").onclick = () => dialog.close();
dialog.onclick = (event) => event.target === dialog && dialog.close();
dialog.onkeydown = (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  step(by);
};
