import type { Schema } from './json-schema.ts'

const text = { type: 'string', minLength: 1 } as const

const oauthSchema = {
  type: 'object',
  description: 'Where mechanism `oauthbearer` has its tokens from: a file, or the client credentials grant of OAuth 2.',
  additionalProperties: false,
  properties: {
    tokenFile: { ...text, description: 'Path of a file with the token, read again at each login.' },
    tokenEndpoint: {
      ...text,
      description: 'Address of the authorization server that gives tokens for `clientId` and its secret.',
      pattern: '^https://.|^http://(localhost|127\\.0\\.0\\.1)[:/]',
      'x-expected': 'an address that begins with https://',
    },
    clientId: { ...text, description: 'Name of this client at the authorization server.' },
    clientSecret: { ...text, description: 'Its secret.', 'x-secret': true },
    clientSecretFile: { ...text, description: 'Path of a file with its secret, read again for each token.' },
    scope: { ...text, description: 'Scope to ask for.' },
    audience: { ...text, description: 'Audience to ask for, where the authorization server wants it.' },
    ca: { ...text, description: "Path of the authorization server's certificate authorities, PEM." },
    extensions: {
      type: 'object',
      description: 'Names and values that the brokers are told beside the token.',
      additionalProperties: { type: 'string' },
    },
  },
} as const satisfies Schema

const awsSchema = {
  type: 'object',
  description: 'Login at Amazon MSK by IAM, for mechanism `aws-msk-iam`.',
  additionalProperties: false,
  required: ['region'],
  properties: {
    region: { ...text, description: 'Region of the cluster.', pattern: '^[a-z0-9-]+$', 'x-expected': 'a region' },
    accessKeyId: {
      ...text,
      description:
        'Access key; absent: as the AWS SDK finds it (environment, profile, container, instance), by the package `@aws-sdk/credential-providers`.',
    },
    secretAccessKey: { ...text, description: 'Its secret.', 'x-secret': true },
    sessionToken: { ...text, description: 'Its session token, for temporary keys.', 'x-secret': true },
  },
} as const satisfies Schema

export const saslSchema = {
  type: 'object',
  description: 'Authentication at Kafka; [login.md](login.md) shows each way.',
  additionalProperties: false,
  required: ['mechanism'],
  properties: {
    mechanism: {
      type: 'string',
      description: 'How to log in. `oci-rsa-sha256` is experimental.',
      enum: ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam', 'oci-rsa-sha256'],
    },
    username: { ...text, description: 'The Kafka user of `plain` and `scram-…`.' },
    password: { ...text, description: 'Its password.', 'x-secret': true },
    passwordFile: { ...text, description: 'Path of a file with the password, read again at each login.' },
    tenancy: {
      ...text,
      description:
        'OCI Streaming with `plain`: name of the tenancy. The user name is put together from the next three.',
    },
    domain: { ...text, description: 'OCI Streaming: identity domain of the user; absent in older tenancies.' },
    user: { ...text, description: 'OCI Streaming: name of the user; its password is an auth token.' },
    streamPoolId: {
      ...text,
      description: 'OCI Streaming: OCID of the stream pool, also for `oci-rsa-sha256`.',
      pattern: '^ocid1\\.streampool\\.',
      'x-expected': 'an OCID that begins with ocid1.streampool.',
    },
    principal: {
      type: 'string',
      description: 'OCI Streaming with `oci-rsa-sha256`: who this machine, function or pod is.',
      enum: ['instance-principal', 'resource-principal', 'workload-identity', 'config-file', 'session-token'],
    },
    oauth: oauthSchema,
    aws: awsSchema,
  },
} as const satisfies Schema
