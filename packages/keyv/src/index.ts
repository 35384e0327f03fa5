export { KeyvStorage } from './keyv-storage.ts'
export { Keyv5Storage } from './keyv5-storage.ts'
export type { StorageTarget } from './storage-base.ts'
