// Reads the items of a job. An item's id may be `constructor` or `__proto__`, so only a map's own properties count.

const own = (map, id) => (Object.hasOwn(map, id) ? map[id] : null);

export const isOpen = (job) => job.status === "pending" || job.status === "generating";

/** Return every item of `job` in the order of the page; `link` and `failure` are null if it has none. */
export function itemsOf(job) {
  return [["evidence", job.evidenceImages], ["locations", job.locationImages]].flatMap(([kind, images]) =>
    job[kind].map(({ id, name }) => ({ id, name, kind, link: own(images, id), failure: own(job.errors, id) })));
}
