// Loads a picture, with several attempts.

const PAUSES_S = [1, 2, 4, 8];

/** Return the image at `link()`, or null when it cannot be loaded; `renew()` is awaited before each new attempt. */
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
