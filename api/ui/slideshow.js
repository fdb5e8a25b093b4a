// The slideshow for a screen on the wall: shared stories, one after the other, with a QR code to the booth.
// What must stay true: before each slide the service is asked what is shared, and nothing else is ever shown; when it does
// not answer, the slide that is up stays, for it was shared a moment ago.

import { announce, conceal, el, pressed, reveal } from "./elements.js";
import { pictureOf, shared } from "./gallery.js";
import { generate } from "./lean-qr.js";
import { enter } from "./rooms.js";
import { manner } from "./styles.js";
import { t } from "./words.js";

const SECONDS = Math.max(1, Number(new URLSearchParams(location.search).get("seconds")) || 20);
const MOST = 5; // pages of 100: a wall that shows each for 20 s needs almost three hours for them
let shown = null;
let paused = false;
let timer = null;
let open = false;
let steps = 0; // that are wished for and not shown yet
let turns = 0;
let awake = null;

export function startSlideshow() {
  pressed("slide-on", () => turn(1));
  pressed("slide-back", () => turn(-1));
  pressed("slide-pause", pause);
  pressed("slide-full", fullScreen);
  document.addEventListener("visibilitychange", stayAwake); // whoever looks away gives it back
  document.addEventListener("keydown", (event) => {
    if (!open || event.target.closest("input, select, textarea")) return;
    if (event.key === "ArrowRight") turn(1);
    else if (event.key === "ArrowLeft") turn(-1);
    else if (event.key === " " && !event.target.closest("button, a")) { event.preventDefault(); pause(); }
  });
}

export function openSlideshow() {
  open = true;
  shown = null;
  steps = 0;
  enter("slideshow", { title: t("Slideshow"), leaving: close });
  generate(new URL("?booth", location.href.split(/[?#]/)[0]).href).toCanvas(el("booth-code"), { on: [0, 0, 0, 255], off: [255, 255, 255, 255] });
  el("slide-full").hidden = !document.fullscreenEnabled;
  stayAwake();
  turn(1);
}

/** A wall that nobody touches must not go dark, where the browser can prevent it. */
async function stayAwake() {
  if (!open || document.hidden) return;
  try { awake = await navigator.wakeLock?.request("screen"); } catch { /* a weak battery says no */ }
  if (!open) awake?.release();
}

function close() {
  open = false;
  clearTimeout(timer);
  awake?.release();
  if (document.fullscreenElement) document.exitFullscreen();
}

/** Shows the next story that is still shared, or the one before. */
async function turn(by) {
  clearTimeout(timer);
  steps += by;
  turns += 1;
  const own = turns;
  try {
    const items = await all();
    if (!open || own !== turns) return; // the last of two quick ones takes both steps
    const wished = steps;
    steps = 0;
    if (items.length === 0) {
      shown = null;
      conceal("slide");
      announce("slide-status", t("Nothing hangs here yet. A story can be shared once it is told."));
    } else {
      announce("slide-status", "");
      await show(items[placeOf(items, wished)], () => open && own === turns);
    }
  } catch {
    steps = 0;
    if (open) announce("slide-status", t("The service does not answer just now. Trying again …"));
  }
  if (own === turns) wait();
}

function wait() {
  clearTimeout(timer);
  if (open && !paused) timer = setTimeout(turn, SECONDS * 1000, 1);
}

/** Stories come and go; `shown` may have been taken down, then its place is where its neighbours closed up. */
function placeOf(items, by) {
  if (!shown) return 0;
  const now = items.findIndex((item) => item.id === shown.id);
  const from = now >= 0 ? now : Math.min(shown.place, items.length) - (by > 0 ? 1 : 0);
  return (((from + by) % items.length) + items.length) % items.length;
}

async function all() {
  const found = [];
  let next = null;
  for (let page = 0; page < MOST; page += 1) {
    const answer = await shared(next, 100);
    found.push(...answer.items.map((item, place) => ({ ...item, place: found.length + place })));
    next = answer.next;
    if (!next) break;
  }
  return found;
}

async function show(item, wanted) {
  shown = item;
  const picture = new Image();
  picture.src = pictureOf(item);
  await picture.decode().catch(() => {}); // the text is worth showing without it
  if (!wanted()) return;
  el("slide-picture").src = picture.src;
  el("slide-story").textContent = item.story;
  el("slide-story").className = item.form === "lyrics" ? "lyrics" : "";
  el("slide-story").dataset.length = item.story.length > 700 ? "long" : "";
  el("slide-style").textContent = t("in the manner of {style}", { style: manner(item.style) });
  reveal("slide");
  // a new slide comes in as the first one did
  el("slide").classList.remove("enters");
  requestAnimationFrame(() => el("slide").classList.add("enters"));
}

function pause() {
  paused = !paused;
  el("slide-pause").setAttribute("aria-pressed", String(paused));
  wait();
}

function fullScreen() {
  const done = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  done.catch(() => {}); // it stays as it is
}
