/** APIs whose answers the proxy changes, by key, with the highest version that it can read. */
export const rewritten = { metadata: 3, findCoordinator: 10, apiVersions: 18 } as const
export const readable: Readonly<Record<number, number>> = {
  [rewritten.metadata]: 8,
  [rewritten.findCoordinator]: 2,
  [rewritten.apiVersions]: 2,
}

/** Finds the port at which the proxy stands for `host:port`. */
export type StandIn = (address: string) => Promise<number>

/** Writes an answer anew while it reads it; what is not written before `rest` is copied. */
class Copy {
  readonly #from: Buffer
  readonly #parts: Buffer[] = []
  #at = 0

  constructor(from: Buffer) {
    this.#from = from
  }

  take(bytes: number): Buffer {
    const part = this.#from.subarray(this.#at, this.#at + bytes)
    this.#at += bytes
    return part
  }

  keep(bytes: number): Buffer {
    const part = this.take(bytes)
    this.#parts.push(part)
    return part
  }

  /** A length of two bytes, -1 for null, and so many bytes. */
  keepString(): void {
    const length = this.keep(2).readInt16BE()
    if (length > 0) this.keep(length)
  }

  /** host, port → where the proxy listens for it. */
  async replaceAddress(standIn: StandIn): Promise<void> {
    const host = this.take(this.take(2).readInt16BE()).toString()
    const port = this.take(4).readInt32BE()
    if (port < 0) return this.#putAddress(host, port) // No coordinator.
    this.#putAddress('127.0.0.1', await standIn(`${host}:${port}`))
  }

  #putAddress(host: string, port: number): void {
    const bytes = Buffer.alloc(2 + Buffer.byteLength(host) + 4)
    bytes.writeInt16BE(host.length, 0)
    bytes.write(host, 2)
    bytes.writeInt32BE(port, bytes.length - 4)
    this.#parts.push(bytes)
  }

  put(bytes: Buffer): void {
    this.#parts.push(bytes)
  }

  rest(): Buffer {
    return Buffer.concat([...this.#parts, this.#from.subarray(this.#at)])
  }
}

/** Metadata, versions 0 to 8, with the proxy's own addresses. */
export async function rewriteMetadata(body: Buffer, version: number, standIn: StandIn): Promise<Buffer> {
  const copy = new Copy(body)
  if (version >= 3) copy.keep(4) // throttle_time_ms
  const brokers = copy.keep(4).readInt32BE()
  for (let i = 0; i < brokers; i += 1) {
    copy.keep(4) // node_id
    await copy.replaceAddress(standIn)
    if (version >= 1) copy.keepString() // rack
  }
  return copy.rest()
}

/** FindCoordinator, versions 0 to 2, with the proxy's own address. */
export async function rewriteCoordinator(body: Buffer, version: number, standIn: StandIn): Promise<Buffer> {
  const copy = new Copy(body)
  if (version >= 1) copy.keep(4) // throttle_time_ms
  copy.keep(2) // error_code
  if (version >= 1) copy.keepString() // error_message
  copy.keep(4) // node_id
  await copy.replaceAddress(standIn)
  return copy.rest()
}

/** ApiVersions, versions 0 to 2, without the refused APIs and with capped versions. */
export function rewriteApiVersions(body: Buffer, highestOf: (apiKey: number) => number | undefined): Buffer {
  const copy = new Copy(body)
  copy.keep(2) // error_code
  const count = copy.take(4).readInt32BE()
  const apis: Buffer[] = []
  for (let i = 0; i < count; i += 1) {
    const api = Buffer.from(copy.take(6))
    const highest = highestOf(api.readInt16BE(0))
    if (highest === undefined || highest < api.readInt16BE(2)) continue
    api.writeInt16BE(Math.min(highest, api.readInt16BE(4)), 4)
    apis.push(api)
  }
  const length = Buffer.alloc(4)
  length.writeInt32BE(apis.length)
  copy.put(Buffer.concat([length, ...apis]))
  return copy.rest()
}
