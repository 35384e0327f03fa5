import { Cache } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { LayeredBackend } from '../src/index.ts'
import { Rig, settled } from './rig.ts'

describe('the health of a layered cache', () => {
  it('is ok with the layers and the bus', async () => {
    const rig = new Rig()
    const { cache: backend } = await rig.node(rig.far(), { recovery: {} })
    const cache = new Cache({ backend, clock: rig.clock })
    expect(await cache.health()).toEqual({
      status: 'ok',
      reasons: [],
      parts: [
        {
          kind: 'store',
          name: 'layered',
          status: 'ok',
          parts: [
            { kind: 'store', name: 'memory', status: 'ok' },
            { kind: 'store', name: 'far', status: 'ok' },
            { kind: 'bus', name: 'gated', status: 'ok', pending: 0, limit: 10_000 },
            { kind: 'recovery', name: 'recovery', status: 'ok', pending: 0, limit: 1000 },
          ],
        },
      ],
    })
  })

  it('is degraded while the bus is not connected', async () => {
    const rig = new Rig()
    const { cache: backend } = await rig.node(rig.far())
    const cache = new Cache({ backend, clock: rig.clock })
    rig.bus.disconnect(0)
    const message = 'no messages arrive: the bus is not connected'
    expect(await cache.health()).toMatchObject({
      status: 'degraded',
      reasons: [{ kind: 'bus', part: 'layered / gated', status: 'degraded', message }],
    })
    rig.bus.reconnect(0)
    await settled()
    expect((await cache.health()).status).toBe('ok')
  })

  it('is down while the last layer is, and tells how many removals wait', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache: backend } = await rig.node(far, { recovery: {} })
    const cache = new Cache({ backend, clock: rig.clock })
    far.broken = true
    await cache.delete('k')
    const { status, reasons } = await cache.health()
    expect(status).toBe('down')
    expect(reasons).toEqual([
      { kind: 'store', part: 'layered / far', status: 'down', message: expect.stringMatching(/^UNAVAILABLE/) },
      {
        kind: 'recovery',
        part: 'layered / recovery',
        status: 'degraded',
        message: '1 removals wait for the last layer to do them',
      },
    ])
    far.broken = false
    await backend.recover()
    expect((await cache.health()).status).toBe('ok')
  })

  it('is down where a nested last layer is', async () => {
    const rig = new Rig()
    const far = rig.far()
    const inner = new LayeredBackend({ layers: [rig.memory(), far], clock: rig.clock })
    const backend = new LayeredBackend({ layers: [rig.memory(), inner], clock: rig.clock })
    far.broken = true
    const { status, reasons } = await new Cache({ backend, clock: rig.clock }).health()
    expect([status, reasons.map(({ part }) => part)]).toEqual(['down', ['layered / layered / far']])
  })
})
