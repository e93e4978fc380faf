// The page of one case: polls as often as the server says, shows what has changed, offers what is allowed.

import * as api from "./api.js";
import * as downloads from "./downloads.js";
import * as enlarge from "./enlarge.js";
import * as gallery from "./gallery.js";
import { isOpen, itemsOf } from "./job.js";
import * as retryDialog from "./retry_dialog.js";
import * as timeline from "./timeline.js";
import { count, duration, NOT_VALID, paragraph, reason, reasons, refusal, state } from "./words.js";

// Poll intervals: without Retry-After; at most when nothing changes; while the page is hidden. At most between attempts to reconnect.
const POLL_S = 2, MAX_POLL_S = 15, HIDDEN_POLL_S = 30, MAX_RECONNECT_S = 30;
const $ = (id) => document.getElementById(id);
const allowed = api.scopes();
const isGuest = allowed !== null;
const hasScope = (...any) => !isGuest || any.some((scope) => allowed.includes(scope));

let job = null, timer = 0, unchanged = 0, lost = 0, busy = false;
let barred = ""; // the state of the job for which the server refuses every retry
let basis = null; // a time and the number of pictures settled by then, from which the remaining time is estimated

const stateOf = ({ jobId, version }) => `${jobId}.${version}`;

/** Poll now, and again after an interval until the job has ended. `fresh`: get the job even if it has not changed. */
async function follow(fresh = false) {
  clearTimeout(timer);
  let found;
  try {
    found = await api.poll(fresh);
  } catch (error) {
    return reconnect(error);
  }
  if (lost) notice("");
  lost = 0;
  unchanged = found.job ? 0 : unchanged + 1;
  if (found.job) keepFocus(() => show(found.job));
  if (isOpen(job)) timer = setTimeout(follow, 1000 * pace(found.pause));
}

function reconnect(error) {
  if (error.status && error.status < 500 && error.status !== 429) return stop(error);
  lost += 1;
  const wait = Math.max(Math.min(MAX_RECONNECT_S, 2 ** lost), Math.min(error.pause ?? 0, 2 * MAX_RECONNECT_S));
  notice(`The connection is lost. The case continues without this page. Next attempt in ${wait} s.`);
  timer = setTimeout(follow, 1000 * wait);
}

/** Return the seconds until the next poll: the server's `retryAfter`, longer without changes, longer still while hidden. */
function pace(retryAfter) {
  const interval = Math.min(MAX_POLL_S, (retryAfter || POLL_S) * 1.25 ** Math.max(0, unchanged - 5));
  return document.hidden ? Math.max(interval, HIDDEN_POLL_S) : Math.max(interval, retryAfter);
}

function stop(error) {
  document.body.classList.remove("working");
  $("status").textContent = "";
  notice(error.status === 401 || error.status === 403 ? NOT_VALID : refusal(error));
}

function show(found) {
  if (job?.jobId === found.jobId && job.version > found.version) return; // a response that was overtaken by a newer one
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
  if (!open || $("timeline").open) showTimeline();
}

/** Show the retry buttons where a retry can succeed: a guest cannot retry a cancelled case, and a refusal is final. */
function offerRetry() {
  const offered = hasScope("retry", "submit") && !(isGuest && job.status === "cancelled") && barred !== stateOf(job);
  $("retry").hidden = isOpen(job) || job.completedImages === job.totalImages || !offered;
  gallery.show(job, offered ? (item) => openRetry([item]) : null, (id) => enlarge.open(id, isGuest ? location.href : ""), refetch);
}

function explain() {
  const lines = isOpen(job) ? [] : reasons(missing(), job.status);
  if (job.recovering) lines.push(paragraph("A worker was lost, another takes over."));
  if (isGuest && hasScope("retry") && job.status === "cancelled") lines.push(paragraph("Only the person who submitted the case can start it again."));
  $("reasons").hidden = lines.length === 0;
  $("reasons").replaceChildren(...lines);
}

const missing = () => itemsOf(job).filter(({ link }) => !link);

function tick() {
  if (!job) return;
  $("elapsed").textContent = duration((job.completedAt ?? Date.now()) - job.createdAt);
  $("left").textContent = isOpen(job) ? estimate(Date.now()) : "";
}

/** Estimate the time left from the pace since the submission or the latest retry, which has a new deadline. */
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

/** Change the page. If the focused element disappears, the pictures get the focus. */
function keepFocus(change) {
  const focused = document.activeElement;
  change();
  if (focused?.closest("[hidden]")) $("prints").focus({ preventScroll: true });
}

async function showTimeline() {
  try {
    const found = await api.timeline();
    $("timeline").hidden = found.runs.length === 0;
    if (found.runs.length) timeline.draw($("chart"), found, new Map(itemsOf(job).map(({ id, name }) => [id, name])));
  } catch {
    // Without the timeline the page is still useful; the next change of the job fetches it again.
  }
}

const openRetry = (items) => act(() => retryDialog.open(items, missing(), job.status, (shots) => act(() => retry(shots))));

async function retry(shots) {
  try {
    await api.retry(shots);
  } catch (error) {
    if (error.code && (error.status === 403 || error.status === 429)) barred = stateOf(job);
    if (error.code === "stale_version" || error.code === "job_open") follow();
    throw error;
  }
  retryDialog.forget();
  await pollNow();
}

async function pollNow() {
  unchanged = 0;
  await follow();
}

let refetching = null;
/** Get the job even if it has not changed: in one request, however many links are broken. */
const refetch = () => (refetching ??= follow(true).finally(() => (refetching = null)));

/** Run a button's action; show the text that it returns, or why it failed. */
async function act(action) {
  if (busy) return;
  busy = true;
  try {
    notice("");
    notice((await action()) ?? "");
  } catch (error) {
    notice(refusal(error));
    if (job) keepFocus(offerRetry);
  } finally {
    busy = false;
  }
}

const actions = [
  ["retry", () => openRetry(missing().filter((item) => reason(item, job.status).needsNewText))],
  ["cancel", () => act(() => api.cancel().then(pollNow))],
  ["zip", () => act(downloads.zip)],
  ["sheet", () => act(downloads.contactSheet)],
];
for (const [id, press] of actions) $(id).onclick = press;
$("skip").onclick = () => $("prints").focus(); // not a link: its # would replace the token in the address
$("timeline").addEventListener("toggle", () => $("timeline").open && showTimeline());
document.addEventListener("visibilitychange", () => !document.hidden && job && follow());
addEventListener("online", () => {
  if (lost) follow();
  gallery.reload();
});
addEventListener("hashchange", () => location.reload());
setInterval(tick, 1000);
document.querySelector("#case bdi").textContent = api.caseId;
$("status").textContent = "Loading…";
follow();
