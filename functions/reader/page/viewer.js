// Follows one case: asks at the pace the server wants, shows what has changed, offers what is allowed.

import * as api from "./api.js";
import * as downloads from "./downloads.js";
import * as gallery from "./gallery.js";
import * as timeline from "./timeline.js";
import { duration, failure, refusal, state } from "./words.js";

const HIDDEN_S = 30, SLOWEST_S = 15, LOST_S = 30;
const $ = (id) => document.getElementById(id);
const allowed = api.scopes();
const mayRetry = !allowed || allowed.includes("retry") || allowed.includes("submit");
const mayCancel = !allowed || allowed.includes("submit");

let job = null, timer = 0, unchanged = 0, lost = 0;

const isOpen = () => job.status === "pending" || job.status === "generating";

async function follow() {
  clearTimeout(timer);
  try {
    const { job: found, pause } = await api.poll();
    if (lost) notice("");
    lost = 0;
    unchanged = found ? 0 : unchanged + 1;
    if (found) show(found);
    if (isOpen()) timer = setTimeout(follow, 1000 * pace(pause));
  } catch (error) {
    if (error.status && error.status < 500 && error.status !== 429) return gone(error);
    lost += 1;
    const wait = Math.min(LOST_S, 2 ** lost);
    notice(`The connection is lost. The case goes on without this page; the next try is in ${wait} s.`);
    timer = setTimeout(follow, 1000 * wait);
  }
}

/** Seconds until the next question: the server's, longer when nothing changes, much longer when nobody looks. */
function pace(asked) {
  const calm = Math.min(SLOWEST_S, (asked || 2) * 1.25 ** Math.max(0, unchanged - 5));
  return document.hidden ? Math.max(calm, HIDDEN_S) : Math.max(calm, asked);
}

function gone(error) {
  document.body.classList.remove("working");
  $("status").textContent = "";
  notice(refusal(error));
}

function show(found) {
  job = found;
  document.body.classList.toggle("working", isOpen());
  document.title = `${job.completedImages}/${job.totalImages} ${job.caseId} · Darkroom`;
  $("status").textContent = `${state(job)}. ${job.completedImages} of ${job.totalImages} pictures.`;
  $("progress").hidden = false;
  $("bar").max = job.totalImages;
  $("bar").value = job.completedImages;
  $("done").textContent = `${job.completedImages} of ${job.totalImages}`;
  $("failed").textContent = job.failedImages;
  $("cost").textContent = `$${job.costUsd.toFixed(2)}`;
  const missing = job.completedImages < job.totalImages;
  $("retry").hidden = isOpen() || !missing || !mayRetry;
  $("cancel").hidden = !isOpen() || !mayCancel;
  $("zip").hidden = $("sheet").hidden = isOpen() || job.completedImages === 0;
  notice(job.status === "failed" ? `No picture could be made. ${failure(Object.values(job.errors)[0] ?? { message: job.lastError })}` : "");
  gallery.show(job, mayRetry ? askAgain : null);
  tick();
  if (!isOpen() || $("timeline").open) tellMore();
}

function tick() {
  if (!job) return;
  const now = job.completedAt ?? Date.now();
  const begun = job.run > 1 ? job.armedAt : job.createdAt;
  $("elapsed").textContent = duration(now - begun);
  $("left").textContent = isOpen() ? estimate(now - begun) : "–";
}

function estimate(elapsed) {
  const { completedImages: done, failedImages: failed, totalImages: total } = job;
  if (job.waitingUntil || done === 0) return "…";
  return `about ${duration((elapsed / (done + failed)) * (total - done - failed))}`;
}

function notice(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text;
}

async function tellMore() {
  try {
    const told = await api.timeline();
    $("timeline").hidden = told.runs.length === 0;
    const names = new Map([...job.evidence, ...job.locations].map(({ id, name }) => [id, name]));
    if (told.runs.length) timeline.draw($("chart"), told, names);
  } catch {
    // The pictures matter more; the next change tries again.
  }
}

/** Ask for another description of `item`, beginning with the one it has. */
async function askAgain(item, why) {
  const [dialog, text] = [$("again"), $("again-text")];
  const asked = await api.submitted().catch(() => ({ evidence: [], locations: [] }));
  const before = [...asked.evidence, ...asked.locations].find(({ id }) => id === item.id)?.description ?? "";
  dialog.querySelector("bdi").textContent = item.name;
  $("again-why").textContent = why;
  text.value = before;
  dialog.returnValue = "";
  dialog.onclose = () => {
    const description = text.value.trim();
    if (dialog.returnValue) act(() => api.retry(description && description !== before ? { [item.id]: { description } } : {}));
  };
  if (!dialog.open) dialog.showModal();
}

/** Do what a button asks for, then look again at once. */
async function act(what, button) {
  if (button) button.disabled = true;
  try {
    await what();
    unchanged = 0;
    notice("");
    await follow();
  } catch (error) {
    notice(refusal(error));
  } finally {
    if (button) button.disabled = false;
  }
}

for (const [id, what] of [["retry", () => api.retry()], ["cancel", api.cancel], ["zip", downloads.zip], ["sheet", downloads.contactSheet]]) {
  $(id).addEventListener("click", () => act(what, $(id)));
}
$("timeline").addEventListener("toggle", () => $("timeline").open && tellMore());
document.addEventListener("visibilitychange", () => !document.hidden && job && isOpen() && follow());
addEventListener("online", () => lost && follow());
addEventListener("hashchange", () => location.reload());
setInterval(tick, 1000);
document.querySelector("#case bdi").textContent = api.caseId;
$("status").textContent = "Looking…";
follow();
