// Downloads all pictures as a zip, or on a contact sheet.

import { caseId, inline } from "./api.js";
import { itemsOf } from "./job.js";
import { count } from "./words.js";

/** Return the pictures that fit into one response, and a sentence about the others. */
async function pictures() {
  const job = await inline();
  const found = itemsOf(job).filter(({ link }) => link?.startsWith("data:"));
  const others = job.completedImages - found.length;
  const remark = others > 0 ? `${count(others, "picture")} did not fit into the file. Enlarge each missing picture and save it.` : "";
  if (!found.length) throw new Error("No picture fits into the file. Enlarge each picture and save it.");
  return { found, remark };
}

function save(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

const bytes = (dataUrl) => Uint8Array.from(atob(dataUrl.split(",")[1]), (c) => c.charCodeAt(0));

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});
const crc32 = (data) => ~data.reduce((crc, byte) => table[(crc ^ byte) & 255] ^ (crc >>> 8), -1) >>> 0;

/** Return a zip without compression, which JPEGs do not need: APPNOTE 4.3, with a local header and an entry for each file. */
function zipped(files) {
  const parts = [], directory = [];
  let offset = 0;
  for (const { name, data } of files) {
    const title = new TextEncoder().encode(name);
    const common = fields(26, [[0, 2, 20], [2, 2, 0x0800], [8, 2, 0x21], [10, 4, crc32(data)], [14, 4, data.length], [18, 4, data.length], [22, 2, title.length]]);
    parts.push(signature(0x04034b50), common, title, data);
    directory.push(signature(0x02014b50), fields(2, [[0, 2, 20]]), common, fields(14, [[10, 4, offset]]), title);
    offset += 4 + 26 + title.length + data.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = fields(18, [[4, 2, files.length], [6, 2, files.length], [8, 4, size], [12, 4, offset]]);
  return new Blob([...parts, ...directory, signature(0x06054b50), end], { type: "application/zip" });
}

const signature = (number) => fields(4, [[0, 4, number]]);

function fields(length, values) {
  const view = new DataView(new ArrayBuffer(length));
  for (const [at, width, value] of values) width === 2 ? view.setUint16(at, value, true) : view.setUint32(at, value, true);
  return new Uint8Array(view.buffer);
}

export async function zip() {
  const { found, remark } = await pictures();
  save(zipped(found.map(({ id, link }) => ({ name: `${id}.jpg`, data: bytes(link) }))), `${caseId}.zip`);
  return remark;
}

const rightToLeft = /^\P{L}*[\p{sc=Arab}\p{sc=Hebr}\p{sc=Syrc}\p{sc=Thaa}\p{sc=Nkoo}\p{sc=Adlm}]/u;

/** Shorten `name` to the width that `pen` has; a letter keeps its accents and joiners. */
function clipped(pen, name, width) {
  const all = [...new Intl.Segmenter().segment(name)].map(({ segment }) => segment);
  let text = name;
  while (all.length && pen.measureText(text).width > width) {
    all.pop();
    text = `${all.join("").trimEnd()}…`;
  }
  return text;
}

export async function contactSheet() {
  const { found, remark } = await pictures();
  const columns = Math.min(5, found.length), cell = 300, caption = 44, gap = 20;
  const canvas = document.createElement("canvas");
  canvas.width = gap + columns * (cell + gap);
  canvas.height = gap + Math.ceil(found.length / columns) * (cell + caption + gap);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#f4eee3";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#2b1c14";
  pen.font = "18px Georgia, serif";
  pen.textAlign = "left";
  for (const [n, { name, link }] of found.entries()) {
    const image = new Image();
    image.src = link;
    await image.decode();
    const x = gap + (n % columns) * (cell + gap), y = gap + Math.floor(n / columns) * (cell + caption + gap);
    pen.drawImage(image, x, y, cell, cell);
    pen.direction = rightToLeft.test(name) ? "rtl" : "ltr";
    pen.fillText(clipped(pen, name, cell), x, y + cell + 26);
  }
  save(await new Promise((done) => canvas.toBlob(done)), `${caseId}.png`);
  return remark;
}
