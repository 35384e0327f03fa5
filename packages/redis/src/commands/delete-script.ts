import { isCount } from '../wire/reply-shapes.ts'
import { luaIsLive } from './lua-values.ts'
import { Script } from './script.ts'

/** KEYS: any. Returns how many live values it removed. It also removes placeholders and foreign values, uncounted. */
export const deleteScript: Script = new Script(
  `
${luaIsLive}
local count = 0
for _, key in ipairs(KEYS) do
  if isLive(key) then count = count + 1 end
end
if #KEYS > 0 then redis.call('UNLINK', unpack(KEYS)) end
return count
`,
  (reply, keys) => isCount(reply) && reply <= keys,
)
