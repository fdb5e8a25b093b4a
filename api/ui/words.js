// Says everything in the reader's language. The English words are the keys of messages.js, and the page's HTML has
// them already: without a translation English stays. What must stay true: stories are never translated.

import { messages } from "./messages.js";

const languages = ["en", "de", "es"];
export const language = chosenLanguage();
const column = languages.indexOf(language) - 1;

/** The words in the reader's language; `{name}` is filled in, and of `one|many` the one that fits `values.n`. */
export function t(english, values = {}) {
  const forms = (column < 0 ? english : messages[english]?.[column] ?? english).split("|");
  const form = values.n === 1 ? forms[0] : forms.at(-1);
  return form.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Puts the page's own words into the reader's language. */
export function translatePage() {
  document.documentElement.lang = language;
  const attributes = { "[data-t-label]": "aria-label", "[data-t-alt]": "alt" };
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.textContent);
  for (const [marked, attribute] of Object.entries(attributes)) {
    for (const one of document.querySelectorAll(marked)) one.setAttribute(attribute, t(one.getAttribute(attribute)));
  }
  const choice = document.getElementById("language");
  choice.value = language;
  choice.addEventListener("change", () => {
    remember("language", choice.value);
    // an address that names a language would have the last word
    const here = new URL(location.href);
    here.searchParams.delete("lang");
    history.replaceState(null, "", here);
    location.reload();
  });
}

export function number(value) {
  return new Intl.NumberFormat(language).format(value);
}

export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 90 ? t("{n} second|{n} seconds", { n: whole }) : t("{n} minute|{n} minutes", { n: Math.round(whole / 60) });
}

/** A private window forgets: then nothing is kept, and nothing breaks. */
export function remember(name, value) {
  try { localStorage.setItem(name, value); } catch { /* see above */ }
}

export function remembered(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function chosenLanguage() {
  const asked = new URLSearchParams(location.search).get("lang") ?? remembered("language");
  const wanted = [asked, ...navigator.languages].filter(Boolean).map((one) => one.slice(0, 2).toLowerCase());
  return wanted.find((one) => languages.includes(one)) ?? "en";
}
