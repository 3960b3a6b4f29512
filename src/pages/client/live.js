// Keeps the regions of a page that are marked `data-live` as the farm has them: it fetches the page anew when the farm tells that
// something has changed, and puts in place what differs. Without it the page is as it was loaded.
const SOON_MS = 2000;
/** Ages and hosts change without any event. */
const NOW_AND_THEN_MS = 30_000;
const LOST_AFTER_MS = 5000;
const AGAIN_MS = 30_000;
/** What is dear to read the farm gives again for a while, and says so: it is asked so often more for what is newer than an event. */
const ASKS_AGAIN = 2;
const PAUSED = "creamery-live-paused";

const bar = document.getElementById("live");
const button = bar?.querySelector("button") ?? null;
const status = bar?.querySelector('[role="status"]') ?? null;
/** Of one project alone, where the page is about one. */
const project = bar?.dataset["project"];

/** @type {EventSource | null} */
let source = null;
/** @type {number | undefined} */
let timer;
let dueMs = 0;
let asksLeft = 0;
/** @type {number | undefined} */
let lostTimer;
let updatedMs = Date.now();
let isFetching = false;
let isStale = false;
let isPaused = readPaused();

/** Regions that could not be changed while somebody was in them. @type {Map<string, Element>} */
const held = new Map();

if (button !== null && status !== null) {
  button.hidden = false;
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    try {
      sessionStorage.setItem(PAUSED, isPaused ? "yes" : "");
    } catch {
      // Not remembered, then.
    }
    turn();
  });
  document.addEventListener("visibilitychange", turn);
  document.addEventListener("selectionchange", applyHeld);
  document.addEventListener("focusout", () => setTimeout(applyHeld));
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", turn);
  setInterval(() => {
    if (isOn() && Date.now() - updatedMs >= NOW_AND_THEN_MS) wake();
  }, 5000);
  turn();
}

function readPaused() {
  try {
    return sessionStorage.getItem(PAUSED) === "yes";
  } catch {
    return false;
  }
}

function isOn() {
  return !isPaused && document.visibilityState === "visible";
}

/** Begins or ends to follow the farm, as it is to be now. */
function turn() {
  if (button !== null) button.textContent = isPaused ? "Resume live updates" : "Pause live updates";
  if (!isOn()) {
    stop();
    if (isPaused) say("Paused");
    return;
  }
  if (source !== null) return;
  say("");
  follow();
  // What came meanwhile was heard by nobody.
  if (Date.now() - updatedMs > SOON_MS) wake();
}

function stop() {
  source?.close();
  source = null;
  clearTimeout(timer);
  clearTimeout(lostTimer);
  timer = undefined;
  lostTimer = undefined;
}

function follow() {
  const own = new EventSource("/api/v1/events");
  source = own;
  own.addEventListener("open", () => {
    clearTimeout(lostTimer);
    if (lostTimer !== undefined) wake();
    lostTimer = undefined;
    say("");
  });
  own.addEventListener("error", () => {
    lostTimer ??= setTimeout(
      () => say("The connection to the farm is lost; this page may be out of date"),
      LOST_AFTER_MS,
    );
    // Refused for good, as far as the browser is concerned.
    if (own.readyState === EventSource.CLOSED)
      setTimeout(() => {
        if (source === own && isOn()) follow();
      }, AGAIN_MS);
  });
  for (const name of ["job", "attempt"]) own.addEventListener(name, heard);
}

/** @param {MessageEvent} event */
function heard(event) {
  if (project !== undefined) {
    /** @type {unknown} */
    const told = JSON.parse(String(event.data));
    if (typeof told === "object" && told !== null && "project" in told && told.project !== project)
      return;
  }
  asksLeft = ASKS_AGAIN;
  wake();
}

/** Fetches the page when the time has come, which is at most once in two seconds. @param {number} inMs not before. */
function wake(inMs = 100) {
  const wait = Math.max(inMs, updatedMs + SOON_MS - Date.now());
  if (timer !== undefined && dueMs <= Date.now() + wait) return;
  clearTimeout(timer);
  dueMs = Date.now() + wait;
  timer = setTimeout(() => {
    timer = undefined;
    if (isOn()) void update();
  }, wait);
}

