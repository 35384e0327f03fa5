import type { PackageArchitecture } from '../package-architecture.ts'

export const bench: PackageArchitecture = {
  rooms: {
    harness: [],
    memory: ['harness'],
    server: ['harness'],
    cost: ['harness'],
    file: ['harness'],
    'hit-ratio': ['harness', 'memory'],
    pipeline: ['harness'],
    postgres: ['harness', 'server'],
    redis: ['harness', 'server'],
    'history/record': [],
    'history/checks': ['history/record'],
    'history/run': ['harness', 'history/record', 'history/checks'],
    history: ['history/record', 'history/checks', 'history/run'],
    start: ['harness'],
    'suites.ts': [
      'harness',
      'cost',
      'file',
      'history',
      'hit-ratio',
      'memory',
      'pipeline',
      'postgres',
      'redis',
      'start',
    ],
    // The process of one contestant finds its suite by name.
    'harness/candidate-process.ts': ['harness', 'suites.ts'],
    '.': ['harness', 'suites.ts'],
  },
}
