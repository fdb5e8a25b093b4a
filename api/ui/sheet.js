// The contact sheet: many pictures at once, each with its own progress, each leading to its own story.
// What must stay true: one picture that is refused never stops the others, and a few connections serve them all: a browser
// has six for one service.

import { inLine, outcome } from "./book.js";
import { announce, el, make } from "./elements.js";
import { add, firstWords } from "./mine.js";
import { forget } from "./pictures.js";
import { enter } from "./rooms.js";
import { call, ended, Refusal, upload } from "./service.js";
import { label, tile } from "./tiles.js";
import { t } from "./words.js";

const SENDING = 3; // at the same time
const PAUSE = 1000; // between two looks at all that are not told yet
let frames = [];

/** Sends every picture with the same wishes and shows what becomes of each. */
export async function sendAll(chosen, fieldsOf) {
  const mine = chosen.map(({ file, url }) => ({ file, job: null, over: false, tile: tile({ picture: url, alt: file.name || t("pasted picture") }) }));
  frames = mine;
  el("tiles").replaceChildren(...mine.map((frame) => frame.tile));
  for (const frame of mine) progress(frame, t("waiting to be sent"));
  forget();
  history.pushState(null, "", "#sheet");
  enter("sheet", { title: t("Contact sheet") });
  count();
  const left = [...mine];
  const sender = async () => { while (left.length > 0) await sendOne(left.shift(), fieldsOf); };
  watch(mine);
  await Promise.all(Array.from({ length: SENDING }, sender));
}

/** Shows the sheet of this visit again, if there is one. */
export function openSheet() {
  if (frames.length === 0) return false;
  enter("sheet", { title: t("Contact sheet") });
  return true;
}

export function startSheet() {
  el("sheet-stop").addEventListener("click", async () => {
    for (const frame of frames.filter((one) => !one.over)) {
      if (!frame.job) finish(frame, t("Stopped, as you wished."));
      else await call(`/v1/stories/${frame.job.id}/cancel`, { method: "POST" }).catch(() => {});
    }
    count();
  });
}

async function sendOne(frame, fieldsOf) {
  if (frame.over) return;
  try {
    const sending = upload("/v1/stories", fieldsOf(frame.file), (done, of) => progress(frame, t("sending"), done, of));
    frame.job = await sending.done;
    add(frame.job.id);
    frame.tile.querySelector("a").href = `#${frame.job.id}`;
    show(frame);
  } catch (error) {
    finish(frame, error instanceof Refusal ? error.message : String(error), "trouble");
  }
  count();
}

/** Looks at everything that is not told yet, one after the other, until all are. */
async function watch(mine) {
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
  const bar = make("progress", { "aria-label": t("Progress of the story") });
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
}
