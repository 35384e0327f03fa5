import { contenders, type MakeContender } from '../server/contender.ts'
import { scenarios } from './scenarios.ts'

export const contender: MakeContender = contenders(scenarios, empty)

/** Every candidate makes its own table. The others' leavings would be vacuumed while it is measured. */
export async function empty(url: string): Promise<void> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('drop schema public cascade; create schema public')
  await client.query('checkpoint')
  await client.end()
}
