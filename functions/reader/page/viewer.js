// Follows one case: asks at the pace the server wants, shows what has changed, offers what is allowed.

import * as again from "./again.js";
import * as api from "./api.js";
import * as downloads from "./downloads.js";
import * as enlarge from "./enlarge.js";
import * as gallery from "./gallery.js";
import { isOpen, itemsOf } from "./job.js";
import * as timeline from "./timeline.js";
import { count, duration, NOT_VALID, paragraph, reason, reasons, refusal, state } from "./words.js";

const HIDDEN_S = 30, SLOWEST_S = 15, LOST_S = 30;
const $ = (id) => document.getElementById(id);
const allowed = api.scopes();
const isGuest = allowed !== null;
const hasScope = (...any) => !isGuest || any.some((scope) => allowed.includes(scope));

let job = null, timer = 0, unchanged = 0, lost = 0, busy = false;
let barred = ""; // the state of the job in which the server has refused a retry for good
let basis = null; // how many were done when: what the estimate goes by

const nameOf = ({ jobId, version }) => `${jobId}.${version}`;

async function follow(anew = false) {
  clearTimeout(timer);
  let found;
  try {
    found = await api.poll(anew);
  } catch (error) {
    return stumble(error);
  }
  if (lost) notice("");
  lost = 0;
  unchanged = found.job ? 0 : unchanged + 1;
  if (found.job) keepFocus(() => show(found.job));
  if (isOpen(job)) timer = setTimeout(follow, 1000 * pace(found.pause));
}

function stumble(error) {
  if (error.status && error.status < 500 && error.status !== 429) return gone(error);
  lost += 1;
  const wait = Math.max(Math.min(LOST_S, 2 ** lost), Math.min(error.pause ?? 0, 2 * LOST_S));
  notice(`The connection is lost. The case goes on without this page; the next try is in ${wait} s.`);
  timer = setTimeout(follow, 1000 * wait);
}

/** Seconds until the next question: the server's, longer when nothing changes, much longer when nobody looks. */
function pace(asked) {
  const calm = Math.min(SLOWEST_S, (asked || 2) * 1.25 ** Math.max(0, unchanged - 5));
  return document.hidden ? Math.max(calm, HIDDEN_S) : Math.max(calm, asked);
}

function gone(error) {
  document.body.classList.remove("working");
  $("status").textContent = "";
  notice(error.status === 401 || error.status === 403 ? NOT_VALID : refusal(error));
}

function show(found) {
  if (job?.jobId === found.jobId && job.version > found.version) return; // an answer that was overtaken
  job = found;
  const open = isOpen(job);
  document.body.classList.toggle("working", open);
  document.title = `${job.completedImages}/${job.totalImages} ${job.caseId} · Darkroom`;
  $("status").textContent = `${state(job)}. ${job.completedImages} of ${count(job.totalImages, "picture")}.`;
  $("progress").hidden = false;
  $("bar").max = job.totalImages;
  $("bar").value = job.completedImages;
  $("done").textContent = `${job.completedImages} of ${job.totalImages}`;
  $("failed").textContent = job.failedImages;
  $("cost").textContent = `$${job.costUsd.toFixed(2)}`;
  $("remaining").hidden = !open;
  $("cancel").hidden = !open || !hasScope("submit");
  $("zip").hidden = $("sheet").hidden = open || job.completedImages === 0;
  offerRetry();
  explain();
  tick();
  if (!open || $("timeline").open) tellMore();
}

/** A guest's retry does not undo a cancel, and nobody presses what was refused. */
function offerRetry() {
  const offered = hasScope("retry", "submit") && !(isGuest && job.status === "cancelled") && barred !== nameOf(job);
  $("retry").hidden = isOpen(job) || job.completedImages === job.totalImages || !offered;
  gallery.show(job, offered ? (item) => askAgain([item]) : null, (id) => enlarge.open(id, isGuest ? location.href : ""), lookAnew);
}

function explain() {
  const lines = isOpen(job) ? [] : reasons(missing(), job.status);
  if (isGuest && hasScope("retry") && job.status === "cancelled") lines.push(paragraph("Only whoever submitted the case can start it again."));
  $("reasons").hidden = lines.length === 0;
  $("reasons").replaceChildren(...lines);
}

const missing = () => itemsOf(job).filter(({ link }) => !link);

function tick() {
  if (!job) return;
  $("elapsed").textContent = duration((job.completedAt ?? Date.now()) - job.createdAt);
  $("left").textContent = isOpen(job) ? estimate(Date.now()) : "";
}

/** By the pace since the submission, or since this page has seen the latest retry, which moves the deadline. */
function estimate(now) {
  const { completedImages, failedImages, totalImages, deadlineAt } = job;
  const settled = completedImages + failedImages;
  if (basis?.deadlineAt !== deadlineAt) {
    basis = job.run === 1 ? { deadlineAt, at: job.createdAt, settled: 0 } : { deadlineAt, at: now, settled };
  }
  if (job.waitingUntil || settled <= basis.settled) return "…";
  return `about ${duration(((now - basis.at) / (settled - basis.settled)) * (totalImages - settled))}`;
}

function notice(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text;
}

/** Change the page. When what has the focus goes, the pictures get it. */
function keepFocus(change) {
  const focused = document.activeElement;
  change();
  if (focused?.closest("[hidden]")) $("prints").focus({ preventScroll: true });
}

async function tellMore() {
  try {
    const told = await api.timeline();
    $("timeline").hidden = told.runs.length === 0;
    if (told.runs.length) timeline.draw($("chart"), told, new Map(itemsOf(job).map(({ id, name }) => [id, name])));
  } catch {
    // The pictures matter more; the next change tries again.
  }
}

const askAgain = (items) => act(() => again.ask(items, missing(), job.status, (shots) => act(() => retry(shots))));

async function retry(shots) {
  try {
    await api.retry(shots);
  } catch (error) {
    if (error.code && (error.status === 403 || error.status === 429)) barred = nameOf(job);
    if (error.code === "stale_version" || error.code === "job_open") follow();
    throw error;
  }
  again.forget();
  await lookAgain();
}

async function lookAgain() {
  unchanged = 0;
  await follow();
}

let looking = null;
/** Ask for the job even when it has not changed: once, however many links lead nowhere. */
const lookAnew = () => (looking ??= follow(true).finally(() => (looking = null)));

/** Do what a button asks for; what it returns is said, and so is why it failed. */
async function act(what) {
  if (busy) return;
  busy = true;
  try {
    notice("");
    notice((await what()) ?? "");
  } catch (error) {
    notice(refusal(error));
    if (job) keepFocus(offerRetry);
  } finally {
    busy = false;
  }
}

const actions = [
  ["retry", () => askAgain(missing().filter((item) => reason(item, job.status).needsWords))],
  ["cancel", () => act(() => api.cancel().then(lookAgain))],
  ["zip", () => act(downloads.zip)],
  ["sheet", () => act(downloads.contactSheet)],
];
for (const [id, press] of actions) $(id).onclick = press;
$("skip").onclick = () => $("prints").focus(); // a link's # would take the token's place
$("timeline").addEventListener("toggle", () => $("timeline").open && tellMore());
document.addEventListener("visibilitychange", () => !document.hidden && job && follow());
addEventListener("online", () => {
  if (lost) follow();
  gallery.reload();
});
addEventListener("hashchange", () => location.reload());
setInterval(tick, 1000);
document.querySelector("#case bdi").textContent = api.caseId;
$("status").textContent = "Looking…";
follow();
