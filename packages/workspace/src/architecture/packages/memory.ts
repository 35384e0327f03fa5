import type { PackageArchitecture } from '../package-architecture.ts'

export const memory: PackageArchitecture = {
  rooms: {
    'removal-reason.ts': [],
    'estimate-bytes.ts': [],
    'engine/slots.ts': [],
    isolation: [],
    policy: ['engine/slots.ts'],
    engine: ['removal-reason.ts', 'estimate-bytes.ts', 'engine/slots.ts', 'policy'],
    simulate: ['engine/slots.ts', 'policy', 'engine'],
    '.': ['removal-reason.ts', 'estimate-bytes.ts', 'isolation', 'policy', 'engine'],
  },
}
