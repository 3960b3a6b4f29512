/** Splits command lines as a POSIX shell would, without expanding anything. */

const MAX_CHARS = 16_384;

/** Commands of a line (split at `&&`, `;`, `||` and line ends outside of quotes), each as words. Null when a quote is left open. */
export function splitCommands(line: string): readonly (readonly string[])[] | null {
  if (line.length > MAX_CHARS) return null;
  const commands: string[][] = [[]];
  let word: string | null = null;
  let quote: string | null = null;
  const endWord = (): void => {
    if (word !== null) commands.at(-1)?.push(word);
    word = null;
  };
  for (let index = 0; index < line.length; index++) {
    const character = line[index] ?? "";
    if (quote !== null) {
      if (character === quote) quote = null;
      else if (character === "\\" && quote === '"' && /["\\$`]/.test(line[index + 1] ?? ""))
        word = `${word ?? ""}${line[++index] ?? ""}`;
      else word = `${word ?? ""}${character}`;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (character === "\\") {
      word = `${word ?? ""}${line[++index] ?? ""}`;
    } else if (/[\n;&|]/.test(character)) {
      endWord();
      commands.push([]);
    } else if (/\s/.test(character)) {
      endWord();
    } else {
      word = `${word ?? ""}${character}`;
    }
  }
  endWord();
  return quote === null ? commands.filter((words) => words.length > 0) : null;
}
