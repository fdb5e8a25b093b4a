// What this browser remembers of its own stories: their ids, the titles given to them, and whether they were kept private.
// What must stay true: nothing of it leaves the browser, and in the booth, where the browser is everybody's, nothing is kept.

import { remember, remembered } from "./words.js";

const MOST = 500; // ids of 36 letters: 20 kB of the 5 MB that a browser lends
export const inBooth = new URLSearchParams(location.search).has("booth");

/** Ids of own stories, the newest first. */
export const ids = () => stored("mine", []);

export function add(id) {
  if (!inBooth && !ids().includes(id)) keep("mine", [id, ...ids()].slice(0, MOST));
}

export function drop(id) {
  keep("mine", ids().filter((one) => one !== id));
  keep("versions", stored("versions", []).map((ids) => ids.filter((one) => one !== id)).filter((ids) => ids.length > 1));
  for (const notes of ["titles", "private"]) {
    const { [id]: _, ...rest } = stored(notes, {});
    keep(notes, rest);
  }
}

export const titleOf = (id) => stored("titles", {})[id];
export const setTitle = (id, title) => note("titles", id, title);
export const isPrivate = (id) => Boolean(stored("private", {})[id]);
export const setPrivate = (id, value) => note("private", id, value);

/** The versions of a story that were asked for, the first one first; itself alone, if there are no others. */
export const versionsOf = (id) => stored("versions", []).find((ids) => ids.includes(id)) ?? [id];

export function addVersion(of, id) {
  const others = stored("versions", []).filter((ids) => !ids.includes(of));
  if (!inBooth) keep("versions", [[...versionsOf(of), id], ...others].slice(0, MOST));
}

/** What a story is called as long as nobody names it: its first words. */
export function firstWords(text) {
  const words = text.split(/\s+/).filter(Boolean);
  const few = words.slice(0, 6).join(" ").replace(/[\s,;:.—–-]+$/, "");
  return words.length > 6 ? `${few} …` : few;
}

function note(notes, id, value) {
  if (!inBooth) keep(notes, { ...stored(notes, {}), [id]: value });
}

function stored(name, otherwise) {
  try { return JSON.parse(remembered(name)) ?? otherwise; } catch { return otherwise; }
}

function keep(name, value) {
  remember(name, JSON.stringify(value));
}
