import { readFile } from 'node:fs/promises'
import { Configuration } from '../../../errors.ts'
import type { Secret } from '../../../secret.ts'

/** A secret that may be another one at the next login. Throws Configuration SINK_AUTH_FAILED where there is none. */
export type SecretSource = () => Promise<string>

/** No password or token is longer. */
const limitBytes = 64 * 1024

export function fixedSecret(secret: Secret): SecretSource {
  return async () => secret.reveal()
}

/**
 * The text of a file without line ends behind it, read anew each time. `setting` names the file's key in the
 * configuration, for errors.
 */
export function secretFile(path: string, setting: string): SecretSource {
  return async () => {
    let bytes: Buffer
    try {
      bytes = await readFile(path)
    } catch (cause) {
      throw new Configuration('SINK_AUTH_FAILED', `${setting}: cannot read ${path}`, { cause })
    }
    const text = bytes.toString('utf8').replace(/[\r\n]+$/, '')
    if (text === '' || bytes.length > limitBytes) {
      const what = text === '' ? 'is empty' : `is larger than ${limitBytes} bytes`
      throw new Configuration('SINK_AUTH_FAILED', `${setting}: ${path} ${what}`)
    }
    return text
  }
}
