// Speaks to the API with the token behind the #, which never is part of an address.

export const caseId = location.pathname.split("/").filter(Boolean).pop() ?? "";
const token = decoded(location.hash.slice(1));
const base = new URL("../api/", location.href.split("#")[0]);

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
  constructor(status, problem) {
    super(problem.detail ?? problem.message ?? `The server answered ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
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
      signal: AbortSignal.timeout(30_000),
    });
  } catch {
    throw new Refused(0, { detail: "no connection" });
  }
  if (!answer.ok && answer.status !== 304) {
    throw new Refused(answer.status, await answer.json().catch(() => ({})));
  }
  return answer;
}

const path = `cases/${encodeURIComponent(caseId)}/image-job`;
let tag = "";

/** The job, or null when it has not changed; and after how many seconds to ask again. */
export async function poll() {
  const answer = await call("GET", path, tag ? { "If-None-Match": tag } : {});
  tag = answer.headers.get("ETag") ?? tag;
  const pause = Number(answer.headers.get("Retry-After") ?? 0);
  return { job: answer.status === 304 ? null : await answer.json(), pause };
}

export const inline = async () => (await call("GET", `${path}?images=inline`)).json();
export const timeline = async () => (await call("GET", `${path}/timeline`)).json();
export const submitted = async () => (await call("GET", `${path}/request`)).json();
export const cancel = async () => (await call("DELETE", path)).json();

/** Try again what has no picture; `shots` gives some another description. Never pays twice for one click. */
export const retry = async (shots = {}) =>
  (await call("POST", `${path}/retry`, { "Content-Type": "application/json", "If-Match": tag }, JSON.stringify({ shots }))).json();
