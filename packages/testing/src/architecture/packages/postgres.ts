import type { PackageArchitecture } from '../package-architecture.ts'

export const postgres: PackageArchitecture = {
  rooms: {
    'errors.ts': [],
    'options.ts': ['errors.ts'],
    timeouts: ['errors.ts'],
    connections: ['errors.ts', 'options.ts', 'timeouts'],
    table: ['options.ts', 'timeouts', 'connections'],
    batching: ['errors.ts', 'timeouts', 'table'],
    // It opens every kind of session, with the lock timeout of the statements that lock rows.
    'connections/open-session.ts': ['errors.ts', 'options.ts', 'timeouts', 'connections', 'batching'],
    bus: ['errors.ts', 'options.ts', 'timeouts', 'connections', 'connections/open-session.ts', 'batching'],
    '.': [
      'errors.ts',
      'options.ts',
      'timeouts',
      'connections',
      'connections/open-session.ts',
      'table',
      'batching',
      'bus',
    ],
  },
  known: { circles: 1, imports: ['options.ts imports table/schema.ts'] },
}
