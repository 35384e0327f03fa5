import type { PackageArchitecture } from '../package-architecture.ts'

/** What an entry point beside the backend may import. */
const ofEntryPoints = [
  'errors.ts',
  'disk',
  'index',
  'calls',
  'values',
  'directory',
  'items.ts',
  'backend-parts.ts',
  'file-backend.ts',
]

export const file: PackageArchitecture = {
  rooms: {
    'errors.ts': [],
    disk: [],
    index: ['errors.ts', 'disk'],
    'options.ts': ['index'],
    values: ['errors.ts', 'disk', 'index', 'options.ts'],
    background: ['errors.ts', 'disk', 'index'],
    calls: ['errors.ts', 'index'],
    limits: ['errors.ts', 'disk', 'index', 'options.ts', 'values', 'background', 'calls'],
    directory: ['errors.ts', 'disk', 'index', 'options.ts', 'values', 'background', 'calls', 'limits'],
    'item-reader.ts': ['errors.ts', 'index', 'values', 'directory'],
    'item-writer.ts': ['index', 'options.ts', 'values', 'limits', 'item-reader.ts'],
    'items.ts': ['index', 'calls', 'values', 'directory', 'item-reader.ts', 'item-writer.ts'],
    'backend-parts.ts': ['errors.ts', 'directory', 'items.ts'],
    'file-backend.ts': [
      'errors.ts',
      'index',
      'options.ts',
      'limits',
      'directory',
      'item-reader.ts',
      'item-writer.ts',
      'items.ts',
      'backend-parts.ts',
    ],
    queue: ofEntryPoints,
    transactions: ofEntryPoints,
    streams: ofEntryPoints,
    maintenance: ofEntryPoints,
    '.': ['index', 'options.ts', 'file-backend.ts'],
  },
}
