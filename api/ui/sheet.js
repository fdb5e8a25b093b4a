// The contact sheet: many pictures at once, each with its own progress, each leading to its own story.
// What must stay true: one picture that is refused never stops the others, none is lost to a refusal that passes, and a few
// connections serve them all: a browser has six for one service.

import { inLine, outcome } from "./book.js";
import { announce, el, make, pressed } from "./elements.js";
import { add, firstWords } from "./mine.js";
import { forget } from "./pictures.js";
import { enter } from "./rooms.js";
import { call, ended, newKey, patiently, upload, wordsOf } from "./service.js";
import { label, tile } from "./tiles.js";
import { t } from "./words.js";

const SENDING = 3; // at the same time
const PAUSE = 1000; // between two looks at all that are not told yet
const TRIES = 10; // with their pauses more than four minutes: a full queue has room by then
let frames = [];
let watched = null;

/** Sends every picture with the same wishes and shows what becomes of each. */
export async function sendAll(chosen, fieldsOf) {
  frames = chosen.map(({ file, url }) =>
    ({ fields: () => fieldsOf(file), key: newKey(), job: null, old: null, over: false, tile: tile({ picture: url, alt: file.name || t("pasted picture") }) }));
  el("tiles").replaceChildren(...frames.map((frame) => frame.tile));
  forget();
  history.pushState(null, "", "#sheet");
  enter("sheet", { title: t("Contact sheet") });
  await sendThem(frames);
}

/** Shows the sheet of this visit again, if there is one. */
export function openSheet() {
  if (frames.length === 0) return false;
  enter("sheet", { title: t("Contact sheet") });
  return true;
}

export function startSheet() {
  pressed("sheet-stop", async () => {
    el("sheet-title").focus(); // the button goes
    for (const frame of frames.filter((one) => !one.over)) {
      if (frame.job) await cancel(frame.job);
      else finish(frame, t("Stopped, as you wished."));
      frame.sending?.abort();
    }
    count();
  });
  pressed("sheet-again", () => {
    el("sheet-title").focus();
    sendThem(frames.filter(lost));
  });
}

const lost = (frame) => frame.over && frame.job?.state !== "succeeded";
const cancel = (job) => call(`/v1/stories/${job.id}/cancel`, { method: "POST" }).catch(() => {}); // it has ended

async function sendThem(some) {
  for (const frame of some) {
    Object.assign(frame, { over: false, old: frame.job ?? frame.old, job: null });
    frame.tile.classList.remove("trouble", "over");
    progress(frame, t("waiting to be sent"));
  }
  count();
  watch(frames);
  const left = [...some];
  const sender = async () => { while (left.length > 0) await sendOne(left.shift()); };
  await Promise.all(Array.from({ length: SENDING }, sender));
}

async function sendOne(frame) {
  const ask = () => (frame.old ? call(`/v1/stories/${frame.old.id}/retry`, { method: "POST" }) : sent(frame));
  const again = () => {
    if (!frame.over) progress(frame, t("waiting to be sent"));
    return !frame.over;
  };
  try {
    const job = await patiently(async () => !frame.over && ask(), TRIES, again);
    if (!job) return;
    frame.job = job;
    if (frame.over) return cancel(job); // stopped when it had arrived
    add(job.id);
    frame.tile.querySelector("a").href = `#${job.id}`;
    show(frame);
  } catch (error) {
    if (frame.over) return;
    finish(frame, wordsOf(error), "trouble");
  }
  count();
}

/** The same key each time: what has arrived, although nobody heard of it, is not told twice. */
function sent(frame) {
  frame.sending = upload("/v1/stories", frame.fields(), { key: frame.key, advance: (done, of) => progress(frame, t("sending"), done, of) });
  return frame.sending.done;
}

/** Looks at everything that is not told yet, one after the other, until all are. */
async function watch(mine) {
  if (watched === mine) return;
  watched = mine;
  while (frames === mine && mine.some((frame) => !frame.over)) {
    await new Promise((resume) => { setTimeout(resume, PAUSE); });
    for (const frame of mine.filter((one) => one.job && !one.over)) {
      try {
        frame.job = await call(`/v1/stories/${frame.job.id}`);
        show(frame);
      } catch { break; } // nobody answers: the next round asks again
    }
    count();
  }
  if (watched === mine) watched = null;
}

function show(frame) {
  const { job } = frame;
  if (job.state === "succeeded") return finish(frame, firstWords(job.result.story), "told");
  if (ended(job)) return finish(frame, outcome(job), "trouble");
  if (job.state === "queued") return progress(frame, inLine(job));
  progress(frame, t("telling"), job.progress?.done ?? 0, job.progress?.of ?? 0);
}

function progress(frame, words, done = 0, of = 0) {
  label(frame.tile, words);
  const bar = make("progress", { "aria-label": t("Progress") });
  if (of > 1) Object.assign(bar, { max: of, value: done });
  frame.tile.querySelector(".words").append(bar);
}

function finish(frame, words, kind = "") {
  frame.over = true;
  frame.tile.classList.add(kind || "over");
  label(frame.tile, words, { story: kind === "told" });
}

function count() {
  const over = frames.filter((one) => one.over).length;
  announce("sheet-status", t("{over} of {all} are done.", { over, all: frames.length }));
  el("sheet-stop").hidden = over === frames.length;
  el("sheet-again").hidden = !frames.some(lost);
}
