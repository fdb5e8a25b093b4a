// The picture card: picture and story on one image, to be sent around. Drawn here, so nothing leaves the browser.
// What must stay true: a phone shows the card 360 points wide, and its text can be read there.

import { el, pressed } from "./elements.js";

const WIDTH = 1080, HEIGHT = 1350, MARGIN = 64;
const LARGEST = 56, SMALLEST = 30; // on a phone's 360 points: 19 and 10
const PAPER = "#f7f1e3", INK = "#2b2420", FADED = "#6f6256", RED = "#8a3b2a";
const FACE = getComputedStyle(document.body).fontFamily;
let saved = null;

export function startCard() {
  pressed("close-card", () => el("card-room").close());
}

/** Draws `{ title, text, note, picture }` and offers the card. */
export async function openCard(told) {
  const canvas = el("card-canvas");
  const picture = new Image();
  picture.src = told.picture;
  const seen = await picture.decode().then(() => true, () => false); // the story is worth a card without it
  drawCard(canvas, seen && picture, told);
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  if (saved) URL.revokeObjectURL(saved);
  saved = URL.createObjectURL(blob);
  el("save-card").href = saved;
  el("save-card").download = `${told.title.replace(/[^\p{L}\p{N}]+/gu, " ").trim().slice(0, 40) || "story"}.png`;
  el("card-room").showModal();
}

function drawCard(canvas, picture, told) {
  const pen = canvas.getContext("2d");
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  // a long story takes room from the picture before its letters become small
  const share = Math.max(0.34, 0.56 - told.text.length / 4000);
  const bottom = picture ? drawPicture(pen, picture, HEIGHT * share) : MARGIN;
  pen.textBaseline = "top";
  pen.fillStyle = RED;
  pen.font = `500 50px ${FACE}`;
  pen.fillText(cut(pen, told.title), MARGIN, bottom + 34);
  const top = bottom + 112, room = HEIGHT - 96 - top;
  let size = LARGEST, lines;
  do {
    pen.font = `${size}px ${FACE}`;
    lines = wrapped(pen, told.text);
    if (lines.length * size * 1.36 <= room) break;
    size -= 2;
  } while (size >= SMALLEST);
  const most = Math.floor(room / (size * 1.36));
  if (lines.length > most) lines = [...lines.slice(0, most - 1), `${lines[most - 1]} …`];
  pen.fillStyle = INK;
  lines.forEach((line, place) => pen.fillText(line, MARGIN, top + place * size * 1.36));
  pen.fillStyle = FADED;
  pen.font = `italic 28px ${FACE}`;
  pen.fillText(`${told.note} · Neural Storyteller`, MARGIN, HEIGHT - 66);
}

/** The picture whole, as large as its part of the card; where it ends. */
function drawPicture(pen, picture, tallest) {
  const scale = Math.min((WIDTH - 2 * MARGIN) / picture.naturalWidth, (tallest - MARGIN) / picture.naturalHeight);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  pen.drawImage(picture, (WIDTH - width) / 2, MARGIN, width, height);
  return MARGIN + height;
}

function wrapped(pen, text) {
  const most = WIDTH - 2 * MARGIN;
  return text.split("\n").flatMap((paragraph) => {
    const lines = [""];
    for (const word of paragraph.split(/\s+/)) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (pen.measureText(longer).width <= most) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  });
}

function cut(pen, title) {
  let short = title;
  while (pen.measureText(short).width > WIDTH - 2 * MARGIN) short = `${short.replace(/ …$/, "").slice(0, -2).trimEnd()} …`;
  return short;
}
