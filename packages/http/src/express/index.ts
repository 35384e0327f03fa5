export { expressCache } from './express-cache.ts'
