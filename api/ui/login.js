// Asks for a key where the service asks for one, and says who is logged in. The key goes to the service once and is kept
// nowhere here: what comes back is a cookie that no script can read.

import { announce, el, pressed } from "./elements.js";
import { t } from "./words.js";

let asking = null;
let declined = false;

export function startLogin() {
  el("login-form").addEventListener("submit", (event) => { event.preventDefault(); logIn(); });
  pressed("not-now", () => el("login-room").close());
  pressed("log-out", logOut);
  greet();
}

/** Asks for a key and resolves to whether somebody is let in. Whoever did not want to is asked again only when he wants something. */
export function askForKey(wanted) {
  // the wall hangs where nobody logs in, and shows what is for everybody
  const forAll = ["#gallery", "#slideshow"].includes(location.hash);
  if (!wanted && (declined || forAll)) return Promise.resolve(false);
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

function ask() {
  const room = el("login-room");
  el("login-key").value = "";
  announce("login-status", "");
  return new Promise((resolve) => {
    room.returnValue = "";
    room.addEventListener("close", () => {
      declined = room.returnValue !== "in";
      resolve(!declined);
    }, { once: true });
    room.showModal();
  });
}

async function logIn() {
  announce("login-status", "");
  const body = JSON.stringify({ key: el("login-key").value });
  const answer = await fetch("/v1/session", { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(() => null);
  if (answer?.ok) {
    greeted(await answer.json());
    return el("login-room").close("in");
  }
  announce("login-status", answer?.status === 401 ? t("That key is not good here. Look whether it is whole.") : t("The service cannot answer just now. Try again in a minute."));
  el("login-key").focus();
}

/** Whoever is logged in already is named, and can leave. */
async function greet() {
  try {
    const answer = await fetch("/v1/session", { cache: "no-store" });
    if (answer.ok) greeted(await answer.json());
  } catch { /* whatever is asked next says so */ }
}

function greeted(session) {
  el("log-out").hidden = !session.key;
  el("log-out").title = session.name ?? "";
}

async function logOut() {
  try { await fetch("/v1/session", { method: "DELETE" }); } finally { location.reload(); }
}
