import { frame } from '@cache/codecs'

const { kinds } = frame
/** Lua counts bytes from 1. */
const versionLengthAt = frame.versionLengthOffset + 1
const versionAt = frame.versionOffset + 1
const kindAt = frame.codecOffset + 1

/**
 * Lua functions that read a stored value: a frame of `@cache/codecs`, or a counter. A counter is a whole number in
 * decimals, which INCR of Redis understands. Its version is `=` and its digits.
 */
export const luaReading: string = `
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
-- A key of another type is foreign and counts as absent.
local function read(key)
  local v = redis.pcall('GET', key)
  if type(v) == 'table' then return false, true end
  return v, false
end
`

/**
 * A Lua function that writes bytes with a lifetime in ms: empty for no end, 0 for expired. It returns a table with
 * `err` when Redis refuses.
 */
export const luaWriting: string = `
local function write(key, bytes, lifetime)
  if lifetime == '' then return redis.pcall('SET', key, bytes) end
  if lifetime == '0' then return redis.pcall('UNLINK', key) end
  return redis.pcall('SET', key, bytes, 'PX', lifetime)
end
local function failed(done) return type(done) == 'table' and done.err ~= nil end
`

/** A Lua function that tells whether a key holds a live value: no placeholder, and no value of another program. */
export const luaIsLive: string = `
local function isLive(key)
  local head = redis.pcall('GETRANGE', key, 0, 1)
  if type(head) ~= 'string' or head == '' then return false end
  local first, kind = string.byte(head, 1, 2)
  if first == ${frame.formatVersion} then return kind ~= nil and kind ~= ${kinds.placeholder} end
  return first == 45 or first >= 48 and first <= 57
end
`
