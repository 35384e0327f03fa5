import type { PackageArchitecture } from '../package-architecture.ts'

export const codecs: PackageArchitecture = {
  rooms: {
    format: [],
    protection: [],
    codecs: ['format'],
    '.': ['format', 'protection', 'codecs'],
  },
}
