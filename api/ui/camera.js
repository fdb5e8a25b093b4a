// The camera: live picture, five seconds to smile, once more, front or back. What it takes goes the way of a chosen file.
// Without leave, camera or a safe address it says what to do, and a phone's own camera still works.
// What must stay true: the light of the camera goes out when the dialog closes, however it closes; and no failure is an end.

import { addressOf, announce, conceal, el, pressed, reveal, takeBack } from "./elements.js";
import { inBooth } from "./mine.js";
import { choose } from "./pictures.js";
import { t } from "./words.js";

const SECONDS = 5; // to put the phone down and look up
let stream = null;
let attempt = 0; // a browser may lend the camera when nobody waits for it any more
// a telephone looks at the world, a screen at who sits before it
let facing = matchMedia("(pointer: coarse)").matches && !inBooth ? "environment" : "user";
let counting = null;
let taken = null;

export function startCamera() {
  const room = el("camera-room");
  pressed("use-camera", openCamera);
  pressed("shoot", countDown);
  pressed("retake", live);
  pressed("keep", keep);
  pressed("turn", () => { facing = facing === "user" ? "environment" : "user"; live(); });
  pressed("close-camera", () => room.close());
  pressed("choose-instead", () => { room.close(); el("picture").click(); });
  room.addEventListener("close", () => {
    dark();
    taken = null;
    el("taken").removeAttribute("src");
    takeBack();
  });
}

/** Opens the camera; where the browser lends none, the picture of a phone's own camera app is asked for. */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) return el("camera").click();
  el("camera-room").showModal();
  await live();
}

async function live() {
  dark();
  const own = attempt;
  conceal("taken", "keep", "retake", "turn", "choose-instead");
  reveal("finder", "shoot");
  el("camera-room").classList.remove("failed");
  el("shoot").disabled = true;
  announce("camera-status", t("Waiting for the camera …"));
  let lent;
  try {
    lent = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: facing, width: { ideal: 1600 }, height: { ideal: 1200 } } });
  } catch (error) {
    return own === attempt && fail(error);
  }
  if (own !== attempt) return putOut(lent); // closed, or opened anew, while the browser asked for leave
  stream = lent;
  el("finder").srcObject = stream;
  await shown(el("finder"));
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
  if (own !== attempt) return;
  el("finder").classList.toggle("mirror", facing === "user");
  announce("camera-status", "");
  el("turn").hidden = cameras.length < 2;
  el("shoot").disabled = false;
  el("shoot").focus();
}

/** Says why there is no picture, and leaves every way open. */
function fail(error) {
  announce("camera-status", why(error));
  conceal("shoot", "finder");
  el("camera-room").classList.add("failed");
  el("retake").textContent = t("Try once more");
  reveal("retake", "choose-instead");
  el("retake").focus();
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
  const own = attempt;
  canvas.toBlob((blob) => {
    if (!blob || own !== attempt) return;
    taken = new File([blob], "photo.jpg", { type: "image/jpeg" });
    el("taken").src = addressOf(blob);
    dark();
    conceal("finder");
    el("retake").textContent = t("Once more");
    reveal("taken", "keep", "retake");
    el("keep").focus();
  }, "image/jpeg", 0.92);
}

function keep() {
  const photo = taken;
  el("camera-room").close();
  choose([photo]);
}

function dark() {
  attempt += 1;
  clearTimeout(counting);
  el("count-down").textContent = "";
  putOut(stream);
  stream = null;
  el("finder").srcObject = null;
}

function putOut(lent) {
  for (const track of lent?.getTracks() ?? []) track.stop();
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
