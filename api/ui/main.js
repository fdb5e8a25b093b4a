// The page: choose a picture, wish for a style, send it, read the story. Starts every part and leads to the rooms.
// What must stay true: an address leads to the same room after a reload, and only the documented HTTP API is spoken.

import { current, openStory, send, startBook } from "./book.js";
import { startCamera } from "./camera.js";
import { startCard } from "./card.js";
import { addressOf, el, pressed } from "./elements.js";
import { openGallery, openMine, startGallery } from "./gallery.js";
import { startKiosk } from "./kiosk.js";
import { startLogin } from "./login.js";
import { choose, pictures, startPictures } from "./pictures.js";
import { enter, go, say } from "./rooms.js";
import { Refusal } from "./service.js";
import { openSheet, sendAll, startSheet } from "./sheet.js";
import { openSlideshow, startSlideshow } from "./slideshow.js";
import { chosenStyle, openStyles, startStyles } from "./styles.js";
import { startTold } from "./told.js";
import { startWhy } from "./why.js";
import { t, translatePage } from "./words.js";

const STORY = /^[0-9a-f-]{36}$/i;

el("form").addEventListener("submit", (event) => {
  event.preventDefault();
  say(null);
  if (pictures.length === 0) {
    say(t("Choose a picture first."));
    return el("picture").focus();
  }
  if (!chosenStyle()) return say(t("The storyteller is still waking up. Try again in a moment."));
  const fieldsOf = wishes();
  if (pictures.length === 1) send(fieldsOf(pictures[0].file), pictures[0].url);
  else sendAll([...pictures], fieldsOf);
});

/** The wishes as they stand now, with whichever picture. */
function wishes() {
  const now = [...new FormData(el("form"))];
  return (file) => {
    const fields = new FormData();
    for (const [name, value] of now) fields.append(name, value);
    fields.append("image", file, file.name || "pasted");
    return fields;
  };
}

for (const range of document.querySelectorAll(".settings input, #style_strength")) {
  range.addEventListener("input", () => { range.nextElementSibling.value = range.value; });
}

/** The picture of a story, fetched back: the service knows it still, so it is told sooner. */
async function samePicture(job) {
  const answer = await fetch(`/v1/stories/${job.id}/image`);
  if (!answer.ok) throw new Refusal(null, answer.status);
  const blob = await answer.blob();
  return new File([blob], t("the same picture"), { type: blob.type });
}

const WISHES = ["style", "style_strength", "form", "captions", "beam_width", "max_words", "continue"];

/** Asks for a story like one that is told, but for what `changes` says; maybe as another `version` of it. */
async function tellAgain(changes, version = false) {
  const { id, request } = current();
  const where = { of: version ? id : null, from: `#${id}` };
  const fields = new FormData();
  for (const name of WISHES) {
    const value = changes[name] ?? request[name];
    if (value != null) fields.append(name, value);
  }
  if (changes.seed) fields.append("seed", changes.seed);
  // what goes on is told of the picture that it began with, which the service has
  if (fields.has("continue")) return send(fields, `/v1/stories/${id}/image`, where);
  el("another").disabled = true;
  try {
    const file = await samePicture(current());
    if (current()?.id !== id) return; // somebody went on
    fields.append("image", file);
    send(fields, addressOf(file), where);
  } catch {
    say(t("Its picture could not be fetched. Choose one."));
  } finally { el("another").disabled = false; }
}

pressed("restyle", async () => {
  try {
    const file = await samePicture(current());
    go("");
    choose([file]);
    openStyles(() => el("form").requestSubmit());
  } catch (refusal) { say(refusal.message); }
});
pressed("another", () => tellAgain({ seed: anySeed() }, true));
pressed("tell-on", () => tellAgain({ continue: current().id }));

/** One of the whole numbers that every reader of JSON keeps: counted on, it would meet the seeds of other versions. */
const anySeed = () => crypto.getRandomValues(new BigUint64Array(1))[0] >> 11n;

function arrive() {
  const where = location.hash.slice(1);
  if (STORY.test(where)) openStory(where);
  else if (where === "gallery") openGallery();
  else if (where === "mine") openMine();
  else if (where === "slideshow") openSlideshow();
  else if (where !== "sheet") enter("form");
  else if (!openSheet()) {
    history.replaceState(null, "", "#mine"); // what was sent is there after a reload
    openMine();
  }
}

addEventListener("hashchange", arrive);
// an address of its own would lead out of the room
pressed("skip", (event) => { event.preventDefault(); el("main").focus(); });

translatePage();
for (const start of [startLogin, startPictures, startCamera, startStyles, startBook, startTold, startWhy, startCard, startSheet, startGallery, startSlideshow, startKiosk]) start();
arrive();
