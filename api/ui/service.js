// Speaks with the service: the documented HTTP API and nothing else. Everything else on the page goes through here.
// What must stay true: every failure becomes a Refusal whose message helps a person, in the person's language.

import { askForKey } from "./login.js";
import { language, t } from "./words.js";

const PATIENT = 5000; // how often a story is looked at while its events arrive: they may be held up on their way
const WAITING = 2000; // in line: the place changes with every story that is told before
const ALONE = 1000; // without events
const RAREST = 30000; // how often at least a stream that is refused is asked for again
const LONGEST = 60; // seconds that the service may ask for between two tries: for more a person is asked

// refusals that pass by themselves
const PASSING = [0, 429, 502, 503, 504];

const strange = t("Something went wrong.");
const large = t("This file is too large. Choose a smaller one.");
const later = t("The service cannot answer just now. Try again in a minute.");
/** What a person can do about it, for the kinds of problems that a page can meet. */
const remedies = {
  image_unreadable: t("This file is no picture that can be read. Choose another one."),
  image_too_large: large,
  image_animated: t("This picture moves; only still ones can be told."),
  body_too_large: large,
  queue_full: t("Too many pictures are waiting just now. Try again in a minute."),
  quota_exceeded: t("You have had your share for now. Try again later."),
  request_in_progress: later,
  storage_unavailable: later,
  unauthorized: t("Log in with your key first."),
  scope_missing: t("Your key may only look."),
  data_removed: t("This story was deleted."),
  image_missing: t("Its picture could not be fetched. Choose one."),
  invalid_parameter: t("One of the settings is not taken. Change it."),
  not_found: t("There is no such story here; perhaps it was deleted."),
  unknown_style: t("This style is not here any more. Choose another one."),
  style_exists: t("There is a style of this name already. Choose another name."),
  text_unusable: t("This text cannot become a style: it needs 30 passages of prose in English at least."),
  worker_lost: t("The storyteller was interrupted too often."),
  out_of_memory: t("The storyteller ran out of memory. Try a smaller picture."),
  model_error: t("The storyteller could not tell this one. Another picture or style may work."),
  deadline_passed: t("It could not be told before its deadline."),
};

/** A request that did not work: `status` 0 is no answer at all. */
export class Refusal extends Error {
  /** `after`: in how many seconds the service wants to be asked again, if it says so. */
  constructor(problem, status, after = 0) {
    super(told(problem, status));
    this.status = status;
    this.after = Number(after) || 0;
    this.passes = PASSING.includes(status) || /in_progress$/.test(problem?.type);
  }
}

/** What went wrong, in words for a person; what nobody foresaw goes to the console too. */
export function wordsOf(error) {
  if (error instanceof Refusal) return error.message;
  reportError(error);
  return strange;
}

/** What a problem, or a job's error, means to a person. */
export function told(problem, status = 200) {
  if (status === 0) return t("The service does not answer. Is it running? Your picture is still here: try again.");
  const kind = (problem?.kind ?? problem?.type ?? "").split("/").pop();
  const own = problem?.detail ?? problem?.message ?? problem?.title;
  // English has the service's own words: they name the numbers; but about keys they speak to programs
  if (own && language === "en" && kind !== "unauthorized") return sentence(own);
  return remedies[kind] ?? (PASSING.includes(status) ? later : strange);
}

/** Asks; the answer's JSON, or nothing for 204 and 304. */
export async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(null, 0);
  }
  if (answer.status === 401 && await askForKey(Boolean(options.method))) return call(path, options);
  if (answer.status === 204 || answer.status === 304) return null;
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refusal(body, answer.status, answer.headers.get("Retry-After"));
  return body;
}

