import type { PackageArchitecture } from '../package-architecture.ts'

export const codecs: PackageArchitecture = {
  rooms: {},
  known: { crowded: ['.'] },
}
