// What a job says of its items. An item may be called `constructor` or `__proto__`: only what a map itself has counts.

const own = (map, id) => (Object.hasOwn(map, id) ? map[id] : null);

export const isOpen = (job) => job.status === "pending" || job.status === "generating";

/** Every item of `job` in the order of the page; `link` and `failure` are null where there is none. */
export function itemsOf(job) {
  return [["evidence", job.evidenceImages], ["locations", job.locationImages]].flatMap(([kind, images]) =>
    job[kind].map(({ id, name }) => ({ id, name, kind, link: own(images, id), failure: own(job.errors, id) })));
}
