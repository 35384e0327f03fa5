import type { Suite } from './harness/suite.ts'

/** Every suite by its name on the command line. Loaded only when it is asked for. */
export const suites: Readonly<Record<string, () => Promise<{ readonly suite: Suite }>>> = {
  cost: () => import('./cost/suite.ts'),
  file: () => import('./file/suite.ts'),
  'hit-ratio': () => import('./hit-ratio/suite.ts'),
  memory: () => import('./memory/suite.ts'),
  pipeline: () => import('./pipeline/suite.ts'),
  postgres: () => import('./postgres/suite.ts'),
  'postgres-cpu': () => import('./postgres/cpu-suite.ts'),
  'postgres-pairs': () => import('./postgres/pairs-suite.ts'),
  'postgres-soak': () => import('./postgres/soak-suite.ts'),
  redis: () => import('./redis/suite.ts'),
  'redis-cluster': () => import('./redis/cluster-suite.ts'),
  'redis-pairs': () => import('./redis/pairs-suite.ts'),
  'redis-memory': () => import('./redis/memory-suite.ts'),
  'redis-soak': () => import('./redis/soak-suite.ts'),
  start: () => import('./start/suite.ts'),
}

/** Programs that are no suites: they read their own options, and resolve to their exit code. */
export const programs: Readonly<Record<string, () => Promise<(argv: readonly string[]) => Promise<number>>>> = {
  history: async () => (await import('./history/command.ts')).runHistory,
}
