// A story that is told: its text, its title, and what can be done with it. `book.js` shows it, sentence by sentence first.
// What must stay true: nothing is shared before somebody says yes, and what is deleted is gone from here too.

import { openCard } from "./card.js";
import { announce, conceal, el, make, pressed, reveal as unhide } from "./elements.js";
import { drop, firstWords, ids, inBooth, isPrivate, setPrivate, setTitle, titleOf, versionsOf } from "./mine.js";
import { entitle, go, say } from "./rooms.js";
import { call, put } from "./service.js";
import { manner } from "./styles.js";
import { showWhy } from "./why.js";
import { duration, t } from "./words.js";

const PACE = 0.55; // seconds between two sentences of a story that comes whole: about as fast as one reads ahead
const MOST_VERSIONS = 4; // more than that, nobody compares
const TOLD = ["story", "colophon", "captions", "told-actions", "edit-title", "consent", "versions", "title-field", "why", "before"];
let job = null;
let sentences = [];

export function startTold() {
  pressed("copy", copy);
  pressed("send", send);
  el("send").hidden = !navigator.share;
  pressed("print", () => print());
  pressed("card", () => openCard(asCard()));
  pressed("share", () => consent(true));
  pressed("unshare", () => consent(false));
  pressed("delete", () => el("sure-room").showModal());
  pressed("not-sure", () => el("sure-room").close());
  pressed("sure", remove);
  pressed("edit-title", editTitle);
  addEventListener("storage", (event) => { if (event.key === "titles" && job && !el("book").hidden) showTitle(); }); // named in another tab
  el("title-field").addEventListener("change", keepTitle);
  el("title-field").addEventListener("blur", keepTitle);
  el("title-field").addEventListener("keydown", (event) => {
    if (event.key === "Escape") el("title-field").value = "";
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault(); // or the same key presses what gets the focus
    keepTitle();
    el("edit-title").focus();
  });
}

/** Takes the story off the page. */
export function clearStory() {
  job = null;
  sentences = [];
  conceal(...TOLD);
  unhide("book-title");
  el("story").replaceChildren();
  el("story").ariaLive = "polite";
  el("captions").open = false;
  el("copy").textContent = t("Copy the story");
}

/** What came before does not count any more: the story is told by another worker. */
export function clearSentences() {
  if (job || sentences.length === 0) return;
  clearStory();
}

/** A sentence that is final while others are still being written, or a line of lyrics, or the empty one between stanzas. */
export function addSentence(index, text, form) {
  if (job || sentences[index] === text) return;
  sentences[index] = text;
  unhide("story");
  el("story").className = form === "lyrics" ? "lyrics arriving" : "arriving";
  const told = [...sentences.keys()].filter((at) => sentences[at]);
  const shown = el("story").querySelectorAll("span").length;
  if (shown > told.length || (text && told.indexOf(index) < shown)) el("story").replaceChildren();
  for (const at of told.slice(el("story").querySelectorAll("span").length)) {
    const own = form === "lyrics" || !el("story").firstChild;
    if (own) el("story").append(make("p", at > 0 && sentences[at - 1] === "" ? { class: "stanza" } : {}));
    el("story").lastChild.append(make("span", { class: "sentence" }, sentences[at]), form === "lyrics" ? "" : " ");
  }
}

/** The whole story with everything around it; `waited` for by somebody, it comes sentence by sentence. */
export function reveal(now, waited) {
  const again = job?.id === now.id;
  job = now;
  if (!again) showText(now.result.story, waited && sentences.length < 2);
  showVersions();
  unhide("story", "colophon", "captions", "told-actions", "edit-title");
  el("delete").hidden = !isOwn();
  el("tell-on").hidden = job.request.compat === "strict" || !isOwn();
  el("before").hidden = !job.request.continue;
  if (job.request.continue) el("before").firstElementChild.href = `#${job.request.continue}`;
  showTitle();
  const took = now.started_at && now.finished_at ? (Date.parse(now.finished_at) - Date.parse(now.started_at)) / 1000 : 0;
  const style = manner(now.result.style);
  el("colophon").textContent = took >= 1
    ? t("in the manner of {style}, told in {time}", { style, time: duration(took) })
    : t("in the manner of {style}", { style });
  const best = now.result.captions[0]?.text.replace(/ ([.,!?;:])/g, "$1");
  if (best) el("shown").alt = best;
  showWhy(now);
  showConsent();
}

/** The text as it stands on the page. */
export const text = () => {
  const lines = [...el("story").querySelectorAll("p")];
  return lines.map((line) => (line.className === "stanza" ? "\n" : "") + line.textContent.trim()).join("\n");
};

