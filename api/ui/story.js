// The page: choose a picture, send it, follow the job, show the story. Speaks only the documented HTTP API.
// Text from the service goes into the page through textContent alone, so a caption can never become markup.
"use strict";

const el = (id) => document.getElementById(id);
const form = el("form"), book = el("book"), story = el("story"), status = el("status"), captions = el("captions");
const maxBytes = Number(form.dataset.maxBytes) || Infinity;
const picture = { file: null, url: null };
let following = null; // the AbortController of the job on the page
let styles = [];

/* ---- the picture ---- */

function choose(file) {
  say(null);
  if (!file) return;
  if (!file.type.startsWith("image/")) return say(`“${file.name}” is not a picture. JPEG, PNG, WebP and still GIF can be told.`);
  if (file.size > maxBytes) return say(`“${file.name}” has ${megabytes(file.size)} MB; a picture may have ${megabytes(maxBytes)} MB at most.`);
  if (picture.url) URL.revokeObjectURL(picture.url);
  picture.file = file;
  picture.url = URL.createObjectURL(file);
  el("preview").src = picture.url;
  el("preview").alt = `Your picture, ${file.name || "pasted"}`;
  el("preview").hidden = el("picture-name").hidden = el("change").hidden = false;
  el("picture-name").textContent = file.name || "pasted picture";
  el("drop").classList.add("filled");
  if (form.hidden) ask();
}

el("picture").addEventListener("change", (event) => choose(event.target.files[0]));
el("camera").addEventListener("change", (event) => choose(event.target.files[0]));
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (file) choose(file);
});
// a picture dropped anywhere must never make the browser leave the page
document.addEventListener("dragover", (event) => { event.preventDefault(); el("drop").classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) el("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  el("drop").classList.remove("over");
  choose(event.dataTransfer.files[0]);
});

/* ---- the styles ---- */

async function loadStyles(pause = 500) {
  try {
    const answer = await fetch("/v1/styles");
    styles = answer.ok ? (await answer.json()).styles : [];
  } catch { styles = []; }
  if (styles.length === 0) {
    // the worker registers them when its weights are loaded
    el("style").replaceChildren(new Option("still waking up …", ""));
    setTimeout(loadStyles, pause, Math.min(pause * 1.5, 5000));
    return;
  }
  el("style").replaceChildren(...styles.map((one) => new Option(one.name, one.name)));
  const before = remembered();
  if (styles.some((one) => one.name === before)) el("style").value = before;
  describeStyle();
}

function describeStyle() {
  const one = styles.find((style) => style.name === el("style").value);
  el("style-note").textContent = one?.description ?? "";
}

function remembered() {
  try { return localStorage.getItem("style"); } catch { return null; }
}

el("style").addEventListener("change", () => {
  describeStyle();
  try { localStorage.setItem("style", el("style").value); } catch { /* a private window forgets */ }
});
for (const range of form.querySelectorAll("input[type=range]")) {
  range.addEventListener("input", () => { range.nextElementSibling.value = range.value; });
}

/* ---- sending ---- */

form.addEventListener("submit", (event) => {
  event.preventDefault();
  say(null);
  if (!picture.file) {
    say("Choose a picture first.");
    return el("picture").focus();
  }
  if (!el("style").value) return say("The storyteller is still waking up. Try again in a moment.");
  const fields = new FormData(form);
  fields.append("image", picture.file, picture.file.name || "pasted");
  send(fields);
});

function send(fields) {
  open(picture.url);
  step("upload");
  tell("Sending the picture …");
  const request = new XMLHttpRequest(); // fetch cannot tell how much of an upload is done
  following = { abort: () => request.abort() };
  request.upload.addEventListener("progress", (event) => advance(event.loaded, event.total));
  request.addEventListener("load", () => {
    const answer = parsed(request.responseText);
    if (request.status !== 202 && request.status !== 200) return refused(answer, request.status);
    history.pushState(null, "", `#${answer.id}`);
    show(answer);
    if (!ended(answer)) follow(answer.id);
  });
  request.addEventListener("error", () => refused(null, 0));
  request.open("POST", "/v1/stories");
  request.send(fields);
  el("cancel").hidden = false;
}

