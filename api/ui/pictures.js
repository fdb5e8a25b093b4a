// The pictures that are about to be told: chosen, dropped, pasted or photographed. `main.js` asks for them.
// What must stay true: a file that cannot be told is refused here with a reason, and the others are kept.

import { addressOf, conceal, el, make, reveal, takeBack } from "./elements.js";
import { go, say } from "./rooms.js";
import { number, t } from "./words.js";

const READABLE = ["image/jpeg", "image/png", "image/webp", "image/gif"];
const maxBytes = Number(el("form").dataset.maxBytes) || Infinity;
/** Each with its file and an address under which this page can show it. */
export const pictures = [];

export function startPictures() {
  for (const id of ["picture", "camera"]) {
    el(id).addEventListener("change", (event) => choose([...event.target.files]));
    el(id).addEventListener("click", (event) => { event.target.value = ""; }); // the same file again is a choice too
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0 && !document.querySelector("dialog[open]")) choose(files.filter((one) => one.type.startsWith("image/")));
  });
  // a picture dropped anywhere must never make the browser leave the page
  document.addEventListener("dragover", (event) => { event.preventDefault(); el("drop").classList.add("over"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) el("drop").classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    el("drop").classList.remove("over");
    if (document.querySelector("dialog[open]")) return;
    const { files, types } = event.dataTransfer;
    if (files.length > 0) choose([...files]);
    // a picture of another page comes as its address
    else if (types.includes("text/uri-list")) say(t("That was no file. Save the picture and choose it."));
  });
}

/** Takes files in the place of those chosen before. */
export function choose(files) {
  say(null);
  if (files.length === 0) return;
  const good = files.filter((file) => !fault(file));
  if (good.length > 0) {
    forget();
    for (const file of good) pictures.push({ file, url: addressOf(file) });
    show();
    if (el("form").hidden) go("");
    document.dispatchEvent(new CustomEvent("chosen"));
  }
  const bad = files.find(fault);
  if (bad) say(files.length === 1 ? fault(bad) : t("{n} file is left out. {why}|{n} files are left out. {why}", { n: files.length - good.length, why: fault(bad) }));
}

/** Puts the page back to where it asks for a picture. The book may still show one. */
export function forget() {
  pictures.length = 0;
  show();
  takeBack();
}

function fault(file) {
  const name = file.name || t("pasted picture");
  if (/hei[cf]/i.test(`${file.type} ${file.name}`)) return t("“{name}” is a HEIC photo. Save it as JPEG and choose that.", { name });
  if (!READABLE.includes(file.type)) return t("“{name}” is not a picture. JPEG, PNG, WebP and still GIF can be told.", { name });
  if (file.size > maxBytes) {
    return t("“{name}” has {size} MB; a picture may have {most} MB at most.", { name, size: megabytes(file.size), most: megabytes(maxBytes) });
  }
  return null;
}

function show() {
  const [first, second] = pictures;
  el("drop").classList.toggle("filled", Boolean(first));
  conceal("preview", "thumbs", "picture-name", "change");
  el("tell").textContent = second ? t("Tell {n} stories", { n: pictures.length }) : t("Tell its story");
  el("thumbs").replaceChildren();
  el("preview").removeAttribute("src");
  if (!first) return;
  reveal("picture-name", "change");
  const named = first.file.name || t("pasted picture");
  el("picture-name").textContent = second ? t("{n} pictures", { n: pictures.length }) : named;
  if (second) {
    reveal("thumbs");
    el("thumbs").append(...pictures.map((one) =>
      make("li", {}, make("img", { src: one.url, alt: one.file.name || t("pasted picture") }))));
  } else {
    reveal("preview");
    el("preview").src = first.url;
    el("preview").alt = t("Your picture, {name}", { name: named });
  }
}

const megabytes = (bytes) => number(Number((bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0)));
