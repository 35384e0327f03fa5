import type { PackageArchitecture } from '../package-architecture.ts'

export const workspace: PackageArchitecture = {
  rooms: {
    machine: [],
    servers: ['machine'],
    // The public names and the set-ups of vitest.
    '.': ['machine', 'servers'],
    verify: ['machine', 'servers'],
    check: ['verify'],
    'backend-places': [],
    'architecture/package-architecture.ts': [],
    'architecture/packages': ['architecture/package-architecture.ts'],
    architecture: ['architecture/package-architecture.ts', 'architecture/packages'],
  },
}
