import type { PackageArchitecture } from '../package-architecture.ts'

export const postgres: PackageArchitecture = {
  rooms: {},
  known: { circles: 1, crowded: ['.'] },
}
