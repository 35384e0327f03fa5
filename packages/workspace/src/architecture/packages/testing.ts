import type { PackageArchitecture } from '../package-architecture.ts'

export const testing: PackageArchitecture = {
  rooms: {},
}
