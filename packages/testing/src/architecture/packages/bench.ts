import type { PackageArchitecture } from '../package-architecture.ts'

export const bench: PackageArchitecture = {
  rooms: {
    harness: [],
    memory: ['harness'],
    server: ['harness'],
    cost: ['harness'],
    file: ['harness'],
    'hit-ratio': ['harness', 'memory'],
    postgres: ['harness', 'server'],
    redis: ['harness', 'server'],
    'suites.ts': ['harness', 'cost', 'file', 'hit-ratio', 'memory', 'postgres', 'redis'],
    // The process of one contestant finds its suite by name.
    'harness/candidate-process.ts': ['harness', 'suites.ts'],
    '.': ['harness', 'suites.ts'],
  },
}
