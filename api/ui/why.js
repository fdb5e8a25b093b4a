// Why this story: the captions it was made from, and where the thought stood before and after the style shift.
// `told.js` calls it. What must stay true: what the service says is shown, never guessed.

import { conceal, el, make, reveal } from "./elements.js";
import { call } from "./service.js";
import { number, t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
let asked = null;

export function startWhy() {
  el("captions").addEventListener("toggle", () => el("captions").open && explain());
}

/** The captions at once; the rest when somebody opens them. */
export function showWhy(job) {
  asked = job;
  conceal("why");
  el("captions").querySelector("ol").replaceChildren(...job.result.captions.map((used) =>
    measured(used.text, used.similarity)));
}

async function explain() {
  const job = asked;
  if (!job) return;
  let why;
  try { why = await call(`/v1/stories/${job.id}/explain`); } catch { return; } // the captions stand there without it
  if (asked?.id !== job.id || !why) return;
  reveal("why");
  el("why").replaceChildren(...[
    why.map?.length ? map(why.map) : "",
    list(t("Words read out of the thought"), why.words),
    list(t("Nearest captions before the style shift"), why.before),
    list(t("Nearest captions after the style shift"), why.after),
    list(t("How near its thought is to each style now"), nearest(why.styles)),
  ].filter(Boolean));
}

const STYLES = 5; // of a dozen: the others are far away

/** The styles that the shifted thought is nearest to. */
function nearest(styles) {
  const near = (styles ?? []).map((style) => ({ text: style.name, similarity: style.after }));
  return near.sort((one, other) => other.similarity - one.similarity).slice(0, STYLES);
}

function list(title, entries) {
  if (!entries?.length) return "";
  const lines = entries.map((one) => measured(one.text ?? one, one.similarity));
  return make("div", {}, make("h3", {}, title), make("ol", {}, ...lines));
}

function measured(text, similarity) {
  const line = make("li", { lang: "en" }, text.replace(/ ([.,!?;:])/g, "$1")); // captions come cut into tokens
  if (typeof similarity !== "number") return line;
  line.append(make("progress", { max: 1, value: Math.max(0, similarity), "aria-hidden": "true" }), make("span", {}, number(Number(similarity.toFixed(3)))));
  return line;
}

/** Points on two axes that keep their distances best; the arrow is the style shift. */
function map(points) {
  const drawing = draw("svg", { viewBox: "-1.15 -1.15 2.3 2.3", role: "img", "aria-label": t("Map of thoughts") });
  const from = points.find((one) => one.kind === "before");
  const to = points.find((one) => one.kind === "after");
  if (from && to) drawing.append(draw("line", { x1: from.x, y1: -from.y, x2: to.x, y2: -to.y, class: "shift" }));
  for (const one of points) {
    const thought = one.kind === "before" || one.kind === "after";
    const dot = draw("circle", { cx: one.x, cy: -one.y, r: thought ? 0.05 : 0.025, class: one.kind });
    if (one.label) dot.append(draw("title", {}, one.label)); // the rings are explained below
    drawing.append(dot);
    // away from the edge that it would run over
    if (one.kind === "style") drawing.append(draw("text", { x: one.x + (one.x > 0 ? -0.04 : 0.04), y: -one.y - 0.04, "text-anchor": one.x > 0 ? "end" : "start" }, one.label));
  }
  return make("figure", { class: "map" }, drawing, make("figcaption", { class: "note" }, t("Gray dots are captions, red ones styles. The style shift moves the picture's thought from the hollow ring to the full one.")));
}

function draw(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
