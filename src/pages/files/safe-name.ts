import { createHash } from "node:crypto";

/** Files of our own beside directories that are named by others. */
const OWN = ["index.html", "feed.xml", "matrix.svg"];
/** Names that Windows gives a meaning, whatever follows a dot. */
const DEVICES = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/u;
const MOST_CHARS = 100;
const KEPT_CHARS = 60;

/**
 * Any text as a file's name, no two as one: what a server decodes of an address, and what a disk takes for the same name,
 * leads to this file and no other. Lower-case letters, digits, `.` and `-` stand for themselves; of the rest each byte is `=`
 * and two hexadecimal digits. Nothing begins with a dot or dash, or ends with a dot; long names are cut and end in a hash.
 */
export function safeName(text: string): string {
  if (text === "") return "=";
  const name = escaped(text);
  // Halves of characters have no bytes of their own.
  if (name.length <= MOST_CHARS && text.isWellFormed()) return name;
  const hash = createHash("sha256").update(text, "utf16le").digest("hex").slice(0, 24);
  return `${name.slice(0, KEPT_CHARS).replace(/=[0-9a-f]?$/u, "")}=-${hash}`;
}

function escaped(text: string): string {
  const name = text.replaceAll(/[^a-z0-9.-]/gu, bytesOf);
  const isReserved = OWN.includes(name) || DEVICES.test(name);
  const [first = ""] = name;
  const begun =
    isReserved || first === "." || first === "-" ? bytesOf(first) + name.slice(1) : name;
  return begun.endsWith(".") ? `${begun.slice(0, -1)}${bytesOf(".")}` : begun;
}

function bytesOf(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `=${byte.toString(16).padStart(2, "0")}`)
    .join("");
}
