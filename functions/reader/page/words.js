// The API's codes in the words of people.

const failures = {
  refused: "The image model refused this description. Another one may pass.",
  throttled: "The image service was asked too often.",
  overloaded: "The image service was too busy.",
  timed_out: "The picture took too long.",
  no_image: "The image model answered without a picture.",
  bad_image: "What came was not a usable picture.",
  storage_failed: "The picture could not be stored.",
  deadline_exceeded: "The time for this case was over.",
  retries_exhausted: "It was tried several times and lost each time.",
  quota_exhausted: "The image service's quota or credits are used up.",
  budget_exhausted: "What this case may cost is spent.",
  invalid: "The image service could not use this request.",
  unauthorized: "The image service did not accept the operator's key.",
  account_unusable: "The operator's account may not use the image service.",
  misconfigured: "The image service does not take the operator's settings.",
  model_retired: "The image model exists no longer. The operator must choose another.",
};
export const failure = ({ code, message }) => failures[code] ?? message ?? "It failed.";

const states = {
  pending: "Waiting for a place in the darkroom",
  generating: "Developing",
  completed: "All pictures are developed",
  partial: "Done, but some pictures are missing",
  failed: "No picture could be made",
  cancelled: "Cancelled",
};

export function state(job) {
  if (job.waitingUntil) return `Waiting for the image service until ${clock(job.waitingUntil)}`;
  return states[job.status] ?? job.status;
}

export function refusal(error) {
  if (error.status === 401 || error.status === 403) return "This link is not valid, or no longer. Ask for a new one.";
  if (error.status === 404) return "There is no such case, or no longer.";
  if (error.code === "still_stopping") return "It is still being stopped. Please try again in a few seconds.";
  if (error.code === "stale_version") return "Meanwhile something has changed. Please look again and repeat.";
  if (error.status === 0) return "There is no connection. Please try again.";
  return error.message;
}

export const clock = (ms) => new Date(ms).toLocaleTimeString();

export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
