import { AnswerReader } from './answer-reader.ts'
import { BrokerError } from './broker-error.ts'
import type { Request } from './request.ts'

/** ApiVersions, version 0, which every broker understands, also one that is too old for everything else. */
const apiVersionsApi = { apiKey: 18, apiVersion: 0 }

/** What a broker speaks: lowest and highest version by API key. */
export type ApiVersions = ReadonlyMap<number, { readonly lowest: number; readonly highest: number }>

/** The parser throws BrokerError for an error that the broker answers. */
export function apiVersionsRequest(): Request<ApiVersions> {
  return { ...apiVersionsApi, encode: () => [], parse: parseApiVersions }
}

function parseApiVersions(answer: Buffer): ApiVersions {
  const reader = new AnswerReader(answer)
  const errorCode = reader.int16()
  const versions = reader.array(() => [reader.int16(), { lowest: reader.int16(), highest: reader.int16() }] as const)
  if (errorCode !== 0) throw new BrokerError(errorCode)
  return new Map(versions)
}

/** Whether a broker of these versions speaks `api`. */
export function speaks(versions: ApiVersions, api: { readonly apiKey: number; readonly apiVersion: number }): boolean {
  const range = versions.get(api.apiKey)
  return range !== undefined && range.lowest <= api.apiVersion && api.apiVersion <= range.highest
}
