import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { askersEnvironment } from "../askers-environment.ts";
import { runContained } from "../run-contained.ts";
import { isUnreachable, withoutAddresses } from "./said.ts";
import type { BringContext } from "./types.ts";

const FETCH_MS = 15 * 60_000;
/** Copies one file out of a repository and does nothing else; works with Maven 3.2.5 and newer. */
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";
const INSTALL_MAVEN = "install maven, then `./creamery image build --force`";

/**
 * Copies one artifact to a path by the host's own Maven, so from where its settings say: mirrors, proxies and credentials are its
 * business, and no address of any repository is known here. Its own repository of files stays as it is.
 * @param artifact `group:artifact:version:classifier`.
 * @throws CreameryError `host-lacks`, `no-network`, `upstream`, `upstream-hash`, `disk-full`, `deadline`.
 */
export async function copyFromMaven(
  artifact: string,
  path: string,
  { scratch, env, progress, signal }: Pick<BringContext, "scratch" | "env" | "progress" | "signal">,
): Promise<void> {
  const [group = "", name = "", version = "", classifier = ""] = artifact.split(":");
  const directory = join(scratch, "maven");
  const out = join(directory, "out");
  await mkdir(out, { recursive: true });
  progress.say("interpreters", `${name} ${version}, by the host's Maven`);
  const settings = await settingsOf(env);
  const { code, tail } = await runContained({
    argv: [
      // Not `mvn` itself: that there is none is told from whatever else is wrong.
      "sh",
      "-c",
      'command -v mvn >/dev/null || { echo "CREAMERY: no mvn"; exit 127; }; exec mvn "$@"',
      "mvn",
      "--batch-mode",
      "-Dstyle.color=never",
      `-Dmaven.repo.local=${join(directory, "repository")}`,
      ...settings,
      COPY,
      `-Dartifact=${group}:${name}:${version}:jar:${classifier}`,
      `-DoutputDirectory=${out}`,
    ],
    env: {
      ...askersEnvironment(env),
      // A shell's file in somebody else's home is not for root to run.
      ...(env["CREAMERY_ASKER_HOME"] === undefined ? {} : { MAVEN_SKIP_RC: "1" }),
    },
    // Maven reads a `.mvn` of the directory that it is started in.
    cwd: directory,
    network: true,
    deadlineMs: FETCH_MS,
    signal,
  });
  if (code !== 0) throw mavenFault(tail, artifact);
  const [file] = await readdir(out);
  if (file === undefined)
    throw new CreameryError("upstream", "Maven ended well, and brought nothing", {
      input: artifact,
      nextStep: "run `mvn dependency:get` by hand to see why",
    });
  await rename(join(out, file), path);
  await rm(directory, { recursive: true });
}

/** Java knows root's home by the password file: the settings of whoever asked are named to it. */
async function settingsOf(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const home = env["CREAMERY_ASKER_HOME"];
  if (home === undefined) return [];
  const settings = join(home, ".m2/settings.xml");
  const security = join(home, ".m2/settings-security.xml");
  const isThere = async (file: string) =>
    await access(file).then(
      () => true,
      () => false,
    );
  return [
    ...((await isThere(settings)) ? ["--settings", settings] : []),
    ...((await isThere(security)) ? [`-Dsettings.security=${security}`] : []),
  ];
}

/** What Maven said, as one fault that a person can act on; no address is repeated. */
export function mavenFault(tail: readonly string[], artifact: string): CreameryError {
  const text = tail.join("\n");
  const fault = (
    code: "host-lacks" | "no-network" | "upstream" | "upstream-hash" | "disk-full",
    reason: string,
    nextStep: string,
  ) => new CreameryError(code, reason, { input: artifact, nextStep });
  const again = "then `./creamery image build --force`";
  if (/^CREAMERY: no mvn$/mu.test(text))
    return fault("host-lacks", "this host has no Maven (mvn) to fetch it with", INSTALL_MAVEN);
  if (
    /JAVA_HOME (?:environment variable )?is not|java: (?:command )?not found|Unable to locate a Java/u.test(
      text,
    )
  )
    return fault(
      "host-lacks",
      "this host's Maven finds no Java",
      `install default-jre-headless, or set JAVA_HOME, ${again}`,
    );
  if (/No space left on device/u.test(text))
    return fault(
      "disk-full",
      "the disk filled up while Maven fetched",
      "free some space, then run the same command again",
    );
  if (/[Cc]hecksum validation failed/u.test(text))
    return fault(
      "upstream-hash",
      "the host's Maven repository sent a file that is not the one whose checksum it says",
      "try again; if it stays so, the repository or the way to it can't be trusted",
    );
  if (/in offline mode|is offline/u.test(text))
    return fault(
      "host-lacks",
      "this host's Maven is set offline in its settings",
      `take <offline> out of settings.xml, ${again}`,
    );
  // Of a tag that it does not know it only warns, and goes on.
  if (/^\[(?:FATAL|ERROR)\][^\n]*settings\.xml|Non-(?:parseable|readable) settings/mu.test(text))
    return fault(
      "host-lacks",
      "this host's Maven can't read its settings",
      `mend settings.xml (\`mvn help:effective-settings\` says where), ${again}`,
    );
  if (/PKIX path building failed|unable to find valid certification path/u.test(text))
    return fault(
      "upstream",
      "this host's Maven does not trust its repository's certificate",
      `give Java the authority (MAVEN_OPTS=-Djavax.net.ssl.trustStore=…), ${again}`,
    );
  if (/status code: 40[137]|Not authorized|Unauthorized|Forbidden|Proxy Authentication/u.test(text))
    return fault(
      "upstream",
      "this host's Maven repository or proxy refuses the credentials of its settings",
      `mend <servers> or <proxies> in settings.xml, ${again}`,
    );
  if (
    /Could not find artifact|Could not find or load|was not found in|status code: 404/u.test(text)
  )
    return fault(
      "upstream",
      "the host's Maven repository does not have it, or not the plugin that copies it",
      `check the mirrors of settings.xml, ${again}`,
    );
  if (isUnreachable(text))
    return fault(
      "no-network",
      "the host's Maven repository can't be reached",
      `check the network and the mirrors of settings.xml, ${again}`,
    );
  const said =
    tail.findLast((line) => line.startsWith("[ERROR] Failed")) ??
    tail.findLast((line) => line.startsWith("[ERROR]")) ??
    tail.at(-1) ??
    "it said nothing";
  return fault(
    "upstream",
    `Maven could not fetch it: ${clip(printableLine(withoutAddresses(said)), 300)}`,
    `run \`mvn dependency:get\` by hand to see more, ${again}`,
  );
}
