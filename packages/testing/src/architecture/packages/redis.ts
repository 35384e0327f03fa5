import type { PackageArchitecture } from '../package-architecture.ts'

export const redis: PackageArchitecture = {
  rooms: {},
  known: { circles: 1, crowded: ['.'] },
}
