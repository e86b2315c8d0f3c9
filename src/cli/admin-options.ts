import { parseArgs } from 'node:util'
import type { Environment } from '../config/interpolate.ts'
import type { Config } from '../config/schema.ts'
import { Secret } from '../secret.ts'
import type { AdminAddress } from './admin-client.ts'
import { commonOptions } from './config-options.ts'
import type { Io } from './io.ts'
import { loadOrExplain } from './load-config.ts'

/** Options of the commands that speak to a running daemon. */
export interface AdminOptions {
  readonly help: boolean
  readonly json: boolean
  readonly file: string | undefined
  readonly overrides: readonly string[]
  readonly url: string | undefined
  readonly token: string | undefined
  readonly positionals: readonly string[]
}

export const adminUsage = `  -c, --config FILE   finds address and token in the daemon's configuration
  --set PATH=VALUE    a setting on top of it
  --url URL           the admin address; without -c and --url: http://127.0.0.1:8080
  --token TOKEN       the bearer token; better from the file or from M2K_ADMIN__TOKEN, as arguments are seen by others
  --json              the answer as JSON
`

/** The options in `argv`, or what is wrong with them in words; `wrongIn` says it of the arguments without a name. */
export function adminOptions(
  argv: readonly string[],
  wrongIn: (positionals: readonly string[]) => string | undefined,
): AdminOptions | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        ...commonOptions,
        url: { type: 'string' },
        token: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const { help, json, config, set, url, token } = values
    if (url !== undefined && !/^https?:\/\/[^/]+\/*$/.test(url)) return '--url is not like http://127.0.0.1:8080'
    const wrong = help ? undefined : wrongIn(positionals)
    return wrong ?? { help, json, file: config, overrides: set, url, token, positionals }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Where the daemon's admin server is; undefined where the file is wrong, which stderr then explains. */
export function adminAddress(options: AdminOptions, env: Environment, io: Io): AdminAddress | undefined {
  const { file, overrides } = options
  const config = file === undefined ? undefined : loadOrExplain(file, { env, overrides }, io)
  if (file !== undefined && config === undefined) return undefined
  const url = options.url ?? (config ? urlOf(config) : 'http://127.0.0.1:8080')
  const given = options.token ?? (config ? undefined : env.M2K_ADMIN__TOKEN)
  return { url: url.replace(/\/+$/, ''), token: given === undefined ? config?.admin.token : new Secret(given) }
}

/** An address to listen on anywhere is reached on this machine. */
export function urlOf({ admin: { host, port } }: Config): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}
