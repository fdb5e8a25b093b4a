// The book: the picture on one side, on the other what happens to it and then its story. `main.js` opens it.
// What must stay true: a reload, a lost connection or another tab finds the same story in the same state.

import { announce, conceal, el, make, pressed, reveal } from "./elements.js";
import { add, addVersion, inBooth } from "./mine.js";
import { forget } from "./pictures.js";
import { at, enter, entitle, go, say } from "./rooms.js";
import { call, ended, follow, newKey, patiently, told, upload, wordsOf } from "./service.js";
import { addSentence, clearSentences, clearStory, reveal as showStory } from "./told.js";
import { duration, t } from "./words.js";

const steps = ["upload", "queued", "looking", "thinking", "writing"];
const doing = {
  looking: ["looking", t("Looking at the picture …")],
  captioning: ["looking", t("Finding words for what it sees …")],
  thinking: ["thinking", t("Thinking about it …")],
  writing: ["writing", t("Writing the story …")],
};
const SEEN = 4; // captions that are shown while it works
const SENDS = 4; // 14 seconds with their pauses: by then somebody wants to know
let job = null;
let waited = false; // whether somebody saw it before it was told
let following = null;
let back = ""; // where what is being sent was asked for
const owed = new Set(); // stories that somebody in the booth did not want

/** The job on the page, if there is one. */
export const current = () => job;

export function startBook() {
  pressed("cancel", cancel);
  pressed("retry", retry);
  document.addEventListener("decided", (event) => { job = event.detail; });
  if (!inBooth) pressed("new", () => { forget(); go(""); el("picture").click(); });
}

/** Opens the story of this id. */
export function openStory(id) {
  if (job?.id === id && !el("book").hidden) return;
  open(null, t("Opening the book …"));
  listen(id);
}

/**
 * Sends a form with a picture and shows what becomes of it, maybe another version `of` a story; a refusal goes back to where it was
 * asked for. Under the same key each time: an answer that was lost on its way costs no second story.
 */
export async function send(fields, url, { of = null, from = "" } = {}) {
  const words = t("Sending the picture …"), key = newKey();
  let sending = null, over = false, whole = false;
  const ask = async () => {
    if (over) throw new DOMException("", "AbortError");
    tell(words);
    sending = upload("/v1/stories", fields, { key, advance: (done, of) => { whole = done === of; advance(done, of); } });
    return sending.done;
  };
  const again = ({ status }) => {
    if (over || status === 429) return false;
    tell(t("The service does not answer just now. Trying again …"));
    return true;
  };
  open(url, words);
  step("upload");
  back = from;
  // what has arrived is told all the same: its answer says where, to be kept or deleted
  const own = following = { unwanted: false, stop: () => { over = true; if (!whole) sending?.abort(); } };
  reveal("cancel");
  try {
    const accepted = await patiently(ask, SENDS, again);
    if (own.unwanted) return owe(accepted.id);
    add(accepted.id);
    if (of) addVersion(of, accepted.id);
    if (over) return;
    forget();
    at(`#${accepted.id}`);
    show(accepted);
    if (!ended(accepted)) listen(accepted.id);
  } catch (error) {
    if (over) return;
    go(back);
    say(wordsOf(error));
  }
}

function open(url, words) {
  clearStory();
  enter("book", { title: t("The story"), leaving });
  waited = Boolean(url);
  conceal("seen", "retry", "new", "cancel");
  el("eta").textContent = "";
  reveal("waiting");
  el("seen").replaceChildren();
  if (url) el("shown").src = url; else el("shown").removeAttribute("src");
  el("shown").alt = t("The picture the story is about");
  announce("book-title", t("The story"));
  tell(words);
}

function leaving() {
  following?.stop();
  following = null;
  job = null;
  el("shown").removeAttribute("src");
}

function listen(id) {
  following?.stop();
  following = follow(id, {
    job: show,
    captions: showSeen,
    sentence: (index, text) => { conceal("seen"); addSentence(index, text, job?.request.form); },
    anew: clearSentences,
    silent: ({ status, message }) => tell(status >= 400 && status < 500 ? message : t("The service does not answer just now. Your story is kept; trying again …")),
    lost: (refusal) => { go(""); say(refusal.message); },
  });
}

