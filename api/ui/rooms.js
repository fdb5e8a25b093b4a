// One page, several rooms: asking, contact sheet, book, gallery, own stories, slideshow. One is shown at a time.
// What must stay true: whoever enters a room says how it is left, so nothing goes on asking in a room that is closed; what went
// wrong is said in whichever room it went wrong in, and stays behind in it.

import { conceal, el, reveal, takeBack } from "./elements.js";
import { t } from "./words.js";

const rooms = ["form", "sheet", "book", "gallery", "mine", "slideshow"];
let leave = null;
let entered = false;

/** Shows a room; `leaving` is called when another one is entered. */
export function enter(room, { title = "", leaving = null } = {}) {
  leave?.();
  leave = leaving;
  say(null);
  conceal(...rooms.filter((one) => one !== room));
  reveal(room);
  document.body.dataset.room = room;
  document.title = title ? `${title} · Neural Storyteller` : "Neural Storyteller";
  el("skip").textContent = room === "form" ? t("Skip to the picture") : t("Skip to the content");
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${room}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // the first room of a visit is where the browser's own reading begins
  if (entered) (el(`${room}-title`) ?? el("main")).focus({ preventScroll: true });
  if (entered) scrollTo({ top: 0 });
  entered = true;
  takeBack();
}

/** Shows under the room what went wrong in it, or nothing. */
export function say(words) {
  el("trouble").hidden = !words;
  el("trouble").textContent = words ?? "";
  if (words) el("trouble").scrollIntoView({ block: "nearest" });
}

/** Names the room in the browser's tab. */
export function entitle(title) {
  document.title = `${title} · Neural Storyteller`;
}

/** Goes to an address of the page, as a link would. */
export function go(hash) {
  at(hash);
  dispatchEvent(new HashChangeEvent("hashchange")); // writing an address oneself raises none
}

/** Writes where we are into the address without entering anew. */
export function at(hash) {
  if (location.hash !== hash) history.pushState(null, "", hash || location.pathname + location.search);
}
