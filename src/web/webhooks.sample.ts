import {
  configuredRepository,
  secretsOfHosts,
  secretsOfProject,
  type HookSecrets,
} from "../model/config/webhooks-table.ts";
import { Secret } from "../base/secret.ts";
import { MemoryDeliveries } from "../model/memory-deliveries.ts";
import { HOST, NOW_MS, SECRET, SIGNING_SECRET } from "../watch/webhooks/deliveries.sample.ts";
import { webhookRoutes, type HookAudit, type WantedPush, type WebhookDeps } from "./webhooks.ts";

/** A farm with one project, `hello`, for tests of its webhooks: what it was asked to queue, and what it noted. */
export interface SampleFarm {
  readonly app: ReturnType<typeof webhookRoutes>;
  readonly queued: WantedPush[];
  readonly audited: HookAudit[];
  readonly paused: number[];
  readonly deliveries: MemoryDeliveries;
}

export const PROJECT_SECRET = "of-the-project-hello-alone";

/** @param repository where the project's code is; Data Center's repositories have other addresses. */
export function sampleFarm(
  change: Partial<WebhookDeps> = {},
  repository = "https://git.example/octo/hello",
): SampleFarm {
  const queued: WantedPush[] = [];
  const audited: HookAudit[] = [];
  const paused: number[] = [];
  const deliveries = new MemoryDeliveries();
  const hello = configuredRepository("hello", { repository, branches: ["main"], tags: true });
  const secrets: HookSecrets = {
    projects: new Map([["hello", [new Secret(PROJECT_SECRET)]]]),
    hosts: new Map([[HOST, [new Secret(SECRET), new Secret(SIGNING_SECRET)]]]),
  };
  const repositoryOf = (project: string): typeof hello => (project === "hello" ? hello : null);
  const app = webhookRoutes({
    secretsOf: (project) =>
      project === null ? secretsOfHosts(secrets) : secretsOfProject(secrets, repositoryOf(project)),
    projectsOf: (name) => (hello?.name === name ? [hello] : []),
    repositoryOf,
    deliveries,
    enqueue: (push) => {
      queued.push(push);
      return Promise.resolve([`job-${queued.length}`]);
    },
    audit: (entry) => void audited.push(entry),
    peer: () => ({ address: "192.0.2.1", encrypted: true }),
    nowMs: () => NOW_MS,
    pause: (ms) => {
      paused.push(ms);
      return Promise.resolve();
    },
    maxBodyBytes: 1 << 20,
    keepMs: 30 * 86_400_000,
    ...change,
  });
  return { app, queued, audited, paused, deliveries };
}
