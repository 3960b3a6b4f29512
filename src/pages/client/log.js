// A page with the log of an attempt: steps that are too long to stand in it are read as they are looked at, and what is far
// from what is seen is forgotten. Without it, a log is read page by page.

/** Lines that are asked for at a time. */
const BLOCK = 200;
/** Browsers draw nothing that is much higher, px: a step that is longer is looked through in parts. */
const MOST_PIXELS = 15_000_000;
/** A block that was passed by within this time was not meant, ms. */
const SETTLED_MS = 60;
const AGAIN_MS = 3000;

/** The line that is pointed at; 0 for none. */
let marked = 0;

function mark() {
  for (const row of document.querySelectorAll(".log .is-target")) row.classList.remove("is-target");
  document.getElementById(`L${marked}`)?.classList.add("is-target");
}

/** A step's lines within its pane. All rows are of one height, so that a line's place is reckoned and not looked for. */
class Step {
  /** @type {Map<number, { element: HTMLElement, ends: AbortController }>} Blocks that are there, by their number. */
  #blocks = new Map();
  #room = document.createElement("div");
  #earlier = moreButton("Earlier lines", () => this.#turn(-1));
  #later = moreButton("Later lines", () => this.#turn(1));
  #isReady = false;
  #isDrawing = false;
  #rowHeight = 20;
  /** Lines of a part, and which of the parts is shown. */
  #partLines = 0;
  #part = 0;

  /**
   * @param {HTMLDetailsElement} details
   * @param {string} address of pieces of the log.
   */
  constructor(details, address) {
    this.details = details;
    this.address = address;
    this.from = Number(details.dataset["from"]);
    this.count = Number(details.dataset["count"]);
    this.isWhole = details.dataset["whole"] === "yes";
    const pane = details.querySelector(".log-pane");
    if (!(pane instanceof HTMLElement)) throw new TypeError("a step has a pane");
    this.pane = pane;
    details.addEventListener("toggle", () => this.#open());
    pane.addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#soon()).observe(pane);
    // What failed is told at the end of a step.
    if (details.open && this.#open()) this.#toEnd();
  }

  /** @param {number} line */
  has(line) {
    return line >= this.from && line < this.from + this.count;
  }

  /** Brings a line of it into view. @param {number} line */
  show(line) {
    this.details.open = true;
    this.#open();
    if (this.isWhole) {
      const row = document.getElementById(`L${line}`);
      if (row !== null) this.#scrollTo(row.offsetTop);
    } else {
      const at = line - this.from;
      this.#choose(Math.floor(at / this.#partLines));
      this.#scrollTo(this.#room.offsetTop + (at % this.#partLines) * this.#rowHeight);
      this.#draw();
    }
    this.details.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} top of a row, within the pane. */
  #scrollTo(top) {
    this.pane.scrollTop = top - this.pane.clientHeight / 3;
  }

  /** @returns whether its lines were made ready by this. */
  #open() {
    if (!this.details.open || this.isWhole || this.#isReady) return false;
    this.#isReady = true;
    this.#rowHeight = rowHeightIn(this.pane);
    this.#partLines = Math.floor(MOST_PIXELS / this.#rowHeight / BLOCK) * BLOCK;
    this.#room.className = "log-room";
    this.pane.replaceChildren(this.#earlier, this.#room, this.#later);
    this.#choose(0);
    this.#draw();
    return true;
  }

  /** How many lines the part has that is shown. */
  get #lines() {
    return Math.min(this.#partLines, this.count - this.#part * this.#partLines);
  }

  /** @param {number} part */
  #choose(part) {
    this.#part = part;
    this.#forget(() => true);
    this.#room.style.height = `${this.#lines * this.#rowHeight}px`;
    this.#earlier.hidden = part === 0;
    this.#later.hidden = (part + 1) * this.#partLines >= this.count;
  }

  #toEnd() {
    this.#choose(Math.max(0, Math.ceil(this.count / this.#partLines) - 1));
    this.pane.scrollTop = this.pane.scrollHeight;
    this.#draw();
  }