function refused(problem, code) {
  ask();
  const details = problem?.detail ?? problem?.title;
  if (code === 0) say("The service does not answer. Is it running? Your picture is still here: try again.");
  else say(sentence(details ?? `the service answered with ${code} and no reason`));
}

/* ---- following ---- */

async function follow(id) {
  following?.abort();
  const mine = new AbortController();
  following = mine;
  let etag = null, pause = 500;
  while (!mine.signal.aborted) {
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(`/v1/stories/${id}?wait=${etag ? 25 : 0}`, { headers, cache: "no-store", signal: mine.signal });
      if (answer.status === 304) continue;
      const job = parsed(await answer.text());
      if (answer.status === 404 || answer.status === 400) return lost(job);
      if (!answer.ok || !job) throw new Error("not now");
      if (mine.signal.aborted) return;
      etag = answer.headers.get("ETag");
      pause = 500;
      show(job);
      if (ended(job)) return;
    } catch {
      if (mine.signal.aborted) return;
      tell("The service does not answer just now. Your story is kept; trying again …");
      await new Promise((resume) => setTimeout(resume, pause));
      pause = Math.min(pause * 2, 8000);
    }
  }
}

const ended = (job) => job.state !== "queued" && job.state !== "running";

function lost(problem) {
  ask();
  say(sentence(problem?.detail ?? "there is no such story"));
}

const steps = ["upload", "queued", "looking", "thinking", "writing"];
const doing = {
  looking: ["looking", "Looking at the picture …"],
  captioning: ["looking", "Finding words for what it sees …"],
  thinking: ["thinking", "Thinking about it …"],
  writing: ["writing", "Writing the story …"],
};

function show(job) {
  if (!picture.url || el("shown").dataset.job !== job.id) {
    el("shown").dataset.job = job.id;
    if (!el("shown").src.startsWith("blob:")) el("shown").src = `/v1/stories/${job.id}/image`;
  }
  const over = ended(job);
  el("waiting").hidden = over;
  el("cancel").hidden = over;
  el("again").hidden = el("new").hidden = !over;
  el("retry").hidden = !over || job.state === "succeeded";
  if (job.state === "queued") {
    step("queued");
    tell(inLine(job));
  } else if (job.state === "running") {
    const stage = Object.keys(doing).find((name) => job.stage?.toLowerCase().startsWith(name));
    const [place, words] = doing[stage] ?? ["looking", "The storyteller has your picture …"];
    step(place);
    if (job.progress?.of > 1) advance(job.progress.done, job.progress.of);
    tell(words);
  } else if (job.state === "succeeded") {
    reveal(job);
  } else {
    tell(outcome(job), "trouble");
  }
}

function inLine(job) {
  const before = job.position > 0 ? job.position : 0;
  const eta = job.eta_seconds > 1 ? ` About ${duration(job.eta_seconds)} to go.` : "";
  if (job.attempts > 0) return `Something went wrong; it will be tried again.${eta}`;
  if (before === 0) return `Next in line.${eta}`;
  return `${before} ${before === 1 ? "picture is" : "pictures are"} before yours.${eta}`;
}

function outcome(job) {
  if (job.state === "cancelled") return "Stopped, as you wished.";
  if (job.state === "expired") return "It could not be told before its deadline.";
  const words = sentence(job.error?.message ?? "it could not be told");
  return job.error?.retryable ? `${words} Trying again may help.` : words;
}

