import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Linux takes the ports of outgoing connections from 32768 up. Below that range, the port of a server that restarts is
// free although a load test has opened thousands of connections meanwhile.
const lowest = 20_000
const highest = 32_000
const attempts = 100
// Prevents a second server from taking the port of a server that is down between a kill and a restart.
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

/** Resolves to a loopback port that was free a moment ago. Never resolves to the same port twice. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(lowest, highest)
    if (taken.has(port)) continue
    taken.add(port)
    if (await canListen(port)) return port
  }
  throw new Error(`no free port found between ${lowest} and ${highest} in ${attempts} attempts`)
}
