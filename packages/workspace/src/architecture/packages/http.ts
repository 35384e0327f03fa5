import type { PackageArchitecture } from '../package-architecture.ts'

export const http: PackageArchitecture = {
  rooms: {
    semantics: [],
    storage: ['semantics'],
    exchange: ['semantics', 'storage'],
    '.': ['semantics', 'storage', 'exchange'],
    node: ['exchange', '.'],
    express: ['exchange', 'node', '.'],
    fastify: ['exchange', 'node', '.'],
    hono: ['.'],
    undici: [],
  },
}