function reveal(job) {
  const result = job.result;
  const lyrics = job.request.form === "lyrics";
  story.className = lyrics ? "lyrics" : "prose";
  story.replaceChildren(...result.story.split(/\n+/).filter(Boolean).map((line) => withText("p", line)));
  story.hidden = false;
  tell("");
  document.title = `${result.story.split(/\s+/).slice(0, 6).join(" ")} … · Neural Storyteller`;
  const took = job.started_at && job.finished_at ? (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000 : 0;
  el("colophon").textContent = `in the manner of ${result.style}${took > 0 ? `, told in ${duration(took)}` : ""}`;
  captions.querySelector("ol").replaceChildren(...result.captions.map((used) => {
    const line = withText("li", used.text.replace(/ ([.,!?;:])/g, "$1")); // they come cut into tokens
    line.append(withText("span", used.similarity.toFixed(3)));
    return line;
  }));
  el("colophon").hidden = captions.hidden = el("copy").hidden = false;
}

/* ---- what is on the page ---- */

function open(url) {
  following?.abort();
  following = null;
  form.hidden = true;
  book.hidden = false;
  story.hidden = el("colophon").hidden = captions.hidden = el("copy").hidden = el("retry").hidden = el("again").hidden = el("new").hidden = true;
  captions.open = false;
  el("waiting").hidden = false;
  delete el("shown").dataset.job;
  if (url) el("shown").src = url; else el("shown").removeAttribute("src");
  el("copy").textContent = "Copy the story";
  el("book-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

function ask() {
  following?.abort();
  following = null;
  book.hidden = true;
  form.hidden = false;
  tell("");
  document.title = "Neural Storyteller";
  if (location.hash) history.pushState(null, "", "/");
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
  if (status.textContent !== words) status.textContent = words;
  status.className = kind;
}

function say(words) {
  el("trouble").hidden = !words;
  el("trouble").textContent = words ?? "";
}

function withText(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

const sentence = (words) => words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
const megabytes = (bytes) => (bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0);

function duration(seconds) {
  if (seconds < 90) return seconds < 1.5 ? "a second" : `${Math.round(seconds)} seconds`;
  return `${Math.round(seconds / 60)} minutes`;
}

el("cancel").addEventListener("click", async () => {
  const id = el("shown").dataset.job;
  if (!id) return ask();
  el("cancel").hidden = true;
  tell("Stopping …");
  try { await fetch(`/v1/stories/${id}/cancel`, { method: "POST" }); } catch { el("cancel").hidden = false; }
});
el("retry").addEventListener("click", async () => {
  const id = el("shown").dataset.job;
  el("retry").hidden = true;
  tell("Asking for it once more …");
  try {
    const answer = await fetch(`/v1/stories/${id}/retry`, { method: "POST" });
    if (answer.ok) return follow(id);
    tell(sentence(parsed(await answer.text())?.detail ?? "it cannot be tried again"), "trouble");
  } catch {
    tell("The service does not answer. Is it running?", "trouble");
    el("retry").hidden = false;
  }
});
el("copy").addEventListener("click", async () => {
  const text = [...story.children].map((line) => line.textContent).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    el("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(story);
    el("copy").textContent = "Selected: copy it now";
  }
});
el("new").addEventListener("click", () => { ask(); el("picture").value = ""; el("picture").click(); });
el("again").addEventListener("click", async () => {
  const id = el("shown").dataset.job;
  ask();
  if (picture.file) return el("style").focus();
  try {
    // the story was opened by its address: fetch its picture back
    const blob = await (await fetch(`/v1/stories/${id}/image`)).blob();
    choose(new File([blob], "the same picture", { type: blob.type }));
    el("style").focus();
  } catch { say("Its picture could not be fetched. Choose one."); }
});

function arrive() {
  const id = location.hash.slice(1);
  if (!/^[0-9a-f-]{36}$/i.test(id)) return ask();
  if (el("shown").dataset.job === id && !book.hidden) return;
  open(null);
  tell("Opening the book …");
  follow(id);
}
addEventListener("popstate", arrive);

loadStyles();
if (location.hash.length > 1) arrive();
