import type { PackageArchitecture } from '../package-architecture.ts'

export const testing: PackageArchitecture = {
  rooms: {
    '.': [],
    verify: ['.'],
    check: ['verify'],
    'backend-places': [],
    'architecture/package-architecture.ts': [],
    'architecture/packages': ['architecture/package-architecture.ts'],
    architecture: ['architecture/package-architecture.ts', 'architecture/packages'],
  },
  known: { crowded: ['.'] },
}
