import type { PackageArchitecture } from '../package-architecture.ts'

export const build: PackageArchitecture = { rooms: {} }
