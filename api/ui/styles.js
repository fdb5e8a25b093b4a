// The styles: one in a row, all of them as cards with a line to taste, two mixed, and one made of a text of one's own.
// What must stay true: the value of the select is what is sent as `style`, whatever dialog it was chosen in.

import { announce, conceal, el, make, pressed, reveal } from "./elements.js";
import { call, told, upload, wordsOf } from "./service.js";
import { tastes } from "./tastes.js";
import { duration, number, remember, remembered, t } from "./words.js";

const OPENING = 100000; // bytes of an own text in which its line to taste is looked for
let styles = [];
let then = null;

export const chosenStyle = () => el("style").value;

export function startStyles() {
  el("style").addEventListener("change", () => { describe(); remember("style", chosenStyle()); });
  pressed("open-styles", () => openStyles());
  pressed("close-styles", () => { el("style-room").close(); then?.(); });
  el("second").addEventListener("change", mix);
  el("share-of-second").addEventListener("input", mix);
  el("own-form").addEventListener("submit", (event) => { event.preventDefault(); makeOwn(); });
  el("own-style").addEventListener("dragover", (event) => event.preventDefault());
  el("own-style").addEventListener("drop", (event) => { event.preventDefault(); el("own-text").files = event.dataTransfer.files; nameFromFile(); });
  el("own-text").addEventListener("change", nameFromFile);
  load();
}

/** Shows all styles; `chosen` is called when somebody is done, not when the dialog is only closed. */
export function openStyles(chosen = null) {
  then = chosen;
  el("close-styles").textContent = chosen ? t("Tell its story") : t("Done");
  fillCards();
  el("style-room").showModal();
}

async function load(pause = 500) {
  let known = null;
  try { known = await call("/v1/styles"); } catch { /* the service is starting, or down: both pass */ }
  styles = (known?.styles ?? []).filter((one) => one.state !== "failed");
  if (styles.length === 0) {
    // the worker registers them when its weights are loaded
    el("style").replaceChildren(new Option(t("still waking up …"), ""));
    return setTimeout(load, pause, Math.min(pause * 1.5, 5000));
  }
  el("bundle").textContent = known.bundle ? `· ${known.bundle}` : "";
  el("style").replaceChildren(...styles.map((one) => new Option(one.name, one.name)));
  const before = remembered("style") ?? "";
  if (parts(before).every(([name]) => styles.some((one) => one.name === name))) select(before);
  fillCards();
  describe();
  document.dispatchEvent(new CustomEvent("styles"));
}

/** `romance:0.7,sea:0.3` as pairs. */
const parts = (style) => style.split(",").map((part) => part.split(":"));
/** How a style is named to people, a mix too. */
export const manner = (style) => (parts(style).length === 1 ? style : parts(style).map(([name, share]) => `${name} ${Math.round(share * 100)} %`).join(", "));

function select(style) {
  if (!style) return;
  el("style").querySelector("[data-mix]")?.remove();
  if (![...el("style").options].some((one) => one.value === style)) {
    const option = new Option(manner(style), style);
    option.dataset.mix = "";
    el("style").append(option);
  }
  el("style").value = style;
  remember("style", style);
  describe();
}

function describe() {
  const names = parts(chosenStyle()).map(([name]) => name);
  const one = styles.find((style) => style.name === names[0]);
  el("style-note").lang = names.length === 1 ? "en" : "";
  el("style-note").textContent = names.length === 1 ? one?.description ?? "" : manner(chosenStyle());
}

function fillCards() {
  const [[first], second] = [...parts(chosenStyle()), undefined];
  cards(el("style-cards"), first, () => mix());
  el("second").replaceChildren(new Option(t("nothing"), ""), ...styles.map((one) => new Option(one.name, one.name)));
  if (second) {
    el("second").value = second[0];
    el("share-of-second").value = Math.round(second[1] * 100);
  }
  showShare();
}

