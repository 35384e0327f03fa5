import type { PackageArchitecture } from '../package-architecture.ts'

export const sharded: PackageArchitecture = {
  rooms: {},
}
