// The review desk: shows one cheque after the other, and sends what the clerk keys.

import { acceptable, format, minorUnits } from "/desk/static/amount.js";
import { Refusal, ask, setToken } from "/desk/static/api.js";
import { show as showPictures } from "/desk/static/pictures.js";
import { Supply, load } from "/desk/static/supply.js";

const GUESS_KEYS = ["a", "s", "d", "f", "g"];
const KINDS = { w: "words_differ", x: "not_a_cheque", i: "illegible" };
const RETRY_MS = 2000;

const $ = (id) => document.getElementById(id);
const supply = new Supply(supplied);
let session = null;
let current = null;
let last = null;
let sending = Promise.resolve();
let unsaved = 0;
let keyed = 0;
let renewing = null;

async function begin() {
  try {
    enter(await ask("GET", "/session"));
  } catch (error) {
    leave(error instanceof Refusal && error.status === 401 ? "" : error.message);
  }
}

function enter(found) {
  session = found;
  setToken(found.csrf);
  $("sign-in").hidden = true;
  $("bar").hidden = false;
  $("sign-out").textContent = `Sign out ${found.name}`;
  $("stats").hidden = !found.lead;
  say("");
  showQueues(found.queues);
  clearInterval(renewing);
  renewing = setInterval(renew, (found.lease_seconds * 1000) / 4);
  supply.start();
  showNext();
}

function leave(why) {
  session = null;
  supply.stop();
  clearInterval(renewing);
  setToken("");
  current = null;
  last = null;
  for (const id of ["work", "done", "bar"]) $(id).hidden = true;
  $("sign-in").hidden = false;
  say(why);
  $("name").focus();
}

function say(text) {
  $("message").textContent = text;
}

function showQueues(queues) {
  const chosen = $("queue").value;
  const names = queues.map((queue) => queue.name);
  const shown = [...$("queue").options].map((option) => option.value).filter(Boolean);
  if (names.join() !== shown.join()) {
    const options = ["", ...names].map((name) => new Option(name || "all", name));
    $("queue").replaceChildren(...options);
    $("queue").value = names.includes(chosen) ? chosen : "";
  }
  const counted = queues.filter((queue) => !supply.queue || queue.name === supply.queue);
  const waiting = counted.reduce((sum, queue) => sum + queue.waiting, 0);
  $("waiting").textContent = `${waiting.toLocaleString()} waiting`;
}

function supplied(error, queues) {
  if (error) {
    failed(error);
    return;
  }
  if (queues && session) showQueues(queues);
  if (session && !current) showNext();
}

function failed(error) {
  if (error instanceof Refusal && error.status === 401) leave(error.message);
  else say(error instanceof Refusal ? error.message : "The service can't be reached; trying again.");
}

function showNext() {
  if (current) current.bitmap.close();
  current = supply.take() ?? null;
  show();
}

function show() {
  $("work").hidden = !current;
  $("done").hidden = Boolean(current);
  hideEvidence();
  if (!current) {
    $("idle").textContent = supply.empty ? "Nothing waits" : "Loading the next cheque";
    if (document.activeElement === document.body) $("done").focus();
    $("live").textContent = `${$("idle").textContent}.`;
    return;
  }
  $("amount").value = "";
  $("shown").textContent = "";
  $("currency").textContent = current.currency ?? "";
  const labels = current.guesses.map((guess) => shownAmount(guess.amount_minor, guess.currency));
  const buttons = labels.map((label, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = 0;
    button.setAttribute("aria-keyshortcuts", GUESS_KEYS[n]);
    const key = document.createElement("kbd");
    key.textContent = GUESS_KEYS[n];
    key.setAttribute("aria-hidden", "true");
    button.append(key, label);
    button.addEventListener("click", () => guess(n));
    return button;
  });
  $("guesses").replaceChildren(...buttons);
  showPictures(current, $("field"), $("page"));
  $("amount").focus({ preventScroll: true });
  $("live").textContent = labels.length
    ? `Cheque ${keyed + 1}. Best guess ${labels[0]}.`
    : `Cheque ${keyed + 1}. No guess.`;
  document.body.dataset.item = `${current.batch}/${current.number}`;
}

function shownAmount(minor, currency) {
  return format(minor, currency ?? current.currency, current.locale ?? navigator.language);
}

function guess(n) {
  const chosen = current?.guesses[n];
  if (chosen) decide("amount", chosen.amount_minor, chosen.currency ?? current.currency);
}

function typed() {
  const minor = minorUnits($("amount").value);
  if (minor === null) guess(0);
  else decide("amount", minor, current.currency);
}

function decide(kind, minor = null, currency = null) {
  if (!current) return;
  const item = current;
  keyed += 1;
  const said = { lease: item.lease, kind };
  if (kind === "amount") {
    said.amount_minor = minor;
    if (currency) said.currency = currency;
  }
  const entry = { keying: null };
  last = entry;
  send(async () => {
    const path = `/items/${item.batch}/${item.number}/decision`;
    entry.keying = (await ask("POST", path, said)).keying;
  });
  showNext();
}

