import { defineConfig } from "vitest/config";

// `unit` needs nothing but Node and Python; `browser` Chromium; `guest` needs root, a built image and the gVisor binary.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          setupFiles: ["test/properties.ts"],
          // No test here is a timed one: only what hangs is to be ended, on a busy machine too.
          testTimeout: 60_000,
          // A PostgreSQL of its own is started by some, while others take the processors.
          hookTimeout: 60_000,
          include: ["src/**/*.test.ts", "test/unit/**/*.test.ts"],
          exclude: ["**/*.guest.test.ts"],
        },
      },
      {
        test: {
          // Needs Debian's Chromium.
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          // Needs root, a built image for the clients of Python 2.7, and the index of this host's pip for the clients themselves.
          name: "clients",
          include: ["test/clients/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "guest",
          include: ["src/**/*.guest.test.ts", "test/guest/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