function showText(words, slowly = false) {
  const form = job.request.form === "lyrics" ? "lyrics" : "prose";
  // after sentences that came one by one the eye is in the middle of it: no second entrance
  el("story").className = sentences.length > 0 ? `${form} arrived` : form;
  // and what was read aloud is not read again
  el("story").ariaLive = bare(sentences.join("")) === bare(words) ? "off" : "polite";
  let place = 0;
  const paced = (text) => {
    const one = make("span", { class: "sentence" }, text);
    one.style.animationDelay = `${place * PACE}s`;
    place += 1;
    return one;
  };
  const inside = (line) => (slowly ? line.match(/[^.!?]+[.!?]*["'”’)]*\s*/g)?.map(paced) ?? [line] : [line]);
  const lines = words.trim().split("\n").map((line) => line.trim());
  const opens = (at) => (at > 0 && !lines[at - 1] ? { class: "stanza" } : {});
  const whole = lines.flatMap((line, at) => (line ? [make("p", opens(at), ...inside(line))] : []));
  if (shape(whole) !== shape([...el("story").children])) el("story").replaceChildren(...whole);
}

const bare = (words) => words.replace(/\s+/g, "");
const shape = (lines) => lines.map((line) => line.className + line.textContent.trim()).join("\n");

/** The other versions of this story, and room for one more. */
function showVersions() {
  const versions = versionsOf(job.id);
  el("versions").hidden = versions.length < 2;
  el("versions").replaceChildren(...versions.map((id, place) => {
    const link = make("a", { class: "plain", href: `#${id}` }, t("Version {n}", { n: String(place + 1) }));
    if (id === job.id) link.setAttribute("aria-current", "true");
    return link;
  }));
  el("another").hidden = versions.length >= MOST_VERSIONS;
}

/* ---- its title ---- */

function showTitle() {
  const title = titleOf(job.id) ?? firstWords(text());
  announce("book-title", title);
  el("book-title").lang = "en";
  entitle(title);
}

function editTitle() {
  el("title-field").value = el("book-title").textContent;
  conceal("book-title", "edit-title");
  unhide("title-field");
  el("title-field").select();
}

function keepTitle() {
  if (el("title-field").hidden || !job) return;
  const title = el("title-field").value.trim();
  if (title) setTitle(job.id, title);
  conceal("title-field");
  unhide("book-title", "edit-title");
  showTitle();
}

/* ---- taking it along ---- */

const asCard = () => ({ title: el("book-title").textContent, text: text(), note: el("colophon").textContent, picture: el("shown").src });

async function copy() {
  try {
    await navigator.clipboard.writeText(text());
    el("copy").textContent = t("Copied");
  } catch {
    getSelection().selectAllChildren(el("story"));
    el("copy").textContent = t("Selected: copy it now");
  }
}

async function send() {
  const story = { title: el("book-title").textContent, text: text() };
  try { await navigator.share(story); } catch { /* closed without choosing */ }
}

/* ---- sharing and deleting ---- */

/** Whoever knows the address of a story that nobody shared has asked for it; a shared one is anybody's to read. */
const isOwn = () => !job.shared || inBooth || ids().includes(job.id);

function showConsent(said = null) {
  const kept = !job.shared && isPrivate(job.id);
  const stands = kept ? t("It stays with you.") : t("May others see it in the gallery?");
  el("consent").hidden = !("shared" in job) || !isOwn();
  announce("consent-question", said ?? (job.shared ? t("Others can see it in the gallery.") : stands));
  el("share").hidden = job.shared;
  el("unshare").hidden = kept;
  const no = inBooth ? t("No, forget it") : t("No, keep it to me");
  el("unshare").textContent = job.shared ? t("Take it out of the gallery") : no;
}

async function consent(shared) {
  const was = job.shared;
  try {
    if (was !== shared) job = await put(`/v1/stories/${job.id}/shared`, { shared });
    setPrivate(job.id, !shared);
    if (shared) showConsent(t("Thank you. It hangs in the gallery now."));
    else if (!inBooth) showConsent(was ? t("It is out of the gallery.") : null);
    el(shared ? "unshare" : "share").focus(); // the other button may be gone
    document.dispatchEvent(new CustomEvent("decided", { detail: job }));
  } catch (refusal) {
    announce("consent-question", refusal.message);
  }
}

async function remove() {
  el("sure-room").close();
  const { id } = job;
  try {
    await call(`/v1/stories/${id}`, { method: "DELETE" });
    drop(id);
    document.dispatchEvent(new CustomEvent("deleted"));
    go("#mine");
  } catch (refusal) {
    say(refusal.message);
  }
}
