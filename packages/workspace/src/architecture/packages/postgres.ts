import type { PackageArchitecture } from '../package-architecture.ts'

export const postgres: PackageArchitecture = {
  rooms: {
    'safe-cause.ts': [],
    'errors.ts': ['safe-cause.ts'],
    'option-checks.ts': [],
    timeouts: ['errors.ts'],
    connections: ['errors.ts', 'option-checks.ts', 'timeouts'],
    table: ['errors.ts', 'option-checks.ts', 'timeouts', 'connections'],
    batching: ['errors.ts', 'timeouts', 'table'],
    bus: ['errors.ts', 'option-checks.ts', 'timeouts', 'connections', 'batching'],
    '.': ['errors.ts', 'option-checks.ts', 'timeouts', 'connections', 'table', 'batching', 'bus'],
  },
}