function skip() {
  const item = current;
  send(() => ask("POST", `/items/${item.batch}/${item.number}/skip`, { lease: item.lease }));
  showNext();
}

// One after the other, each repeated until it is received, or refused for good.
function send(act) {
  unsaved += 1;
  showSaving();
  sending = sending.then(async () => {
    for (;;) {
      try {
        await act();
        say("");
        break;
      } catch (error) {
        failed(error);
        const again = !(error instanceof Refusal) || error.status >= 500 || error.status === 429;
        if (!again) break;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    unsaved -= 1;
    showSaving();
  });
}

function showSaving() {
  $("saving").textContent = unsaved ? `${unsaved} not saved yet` : keyed ? `${keyed} keyed` : "";
}

function undo() {
  const entry = last;
  if (!entry) {
    say("There is nothing to undo.");
    return;
  }
  last = null;
  send(async () => {
    if (!entry.keying) return;
    const item = await load(await ask("POST", "/undo", { keying: entry.keying }));
    if (current) supply.ready.unshift(current);
    current = item;
    keyed -= 1;
    show();
    $("live").textContent = "Undone. The last cheque is back.";
  });
}

function hideEvidence() {
  $("evidence").hidden = true;
  $("page").hidden = false;
  document.querySelector('[data-key="e"]').setAttribute("aria-pressed", "false");
}

function toggleEvidence() {
  if (!$("evidence").hidden) {
    hideEvidence();
    showPictures(current, $("field"), $("page"));
    return;
  }
  $("evidence").src = `/v1/desk/items/${current.batch}/${current.number}/evidence.svg`;
  $("evidence").hidden = false;
  $("page").hidden = true;
  document.querySelector('[data-key="e"]').setAttribute("aria-pressed", "true");
}

const ACTIONS = {
  w: () => decide(KINDS.w),
  x: () => decide(KINDS.x),
  i: () => decide(KINDS.i),
  n: skip,
  u: undo,
  e: toggleEvidence,
};

function act(key) {
  if (key === "u" || (key in ACTIONS && current)) ACTIONS[key]();
}

async function renew() {
  const held = [current, ...supply.ready].filter(Boolean);
  if (!session || !held.length) return;
  try {
    const answer = await ask("POST", "/leases", { leases: held.map((item) => item.lease) });
    const kept = new Set(answer.leases);
    supply.ready = supply.ready.filter((item) => kept.has(item.lease));
    if (current && held.includes(current) && !kept.has(current.lease)) {
      say("The cheque was away too long and went back to the queue.");
      showNext();
    }
  } catch (error) {
    failed(error);
  }
}

async function change() {
  const leases = supply.stop();
  if (current) leases.push(current.lease);
  current = null;
  supply.queue = $("queue").value || null;
  supply.order = $("order").value;
  send(async () => {
    if (leases.length) await ask("POST", "/leases/release", { leases });
    supply.start();
  });
  show();
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = { name: $("name").value, password: $("password").value };
  $("password").value = "";
  try {
    enter(await ask("POST", "/session", said));
  } catch (error) {
    say(error.message);
    $("password").focus();
  }
});

$("sign-out").addEventListener("click", async () => {
  await sending;
  try {
    await ask("DELETE", "/session");
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 401)) say(error.message);
  }
  leave("");
});

$("amount").addEventListener("beforeinput", (event) => {
  if (event.data === null || event.data === undefined) return;
  const { value, selectionStart, selectionEnd } = event.target;
  const next = value.slice(0, selectionStart) + event.data + value.slice(selectionEnd);
  if (!acceptable(next)) event.preventDefault();
});

$("amount").addEventListener("input", () => {
  const minor = minorUnits($("amount").value);
  $("shown").textContent = minor === null ? "" : shownAmount(minor, current?.currency);
});

$("amount").addEventListener("keydown", (event) => {
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    act("u");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Enter") typed();
  else if (key === "Escape") {
    $("amount").value = "";
    $("shown").textContent = "";
  } else if (key === "?") $("help").showModal();
  else if (GUESS_KEYS.includes(key)) guess(GUESS_KEYS.indexOf(key));
  else if (key in ACTIONS) act(key);
  else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("#others button")) {
  const key = button.dataset.key;
  button.setAttribute("aria-keyshortcuts", key);
  const shown = document.createElement("kbd");
  shown.textContent = key;
  shown.setAttribute("aria-hidden", "true");
  button.prepend(shown);
  button.addEventListener("click", () => act(key));
}

$("done").addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "u") act("u");
});
$("help-button").addEventListener("click", () => $("help").showModal());
$("help-close").addEventListener("click", () => $("help").close());
$("help").addEventListener("close", () => current && $("amount").focus());
$("queue").addEventListener("change", change);
$("order").addEventListener("change", change);
window.addEventListener("resize", () => {
  if (current && !$("page").hidden) showPictures(current, $("field"), $("page"));
});
window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});
window.addEventListener("pagehide", () => {
  const leases = [current, ...supply.ready].filter(Boolean).map((item) => item.lease);
  if (session && leases.length) {
    ask("POST", "/leases/release", { leases }, { keepalive: true }).catch(() => {});
  }
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

begin();