  /** @param {1 | -1} by */
  #turn(by) {
    this.#choose(this.#part + by);
    this.pane.scrollTop = by > 0 ? 0 : this.pane.scrollHeight;
    this.pane.focus();
    this.#draw();
  }

  #soon() {
    if (this.#isDrawing || !this.#isReady) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#draw();
    });
  }

  /** Has the blocks there that can be seen, or could be in a moment, and no others. */
  #draw() {
    const { scrollTop, clientHeight } = this.pane;
    const height = BLOCK * this.#rowHeight;
    const top = scrollTop - this.#room.offsetTop;
    const first = Math.max(0, Math.floor((top - clientHeight) / height));
    const last = Math.min(
      Math.ceil(this.#lines / BLOCK) - 1,
      Math.floor((top + 2 * clientHeight) / height),
    );
    this.#forget((number) => number < first || number > last);
    for (let number = first; number <= last; number++)
      if (!this.#blocks.has(number)) this.#begin(number);
  }

  /** @param {(number: number) => boolean} isFar */
  #forget(isFar) {
    for (const [number, { element, ends }] of this.#blocks) {
      if (!isFar(number)) continue;
      ends.abort();
      element.remove();
      this.#blocks.delete(number);
    }
  }

  /** @param {number} number */
  #begin(number) {
    const element = document.createElement("pre");
    element.className = "log log-block";
    element.style.top = `${number * BLOCK * this.#rowHeight}px`;
    const ends = new AbortController();
    this.#blocks.set(number, { element, ends });
    this.#room.append(element);
    const from = this.from + this.#part * this.#partLines + number * BLOCK;
    const count = Math.min(BLOCK, this.from + this.count - from);
    setTimeout(() => void this.#fill(element, from, count, ends.signal), SETTLED_MS);
  }

  /**
   * @param {HTMLElement} element
   * @param {number} from
   * @param {number} count
   * @param {AbortSignal} signal
   */
  async #fill(element, from, count, signal) {
    if (signal.aborted) return;
    try {
      const answer = await fetch(`${this.address}?from=${from}&count=${count}`, { signal });
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      // Made and escaped by the farm, as what stands in the page.
      element.innerHTML = await answer.text();
      mark();
    } catch {
      if (signal.aborted) return;
      element.textContent = "These lines can't be read at present; they are asked for again.";
      setTimeout(() => void this.#fill(element, from, count, signal), AGAIN_MS);
    }
  }
}

/**
 * @param {string} text
 * @param {() => void} act
 */
function moreButton(text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "log-more";
  button.textContent = text;
  button.addEventListener("click", act);
  return button;
}

/** As it is in this browser, with its text size. @param {HTMLElement} pane */
function rowHeightIn(pane) {
  const log = document.createElement("pre");
  log.className = "log";
  const row = document.createElement("span");
  row.className = "row";
  log.append(row);
  pane.append(log);
  const { height } = row.getBoundingClientRect();
  log.remove();
  return height > 0 ? height : 20;
}

/** @param {HTMLElement} panel */
function begin(panel) {
  const { lines = "", panel: whole = "" } = panel.dataset;
  // A page of files: no farm answers.
  if (lines === "") return;
  if (whole !== "") {
    void untilRead(panel, whole);
    return;
  }
  const steps = [...panel.querySelectorAll("details")].map((details) => new Step(details, lines));

  const goToAnchor = () => {
    const line = Number(/^#L([1-9]\d{0,11})$/u.exec(location.hash)?.[1] ?? 0);
    const step = steps.find((one) => one.has(line));
    if (step === undefined) return;
    marked = line;
    step.show(line);
    mark();
  };
  addEventListener("hashchange", goToAnchor);
  goToAnchor();

  // A link to a line, to be copied: the line itself stays where it is.
  panel.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest(".row > a") : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey)
      return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    marked = Number(link.hash.slice(2));
    mark();
  });
}

/**
 * Puts what another panel has in place of what this one has; what was typed in it stays.
 * @param {HTMLElement} panel
 * @param {HTMLElement} next
 */
function takeOver(panel, next) {
  const stays = (/** @type {Element} */ part) => part.matches("form, [role=status]");
  const form = panel.querySelector("form");
  for (const part of panel.querySelectorAll(":scope > *")) if (!stays(part)) part.remove();
  for (const part of next.querySelectorAll(":scope > *")) {
    if (stays(part)) continue;
    if (form !== null && part instanceof HTMLParagraphElement) form.before(part);
    else panel.append(part);
  }
  panel.dataset["panel"] = "";
}

/**
 * The farm is still reading the log: the whole panel comes in place of its beginning.
 * @param {HTMLElement} panel
 * @param {string} address
 */
async function untilRead(panel, address) {
  for (;;) {
    const answer = await fetch(address).catch(() => null);
    if (answer !== null && answer.ok) {
      const holder = document.createElement("div");
      holder.innerHTML = await answer.text();
      const next = holder.querySelector(".log-panel");
      if (next instanceof HTMLElement && next.dataset["panel"] === "") {
        takeOver(panel, next);
        begin(panel);
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

for (const panel of document.querySelectorAll(".log-panel"))
  if (panel instanceof HTMLElement) begin(panel);
