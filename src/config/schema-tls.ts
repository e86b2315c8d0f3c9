import type { Schema } from './json-schema.ts'

const path = { type: 'string', minLength: 1 } as const

export const tlsSchema = {
  type: ['boolean', 'object'],
  description:
    '`true` for TLS with the public authorities, or its details. Files that change are used without a restart.',
  additionalProperties: false,
  properties: {
    ca: { ...path, description: 'Path of the certificate authorities, PEM.' },
    cert: { ...path, description: 'Path of the client certificate, PEM; with `key`.' },
    key: { ...path, description: "Path of the client certificate's key, PEM; with `cert`." },
    passphrase: { ...path, description: 'Passphrase of an encrypted `key`.', 'x-secret': true },
    rejectUnauthorized: {
      type: 'boolean',
      description: 'false accepts any certificate: for tests alone.',
      default: true,
    },
  },
} as const satisfies Schema
