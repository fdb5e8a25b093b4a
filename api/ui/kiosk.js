// The booth, `?booth`: camera, style, story, share or forget; then the next person. The browser belongs to nobody.
// What must stay true: who walks away has said neither yes nor anything: their story is forgotten after a minute.

import { abandon, current } from "./book.js";
import { openCamera } from "./camera.js";
import { conceal, el, make, reveal } from "./elements.js";
import { inBooth } from "./mine.js";
import { forget, pictures } from "./pictures.js";
import { go } from "./rooms.js";
import { ended } from "./service.js";
import { cards, chosenStyle } from "./styles.js";
import { t } from "./words.js";

const SECONDS = Math.max(1, Number(new URLSearchParams(location.search).get("booth")) || 60);
const WARNING = Math.min(10, SECONDS / 2); // how long before the end it is said
const THANKS = 5000;
let idle = 0;

export function startKiosk() {
  if (!inBooth) return;
  document.body.classList.add("booth");
  const start = make("button", { type: "button", id: "start-booth", class: "strong" }, t("Take your picture"));
  el("drop").before(start);
  const styles = make("div", { id: "booth-cards", class: "cards", role: "radiogroup", "aria-label": t("Styles"), hidden: true });
  el("tell").before(styles);
  start.addEventListener("click", openCamera);
  document.addEventListener("chosen", () => {
    start.textContent = t("Take another one");
    reveal("booth-cards");
    cards(styles, chosenStyle(), (name) => { el("style").value = name; });
  });
  document.addEventListener("decided", (event) => {
    conceal("consent");
    if (!event.detail.shared) el("status").textContent = t("It is forgotten.");
    setTimeout(reset, THANKS);
  });
  for (const touch of ["pointerdown", "keydown", "input"]) document.addEventListener(touch, stay);
  setInterval(tick, 1000);
}

/** A minute without a touch is the end, but not while a story is being told: watching it is being there. */
function tick() {
  const job = current();
  const begun = pictures.length > 0 || !el("book").hidden || document.querySelector("dialog[open]");
  if (!begun || (!el("book").hidden && (!job || !ended(job)))) return stay();
  idle += 1;
  const left = SECONDS - idle;
  if (left <= 0) return reset();
  if (left <= WARNING) {
    if (!el("idle").matches(":popover-open")) el("idle").showPopover(); // above any dialog
    el("idle").textContent = t("Is anybody there? In {n} second this begins anew. Touch to stay.|Is anybody there? In {n} seconds this begins anew. Touch to stay.", { n: left });
  }
}

function stay() {
  idle = 0;
  el("idle").hidePopover();
}

async function reset() {
  stay();
  for (const room of document.querySelectorAll("dialog[open]")) room.close();
  await abandon();
  forget();
  conceal("booth-cards");
  el("start-booth").textContent = t("Take your picture");
  history.replaceState(null, "", location.pathname + location.search);
  go("");
}
