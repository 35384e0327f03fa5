import { frame } from '@cache/codecs'
import { isBytes, isListOf } from '../wire/reply-shapes.ts'
import { luaReading, luaWriting } from './lua-values.ts'
import { Script } from './script.ts'

const { flags } = frame
/** Lua counts bytes from 1. */
const flagsAt = frame.flagsOffset + 1
const versionLengthAt = frame.versionLengthOffset + 1
const versionAt = frame.versionOffset + 1

/**
 * KEYS: any. ARGV: for each key the delta, the lifetime of a new counter in ms (empty: no end), and a fresh version.
 *
 * Returns for each key the sum in decimals, or the reason for its absence. Fails as a whole when Redis refuses the
 * first write. The result is a plain number of Redis. An item with tags, `staleAt` or `cost` stays a frame.
 */
export const incrementScript: Script = new Script(
  `
${luaReading}
${luaWriting}
local function whole(v, at)
  local byte = string.byte(v, at)
  local n, factor = byte % 64, 64
  while byte >= 128 do
    at = at + 1
    byte = string.byte(v, at)
    n = n + (byte % 128) * factor
    factor = factor * 128
  end
  return n, at + 1
end
local function has(flags, flag) return flags % (flag * 2) >= flag end
local function payloadAt(v)
  local flags = string.byte(v, ${flagsAt})
  local at = ${versionAt} + string.byte(v, ${versionLengthAt})
  local n
  -- The creation time: six bytes, and eight more when all six are 255.
  at = at + (string.sub(v, at, at + 5) == string.rep('\\255', 6) and 14 or 6)
  if has(flags, ${flags.staleAt}) then n, at = whole(v, at) end
  if has(flags, ${flags.expiresAt}) then n, at = whole(v, at) end
  if has(flags, ${flags.tags}) then
    local count
    count, at = whole(v, at)
    for i = 1, count * 2 do
      n, at = whole(v, at)
      at = at + n
    end
  end
  if has(flags, ${flags.cost}) then
    if string.byte(v, at) == 64 then at = at + 9 else n, at = whole(v, at) end
  end
  return at
end
local function increment(key, delta, lifetime, version)
  local v, isForeign = read(key)
  if isForeign then return 'NOT_A_NUMBER' end
  local digits, at = v, nil
  if v and string.byte(v, 1) == ${frame.formatVersion} then
    if isPlaceholder(v) then
      digits = false
    else
      local flags = string.byte(v, ${flagsAt})
      if not flags or flags >= 128 or not has(flags, ${flags.clearNumber}) then return 'NOT_A_NUMBER' end
      local ok
      ok, at = pcall(payloadAt, v)
      if not ok then return 'NOT_A_NUMBER' end
      digits = string.sub(v, at)
    end
  end
  if not digits then
    local done = write(key, delta, lifetime)
    return failed(done) and done or delta
  end
  if not (digits == '0' or string.match(digits, '^%-?[1-9]%d*$')) then return 'NOT_A_NUMBER' end
  local sum = tonumber(digits) + tonumber(delta)
  if math.abs(tonumber(digits)) > 9007199254740991 or math.abs(sum) > 9007199254740991 then return 'OUT_OF_RANGE' end
  local text = string.format('%.0f', sum)
  local done
  if not at then
    done = redis.pcall('INCRBY', key, delta)
  else
    local encoded = text
    local flags = string.byte(v, ${flagsAt})
    if has(flags, ${flags.staleAt}) or has(flags, ${flags.tags}) or has(flags, ${flags.cost}) then
      local rest = string.sub(v, ${versionAt} + string.byte(v, ${versionLengthAt}), at - 1)
      encoded = string.sub(v, 1, ${versionLengthAt - 1}) .. string.char(#version) .. version .. rest .. text
    end
    done = redis.pcall('SET', key, encoded, 'KEEPTTL')
  end
  return failed(done) and done or text
end
local sums = {}
for i, key in ipairs(KEYS) do
  local sum = increment(key, ARGV[i * 3 - 2], ARGV[i * 3 - 1], ARGV[i * 3])
  if failed(sum) then
    if i == 1 then return sum end
    sum = sum.err
  end
  sums[i] = sum
end
return sums
`,
  (reply, keys) => isListOf(reply, keys, isBytes),
)
