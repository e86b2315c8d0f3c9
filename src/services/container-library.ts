import { createRequire } from 'node:module'

/**
 * The part of the package `testcontainers` that is used, as its types have it. The package serves demo and tests where
 * containers can run, and is not installed with the daemon: so it is no import, which the compiler would have to resolve.
 */
export interface Testcontainers {
  readonly GenericContainer: new (image: string) => ContainerDraft
  getContainerRuntimeClient(): Promise<{
    readonly info: { readonly containerRuntime: { /** Where published ports are reached. */ readonly host: string } }
  }>
}

export interface ContainerDraft {
  withCommand(command: string[]): ContainerDraft
  withEnvironment(environment: Record<string, string>): ContainerDraft
  withExposedPorts(...ports: { container: number; host: number }[]): ContainerDraft
  /** How long until the published ports listen. */
  withStartupTimeout(limitMs: number): ContainerDraft
  /** Fetches the image where it is absent, starts it and waits until its published ports listen. */
  start(): Promise<StartedContainer>
}

export interface StartedContainer {
  /** Ends and removes it. Where this process dies before, a container of the package's own does that. */
  stop(): Promise<unknown>
}

/** Of the library's own class, open to its subclasses: what the engine is asked for. */
interface Asking {
  readonly hostConfig: { PortBindings?: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>> }
}

const loopback = '127.0.0.1'

/**
 * Publishes `port`, the same inside and outside. Where ports are reached at the loopback address they are published there
 * alone: the library would publish them at all addresses of the machine, and our servers ask nobody for a password.
 */
export function publish(draft: ContainerDraft, port: number, host: string): ContainerDraft {
  const published = draft.withExposedPorts({ container: port, host: port })
  if (host !== loopback) return published
  const { hostConfig } = published as unknown as Asking
  const binding = [{ HostIp: loopback, HostPort: String(port) }]
  hostConfig.PortBindings = { ...hostConfig.PortBindings, [`${port}/tcp`]: binding }
  return published
}

const packageName = 'testcontainers'

/** The package; undefined where it is not installed. */
export function loadTestcontainers(): Testcontainers | undefined {
  try {
    return createRequire(import.meta.url)(packageName) as Testcontainers
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
