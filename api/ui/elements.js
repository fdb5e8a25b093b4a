// Small words for the document. Text goes in through textContent alone, so a caption can never become markup.

export const el = (id) => document.getElementById(id);

/** A new element with attributes, properties and children: `make("a", { href }, "text", other)`. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Shows some elements and hides others, by id. */
export function reveal(...ids) { for (const id of ids) el(id).hidden = false; }
export function conceal(...ids) { for (const id of ids) el(id).hidden = true; }

/** Words that a screen reader should hear only when they change. */
export function announce(id, words) {
  if (el(id).textContent !== words) el(id).textContent = words;
}
