// The camera: live picture, five seconds to smile, once more, front or back. What it takes goes the way of a chosen file.
// Without leave, camera or a safe address it says what to do, and a phone's own camera still works.
// What must stay true: the light of the camera goes out when the dialog closes, however it closes.

import { announce, conceal, el, reveal } from "./elements.js";
import { inBooth } from "./mine.js";
import { choose } from "./pictures.js";
import { t } from "./words.js";

const SECONDS = 5; // to put the phone down and look up
let stream = null;
// a telephone looks at the world, a screen at who sits before it
let facing = matchMedia("(pointer: coarse)").matches && !inBooth ? "environment" : "user";
let counting = null;
let taken = null;

export function startCamera() {
  el("use-camera").addEventListener("click", openCamera);
  el("shoot").addEventListener("click", countDown);
  el("retake").addEventListener("click", live);
  el("keep").addEventListener("click", keep);
  el("turn").addEventListener("click", () => { facing = facing === "user" ? "environment" : "user"; live(); });
  el("close-camera").addEventListener("click", () => el("camera-room").close());
  el("camera-room").addEventListener("close", dark);
}

/** Opens the camera; where the browser lends none, the picture of a phone's own camera app is asked for. */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) return el("camera").click();
  el("camera-room").showModal();
  await live();
}

async function live() {
  dark();
  conceal("taken", "keep", "retake", "turn");
  reveal("finder", "shoot");
  el("shoot").disabled = true;
  announce("camera-status", t("Waiting for the camera …"));
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: facing, width: { ideal: 1600 }, height: { ideal: 1200 } } });
  } catch (error) {
    return announce("camera-status", why(error));
  }
  if (!el("camera-room").open) return dark(); // closed while the browser asked for leave
  el("finder").srcObject = stream;
  await shown(el("finder"));
  if (!el("camera-room").open) return dark();
  el("finder").classList.toggle("mirror", facing === "user");
  announce("camera-status", "");
  el("shoot").disabled = false;
  el("shoot").focus();
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
  el("turn").hidden = cameras.length < 2;
}

/** Waits for the first picture of a camera: before it there is nothing to take. */
function shown(finder) {
  if (finder.videoWidth > 0) return Promise.resolve();
  return new Promise((ready) => finder.addEventListener("loadeddata", ready, { once: true }));
}

function why(error) {
  if (error.name === "NotAllowedError") return t("The browser keeps the camera closed. Allow it in the address bar, or choose a picture instead.");
  if (error.name === "NotFoundError") return t("There is no camera here. Choose a picture instead.");
  if (error.name === "NotReadableError") return t("Another program holds the camera. Close it and try again.");
  return t("The camera does not start. Choose a picture instead.");
}

function countDown() {
  conceal("shoot", "turn");
  let left = SECONDS;
  const tick = () => {
    el("count-down").textContent = left > 0 ? left : "";
    if (el("sound").checked) beep(left > 0 ? 660 : 990);
    if (left === 0) return shoot();
    left -= 1;
    counting = setTimeout(tick, 1000);
  };
  tick();
}

function shoot() {
  const finder = el("finder");
  const canvas = document.createElement("canvas");
  canvas.width = finder.videoWidth;
  canvas.height = finder.videoHeight;
  canvas.getContext("2d").drawImage(finder, 0, 0);
  canvas.toBlob((blob) => {
    if (!blob || !el("camera-room").open) return;
    taken = new File([blob], "photo.jpg", { type: "image/jpeg" });
    el("taken").src = URL.createObjectURL(blob);
    dark();
    conceal("finder");
    reveal("taken", "keep", "retake");
    el("keep").focus();
  }, "image/jpeg", 0.92);
}

function keep() {
  el("camera-room").close();
  choose([taken]);
}

function dark() {
  clearTimeout(counting);
  el("count-down").textContent = "";
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  el("finder").srcObject = null;
}

function beep(hertz) {
  const sound = new AudioContext();
  const tone = sound.createOscillator();
  const loudness = sound.createGain();
  tone.frequency.value = hertz;
  loudness.gain.value = 0.08;
  tone.connect(loudness).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.12);
  tone.addEventListener("ended", () => sound.close());
}
