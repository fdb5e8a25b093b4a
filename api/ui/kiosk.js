// The booth, `?booth`: camera, style, story, share or forget; then the next person. The browser belongs to nobody.
// What must stay true: who walks away has said neither yes nor anything: their story is forgotten after a minute; and nothing,
// not even a service that is silent, keeps the next person out.

import { abandon, current, settle } from "./book.js";
import { openCamera } from "./camera.js";
import { announce, conceal, el, make, pressed, reveal } from "./elements.js";
import { inBooth } from "./mine.js";
import { forget, pictures } from "./pictures.js";
import { go } from "./rooms.js";
import { ended } from "./service.js";
import { cards, chosenStyle } from "./styles.js";
import { t } from "./words.js";

const SECONDS = Math.max(1, Number(new URLSearchParams(location.search).get("booth")) || 60);
const WARNING = Math.min(20, SECONDS / 2); // how long before the end it is said
const LONGEST = 10 * SECONDS; // a story is waited for without a touch: then nobody is there, or it never comes
const DEBTS = 10; // seconds between two tries to delete what could not be deleted
const THANKS = 5000;
let idle = 0;
let awaited = 0;
let thanks = null;

export function startKiosk() {
  if (!inBooth) return;
  document.body.classList.add("booth");
  const start = make("button", { type: "button", id: "start-booth", class: "strong" }, t("Take your picture"));
  el("drop").before(start);
  const styles = make("div", { id: "booth-cards", class: "cards", role: "radiogroup", "aria-label": t("Styles"), hidden: true });
  el("tell").before(styles);
  start.addEventListener("click", openCamera);
  const fill = () => cards(styles, chosenStyle(), (name) => { el("style").value = name; });
  document.addEventListener("styles", fill); // a photo may be there before them
  document.addEventListener("chosen", () => {
    start.textContent = t("Take another one");
    reveal("booth-cards");
    fill();
  });
  document.addEventListener("decided", async (event) => {
    conceal("share", "unshare");
    thanks = setTimeout(reset, THANKS);
    if (event.detail.shared) return;
    const gone = await abandon();
    if (current()?.id !== event.detail.id) return; // the next person is here
    announce("consent-question", gone ? t("It is forgotten.") : t("It will be forgotten as soon as the service answers."));
  });
  el("new").textContent = t("Begin anew");
  pressed("new", reset);
  el("idle").append(make("span", { role: "alert" }), make("b", { "aria-hidden": "true" }));
  for (const touch of ["pointerdown", "keydown", "input"]) document.addEventListener(touch, stay);
  setInterval(tick, 1000);
  setInterval(settle, DEBTS * 1000);
}

/** A minute without a touch is the end, but not while a story is being told: watching it is being there. */
function tick() {
  const job = current();
  const begun = pictures.length > 0 || !el("book").hidden || document.querySelector("dialog[open]");
  if (!begun) return stay();
  if (!el("book").hidden && (!job || !ended(job)) && awaited < LONGEST) {
    awaited += 1;
    return;
  }
  idle += 1;
  const left = SECONDS - idle;
  if (left <= 0) return reset();
  if (left > WARNING) return;
  const [words, seconds] = el("idle").children;
  seconds.textContent = left;
  if (el("idle").matches(":popover-open")) return;
  el("idle").showPopover(); // above any dialog
  words.textContent = t("Is anybody there? Touch to stay, or this begins anew."); // read aloud once
}

function stay() {
  idle = awaited = 0;
  el("idle").hidePopover();
  el("idle").firstChild.textContent = "";
}

/** The next person: nothing here waits for a service that may be silent. */
function reset() {
  stay();
  clearTimeout(thanks);
  for (const room of document.querySelectorAll("dialog[open]")) room.close();
  abandon();
  forget();
  conceal("booth-cards");
  el("start-booth").textContent = t("Take your picture");
  history.replaceState(null, "", location.pathname + location.search);
  go("");
}
