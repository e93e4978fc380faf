// Asks before anything is tried again: what was refused gets the chance of another description.

import { submitted } from "./api.js";
import { count, reason, reasons } from "./words.js";

const $ = (id) => document.getElementById(id);
const [dialog, form, go, said] = [$("again"), $("again-form"), $("again-go"), $("again-said")];
const template = $("again-field");
let fields = [];
let drafts = new Map();

/** What was written is kept until it is sent: to be called when the server has taken it. */
export const forget = () => drafts.clear();

/**
 * Ask how to try again. The descriptions of `asked` can be changed, those of the other `missing` items stay as they are.
 * `send(shots)` is called with the changed ones, by id; nothing is called when the answer is no.
 */
export async function ask(asked, missing, status, send) {
  const before = asked.length ? descriptions(await submitted()) : new Map();
  fields = asked.map((item) => field(item, reason(item, status), before.get(item.id) ?? ""));
  $("again-fields").replaceChildren(...fields.map(({ node }) => node));
  $("again-why").replaceChildren(...reasons(asked, status));
  $("again-about").textContent = about(asked.length, missing.length - asked.length);
  calm();
  form.onsubmit = (event) => {
    if (event.submitter === go && !passes()) return event.preventDefault();
    if (event.submitter !== go) return;
    drafts = new Map(fields.map((each) => [each.id, each.text.value]));
    send(changes());
  };
  if (!dialog.open) dialog.showModal();
}

const descriptions = ({ evidence, locations }) => new Map([...evidence, ...locations].map(({ id, description }) => [id, description]));

function about(asked, others) {
  if (!others) return "";
  const those = `${count(others, asked ? "other missing picture" : "missing picture")} ${others === 1 ? "is" : "are"}`;
  return `${those} tried again as described before.`;
}

function field({ id, name }, { needsWords }, before) {
  const node = template.content.firstElementChild.cloneNode(true);
  const [text, remark] = [node.querySelector("textarea"), node.querySelector(".remark")];
  node.querySelector("bdi").textContent = name;
  text.value = before;
  text.oninput = calm;
  const made = { id, node, text, remark, needsWords, before: text.value.trim() };
  text.value = drafts.get(id) ?? text.value;
  remark.id = `remark-${id}`;
  text.setAttribute("aria-describedby", remark.id);
  return made;
}

const written = ({ text }) => text.value.trim();
const changes = () => Object.fromEntries(fields.filter((each) => written(each) !== each.before).map((each) => [each.id, { description: written(each) }]));

/** Whether all may be sent. Empty texts may not; the same text again may, once that has been said. */
function passes() {
  const empty = fields.filter((each) => !written(each));
  const same = fields.filter((each) => each.needsWords && written(each) === each.before);
  if (!empty.length && (!same.length || go.value === "unchanged")) return true;
  calm();
  for (const each of same) remark(each, "Unchanged");
  for (const each of empty) remark(each, "Empty");
  said.textContent = empty.length
    ? `${count(empty.length, "description")} ${empty.length === 1 ? "is" : "are"} empty. Please describe each picture.`
    : `${count(same.length, "description")} ${same.length === 1 ? "is" : "are"} unchanged, and will probably be refused again. Change what you can, or send it so.`;
  if (!empty.length) [go.value, go.textContent] = ["unchanged", "Send unchanged"];
  (empty[0] ?? same[0]).text.focus();
  return false;
}

function remark({ text, remark }, words) {
  remark.textContent = words;
  text.setAttribute("aria-invalid", "true");
}

function calm() {
  [go.value, go.textContent, said.textContent] = ["go", "Try again", ""];
  for (const { text, remark } of fields) {
    remark.textContent = "";
    text.removeAttribute("aria-invalid");
  }
}
