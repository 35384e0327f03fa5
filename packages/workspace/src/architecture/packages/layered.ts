import type { PackageArchitecture } from '../package-architecture.ts'

export const layered: PackageArchitecture = {
  rooms: {},
}
