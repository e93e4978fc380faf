// The dialog before a retry: refused descriptions can be changed in it.

import { submitted } from "./api.js";
import { count, reason, reasons } from "./words.js";

const $ = (id) => document.getElementById(id);
const [dialog, form, send, problem] = [$("retry-dialog"), $("retry-form"), $("retry-send"), $("retry-problem")];
const template = $("retry-field");
let fields = [];
let drafts = new Map();

/** Forget the typed descriptions, which are kept until the server has accepted them. */
export const forget = () => drafts.clear();

/**
 * Open the dialog. The descriptions of `items` can be changed, those of the other `missing` items stay the same.
 * `onSend(shots)` is called with the changed descriptions, by id; it is not called when the dialog is cancelled.
 */
export async function open(items, missing, status, onSend) {
  const before = items.length ? descriptions(await submitted()) : new Map();
  fields = items.map((item) => field(item, reason(item, status), before.get(item.id) ?? ""));
  $("retry-fields").replaceChildren(...fields.map(({ node }) => node));
  $("retry-reasons").replaceChildren(...reasons(items, status));
  $("retry-others").textContent = about(items.length, missing.length - items.length);
  clearRemarks();
  form.onsubmit = (event) => {
    if (event.submitter === send && !mayBeSent()) return event.preventDefault();
    if (event.submitter !== send) return;
    drafts = new Map(fields.map((each) => [each.id, each.text.value]));
    onSend(changes());
  };
  if (!dialog.open) dialog.showModal();
}

const descriptions = ({ evidence, locations }) => new Map([...evidence, ...locations].map(({ id, description }) => [id, description]));

function about(changeable, others) {
  if (!others) return "";
  const pictures = count(others, changeable ? "other missing picture" : "missing picture");
  return `${pictures} will be requested again with the same ${others === 1 ? "description" : "descriptions"}.`;
}

function field({ id, name }, { needsNewText }, before) {
  const node = template.content.firstElementChild.cloneNode(true);
  const [text, remark] = [node.querySelector("textarea"), node.querySelector(".remark")];
  node.querySelector("bdi").textContent = name;
  text.value = before;
  text.oninput = clearRemarks;
  const made = { id, node, text, remark, needsNewText, before: text.value.trim() };
  text.value = drafts.get(id) ?? text.value;
  remark.id = `remark-${id}`;
  text.setAttribute("aria-describedby", remark.id);
  return made;
}

const written = ({ text }) => text.value.trim();
const changes = () => Object.fromEntries(fields.filter((each) => written(each) !== each.before).map((each) => [each.id, { description: written(each) }]));

/** Return whether the descriptions may be sent: empty ones may not, unchanged ones only after a warning. */
function mayBeSent() {
  const empty = fields.filter((each) => !written(each));
  const same = fields.filter((each) => each.needsNewText && written(each) === each.before);
  if (!empty.length && (!same.length || send.value === "unchanged")) return true;
  clearRemarks();
  for (const each of same) remark(each, "Unchanged");
  for (const each of empty) remark(each, "Empty");
  problem.textContent = empty.length
    ? `${count(empty.length, "description")} ${empty.length === 1 ? "is" : "are"} empty. Please describe each picture.`
    : `${count(same.length, "description")} ${same.length === 1 ? "is" : "are"} unchanged and will probably be refused again. Change the text, or send it unchanged.`;
  if (!empty.length) [send.value, send.textContent] = ["unchanged", "Send unchanged"];
  (empty[0] ?? same[0]).text.focus();
  return false;
}

function remark({ text, remark }, words) {
  remark.textContent = words;
  text.setAttribute("aria-invalid", "true");
}

function clearRemarks() {
  [send.value, send.textContent, problem.textContent] = ["go", "Try again", ""];
  for (const { text, remark } of fields) {
    remark.textContent = "";
    text.removeAttribute("aria-invalid");
  }
}
