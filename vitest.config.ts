import { defineConfig } from 'vitest/config';

/** Two projects: `unit` runs in parallel; `system` touches the kernel, Kafka or namespaces and runs one file at a time. */
export default defineConfig({
  test: {
    env: { TZ: 'UTC', LC_ALL: 'C' },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.system.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.system.test.ts'],
          fileParallelism: false,
          // Real kernels, brokers and databases on shared machines: one more try, which the output names.
          retry: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
