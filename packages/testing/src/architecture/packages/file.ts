import type { PackageArchitecture } from '../package-architecture.ts'

export const file: PackageArchitecture = {
  rooms: {},
  known: { circles: 2, crowded: ['.'] },
}
