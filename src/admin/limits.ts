/** What one client may cost (G7): sizes in bytes, times in milliseconds, by the names of node:http. */
export interface AdminLimits {
  readonly maxHeaderSize: number
  /** From the start of a request, or of its connection, to the end of its headers. */
  readonly headersTimeout: number
  /** To the end of all of it. */
  readonly requestTimeout: number
  /** How long a connection is kept between two requests. */
  readonly keepAliveTimeout: number
  /** How often the first two are looked at: they may be exceeded by so much. */
  readonly connectionsCheckingInterval: number
  /** More are closed as they come. */
  readonly maxConnections: number
}

/** One slow or hostile client costs little. */
export const adminLimits: AdminLimits = {
  maxHeaderSize: 16 * 1_024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
  maxConnections: 100,
}
