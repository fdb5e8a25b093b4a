// A picture with a few words, as it stands on the contact sheet, in the gallery and among one's own stories.

import { make } from "./elements.js";

/** An empty tile for a story; `href` leads to it once it is known. */
export function tile({ id, picture, alt }) {
  const made = make("li", { class: "tile" });
  const link = make("a", id ? { href: `#${id}` } : {});
  link.append(
    make("img", { src: picture, alt, loading: "lazy" }),
    make("span", { class: "words" }),
  );
  made.append(link);
  return made;
}

/** The words under a tile's picture; those of a story are in its language. */
export function label(made, words, { note = "", story = false } = {}) {
  const place = made.querySelector(".words");
  const main = make("span", story ? { lang: "en", class: "line" } : { class: "line" }, words);
  place.replaceChildren(main, ...(note ? [make("small", {}, note)] : []));
}
