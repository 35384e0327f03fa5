import { requireBinary } from '../machine/require-binary.ts'
import type { Tally } from './tally.ts'

const programs = ['openssl', 'redis-server', 'initdb', 'pgbouncer']

/** Every server program is on the machine, or is installed now. */
export async function checkServers(tally: Tally): Promise<void> {
  // One after the other: apt-get takes a lock.
  for (const program of programs) {
    await tally.check(`${program} is on this machine`, async () => {
      tally.note(`${program}: ${await requireBinary(program)}`)
    })
  }
}
