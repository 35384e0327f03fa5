import assert from 'node:assert/strict'
import type { BackendPart, PartStatus } from '../../protocol/backend.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'

const kinds: readonly unknown[] = ['store', 'bus', 'circuit', 'queue', 'recovery', 'write-behind']
const states: readonly unknown[] = ['ok', 'degraded', 'down']

/** The rules about what a backend reports of itself. */
export const describeRules: readonly Rule[] = [
  rule({
    id: '12.12',
    says: '`describe` reports the backend as `ok`, and none of its parts as `down`, while the store answers',
    members: ['describe'],
    async check(stage) {
      const { backend } = stage
      const faulty = (): string[] => [
        ...faultOf(backend.describe(), ['ok']),
        ...flat(backend.describe()).flatMap((part) => faultOf(part, ['ok', 'degraded'])),
      ]
      await backend.set(stage.item('k', 'a value that no report may show'))
      await backend.get('k')
      assert.deepEqual(flat(backend.describe()).flatMap(malformed), [])
      await stage
        .until(() => faulty().length === 0, 'no part to be down')
        .catch((error) => {
          assert.deepEqual(faulty(), [], 'parts that are down')
          throw error
        })
      assert.equal(backend.describe().kind, 'store', 'the kind of the backend itself')
    },
  }),

  rule({
    id: '12.13',
    says: '`describe` answers at once with the same kind and name, and never throws: after `close` it reports the backend as `down`',
    members: ['describe', 'close'],
    async check(stage) {
      const { backend } = stage
      const { kind, name } = backend.describe()
      await backend.set(stage.item('k', 1))
      await backend.close()
      const closed = backend.describe()
      assert.deepEqual(
        { kind: closed.kind, name: closed.name, status: closed.status },
        { kind, name, status: 'down' },
        'the report after close',
      )
      assert.deepEqual(flat(closed).flatMap(malformed), [])
    },
  }),
]

function flat(part: BackendPart): BackendPart[] {
  return [part, ...(part.parts ?? []).flatMap(flat)]
}

function faultOf({ name, status, message }: BackendPart, allowed: readonly PartStatus[]): string[] {
  return allowed.includes(status) ? [] : [`${name} is ${status} (${message})`]
}

/** What is wrong with the form of a part. */
function malformed({ kind, name, status, message, pending, limit }: BackendPart): string[] {
  const faults: string[] = []
  if (!kinds.includes(kind)) faults.push(`the kind ${String(kind)}`)
  if (typeof name !== 'string' || name === '') faults.push('a part without a name')
  if (!states.includes(status)) faults.push(`the status ${String(status)} of ${name}`)
  if ((message === undefined) !== (status === 'ok')) faults.push(`${name} is ${status} with the message ${message}`)
  for (const count of [pending, limit])
    if (count !== undefined && !(Number.isInteger(count) && count >= 0)) faults.push(`the number ${count} of ${name}`)
  return faults
}
