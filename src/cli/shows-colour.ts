/**
 * Whether what goes to `output` may be coloured: only a terminal shows colours, not every one does (`TERM=dumb`), and not
 * everybody wants them (https://no-color.org).
 */
export function showsColour(
  output: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return output.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}
