import { frame } from '@cache/codecs'
import { Script } from './script.ts'

const { kinds, flags } = frame
/** Lua counts bytes from 1. */
const kindAt = frame.codecOffset + 1
const flagsAt = frame.flagsOffset + 1
const versionLengthAt = frame.versionLengthOffset + 1
const versionAt = frame.versionOffset + 1

/**
 * What is stored is a frame of `@cache/codecs`, or a whole number in decimals, which is how counters are kept so that Redis'
 * own INCR understands them. A counter has no version of its own: `=` and its digits stand for one.
 */
const versions = `
local function isNumber(v) return v == '0' or string.match(v, '^%-?[1-9]%d*$') ~= nil and #v <= 17 end
local function versionOf(v)
  if not v then return nil end
  if string.byte(v, 1) == ${frame.formatVersion} then
    local length = string.byte(v, ${versionLengthAt})
    if length and #v >= ${versionAt - 1} + length then return string.sub(v, ${versionAt}, ${versionAt - 1} + length) end
    return nil
  end
  if isNumber(v) then return '=' .. v end
  return nil
end
local function isPlaceholder(v)
  return string.byte(v, 1) == ${frame.formatVersion} and string.byte(v, ${kindAt}) == ${kinds.placeholder}
end
-- A key of another type is foreign, and counts as absent.
local function read(key)
  local v = redis.pcall('GET', key)
  if type(v) == 'table' then return false, true end
  return v, false
end
`

/** Writes with a remaining life in ms: empty for ever, 0 for none. Returns a table with `err` when Redis refuses. */
const writing = `
local function write(key, bytes, life)
  if life == '' then return redis.pcall('SET', key, bytes) end
  if life == '0' then return redis.pcall('UNLINK', key) end
  return redis.pcall('SET', key, bytes, 'PX', life)
end
local function failed(done) return type(done) == 'table' and done.err ~= nil end
`

/**
 * KEYS: one. ARGV: the expected version (empty: none), the new bytes (empty: remove), their remaining life in ms (empty:
 * for ever), bytes that count as absent (empty: none). Returns 1 when it replaced, 0 when it did not, 2 when it did not
 * because of a value that this script cannot tell from a damaged one, 3 when it replaced a value of another type of Redis.
 */
export const compareAndSetScript: Script = new Script(`
${versions}
${writing}
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
`)

/** KEYS: any. Returns how many live values were removed; placeholders and foreign values are removed and not counted. */
export const deleteScript: Script = new Script(`
local count = 0
for i, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 1)
  if type(head) == 'string' and head ~= '' then
    local first, kind = string.byte(head, 1, 2)
    if first == ${frame.formatVersion} then
      if kind and kind ~= ${kinds.placeholder} then count = count + 1 end
    elseif first == 45 or first >= 48 and first <= 57 then
      count = count + 1
    end
  end
end
if #KEYS > 0 then redis.call('UNLINK', unpack(KEYS)) end
return count
`)

/** KEYS: any. Returns for each whether a live value is there. */
export const liveScript: Script = new Script(`
local live = {}
for i, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 1)
  live[i] = 0
  if type(head) == 'string' and head ~= '' then
    local first, kind = string.byte(head, 1, 2)
    if first == ${frame.formatVersion} then
      if kind and kind ~= ${kinds.placeholder} then live[i] = 1 end
    elseif first == 45 or first >= 48 and first <= 57 then
      live[i] = 1
    end
  end
end
return live
`)

/**
 * KEYS: any. ARGV: for each the bytes and the remaining life in ms (empty: for ever). Returns nothing, or the failures as a
 * list of positions and messages; fails as a whole when already the first write fails.
 */
export const setScript: Script = new Script(`
${writing}
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
`)

/**
 * KEYS: any. ARGV: for each delta, the remaining life of a new counter in ms (empty: for ever), and a fresh version. Returns
 * for each the sum in decimals, or why there is none; fails as a whole when Redis already refuses the first. The result is
 * a plain number of Redis; only an item with more to keep than a deadline (tags, \`staleAt\`, \`cost\`) stays a frame.
 */
export const incrementScript: Script = new Script(`
${versions}
${writing}
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
  -- The instant of its making: six bytes, and eight more where all of them are 255.
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
local function increment(key, delta, life, version)
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
    local done = write(key, delta, life)
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
    local stored = text
    local flags = string.byte(v, ${flagsAt})
    if has(flags, ${flags.staleAt}) or has(flags, ${flags.tags}) or has(flags, ${flags.cost}) then
      local rest = string.sub(v, ${versionAt} + string.byte(v, ${versionLengthAt}), at - 1)
      stored = string.sub(v, 1, ${versionLengthAt - 1}) .. string.char(#version) .. version .. rest .. text
    end
    done = redis.pcall('SET', key, stored, 'KEEPTTL')
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
`)

/** KEYS: one. Returns the bytes and the remaining life in ms: what a counter's own bytes cannot tell. */
export const counterScript: Script = new Script(`
local v = redis.call('GET', KEYS[1])
return { v, v and redis.call('PTTL', KEYS[1]) or -2 }
`)
