import type { PackageArchitecture } from '../package-architecture.ts'

export const testing: PackageArchitecture = {
  rooms: {
    '.': [],
    verify: ['.'],
    check: ['verify'],
    'architecture/package-architecture.ts': [],
    'architecture/packages': ['architecture/package-architecture.ts'],
    architecture: ['architecture/package-architecture.ts', 'architecture/packages'],
  },
  known: { crowded: ['.'] },
}