async function update() {
  if (isFetching) {
    isStale = true;
    return;
  }
  isFetching = true;
  isStale = false;
  updatedMs = Date.now();
  try {
    const answer = await fetch(location.href, { cache: "no-cache", credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of fresh.querySelectorAll("[data-live]"))
      held.set(region.getAttribute("data-live") ?? "", region);
    if (isOn()) {
      applyHeld();
      if (source?.readyState === EventSource.OPEN) say("");
    }
    const newerInMs = Number(answer.headers.get("creamery-newer-in"));
    if (newerInMs > 0 && asksLeft > 0) {
      asksLeft--;
      wake(Math.min(newerInMs, NOW_AND_THEN_MS));
    }
  } catch {
    say("The farm does not answer; this page may be out of date");
  } finally {
    isFetching = false;
  }
  if (isStale) wake();
}

function applyHeld() {
  if (!isOn()) return;
  for (const [id, fresh] of held) {
    const region = document.querySelector(`[data-live="${CSS.escape(id)}"]`);
    if (region === null) held.delete(id);
    else if (apply(region, fresh)) held.delete(id);
  }
}

/**
 * Makes a region as it is now. What is focused stays focused, on what it was about.
 * @param {Element} region
 * @param {Element} fresh
 * @returns {boolean} false where somebody is at something that would go: then it waits.
 */
function apply(region, fresh) {
  const selection = document.getSelection();
  if (selection !== null && !selection.isCollapsed && selection.containsNode(region, true))
    return false;
  const focused = region.contains(document.activeElement) ? document.activeElement : null;
  const place = focused === null ? null : placeOf(focused, region);
  if (place !== null && atPlace(place, fresh) === null) return false;
  const opened = new Set([...region.querySelectorAll("details[open]")].map(keyOf));
  morph(region, fresh);
  // Rows may have moved: what was opened of one thing is not another's.
  for (const details of region.querySelectorAll("details")) {
    const key = keyOf(details);
    if (key !== null) details.open = opened.has(key);
  }
  const again = place === null ? null : atPlace(place, region);
  if (again instanceof HTMLElement && again !== document.activeElement)
    again.focus({ preventScroll: true });
  return true;
}

/** @param {Element} element */
function keyOf(element) {
  return element.closest("[data-key]")?.getAttribute("data-key") ?? null;
}

/**
 * Where in a region something is, in words that hold when rows move: what it is about, and which of that.
 * @param {Element} element
 * @param {Element} region
 */
function placeOf(element, region) {
  const row = element.closest("[data-key]");
  const within = row !== null && region.contains(row) ? row : null;
  return {
    key: within?.getAttribute("data-key") ?? null,
    at: [...(within ?? region).querySelectorAll(element.localName)].indexOf(element),
    name: element.localName,
  };
}

/**
 * @param {{ key: string | null, at: number, name: string }} place
 * @param {Element} region
 */
function atPlace({ key, at, name }, region) {
  const row = key === null ? region : region.querySelector(`[data-key="${CSS.escape(key)}"]`);
  return at < 0 ? region : (row?.querySelectorAll(name)[at] ?? null);
}

/**
 * Changes what differs, at its place: nothing is taken away and put back, so nothing moves that is as high as before.
 * @param {Element} old
 * @param {Element} fresh
 */
function morph(old, fresh) {
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const name of old.getAttributeNames())
    // What a person has opened stays open.
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details"))
      old.removeAttribute(name);
  const wanted = [...fresh.childNodes];
  for (const [at, child] of wanted.entries()) {
    const own = old.childNodes[at];
    if (own === undefined) old.append(document.importNode(child, true));
    else if (
      own instanceof Element &&
      child instanceof Element &&
      own.localName === child.localName
    )
      morph(own, child);
    else if (own.nodeType === child.nodeType && !(child instanceof Element)) {
      if (own.nodeValue !== child.nodeValue) own.nodeValue = child.nodeValue;
    } else own.replaceWith(document.importNode(child, true));
  }
  while (old.childNodes.length > wanted.length) old.lastChild?.remove();
}

/** @param {string} text */
function say(text) {
  // Said once: what is the same is not read out again.
  if (status !== null && status.textContent !== text) status.textContent = text;
}
