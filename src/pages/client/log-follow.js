// Follows the log of an attempt that runs. What comes is shown as text, in its colours; only the newest lines are kept.

const MOST_ROWS = 5000;
const MOST_CHARS = 2000;
/** Of a line that has not ended. */
const MOST_HELD_CHARS = 16_000;
const MOST_SPANS = 100;
/** What comes in a moment is shown together, ms. */
const TOGETHER_MS = 50;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const STYLES = ["", "bold", "dim", "italic", "underline"];
/** As src/base/bounded-text.ts: what would turn or hide text. */
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;
/** Titles, links, other sequences that are no colours. */
const SEQUENCES =
  /\u001b(?:\][^\u0007\u001b]{0,2000}(?:\u0007|\u001b\\)|\[[0-9;?]*[A-Za-ln-z]|[()][0-9A-B]|[=>78])/gu;

/** The rows of a log that grows. */
class Rows {
  /** @type {string[]} Whole lines that are not shown yet. */
  #waiting = [];
  #held = "";
  #dropped = 0;
  #planned = 0;
  /** Of the line that has not ended. @type {HTMLElement | null} */
  #last = null;
  isPaused = false;

  /**
   * @param {HTMLElement} pane
   * @param {HTMLElement} log
   * @param {HTMLElement} gone says how much is not shown any more.
   */
  constructor(pane, log, gone) {
    this.pane = pane;
    this.log = log;
    this.gone = gone;
  }

