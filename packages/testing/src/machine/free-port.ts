import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the range from which Linux takes the ports of outgoing connections (32768 up): a server that is restarted must
// find its port free although a load test has opened thousands of connections in the meantime.
const lowest = 20_000
const highest = 32_000
const attempts = 100
// A port stays with the server it was found for, also while that server is down between a kill and a restart.
const taken = new Set<number>()

async function canListen(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    const listening = once(probe, 'listening')
    probe.listen(port, '127.0.0.1')
    await listening
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

/** Resolves to a loopback port on which nothing listened a moment ago. It gives no port twice. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = randomInt(lowest, highest)
    if (taken.has(port)) continue
    taken.add(port)
    if (await canListen(port)) return port
  }
  throw new Error(`no free port found between ${lowest} and ${highest} in ${attempts} attempts`)
}
