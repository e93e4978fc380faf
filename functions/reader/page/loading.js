// Loads a picture that may fail to come: tries again by itself, and gives up in the end.

const PAUSES_S = [1, 2, 4, 8];

/** The image that `link()` leads to, or null when it cannot be had; `renew()` is awaited before each new attempt. */
export async function load(link, renew) {
  for (const pause of PAUSES_S) {
    const image = await once(link());
    if (image) return image;
    await new Promise((done) => setTimeout(done, 1000 * pause));
    await renew();
  }
  return once(link());
}

function once(link) {
  return new Promise((done) => {
    const image = document.createElement("img");
    image.decoding = "async";
    image.onload = () => done(image);
    image.onerror = () => done(null);
    image.src = link;
  });
}
