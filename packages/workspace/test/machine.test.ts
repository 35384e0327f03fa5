import { X509Certificate } from 'node:crypto'
import { access, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { findBinary, freePort, makeCertificate, requireBinary, waitUntil } from '../src/index.ts'
import { installPackage } from '../src/machine/install-package.ts'
import { unprivilegedUser } from '../src/machine/os-user.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'cache-test-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

it('a binary is found on the PATH only when it can be executed', async () => {
  const path = await folder()
  const file = join(path, 'some-server')
  await writeFile(file, '')
  vi.stubEnv('PATH', `/nowhere${delimiter}${path}`)
  expect(await findBinary('some-server')).toBe(undefined)
  await chmod(file, 0o755)
  expect(await findBinary('some-server')).toBe(file)
})

it('initdb is found outside the PATH', async () => {
  await requireBinary('initdb')
  vi.stubEnv('PATH', '')
  const file = await findBinary('initdb')
  await expect(access(file ?? '')).resolves.toBe(undefined)
})

it('a missing package gives an error with the command to type when this account may not install', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(1000)
  const platform = vi.spyOn(process, 'platform', 'get')
  platform.mockReturnValue('linux')
  await expect(installPackage('redis-server')).rejects.toThrow(
    'sudo apt-get update && sudo apt-get install --yes redis-server',
  )
  platform.mockReturnValue('darwin')
  await expect(installPackage('redis-server')).rejects.toThrow('brew install redis')
})

it('an account other than root starts servers under its own name', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(1000)
  expect(await unprivilegedUser()).toBe(undefined)
})

it('root starts PostgreSQL under another account', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(0)
  const user = await unprivilegedUser()
  expect(['postgres', 'nobody']).toContain(user?.name)
  expect(user?.uid).toBeGreaterThan(0)
})

it('a free port can be listened on and lies below the ports of outgoing connections', async () => {
  const port = await freePort()
  expect(port).toBeLessThan(32_768)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await new Promise((resolve) => server.close(resolve))
})

it('a hundred simultaneous requests for a free port get different ports', async () => {
  const ports = await Promise.all(Array.from({ length: 100 }, freePort))
  expect(new Set(ports).size).toBe(100)
})

it('a certificate names the loopback address and is self-signed', async () => {
  const { pem } = await makeCertificate(await folder())
  const certificate = new X509Certificate(pem)
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
  expect(certificate.checkHost('localhost')).toBe('localhost')
  expect(certificate.verify(certificate.publicKey)).toBe(true)
})

it('a wait resolves to the first result, and rejects with the name of a missing one', async () => {
  let looks = 0
  const look = (): string | false => {
    looks += 1
    return looks === 3 && 'done'
  }
  expect(await waitUntil('three looks', look, { every: 1 })).toBe('done')
  const failure = waitUntil('the moon', () => Promise.reject(new Error('cloudy')), { timeout: 5, every: 1 })
  await expect(failure).rejects.toThrow('not within 5 ms: the moon')
  await expect(failure).rejects.toHaveProperty('cause.message', 'cloudy')
})
