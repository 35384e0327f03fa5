import type { Server, TcpProxy } from '@cache/workspace'
import { timeout } from './stores.ts'

/** A process of a run and its connections. */
export interface Slot {
  /** One proxy for each connection; none for a store without a server. */
  readonly links: readonly TcpProxy[]
  pause(): void
  resume(): void
  /** Kills the process and starts another one in its place. */
  replace(): Promise<void>
}

export interface Stage {
  readonly slots: readonly Slot[]
  readonly server: Server | undefined
  readonly random: () => number
}

/** A fault that lasts. */
interface Fault {
  readonly name: string
  readonly begin: (stage: Stage) => Promise<() => unknown>
}

function oneOf<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)] as T
}

function onLink(name: string, begin: (link: TcpProxy, random: () => number) => void): Fault {
  return {
    name,
    begin: async ({ slots, random }) => {
      const link = oneOf(oneOf(slots, random).links, random)
      begin(link, random)
      return () => link.heal()
    },
  }
}

const linkFaults: readonly Fault[] = [
  onLink('slow replies', (link, random) => link.delay(10 + random() * 150)),
  onLink('replies after the time limit', (link) => link.delay(2 * timeout)),
  onLink('lost replies', (link) => link.swallowReplies()),
  onLink('a cut connection', (link) => link.cut()),
  onLink('a dropped connection', (link) => link.drop()),
]

function onServer(name: string, begin: (server: Server) => Promise<void>, end?: (server: Server) => unknown): Fault {
  return {
    name,
    begin: async ({ server }) => {
      if (server === undefined) throw new Error(`${name}: there is no server`)
      await begin(server)
      return () => end?.(server)
    },
  }
}

const serverFaults: readonly Fault[] = [
  onServer(
    'a frozen server',
    (server) => server.freeze(),
    (server) => server.thaw(),
  ),
  onServer(
    'a killed server',
    (server) => server.kill(),
    (server) => server.restart(),
  ),
  onServer('a restarted server', (server) => server.restart()),
]

const processFaults: readonly Fault[] = [
  {
    name: 'a killed process',
    begin: async ({ slots, random }) => {
      await oneOf(slots, random).replace()
      return () => {}
    },
  },
  {
    name: 'a paused process',
    begin: async ({ slots, random }) => {
      const slot = oneOf(slots, random)
      slot.pause()
      return () => slot.resume()
    },
  },
]

/** Causes one fault after the other until `isOver`. Resolves to their number, when the last one has ended. */
export async function causeFaults(
  stage: Stage,
  isOver: () => boolean,
  show: (fault: string) => void,
  pause: (ms: number) => Promise<void>,
): Promise<number> {
  const { random, server } = stage
  const kinds = server === undefined ? [processFaults] : [linkFaults, linkFaults, serverFaults, processFaults]
  let count = 0
  for (;;) {
    await pause(150 + random() * 700)
    if (isOver()) return count
    const fault = oneOf(oneOf(kinds, random), random)
    const length = 30 + random() * 800
    show(`${fault.name} for ${Math.round(length)} ms`)
    const end = await fault.begin(stage)
    await pause(length)
    await end()
    count += 1
  }
}