  /** @param {string} text */
  add(text) {
    const lines = (this.#held + text).split("\n");
    this.#held = lines.pop() ?? "";
    if (this.#held.length > MOST_HELD_CHARS)
      this.#held = lastState(this.#held).slice(0, MOST_HELD_CHARS);
    for (const line of lines) this.#waiting.push(line);
    if (this.#waiting.length > 2 * MOST_ROWS) this.#drop();
    this.soon();
  }

  soon() {
    if (this.isPaused || this.#planned !== 0) return;
    // No frame is asked for: a tab that nobody sees has none, and would keep all that comes.
    this.#planned = setTimeout(() => {
      this.#planned = 0;
      this.#show();
    }, TOGETHER_MS);
  }

  #drop() {
    this.#dropped += this.#waiting.splice(0, this.#waiting.length - MOST_ROWS).length;
  }

  #show() {
    if (this.isPaused) return;
    if (this.#waiting.length > MOST_ROWS) this.#drop();
    const { pane, log } = this;
    const isAtEnd = pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
    this.#last?.remove();
    this.#last = this.#held === "" ? null : rowOf(this.#held);
    const rows = this.#waiting.map(rowOf);
    this.#waiting = [];
    log.append(...rows, ...(this.#last === null ? [] : [this.#last]));
    while (log.childElementCount > MOST_ROWS) {
      log.firstElementChild?.remove();
      this.#dropped++;
    }
    if (this.#dropped > 0)
      this.gone.textContent = `The newest 5,000 lines are shown, and ${this.#dropped.toLocaleString("en")} earlier ones are not.`;
    if (isAtEnd) pane.scrollTop = pane.scrollHeight;
  }
}

/** What a terminal would show of a line that was written over. @param {string} line */
function lastState(line) {
  const text = line.replace(/\r+$/u, "");
  return text.slice(text.lastIndexOf("\r") + 1);
}

/** @param {string} line */
function rowOf(line) {
  const row = document.createElement("span");
  row.className = /^== \w[\w ()-]{0,60}: /u.test(line) ? "row log-begun" : "row";
  const text = lastState(line);
  row.append(...coloured(text.slice(0, MOST_CHARS).replaceAll(SEQUENCES, "")));
  if (text.length > MOST_CHARS)
    row.append(` … ${(text.length - MOST_CHARS).toLocaleString("en")} characters left out`);
  row.append("\n");
  return row;
}

/** @param {string} text @returns {(string | HTMLElement)[]} */
function coloured(text) {
  const [plain = "", ...parts] = text.split("\u001b[");
  /** @type {(string | HTMLElement)[]} */
  const pieces = [printable(plain)];
  /** @type {{ colour: string, styles: Set<string> }} */
  const state = { colour: "", styles: new Set() };
  for (const part of parts) {
    const [whole = "", codes = ""] = /^([0-9;]*)m/u.exec(part) ?? [];
    if (whole === "") {
      pieces.push(printable(`\u001b[${part}`));
      continue;
    }
    turn(state, codes);
    const said = printable(part.slice(whole.length));
    const classes = [state.colour, ...state.styles].filter((name) => name !== "");
    if (classes.length === 0 || pieces.length >= MOST_SPANS) {
      pieces.push(said);
      continue;
    }
    const span = document.createElement("span");
    span.className = classes.map((name) => `ansi-${name}`).join(" ");
    span.textContent = said;
    pieces.push(span);
  }
  return pieces;
}

/**
 * The eight colours and what goes with them (ECMA-48, 8.3.117); of others the attempt's page has the nearest.
 * @param {{ colour: string, styles: Set<string> }} state
 * @param {string} codes
 */
function turn(state, codes) {
  // Colours of larger tables have arguments, which are no codes.
  for (const text of codes.replaceAll(/[34]8;(?:5;\d+|2;\d+;\d+;\d+)/gu, "39").split(";")) {
    const code = Number(text);
    const tens = Math.floor(code / 10);
    if (code === 0) {
      state.colour = "";
      state.styles.clear();
    } else if (code < STYLES.length) {
      state.styles.add(STYLES[code] ?? "");
    } else if (code === 22) {
      state.styles.delete("bold");
      state.styles.delete("dim");
    } else if (code === 23 || code === 24) {
      state.styles.delete(STYLES[code - 20] ?? "");
    } else if (code === 39 || code === 49) {
      state.colour = "";
    } else if ((tens === 3 || tens === 9) && code % 10 < 8) {
      state.colour = COLOURS[code % 10] ?? "";
    } else if ((tens === 4 || tens === 10) && code % 10 < 8) {
      state.colour = `${COLOURS[code % 10] ?? ""}-ground`;
    }
  }
}

/** @param {string} text */
function printable(text) {
  return text.replaceAll(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** What an event says under a name. @param {MessageEvent} event @param {string} name */
function told(event, name) {
  /** @type {unknown} */
  const data = JSON.parse(String(event.data));
  if (typeof data !== "object" || data === null) return "";
  /** @type {unknown} */
  const value = Reflect.get(data, name);
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** @param {HTMLElement} place */
function follow(place) {
  const find = (/** @type {string} */ selector) => {
    const found = place.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new TypeError(`no ${selector}`);
    return found;
  };
  const pane = find(".log-pane");
  const rows = new Rows(pane, find("pre.log"), find(".log-gone"));
  const state = find(".log-state");
  const pause = find("button");

  pause.addEventListener("click", () => {
    rows.isPaused = !rows.isPaused;
    pause.setAttribute("aria-pressed", String(rows.isPaused));
    rows.soon();
  });

  /** Of the last event that was read: what is sent again after it is passed over. */
  let boot = "";
  let number = -1;
  let phase = "";
  const say = (/** @type {string} */ text) => {
    state.textContent = text;
  };
  const doing = () => say(phase === "" ? "Live." : `Live, in phase ${phase}.`);

  const open = () => {
    const events = new EventSource(place.dataset["events"] ?? "");
    const isNew = (/** @type {MessageEvent} */ event) => {
      const [, given = "", at = ""] = /^(\w+)-(\d+)$/u.exec(event.lastEventId) ?? [];
      if (given === boot && Number(at) <= number) return false;
      boot = given;
      number = Number(at);
      return true;
    };
    events.addEventListener("open", doing);
    events.addEventListener("log", (event) => {
      if (isNew(event)) rows.add(told(event, "text"));
    });
    events.addEventListener("phase", (event) => {
      if (!isNew(event)) return;
      phase = told(event, "phase").slice(0, 100);
      doing();
    });
    events.addEventListener("dropped", (event) => {
      // The same id would lead to the same gap: what is still kept comes again.
      events.close();
      rows.add(`\n[${told(event, "missed")} pieces of the log were missed]\n`);
      setTimeout(open, 500);
    });
    const end = (/** @type {string} */ text) => {
      events.close();
      say(text);
      find(".log-ended").hidden = false;
      for (const said of document.querySelectorAll("[data-until-end], [data-from-end]"))
        if (said instanceof HTMLElement) said.hidden = "untilEnd" in said.dataset;
    };
    events.addEventListener("ended", (event) => {
      const outcome = told(event, "outcome");
      end(outcome === "" ? "It has ended." : `It has ended: ${outcome}.`);
    });
    events.addEventListener("end", () => end("It has ended."));
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CONNECTING)
        say("The connection was lost; trying again…");
      else end("It can't be followed any more.");
    });
  };
  open();
}

for (const place of document.querySelectorAll(".log-live"))
  if (place instanceof HTMLElement) follow(place);
