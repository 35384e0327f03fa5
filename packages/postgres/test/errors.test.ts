import { CacheError } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { errorOfCall, postgresError } from '../src/errors.ts'

function fail(code: string | undefined, message = 'it failed'): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}

it.each([
  ['53200', 'OUT_OF_MEMORY'],
  ['53100', 'OUT_OF_MEMORY'],
  ['53300', 'UNAVAILABLE'],
  ['57P01', 'UNAVAILABLE'],
  ['57P03', 'UNAVAILABLE'],
  ['08006', 'UNAVAILABLE'],
  ['25006', 'READ_ONLY'],
  ['55P03', 'TIMEOUT'],
  ['57014', 'TIMEOUT'],
  ['40001', 'CONFLICT'],
  ['ECONNREFUSED', 'UNAVAILABLE'],
  ['ENOTFOUND', 'UNAVAILABLE'],
  ['42601', 'BACKEND_FAILURE'],
  ['42P01', 'BACKEND_FAILURE'],
])('the error code %s becomes %s', (state, code) => {
  const cause = fail(state)
  expect(postgresError(cause, 'get')).toMatchObject({ code, operation: 'get', backend: 'postgres', cause })
})

it.each([
  ['Connection terminated unexpectedly', 'UNAVAILABLE'],
  ['Connection terminated due to connection timeout', 'TIMEOUT'],
  ['timeout exceeded when trying to connect', 'TIMEOUT'],
  ['Client has encountered a connection error and is not queryable', 'UNAVAILABLE'],
  ['Cannot use a pool after calling end on the pool', 'UNAVAILABLE'],
  ['something else', 'BACKEND_FAILURE'],
])("the message '%s' of pg becomes %s", (message, code) => {
  expect(postgresError(fail(undefined, message), 'get').code).toBe(code)
})

it('an error gets the method and key of the call, and keeps its code and cause', () => {
  const cause = fail('53200')
  expect(errorOfCall(postgresError(cause, 'set'), 'setMany', undefined)).toMatchObject({
    code: 'OUT_OF_MEMORY',
    operation: 'setMany',
    cause,
  })
  expect(errorOfCall(new CacheError('NOT_A_NUMBER', 'no'), 'increment', 'k')).toMatchObject({
    code: 'NOT_A_NUMBER',
    operation: 'increment',
    key: 'k',
  })
})
