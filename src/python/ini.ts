/** INI files as Python's configparser reads them, without interpolation. */

export type IniFile = ReadonlyMap<string, ReadonlyMap<string, string>>;

export type IniResult =
  | { readonly kind: "ok"; readonly ini: IniFile }
  | { readonly kind: "bad"; readonly why: string };

const MAX_LINES = 20_000;

/** Sections of options; a value's further lines are kept, joined by newlines, comments and indentation taken off. */
export function parseIni(text: string): IniResult {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | null = null;
  let key: string | null = null;
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.length > MAX_LINES) return { kind: "bad", why: "it has too many lines" };
  for (const [index, line] of lines.entries()) {
    const trimmed = line.trim();
    if (trimmed.startsWith("#") || trimmed.startsWith(";")) continue;
    if (trimmed === "") continue;
    // A semicolon may begin a marker of a requirement: only a hash ends a value.
    const body = trimmed.replace(/\s#\s.*$/, "");
    if (/^\s/.test(line) && section !== null && key !== null) {
      section.set(key, `${section.get(key) ?? ""}\n${body}`);
      continue;
    }
    const header = /^\[([^\]]+)\]/.exec(trimmed);
    if (header !== null) {
      const name = header[1] ?? "";
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      key = null;
      continue;
    }
    const option = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(body);
    if (section === null || option === null)
      return { kind: "bad", why: `line ${index + 1} is neither a section nor an option` };
    key = (option[1] ?? "").toLowerCase();
    section.set(key, option[2] ?? "");
  }
  return { kind: "ok", ini: sections };
}

/** The value's lines, trimmed, empty ones left out. */
export function iniLines(value: string | undefined): readonly string[] {
  return (value ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
