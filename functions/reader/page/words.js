// The API's codes in the words of people.

/** Code of a failure → what stands below the print, and what is said once for all prints that have it. */
const failures = new Map(Object.entries({
  refused: ["Refused", "The image model refused the description. Another one may pass."],
  throttled: ["Too busy", "The image service was asked too often."],
  overloaded: ["Too busy", "The image service was too busy."],
  timed_out: ["Too slow", "The picture took too long."],
  no_image: ["No picture", "The image model answered without a picture."],
  bad_image: ["Unusable", "What came was not a usable picture."],
  storage_failed: ["Not stored", "The picture could not be stored."],
  deadline_exceeded: ["Not made in time", "The time for this case was over."],
  retries_exhausted: ["Lost", "It was tried several times and lost each time."],
  quota_exhausted: ["Not made: quota", "The image service's quota or credits are used up."],
  budget_exhausted: ["Not made: budget", "What this case may cost is spent."],
  invalid: ["Not accepted", "The image service could not use the description."],
  unauthorized: ["Not allowed", "The image service did not accept the operator's key."],
  account_unusable: ["No account", "The operator's account may not use the image service."],
  misconfigured: ["Wrong settings", "The image service does not take the operator's settings."],
  model_retired: ["No model", "The image model exists no longer. The operator must choose another."],
}));

/** Codes of items that nobody began to draw. */
const notBegun = new Set(["deadline_exceeded", "quota_exhausted", "budget_exhausted"]);

/** Codes that the same description gets again. */
const needsWords = new Set(["refused", "invalid"]);

/** Why `item` of a job that has `status` has no picture: in short, in full, whether it was tried, whether words can help. */
export function reason({ failure }, status) {
  if (!failure) {
    const full = status === "cancelled" ? "The case was cancelled." : "The reason is not known.";
    return { short: "Not made", full, tried: false, needsWords: false };
  }
  const { code, message } = failure;
  const [short, full] = failures.get(code) ?? ["Failed", sentence(message) || "It failed."];
  return { short, full, tried: !notBegun.has(code), needsWords: needsWords.has(code) };
}

/** Each reason once, as paragraphs, however many of `items` have it. */
export function reasons(items, status) {
  const counts = new Map();
  for (const item of items) {
    const { full } = reason(item, status);
    counts.set(full, (counts.get(full) ?? 0) + 1);
  }
  return [...counts].map(([full, number]) => paragraph(`${count(number, "picture")}: ${full}`));
}

export const paragraph = (text) => Object.assign(document.createElement("p"), { textContent: text });

const states = new Map(Object.entries({
  pending: "Waiting for a place in the darkroom",
  generating: "Developing",
  completed: "All pictures are developed",
  partial: "Done, but some pictures are missing",
  failed: "No picture could be made",
  cancelled: "Cancelled",
}));

export function state(job) {
  if (job.waitingUntil) return `Waiting for the image service until ${clock(job.waitingUntil)}`;
  return states.get(job.status) ?? job.status;
}

/** Why the server did not do what was asked of it. */
export function refusal(error) {
  if (error.status === 0) return "There is no connection. Please try again.";
  if (error.status === 404) return "There is no such case, or no longer.";
  if (error.code === "still_stopping") return "It is still being stopped. Please try again in a few seconds.";
  if (error.code === "stale_version") return "Meanwhile something has changed. Please look again and repeat.";
  if (error.code) return sentence(error.message);
  if (error.status === 401 || error.status === 403) return NOT_VALID;
  if (error.status === 429) return "The server is too busy. Please try again in a minute.";
  return sentence(error.message);
}

export const NOT_VALID = "This link is not valid, or no longer. Ask for a new one.";

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** A server's message as a sentence. */
function sentence(text) {
  const said = (text ?? "").trim();
  return said && said[0].toUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? "" : ".");
}

export function clock(ms) {
  const then = new Date(ms);
  return then.toDateString() === new Date().toDateString() ? then.toLocaleTimeString() : then.toLocaleString();
}

export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}
