// The texts of the page for the API's codes and statuses.

/** Code of a failure → the text below the picture, and the sentence shown once for all pictures that have it. */
const failures = new Map(Object.entries({
  refused: ["Refused", "The image model refused the description. Another description may work."],
  throttled: ["Too busy", "The image service received too many requests."],
  overloaded: ["Too busy", "The image service was too busy."],
  timed_out: ["Too slow", "The picture took too long."],
  no_image: ["No picture", "The image model returned no picture."],
  bad_image: ["Unusable", "The image model returned an unusable picture."],
  storage_failed: ["Not stored", "The picture could not be stored."],
  deadline_exceeded: ["Not made in time", "The time for this case was over."],
  too_large: ["Too large", "The picture needs more memory than there is."],
  retries_exhausted: ["Lost", "Several runs were lost before the picture was made."],
  quota_exhausted: ["Not made: quota", "The image service's quota or credits are used up."],
  budget_exhausted: ["Not made: budget", "The maximum cost of this case is reached."],
  invalid: ["Not accepted", "The image service could not use the description."],
  unauthorized: ["Not allowed", "The image service did not accept the operator's key."],
  account_unusable: ["No account", "The operator's account may not use the image service."],
  misconfigured: ["Wrong settings", "The image service does not accept the operator's settings."],
  model_retired: ["No model", "The image model no longer exists. The operator must choose another."],
}));

/** Codes of items that were never requested. */
const notRequested = new Set(["deadline_exceeded", "quota_exhausted", "budget_exhausted"]);

/** Codes that the same description would get again. */
const needNewText = new Set(["refused", "invalid"]);

/** Return why `item` of a job with `status` has no picture: in short, in full, whether it was requested, whether a new description can help. */
export function reason({ failure }, status) {
  if (!failure) {
    const full = status === "cancelled" ? "The case was cancelled." : "The reason is not known.";
    return { short: "Not made", full, requested: false, needsNewText: false };
  }
  const { code, message } = failure;
  const [short, full] = failures.get(code) ?? ["Failed", sentence(message) || "It failed."];
  return { short, full, requested: !notRequested.has(code), needsNewText: needNewText.has(code) };
}

/** Return a paragraph for each different reason of `items`, with the number of pictures that have it. */
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
  pending: "Waiting to start",
  generating: "Making pictures",
  completed: "All pictures are made",
  partial: "Done, but some pictures are missing",
  failed: "No picture could be made",
  cancelled: "Cancelled",
}));

export function state(job) {
  if (job.waitingUntil) return `Waiting for the image service until ${clock(job.waitingUntil)}`;
  return states.get(job.status) ?? job.status;
}

/** Return why a request failed, as a sentence. */
export function refusal(error) {
  if (error.status === 0) return "There is no connection. Please try again.";
  if (error.status === 404) return "This case does not exist, or no longer exists.";
  if (error.code === "still_stopping") return "The case is still being stopped. Please try again in a few seconds.";
  if (error.code === "stale_version") return "The case has changed in the meantime. Please check it and try again.";
  if (error.code) return sentence(error.message);
  if (error.status === 401 || error.status === 403) return NOT_VALID;
  if (error.status === 429) return "The server is too busy. Please try again in a minute.";
  return sentence(error.message);
}

export const NOT_VALID = "This link is not valid, or no longer valid. Please ask for a new one.";

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** Return a server's message as a sentence. */
function sentence(text) {
  const message = (text ?? "").trim();
  return message && message[0].toUpperCase() + message.slice(1) + (/[.!?]$/.test(message) ? "" : ".");
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
