// Speaks to the API with the token behind the #, which never is part of an address.

export const caseId = decoded(location.pathname.split("/").filter(Boolean).pop() ?? "");
const token = decoded(location.hash.slice(1));
const base = new URL("../api/", location.href.split("#")[0]);
const PATIENCE_MS = 30_000;

/** The token of a caller may have characters that an address has not; a share link's has none. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What a share link's token allows; null for a caller's own token, which does not say. */
export function scopes() {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(claims)).scope.split(" ");
  } catch {
    return null;
  }
}

/** An answer that is no picture of the state: `status` 0 when nobody answered. */
export class Refused extends Error {
  constructor(status, problem, pause = 0) {
    super(problem?.detail ?? problem?.message ?? `The server answered ${status}`);
    this.status = status;
    this.code = problem?.code ?? "";
    this.pause = pause;
  }
}

async function call(method, path, headers = {}, body) {
  let answer;
  try {
    answer = await fetch(new URL(path, base), {
      method,
      headers: { Authorization: `Bearer ${token}`, ...headers },
      body,
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Refused(0, { detail: "no connection" });
  }
  if (!answer.ok && answer.status !== 304) {
    throw new Refused(answer.status, await answer.json().catch(() => null), pauseOf(answer));
  }
  return answer;
}

/** An answer that breaks off, or is the page of some gateway, is none. */
async function json(answer) {
  try {
    return await (await answer).json();
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(0, { detail: "no connection" });
  }
}

const pauseOf = (answer) => Number(answer.headers.get("Retry-After")) || 0;

const path = `cases/${encodeURIComponent(caseId)}/image-job`;
let tag = "";

/** The job, or null when it has not changed; and after how many seconds to ask again. `anew`: also when it has not. */
export async function poll(anew = false) {
  const answer = await call("GET", path, tag && !anew ? { "If-None-Match": tag } : {});
  const job = answer.status === 304 ? null : await json(answer);
  tag = answer.headers.get("ETag") ?? tag;
  return { job, pause: pauseOf(answer) };
}

export const inline = () => json(call("GET", `${path}?images=inline`));
export const timeline = () => json(call("GET", `${path}/timeline`));
export const submitted = () => json(call("GET", `${path}/request`));
export const cancel = () => call("DELETE", path);

/** Try again what has no picture; `shots` gives some another description. Never pays twice for one click. */
export const retry = (shots) =>
  call("POST", `${path}/retry`, { "Content-Type": "application/json", "If-Match": tag }, JSON.stringify({ shots }));

/** Whether `link` still leads to a picture. Asks past the browser's cache, which may know an address that has expired. */
export async function leads(link) {
  try {
    const answer = await fetch(link, { cache: "reload", redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.ok || answer.type === "opaqueredirect";
  } catch {
    return false;
  }
}
