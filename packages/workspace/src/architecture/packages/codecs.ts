import type { PackageArchitecture } from '../package-architecture.ts'

export const codecs: PackageArchitecture = {
  rooms: {
    format: [],
    protection: [],
    types: [],
    presets: ['types'],
    messagepack: ['format', 'types'],
    codecs: ['format', 'types', 'messagepack'],
    '.': ['format', 'protection', 'types', 'codecs'],
  },
}
