import type { PackageArchitecture } from '../package-architecture.ts'

export const postgres: PackageArchitecture = {
  rooms: {
    'errors.ts': [],
    'option-checks.ts': [],
    timeouts: ['errors.ts'],
    connections: ['errors.ts', 'option-checks.ts', 'timeouts'],
    table: ['option-checks.ts', 'timeouts', 'connections'],
    batching: ['errors.ts', 'timeouts', 'table'],
    bus: ['errors.ts', 'option-checks.ts', 'timeouts', 'connections', 'batching'],
    '.': ['errors.ts', 'option-checks.ts', 'timeouts', 'connections', 'table', 'batching', 'bus'],
  },
}
