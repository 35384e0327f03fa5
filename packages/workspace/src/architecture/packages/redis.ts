import type { PackageArchitecture } from '../package-architecture.ts'

export const redis: PackageArchitecture = {
  rooms: {
    'errors.ts': [],
    'check-source.ts': [],
    'options.ts': ['check-source.ts'],
    wire: ['options.ts'],
    cluster: ['errors.ts', 'wire'],
    commands: ['errors.ts', 'wire', 'cluster'],
    batching: ['errors.ts', 'wire', 'cluster', 'commands'],
    'connection.ts': ['errors.ts', 'options.ts', 'wire', 'cluster', 'commands'],
    bus: ['errors.ts', 'options.ts', 'wire', 'cluster', 'connection.ts'],
    '.': ['errors.ts', 'options.ts', 'wire', 'cluster', 'commands', 'batching', 'connection.ts', 'bus'],
  },
}
