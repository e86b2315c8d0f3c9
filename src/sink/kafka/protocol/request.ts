/** One question to a broker: which API, the body that asks it, and how to read the answer's body. */
export interface Request<T> {
  readonly apiKey: number
  readonly apiVersion: number
  /** Called when the request goes out. The parts follow one another on the wire. */
  encode(): readonly Buffer[]
  /** Throws MalformedAnswer. Must not keep `answer`, whose memory belongs to the connection. */
  parse(answer: Buffer): T
}
