import { StringDecoder } from "node:string_decoder";

/** One item of an array that stands directly in a JSON object. */
export interface JsonItem {
  /** The array's own name. */
  readonly key: string;
  /** The item's text, an object or a string; not read yet. */
  readonly text: string;
}

const STRUCTURE = /["{}[\]]/gu;
const WITHIN_STRING = /["\\]/gu;
/** An item that is longer is passed over. */
const MAX_ITEM_CHARS = 64 * 1024;

/**
 * Objects and strings of the arrays that stand directly in one JSON object, one after the other and without holding more than
 * one of them: a document of any length is read in little memory. What is no such document gives other items or none, and
 * never an error: whoever reads an item parses it.
 */
export async function* jsonItems(content: AsyncIterable<unknown>): AsyncGenerator<JsonItem[]> {
  const scanner = new Scanner();
  const decoder = new StringDecoder("utf8");
  for await (const chunk of content) {
    if (!Buffer.isBuffer(chunk)) continue;
    const items = scanner.scan(decoder.write(chunk));
    if (items.length > 0) yield items;
  }
}

/** Knows of what it read: how deep it is, whether within a string, and the beginning of the item it is in. */
class Scanner {
  #depth = 0;
  #inString = false;
  /** The next character is escaped. */
  #escaped = false;
  /** The last string at depth 1, which is the name of the array that follows. */
  #key = "";
  #array: string | null = null;
  /** What of an item, or of a name, came with the chunks before; null outside of both. */
  #begun: string | null = null;
  #isTooLong = false;

  scan(text: string): JsonItem[] {
    const items: JsonItem[] = [];
    let at = 0;
    /** Where in this chunk the item or name begins that is being read. */
    let from = this.#begun === null ? -1 : 0;
    const ended = (end: number): string => {
      const whole = (this.#begun ?? "") + text.slice(from, end);
      this.#begun = null;
      from = -1;
      return whole;
    };
    const give = (end: number): void => {
      const whole = ended(end);
      if (!this.#isTooLong && this.#array !== null && whole.length <= MAX_ITEM_CHARS)
        items.push({ key: this.#array, text: whole });
      this.#isTooLong = false;
    };
    while (at < text.length) {
      if (this.#escaped) {
        this.#escaped = false;
        at++;
        continue;
      }
      const pattern = this.#inString ? WITHIN_STRING : STRUCTURE;
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found === null) break;
      const { index } = found;
      at = index + 1;
      if (this.#inString) {
        if (found[0] === "\\") {
          this.#escaped = true;
          continue;
        }
        this.#inString = false;
        if (this.#depth === 1) {
          this.#key = ended(at).slice(1, -1);
          this.#isTooLong = false;
        } else if (this.#depth === 2 && this.#array !== null) give(at);
        continue;
      }
      switch (found[0]) {
        case '"':
          this.#inString = true;
          if (this.#depth === 1 || (this.#depth === 2 && this.#array !== null)) from = index;
          break;
        case "{":
          if (this.#depth === 2 && this.#array !== null) from = index;
          this.#depth++;
          break;
        case "[":
          if (this.#depth === 1) this.#array = this.#key;
          this.#depth++;
          break;
        case "}":
          this.#depth--;
          if (this.#depth === 2 && this.#array !== null && from >= 0) give(at);
          break;
        case "]":
          this.#depth--;
          if (this.#depth === 1) this.#array = null;
          break;
      }
    }
    if (from >= 0) {
      this.#begun = (this.#begun ?? "") + text.slice(from);
      if (this.#begun.length > MAX_ITEM_CHARS) {
        this.#begun = "";
        this.#isTooLong = true;
      }
    }
    return items;
  }
}
