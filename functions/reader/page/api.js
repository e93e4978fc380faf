// Calls the API with the token after the #, which browsers send to no server.

export const caseId = decoded(location.pathname.split("/").filter(Boolean).pop() ?? "");
const token = decoded(location.hash.slice(1));
const base = new URL("../api/", location.href.split("#")[0]);
const TIMEOUT_MS = 30_000;

/** Decode `text` from an address: a caller's token, unlike a share link's, may have characters that are encoded there. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Return the scopes of a share link's token; null for a caller's own token, which does not show them. */
export function scopes() {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(claims)).scope.split(" ");
  } catch {
    return null;
  }
}

/** A request that failed: `status` is the HTTP status, 0 without a response. */
export class Refused extends Error {
  constructor(status, problem, pause = 0) {
    super(problem?.detail ?? problem?.message ?? `The server returned ${status}`);
    this.status = status;
    this.code = problem?.code ?? "";
    this.pause = pause;
  }
}

async function call(method, path, headers = {}, body) {
  let response;
  try {
    response = await fetch(new URL(path, base), {
      method,
      headers: { Authorization: `Bearer ${token}`, ...headers },
      body,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Refused(0, { detail: "no connection" });
  }
  if (!response.ok && response.status !== 304) {
    throw new Refused(response.status, await response.json().catch(() => null), retryAfter(response));
  }
  return response;
}

/** Return a response's JSON. A response that breaks off, or is a gateway's HTML page, counts as no response. */
async function json(response) {
  try {
    return await (await response).json();
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(0, { detail: "no connection" });
  }
}

const retryAfter = (response) => Number(response.headers.get("Retry-After")) || 0;

const path = `cases/${encodeURIComponent(caseId)}/image-job`;
let tag = "";

/** Return the job (null when it has not changed, unless `fresh`), and the seconds after which to poll again. */
export async function poll(fresh = false) {
  const response = await call("GET", path, tag && !fresh ? { "If-None-Match": tag } : {});
  const job = response.status === 304 ? null : await json(response);
  tag = response.headers.get("ETag") ?? tag;
  return { job, pause: retryAfter(response) };
}

export const inline = () => json(call("GET", `${path}?images=inline`));
export const timeline = () => json(call("GET", `${path}/timeline`));
export const submitted = () => json(call("GET", `${path}/request`));
export const cancel = () => call("DELETE", path);

/** Start another run for the missing pictures; `shots` has new descriptions. If-Match keeps a click from paying twice. */
export const retry = (shots) =>
  call("POST", `${path}/retry`, { "Content-Type": "application/json", "If-Match": tag }, JSON.stringify({ shots }));

/** Return whether `link` still leads to a picture. Bypasses the browser's cache, which may hold an expired address. */
export async function works(link) {
  try {
    const response = await fetch(link, { cache: "reload", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok || response.type === "opaqueredirect";
  } catch {
    return false;
  }
}
