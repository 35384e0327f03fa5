import type { PackageArchitecture } from '../package-architecture.ts'

export const pipeline: PackageArchitecture = {
  rooms: {
    hashing: [],
    graph: ['hashing'],
    source: ['hashing'],
    build: ['source'],
    report: [],
    storage: ['hashing'],
    running: ['hashing', 'graph', 'report', 'storage'],
    '.': ['hashing', 'graph', 'report', 'storage', 'running'],
  },
}
