import { describe, expect, it } from 'vitest'
import { CommandEncoder } from '../../src/wire/command-encoder.ts'
import { writeCommand } from '../../src/wire/write-command.ts'

const encoder = new CommandEncoder('cache:')

describe('CommandEncoder', () => {
  it('writes SET and MGET in the Redis protocol, for short and long keys of any characters', () => {
    const keys = ['', 'a', 'user:42', 'x'.repeat(94), 'x'.repeat(10_000), 'ключ', '😀', '\u0000']
    for (const key of keys) {
      const value = Buffer.from('value')
      const plain = Buffer.from(writeCommand('set', [`cache:${key}`, value]))
      expect([key, encoder.encodeSet(key, value)]).toEqual([key, plain])
      const limited = Buffer.from(writeCommand('set', [`cache:${key}`, value, 'PX', '86400000']))
      expect([key, encoder.encodeSet(key, value, 86_400_000)]).toEqual([key, limited])
    }
    const mget = writeCommand(
      'mget',
      keys.map((key) => `cache:${key}`),
    )
    expect(encoder.encodeKeys('mget', keys).equals(Buffer.from(mget))).toBe(true)
  })

  it('writes a whole SET with a lifetime when the key nearly fills its buffer', () => {
    const value = Buffer.alloc(1000, 1)
    // The buffer has 64 KiB at first. Keys of three bytes per character leave no spare room.
    for (let length = 21_810; length < 21_840; length++) {
      const key = '語'.repeat(length)
      const whole = writeCommand('set', [`cache:${key}`, value, 'PX', '9007199254740991']) as Buffer
      expect([length, encoder.encodeSet(key, value, Number.MAX_SAFE_INTEGER).equals(whole)]).toEqual([length, true])
    }
  })
})
