import type { PackageArchitecture } from '../package-architecture.ts'

export const keyv: PackageArchitecture = {
  rooms: {},
}
