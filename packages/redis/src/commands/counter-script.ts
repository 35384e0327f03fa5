import { isBytesOrNil } from '../wire/reply-shapes.ts'
import { Script } from './script.ts'

/** KEYS: one. Returns the bytes and the lifetime in ms, which the bytes of a counter do not contain. */
export const counterScript: Script = new Script(
  `
local v = redis.call('GET', KEYS[1])
return { v, v and redis.call('PTTL', KEYS[1]) or -2 }
`,
  (reply) => Array.isArray(reply) && reply.length === 2 && isBytesOrNil(reply[0]) && Number.isSafeInteger(reply[1]),
)
