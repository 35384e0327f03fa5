import { isBytes, isCount } from '../wire/reply-shapes.ts'
import { luaWriting } from './lua-values.ts'
import { Script } from './script.ts'

/**
 * KEYS: any. ARGV: for each key the bytes and the lifetime in ms (empty: no end). Returns the failures as a list of
 * positions and messages. Fails as a whole when the first write fails.
 */
export const setScript: Script = new Script(
  `
${luaWriting}
local failures = {}
for i, key in ipairs(KEYS) do
  local done = write(key, ARGV[i * 2 - 1], ARGV[i * 2])
  if failed(done) then
    if i == 1 then return done end
    failures[#failures + 1] = i - 1
    failures[#failures + 1] = done.err
  end
end
return failures
`,
  areFailures,
)

/** Whether the reply is a list of positions, each followed by a message. */
function areFailures(reply: unknown, keys: number): boolean {
  if (!Array.isArray(reply) || reply.length % 2 !== 0) return false
  return reply.every((one, index) => (index % 2 === 0 ? isCount(one) && one < keys : isBytes(one)))
}
