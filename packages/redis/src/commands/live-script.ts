import { isListOf } from '../wire/reply-shapes.ts'
import { luaIsLive } from './lua-values.ts'
import { Script } from './script.ts'

/** KEYS: any. Returns 1 for each key with a live value and 0 for each other key. */
export const liveScript: Script = new Script(
  `
${luaIsLive}
local live = {}
for i, key in ipairs(KEYS) do live[i] = isLive(key) and 1 or 0 end
return live
`,
  (reply, keys) => isListOf(reply, keys, (one) => one === 0 || one === 1),
)
