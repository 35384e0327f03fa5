import type { PackageArchitecture } from '../package-architecture.ts'

export const next: PackageArchitecture = {
  rooms: {},
}
