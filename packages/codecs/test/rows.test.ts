import { deepStrictEqual } from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import mysql from 'mysql2'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts'
import { rowType } from '../src/presets/index.ts'

/** The rows of a query, from a server in this process. */
async function mysqlRows(): Promise<unknown> {
  // The server of mysql2 logs that it numbers packets in another way than its client.
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  const server = mysql.createServer((connection) => {
    connection.serverHandshake({
      protocolVersion: 4,
      serverVersion: '8',
      connectionId: 1,
      statusFlags: 2,
      characterSet: 8,
      capabilityFlags: 0xffffff,
    })
    connection.on('query', () => {
      const column = (name: string, columnType: number): object => ({
        catalog: 'def',
        schema: '',
        table: '',
        orgTable: '',
        name,
        orgName: '',
        characterSet: 33,
        columnLength: 50,
        columnType,
        flags: 0,
        decimals: 0,
      })
      const writer: { writeTextResult(rows: object[], columns: object[]): void } = connection as never
      writer.writeTextResult(
        [
          { id: '1', name: 'Ada' },
          { id: '2', name: 'Grace' },
        ],
        [column('id', 3), column('name', 253)],
      )
    })
    connection.on('error', () => {})
  })
  const listening: { listen(port: number, done: () => void): void } = server as never
  await new Promise<void>((resolve) => listening.listen(0, resolve))
  const { port } = (server as unknown as { _server: { address(): AddressInfo } })._server.address()
  const connection = mysql.createConnection({ host: '127.0.0.1', port, user: 'u' })
  onTestFinished(() => {
    connection.destroy()
    log.mockRestore()
    server.close(() => {})
  })
  return new Promise((resolve, reject) => {
    connection.query('SELECT', (error: Error | null, rows: unknown) => (error === null ? resolve(rows) : reject(error)))
  })
}

describe.each([msgpackCodec, jsonCodec, v8Codec])('$name', (codec) => {
  it('keeps the rows of node:sqlite', () => {
    const database = new DatabaseSync(':memory:')
    const rows = database.prepare("SELECT 1 AS id, 'Ada' AS name, NULL AS none, 1.5 AS rate").all()
    database.close()
    expect(Object.getPrototypeOf(rows[0])).toBe(null)
    deepStrictEqual(codec.decode(codec.encode(rows)), rows)
  })

  it('keeps the rows of mysql2 with the type for rows', async () => {
    const rows = await mysqlRows()
    const typed = codec.withTypes([rowType])
    expect(typed.decode(typed.encode(rows))).toEqual([
      { id: 1, name: 'Ada' },
      { id: 2, name: 'Grace' },
    ])
  })

  it('keeps the data of instances with the names of the classes of mysql2, as plain objects', () => {
    class TextRow {
      id = 1
    }
    const typed = codec.withTypes([rowType])
    deepStrictEqual(typed.decode(typed.encode([new TextRow()])), [{ id: 1 }])
    expect(() => codec.encode([new TextRow()])).toThrow('store its data: `{ ...value }`')
  })
})
