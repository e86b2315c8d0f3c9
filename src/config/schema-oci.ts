import type { Schema } from './json-schema.ts'

/** Of `sink.type: oci-rest`. */
export const ociSchema = {
  type: 'object',
  description: 'OCI Streaming over its REST API, for `sink.type: oci-rest`. Topics are the streams of one pool.',
  additionalProperties: false,
  required: ['streamPoolId'],
  properties: {
    streamPoolId: {
      type: 'string',
      description: 'OCID of the stream pool.',
      pattern: '^ocid1\\.[^\\s/?#]+$',
      maxLength: 255,
      'x-expected': 'an OCID, such as ocid1.streampool.oc1.…',
    },
    region: {
      type: 'string',
      description: 'Region of the pool, such as `eu-frankfurt-1`.',
      pattern: '^[a-z0-9-]{1,63}$',
      'x-expected': "a region's name, such as eu-frankfurt-1",
      'x-default': 'that of `auth`',
    },
    endpoint: {
      type: 'string',
      description:
        'Address of the administration, where it is not that of the region in the commercial realm. `http://` is allowed for this machine alone.',
      pattern: '^https?://[A-Za-z0-9.\\[\\]:-]+/?$',
      'x-expected': 'an address without a path, such as https://streaming.eu-frankfurt-1.oci.oraclecloud.com',
      'x-default': '`https://streaming.REGION.oci.oraclecloud.com`',
    },
    auth: {
      type: 'object',
      description: 'How to log in; needs the optional package `oci-common`, but for workload-identity.',
      additionalProperties: false,
      default: {},
      properties: {
        type: {
          type: 'string',
          description:
            "Oracle's ways: `config-file` and `session-token` by a profile of the CLI's configuration file, the others without a key of ours.",
          enum: ['config-file', 'session-token', 'instance-principal', 'resource-principal', 'workload-identity'],
          default: 'config-file',
        },
        configFile: { type: 'string', description: 'Path of that file.', minLength: 1, 'x-default': '`~/.oci/config`' },
        profile: { type: 'string', description: 'Profile in that file.', minLength: 1, 'x-default': '`DEFAULT`' },
      },
    },
    retentionHours: {
      type: 'integer',
      description: 'How long streams that are created here keep their messages; cannot be changed afterwards.',
      minimum: 24,
      maximum: 168,
      default: 24,
    },
    requests: {
      type: 'integer',
      description: 'Requests under way at once, for each stream of a pipeline.',
      minimum: 1,
      maximum: 32,
      default: 4,
    },
  },
} as const satisfies Schema
