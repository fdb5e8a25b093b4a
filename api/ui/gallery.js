// The gallery of shared stories, and the stories of this browser. Both are pages of tiles that grow on demand.
// What must stay true: the gallery shows what the service lists as shared and nothing else.

import { announce, el, make } from "./elements.js";
import { drop, firstWords, ids, titleOf } from "./mine.js";
import { enter } from "./rooms.js";
import { call, ended } from "./service.js";
import { manner } from "./styles.js";
import { label, tile } from "./tiles.js";
import { t } from "./words.js";

const PAGE = 12;
let cursor = null;
let shownOfMine = 0;

export function startGallery() {
  el("gallery-more").addEventListener("click", () => moreOfGallery());
  el("mine-more").addEventListener("click", () => moreOfMine());
}

/** A page of what is shared: `{ items, next }`. */
export async function shared(after = null, limit = PAGE) {
  const query = new URLSearchParams({ limit, ...(after ? { cursor: after } : {}) });
  const page = await call(`/v1/gallery?${query}`);
  return { items: page.stories ?? page.items ?? [], next: page.next ?? null };
}

/** Where a shared story's picture is. */
export const pictureOf = (item) => item.image?.url ?? item.image ?? `/v1/stories/${item.id}/image`;

export async function openGallery() {
  enter("gallery", { title: t("Gallery") });
  el("gallery-tiles").replaceChildren();
  cursor = null;
  await moreOfGallery();
}

async function moreOfGallery() {
  announce("gallery-status", t("Looking …"));
  try {
    const { items, next } = await shared(cursor);
    const first = !cursor;
    cursor = next;
    el("gallery-tiles").append(...items.map((item) => {
      const made = tile({ id: item.id, picture: pictureOf(item), alt: t("The picture the story is about") });
      label(made, firstWords(item.story), { note: manner(item.style), story: true });
      return made;
    }));
    announce("gallery-status", first && items.length === 0 ? t("Nothing hangs here yet. A story can be shared once it is told.") : "");
    el("gallery-more").hidden = !next;
  } catch (refusal) {
    announce("gallery-status", refusal.message);
    el("gallery-more").hidden = false;
  }
}

export async function openMine() {
  enter("mine", { title: t("My stories") });
  el("mine-tiles").replaceChildren();
  shownOfMine = 0;
  await moreOfMine();
}

async function moreOfMine() {
  const all = ids();
  announce("mine-status", all.length === 0 ? t("No stories yet. Choose a picture and the first one comes here.") : t("Looking …"));
  const page = all.slice(shownOfMine, shownOfMine + PAGE);
  shownOfMine += page.length;
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
  el("mine-tiles").append(...made.filter(Boolean));
  if (silent || all.length > 0) announce("mine-status", silent?.message ?? "");
  el("mine-more").hidden = shownOfMine >= all.length;
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
    made.remove();
    shownOfMine -= 1;
    announce("mine-status", t("Deleted."));
  } catch (refusal) {
    announce("mine-status", refusal.message);
  }
}