export function put(path, value) {
  return call(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
}

/** A key for a request: sent again under the same one, it is done once. */
export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

/** Asks up to so many times, as long as `again(refusal)` says so: for what a refusal that passes, or a lost answer, is no reason to give up. */
export async function patiently(ask, tries, again) {
  for (let count = 1; ; count += 1) {
    try { return await ask(); } catch (refusal) {
      if (!refusal.passes || refusal.after > LONGEST || count === tries || !again(refusal)) throw refusal;
      await new Promise((resume) => { setTimeout(resume, 1000 * (refusal.after || Math.min(2 ** count, 30))); });
    }
  }
}

/** Sends a form and says how much of it is on its way: fetch cannot tell that. */
export function upload(path, fields, { advance, key = null }) {
  let request = null;
  const send = () => new Promise((resolve, reject) => {
    request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => event.lengthComputable && advance(event.loaded, event.total));
    request.addEventListener("load", () => {
      const answer = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && answer) resolve(answer);
      else reject(new Refusal(answer, request.status, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(new Refusal(null, 0)));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    request.open("POST", path);
    if (key) request.setRequestHeader("Idempotency-Key", key);
    request.send(fields);
  });
  const done = send().catch(async (refusal) => {
    if (refusal.status === 401 && await askForKey(true)) return send();
    throw refusal;
  });
  return { done, abort: () => request.abort() };
}

export const ended = (job) => job.state !== "queued" && job.state !== "running";

/**
 * Follows a story until it ends: `job(view)` for every change, `captions(list)`, `sentence(index, text)`, `anew()` when those before are void, `silent(refusal)`
 * while there is no answer, `lost(refusal)` when there is no such story. Events arrive where the service has them; looking now and
 * then goes on beside them, so a lost event, a proxy that holds them up or a service that restarts costs seconds only.
 */
export function follow(id, heard) {
  let source = null, timer = null, over = false, last = null, failures = 0;
  let heardOf = 0; // number of the last event: a stream that is opened anew says all of them again
  let reopening = null, rest = ALONE;
  const stop = () => {
    over = true;
    source?.close();
    clearTimeout(timer);
    clearTimeout(reopening);
    document.removeEventListener("visibilitychange", turned);
  };
  const seen = (job) => {
    if (over) return;
    const first = !last;
    last = job;
    if (ended(job)) stop();
    heard.job(job);
    if (first) listen();
  };
  const look = async () => {
    clearTimeout(timer);
    try {
      const job = await call(`/v1/stories/${id}`);
      failures = 0;
      seen(job);
    } catch (refusal) {
      if (over) return;
      if (refusal.status === 404 || refusal.status === 400 || refusal.status === 410) return stop(), heard.lost(refusal);
      failures += 1;
      heard.silent(refusal);
    }
    clearTimeout(timer); // another look may have begun meanwhile
    if (!over) timer = setTimeout(look, pause());
  };
  const pause = () => {
    if (failures > 0) return Math.min(500 * 2 ** failures, 8000);
    if (last?.state === "queued") return WAITING;
    return source?.readyState === EventSource.OPEN || document.hidden ? PATIENT : ALONE;
  };
  const listen = () => {
    clearTimeout(reopening);
    source?.close();
    // a hidden tab gives its connection back: a browser has six for one service
    if (document.hidden || over || !last) return;
    const own = source = new EventSource(`/v1/stories/${id}/events`);
    own.addEventListener("open", () => { rest = ALONE; });
    own.addEventListener("error", () => {
      if (own.readyState !== EventSource.CLOSED) return; // the browser itself comes back
      reopening = setTimeout(listen, rest);
      rest = Math.min(2 * rest, RAREST);
    });
    const on = (name, act) => own.addEventListener(name, (event) => {
      const number = Number(event.lastEventId), isNew = number > heardOf;
      heardOf = Math.max(heardOf, number);
      // a place in line that moves has the number of before
      if (!over && (isNew || name === "state" || name === "end")) act(JSON.parse(event.data), isNew);
    });
    on("state", (change, isNew) => {
      if (isNew && change.state === "running") heard.anew();
      if (isNew || change.state === "queued") look();
    });
    on("progress", (stage) => last && seen({ ...last, state: "running", stage: stage.stage, progress: stage }));
    on("captions", (found) => heard.captions(found.captions));
    on("sentence", (one) => heard.sentence(one.index, one.text));
    on("end", seen);
  };
  const turned = () => { listen(); look(); };
  document.addEventListener("visibilitychange", turned);
  look();
  return { stop };
}

export function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

export const sentence = (words) => words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? "" : ".");