function show(now) {
  job = now;
  if (now.data_removed) return gone();
  if (!el("shown").getAttribute("src")) el("shown").src = `/v1/stories/${now.id}/image`;
  const over = ended(now);
  if (!over) waited = true;
  el("waiting").hidden = over;
  el("cancel").hidden = over;
  el("new").hidden = !over;
  el("retry").hidden = !over || now.state === "succeeded";
  el("eta").textContent = timeLeft(now); // it changes with every look: not to be read aloud
  if (now.state === "queued") {
    step("queued");
    tell(place(now));
  } else if (now.state === "running") {
    const [part, words] = doing[now.stage] ?? ["looking", t("The storyteller has your picture …")];
    step(part);
    if (now.progress?.of > 1) advance(now.progress.done, now.progress.of);
    tell(words);
  } else if (now.state === "succeeded") {
    conceal("seen");
    tell("");
    showStory(now, waited);
  } else {
    clearStory();
    tell(outcome(now), "trouble");
    entitle(t("No story"));
  }
}

function gone() {
  clearStory();
  conceal("waiting", "cancel", "retry");
  reveal("new");
  tell(t("This story was deleted."), "trouble");
  entitle(t("No story"));
}

function showSeen(captions) {
  const lines = captions.slice(0, SEEN).map((one) => one.text.replace(/ ([.,!?;:])/g, "$1"));
  if (lines.length === 0 || !el("story").hidden) return;
  reveal("seen");
  el("seen").replaceChildren(...lines.map((line) => make("li", { lang: "en" }, line)));
  el("shown").alt = lines[0];
}

/** Where a story stands that has not begun: on the contact sheet. */
export const inLine = (now) => `${place(now)} ${timeLeft(now)}`.trim();

function place(now) {
  if (now.attempts > 0) return t("Something went wrong; it will be tried again.");
  if (!(now.position > 0)) return t("Next in line.");
  return t("{n} picture is before yours.|{n} pictures are before yours.", { n: now.position });
}

const timeLeft = (now) => (now.state === "queued" && now.eta_seconds > 1 ? t("About {time} to go.", { time: duration(now.eta_seconds) }) : "");

/** Why a story ended without one. */
export function outcome(now) {
  if (now.state === "cancelled") return t("Stopped, as you wished.");
  if (now.state === "expired") return t("It could not be told before its deadline.");
  const words = now.error ? told(now.error) : t("It could not be told.");
  return now.error?.retryable ? `${words} ${t("Trying again may help.")}` : words;
}

function step(name) {
  const now = steps.indexOf(name);
  [...el("steps").children].forEach((one, at) => {
    one.className = at < now ? "past" : at === now ? "now" : "";
  });
  el("progress").removeAttribute("value");
}

function advance(done, of) {
  el("progress").max = of;
  el("progress").value = done;
}

function tell(words, kind = "") {
  announce("status", words);
  el("status").className = kind;
}

async function cancel() {
  conceal("cancel");
  el("book-title").focus(); // the button is gone
  tell(t("Stopping …"));
  if (!job) { // still on its way
    following.unwanted = true;
    return go(back);
  }
  try { show(await call(`/v1/stories/${job.id}/cancel`, { method: "POST" })); } catch { reveal("cancel"); }
}

async function retry() {
  const { id } = job;
  conceal("retry");
  tell(t("Asking for it once more …"));
  try {
    await call(`/v1/stories/${id}/retry`, { method: "POST" });
    open(`/v1/stories/${id}/image`, t("Asking for it once more …"));
    listen(id);
  } catch (refusal) {
    tell(refusal.message, "trouble");
    reveal("retry");
    el("retry").focus();
  }
}

/** In the booth nothing is kept that nobody asked to keep. Whether all of that is gone. */
export function abandon() {
  if (following) following.unwanted = true;
  following?.stop();
  return job && !job.shared ? owe(job.id) : settle();
}

function owe(id) {
  owed.add(id);
  return settle();
}

/** Deletes what was to be forgotten when the service did not answer. */
export async function settle() {
  for (const id of owed) {
    try {
      await call(`/v1/stories/${id}`, { method: "DELETE" });
    } catch (refusal) {
      if (refusal.status !== 404) continue;
    }
    owed.delete(id);
  }
  return owed.size === 0;
}
