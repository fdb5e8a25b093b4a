// The gallery of shared stories, and the stories of this browser. Both are pages of tiles that grow on demand.
// What must stay true: the gallery shows what the service lists as shared and nothing else.

import { announce, conceal, el, make, pressed } from "./elements.js";
import { drop, firstWords, ids, titleOf } from "./mine.js";
import { enter } from "./rooms.js";
import { call, ended } from "./service.js";
import { manner } from "./styles.js";
import { label, tile } from "./tiles.js";
import { t } from "./words.js";

const PAGE = 12;
let cursor = null;
let left = []; // ids of own stories that have no tile yet
let visits = 0; // an answer for the visit before has nothing to say

export function startGallery() {
  pressed("gallery-more", () => moreOfGallery("goes on"));
  pressed("mine-more", () => moreOfMine("goes on"));
  // another tab told or deleted one
  addEventListener("storage", (event) => { if (event.key === "mine" && !el("mine").hidden) fillMine(); });
}

/** A page of what is shared: `{ items, next }`. */
export async function shared(after = null, limit = PAGE) {
  const query = new URLSearchParams({ limit, ...(after ? { cursor: after } : {}) });
  const page = await call(`/v1/gallery?${query}`);
  return { items: page.stories, next: page.next };
}

/** Where a shared story's picture is. */
export const pictureOf = (item) => item.image?.url ?? `/v1/stories/${item.id}/image`;

export async function openGallery() {
  enter("gallery", { title: t("Gallery") });
  el("gallery-tiles").replaceChildren();
  cursor = null;
  visits += 1;
  await moreOfGallery();
}

async function moreOfGallery(goesOn = null) {
  const visit = visits;
  announce("gallery-status", t("Looking …"));
  conceal("gallery-more"); // pressed twice, it would bring the same again
  try {
    const { items, next } = await shared(cursor);
    if (visit !== visits) return;
    const first = !cursor;
    cursor = next;
    append("gallery", items.map((item) => {
      const made = tile({ id: item.id, picture: pictureOf(item), alt: t("The picture the story is about") });
      label(made, firstWords(item.story), { note: manner(item.style), story: true });
      return made;
    }), goesOn);
    announce("gallery-status", first && items.length === 0 ? t("Nothing hangs here yet. A story can be shared once it is told.") : "");
    el("gallery-more").hidden = !next;
  } catch (refusal) {
    if (visit !== visits) return;
    announce("gallery-status", refusal.message);
    el("gallery-more").hidden = false;
  }
}

/** Whoever pressed for more goes on at the first of them: the button may be gone. */
function append(room, tiles, goesOn) {
  el(`${room}-tiles`).append(...tiles);
  if (goesOn) (tiles[0]?.querySelector("a") ?? el(`${room}-title`)).focus();
}

export async function openMine() {
  enter("mine", { title: t("My stories") });
  await fillMine();
}

async function fillMine() {
  el("mine-tiles").replaceChildren();
  left = ids();
  visits += 1;
  await moreOfMine();
}

async function moreOfMine(goesOn = null) {
  const visit = visits, any = ids().length > 0;
  announce("mine-status", any ? t("Looking …") : t("No stories yet. Choose a picture and the first one comes here."));
  conceal("mine-more");
  const page = left.splice(0, PAGE);
  let silent = null;
  const made = await Promise.all(page.map(async (id) => {
    try {
      const job = await call(`/v1/stories/${id}`);
      return job.data_removed ? void drop(id) : ownTile(job);
    } catch (refusal) {
      if (refusal.status === 404) drop(id); else silent = refusal;
      return null;
    }
  }));
  if (visit !== visits) return;
  append("mine", made.filter(Boolean), goesOn);
  if (silent || any) announce("mine-status", silent?.message ?? "");
  el("mine-more").hidden = left.length === 0;
}

function ownTile(job) {
  const made = tile({ id: job.id, picture: `/v1/stories/${job.id}/image`, alt: t("The picture the story is about") });
  const note = [manner(job.request.style), job.shared ? t("shared") : ""].filter(Boolean).join(" · ");
  if (job.state === "succeeded") label(made, titleOf(job.id) ?? firstWords(job.result.story), { note, story: true });
  else label(made, ended(job) ? t("No story") : t("being told"), { note });
  const remove = make("button", { type: "button", class: "link", "aria-label": t("Delete “{title}”", { title: made.querySelector(".line").textContent }) }, t("Delete"));
  remove.addEventListener("click", () => removeOwn(job, made, remove));
  made.append(remove);
  return made;
}

/** Asks once more on the button itself. */
async function removeOwn(job, made, button) {
  if (!button.dataset.sure) {
    button.dataset.sure = "yes";
    button.textContent = t("Really delete?");
    button.removeAttribute("aria-label");
    return;
  }
  try {
    if (!ended(job)) await call(`/v1/stories/${job.id}/cancel`, { method: "POST" });
    await call(`/v1/stories/${job.id}`, { method: "DELETE" });
    drop(job.id);
    const next = made.nextElementSibling ?? made.previousElementSibling;
    made.remove();
    (next?.querySelector("a") ?? el("mine-title")).focus();
    announce("mine-status", t("Deleted."));
  } catch (refusal) {
    announce("mine-status", refusal.message);
  }
}
