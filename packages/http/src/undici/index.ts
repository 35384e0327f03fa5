export { UndiciStore, type UndiciStoreOptions } from './undici-store.ts'
