// Small words for the document. Text goes in through textContent alone, so a caption can never become markup.

export const el = (id) => document.getElementById(id);

/** What a press of this button does. */
export const pressed = (id, act) => el(id).addEventListener("click", act);

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

// addresses of pictures that only this page has
const lent = new Set();

/** An address under which the page shows a picture, as long as something does. */
export function addressOf(blob) {
  const address = URL.createObjectURL(blob);
  lent.add(address);
  return address;
}

/** Takes back the addresses that nothing shows any more: each holds a picture in memory. */
export function takeBack() {
  setTimeout(() => { // what takes its place is shown by then
    const shown = new Set([...document.images].map((one) => one.src));
    for (const one of lent) {
      if (shown.has(one)) continue;
      URL.revokeObjectURL(one);
      lent.delete(one);
    }
  });
}

/** Words that a screen reader should hear only when they change. */
export function announce(id, words) {
  if (el(id).textContent !== words) el(id).textContent = words;
}