/** The styles as cards; `picked(name)` hears which one is taken. */
export function cards(place, chosen, picked) {
  place.replaceChildren(...styles.map((one) => {
    const [line, from] = tastes[one.name] ?? [];
    const radio = make("input", { type: "radio", name: `card-of-${place.id}`, value: one.name, checked: one.name === chosen });
    radio.setAttribute("form", "none"); // what is wished stands in #style; a card by itself says nothing to the service
    radio.addEventListener("change", () => picked(one.name));
    const taste = line ? [make("q", { lang: "en" }, line), make("small", { lang: "en" }, from)] : [];
    return make("label", { class: "card" }, radio, make("strong", { lang: "en" }, one.name), make("span", { class: "what", lang: "en" }, one.description), ...taste,
      make("small", {}, t("{count} passages", { count: number(one.passages) })));
  }));
}

function mix() {
  const first = el("style-cards").querySelector("input:checked")?.value ?? styles[0].name;
  const second = el("second").value === first ? "" : el("second").value;
  const share = el("share-of-second").value / 100;
  showShare();
  select(second ? `${first}:${(1 - share).toFixed(1)},${second}:${share.toFixed(1)}` : first);
}

function showShare() {
  el("share-of-second").nextElementSibling.value = `${el("share-of-second").value} %`;
  el("style-room").classList.toggle("mixed", Boolean(el("second").value));
}

/* ---- a style of one's own ---- */

function nameFromFile() {
  const file = el("own-text").files[0];
  if (!file || el("own-name").value) return;
  const plain = file.name.replace(/\.[^.]*$/, "").normalize("NFD").toLowerCase().replace(/[^a-z0-9]+/g, "-");
  el("own-name").value = plain.replace(/^-+|-+$/g, "").slice(0, 40);
}

async function makeOwn() {
  const button = el("own-form").querySelector("button");
  if (button.ariaDisabled === "true") return;
  const file = el("own-text").files[0];
  const name = el("own-name").value;
  button.ariaDisabled = "true"; // a disabled one would lose the focus
  const fields = new FormData();
  fields.append("name", name);
  fields.append("description", await lineOf(file));
  fields.append("source", file.name);
  fields.append("text", file, file.name);
  announce("own-status", t("Sending the text …"));
  reveal("own-progress");
  try {
    await upload("/v1/styles", fields, { advance: (done, of) => advance({ done, of }) }).done;
    announce("own-status", t("Reading the text …"));
    await made(name, Date.now());
  } catch (error) {
    announce("own-status", wordsOf(error));
  }
  conceal("own-progress");
  button.ariaDisabled = "false";
}

/** Looks until the style is ready or cannot be. */
async function made(name, since) {
  for (;;) {
    let style;
    try {
      style = await call(`/v1/styles/${encodeURIComponent(name)}`);
    } catch (refusal) {
      if (refusal.status > 0 && refusal.status < 500 && refusal.status !== 429) throw refusal;
      style = {}; // a lost answer: the text is read all the same
    }
    advance(style.progress);
    if (style.state === "failed") return announce("own-status", told(style.error));
    if (style.state === "ready") {
      const took = duration((Date.now() - since) / 1000);
      announce("own-status", t("“{name}” is ready: {count} passages were kept, in {took}. It is chosen.", { name, count: number(style.passages), took }));
      await load();
      select(name);
      return fillCards();
    }
    await new Promise((resume) => setTimeout(resume, 500));
  }
}

function advance(progress) {
  if (!progress?.of) return el("own-progress").removeAttribute("value");
  el("own-progress").max = progress.of;
  el("own-progress").value = progress.done;
}

/** One sentence of the text, so that its card has something to taste. */
async function lineOf(file) {
  const opening = await file.slice(0, OPENING).text();
  const sentences = opening.replace(/\s+/g, " ").match(/[A-Z][^.!?]{40,140}[.!?]/g) ?? [];
  return sentences[Math.floor(sentences.length / 3)] ?? file.name;
}
