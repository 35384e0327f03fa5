import type { PackageArchitecture } from '../package-architecture.ts'

export const resilient: PackageArchitecture = {
  rooms: {},
}
