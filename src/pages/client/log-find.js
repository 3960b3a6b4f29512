// Finds a text or a line in the log of a page, in place: log.js goes to where the address points. Without it, the form leads to
// the page of the log in which it stands.

/** What was looked for last, and in which line it was found: asked again, the next one is. */
let last = { text: "", line: 0 };

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.closest(".log-panel") === null) return;
  const said = form.parentElement?.querySelector(".log-said") ?? null;
  if (said === null) return;
  event.preventDefault();
  void find(form).then((text) => {
    said.textContent = text;
  });
});

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a.in-log") : null;
  const said = document.querySelector(".log-panel .log-said");
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!(link instanceof HTMLAnchorElement) || said === null || !isPlain) return;
  event.preventDefault();
  void placeOf(link.href).then((place) => {
    // Where it stands nowhere as it is, the log's own page says so.
    if (place === null || place === 0) location.assign(link.href);
    else goTo(place, said);
  });
});

/**
 * @param {number} place
 * @param {Element} said
 */
function goTo(place, said) {
  // Nobody goes back through all that was found.
  location.replace(`#L${place}`);
  said.textContent = `Line ${place}.`;
}

/** @param {HTMLFormElement} form @returns {Promise<string>} what to say of it. */
async function find(form) {
  const text = fieldOf(form, "text");
  const line = fieldOf(form, "line").trim();
  if (text === "" && line === "") return "";
  const after = line === "" && last.text === text ? last.line : 0;
  const query = new URLSearchParams({ text, line, after: String(after) });
  const place = await placeOf(`${form.action}?${query}`);
  if (place === null) return "The log can't be looked through at present.";
  if (line === "") last = { text, line: place };
  // Nobody goes back through all that was found.
  if (place > 0) location.replace(`#L${place}`);
  if (line !== "") return place > 0 ? `Line ${place}.` : "The log has no such line.";
  if (place > 0) return `Found in line ${place}.`;
  return after > 0 ? "There is no more of it." : "That does not stand in this log.";
}

/** @param {string} address @returns {Promise<number | null>} 0 where it is not found, null where nobody answers. */
async function placeOf(address) {
  try {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!answer.ok) return null;
    /** @type {unknown} */
    const told = await answer.json();
    return typeof told === "object" && told !== null && "line" in told ? Number(told.line ?? 0) : 0;
  } catch {
    return null;
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
function fieldOf(form, name) {
  const field = form.elements.namedItem(name);
  return field instanceof HTMLInputElement ? field.value : "";
}
