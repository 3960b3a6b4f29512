import { defineConfig } from "vitest/config";

// No test here is a timed one: only what hangs is to be ended, on a machine that is busy with others too.
const HANGS_MS = 600_000;
/** What is polled for is no timed thing: it is to come, on a busy machine too. */
const PATIENT = { poll: { timeout: 30_000 } };

// `unit` needs nothing but Node and Python; `browser` Chromium; `guest` needs root, a built image and the gVisor binary.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          expect: PATIENT,
          setupFiles: ["test/properties.ts"],
          testTimeout: 180_000,
          // A PostgreSQL of its own is started by some, while others take the processors.
          hookTimeout: 180_000,
          include: ["src/**/*.test.ts", "test/unit/**/*.test.ts"],
          exclude: ["**/*.guest.test.ts"],
        },
      },
      {
        test: {
          // Needs Debian's Chromium.
          name: "browser",
          expect: PATIENT,
          include: ["test/browser/**/*.test.ts"],
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
          fileParallelism: false,
        },
      },
      {
        test: {
          // Needs root, a built image for the clients of Python 2.7, and the index of this host's pip for the clients themselves.
          name: "clients",
          expect: PATIENT,
          include: ["test/clients/**/*.test.ts"],
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "guest",
          expect: PATIENT,
          include: ["src/**/*.guest.test.ts", "test/guest/**/*.test.ts"],
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
          fileParallelism: false,
        },
      },
    ],
  },
});
