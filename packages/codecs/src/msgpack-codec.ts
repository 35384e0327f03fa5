import type { Codec } from '@cache/core/backend'
import { addExtension, Packr } from 'msgpackr'
import { inspectForMessagePack } from './messagepack-check.ts'

/** Written in front of the form with record definitions; MessagePack never uses this byte itself. */
const recordsMark = 0xc1

const settings = { moreTypes: true, structuredClone: false, useToJSON: false, copyBuffers: true }

/** Smaller and faster for single small values. Reads every MessagePack map as an object. */
const plain = new Packr({ ...settings, useRecords: false, mapsAsObjects: true, variableMapSize: true })

/** Names the members of alike objects once, and tells a `Map` from an object. */
const records = new Packr({ ...settings, useRecords: true })

// msgpackr looks the name of an error up in a plain object, so that the name 'valueOf' hands out its live table of
// constructors. This library never writes errors; whatever bytes claim to be one become an `Error` without a look-up.
addExtension({
  type: 0x65,
  read: (data: unknown): Error => {
    const [name, message] = Array.isArray(data) ? data : []
    const error = new Error(String(message))
    error.name = String(name)
    return error
  },
})

/**
 * MessagePack, by msgpackr: the default codec. Keeps what `msgpackKeeps` lists, and throws in `encode` for everything else,
 * where msgpackr by itself would write something that reads back differently.
 */
export const msgpackCodec: Codec = {
  id: 1,
  name: 'msgpack',
  encode(value) {
    if (!inspectForMessagePack(value)) return plain.pack(value)
    // The lowest byte is how many bytes to leave free in front.
    const bytes = records.pack(value, reserveOneByte)
    bytes[0] = recordsMark
    return bytes
  },
  decode(bytes) {
    if (bytes[0] !== recordsMark) return plain.unpack(bytes)
    return records.unpack(bytes.subarray(1))
  },
}

/** msgpackr's RESERVE_START_SPACE and the number of bytes. */
const reserveOneByte = 2048 + 1
