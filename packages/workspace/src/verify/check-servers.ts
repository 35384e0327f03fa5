import { requireBinary } from '../machine/require-binary.ts'
import type { Tally } from './tally.ts'

const programs = ['openssl', 'redis-server', 'initdb', 'pgbouncer']

/** Finds or installs every server program. */
export async function checkServers(tally: Tally): Promise<void> {
  // In sequence, because apt-get takes a lock.
  for (const program of programs) {
    await tally.check(`${program} is on this machine`, async () => {
      tally.note(`${program}: ${await requireBinary(program)}`)
    })
  }
}
