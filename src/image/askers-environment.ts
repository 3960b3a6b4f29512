/** The environment for a host's own client (pip, Maven, uv): that of whoever asked, with the home in which it is configured. */
export function askersEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const inherited = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const home = env["CREAMERY_ASKER_HOME"];
  return home === undefined ? inherited : { ...inherited, HOME: home };
}
