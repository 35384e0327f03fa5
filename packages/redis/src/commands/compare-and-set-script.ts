import { isCount } from '../wire/reply-shapes.ts'
import { luaReading, luaWriting } from './lua-values.ts'
import { Script } from './script.ts'

/**
 * KEYS: one. ARGV: the expected version (empty: none), the new bytes (empty: remove), their lifetime in ms (empty: no
 * end), and bytes that count as absent (empty: none).
 *
 * Returns 1 when it replaced the value, and 3 when that value had another type of Redis. Returns 0 when it did not
 * replace the value, and 2 when the reason is a value that may be damaged: the script cannot tell.
 */
export const compareAndSetScript: Script = new Script(
  `
${luaReading}
${luaWriting}
local v, isForeign = read(KEYS[1])
local current = versionOf(v)
if ARGV[4] ~= '' and v == ARGV[4] then current = nil end
if ARGV[1] == '' then
  if current then return isPlaceholder(v) and 0 or 2 end
elseif current ~= ARGV[1] then
  return 0
end
local done = write(KEYS[1], ARGV[2], ARGV[2] == '' and '0' or ARGV[3])
if failed(done) then return done end
return isForeign and 3 or 1
`,
  (reply) => isCount(reply) && reply <= 3,
)
