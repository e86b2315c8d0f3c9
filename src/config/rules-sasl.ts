import type { Finding } from './check.ts'
import { getOwn } from './tree.ts'

/** How the settings of `sink.tls` and `sink.sasl` go together. */
export function loginRules(root: unknown): Finding[] {
  const sink = getOwn(root, 'sink')
  return [...tlsRules(getOwn(sink, 'tls')), ...saslRules(getOwn(sink, 'sasl'))]
}

function tlsRules(tls: unknown): Finding[] {
  const [cert, key] = [getOwn(tls, 'cert'), getOwn(tls, 'key')]
  if ((cert === undefined) === (key === undefined)) return []
  const message = 'cert and key go together: give both or none'
  return [{ pointer: `/sink/tls/${cert === undefined ? 'key' : 'cert'}`, message }]
}

const ociUser = ['tenancy', 'user', 'streamPoolId']
/** The settings of each mechanism; those that it must have are in `neededBy`. */
const settings: Readonly<Record<string, readonly string[]>> = {
  plain: ['username', 'password', 'passwordFile', 'domain', ...ociUser],
  'scram-sha-256': ['username', 'password', 'passwordFile'],
  'scram-sha-512': ['username', 'password', 'passwordFile'],
  oauthbearer: ['oauth'],
  'aws-msk-iam': ['aws'],
  'oci-rsa-sha256': ['streamPoolId', 'principal'],
}

function saslRules(sasl: unknown): Finding[] {
  const mechanism = getOwn(sasl, 'mechanism')
  const own = typeof mechanism === 'string' ? settings[mechanism] : undefined
  if (own === undefined) return []
  const has = (name: string) => getOwn(sasl, name) !== undefined
  const foreign = Object.keys(sasl as object).filter(name => name !== 'mechanism' && !own.includes(name))
  return [
    ...foreign.map(name => finding(name, `mechanism ${String(mechanism)} has no use for it: remove it`)),
    ...missing(String(mechanism), has),
    ...oauthRules(getOwn(sasl, 'oauth')),
    ...awsRules(getOwn(sasl, 'aws')),
  ]
}

function missing(mechanism: string, has: (name: string) => boolean): Finding[] {
  switch (mechanism) {
    case 'oauthbearer':
      return has('oauth') ? [] : [finding('oauth', 'is missing: where the tokens come from')]
    case 'aws-msk-iam':
      return has('aws') ? [] : [finding('aws', 'is missing: the region of the cluster')]
    case 'oci-rsa-sha256':
      return ['streamPoolId', 'principal'].filter(name => !has(name)).map(name => finding(name, 'is missing'))
    default:
      return [...userRules(mechanism, has), ...oneOf('', ['password', 'passwordFile'], has)]
  }
}

/** PLAIN may have the parts of an OCI user in the place of `username`. */
function userRules(mechanism: string, has: (name: string) => boolean): Finding[] {
  const parts = ['domain', ...ociUser].filter(has)
  if (mechanism !== 'plain' || parts.length === 0) return has('username') ? [] : [finding('username', 'is missing')]
  if (has('username')) return [finding('username', `is put together from ${ociUser.join(', ')}: give it or them`)]
  return ociUser.filter(name => !has(name)).map(name => finding(name, 'is missing: it is a part of the user name'))
}

function oauthRules(oauth: unknown): Finding[] {
  if (oauth === undefined) return []
  const has = (name: string) => getOwn(oauth, name) !== undefined
  const grant = ['clientId', 'clientSecret', 'clientSecretFile', 'scope', 'audience', 'ca']
  const found = oneOf('oauth/', ['tokenFile', 'tokenEndpoint'], has)
  if (!has('tokenEndpoint')) {
    return [...found, ...grant.filter(has).map(name => finding(`oauth/${name}`, 'needs tokenEndpoint'))]
  }
  const client = has('clientId') ? [] : [finding('oauth/clientId', 'is missing')]
  return [...found, ...client, ...oneOf('oauth/', ['clientSecret', 'clientSecretFile'], has)]
}

function awsRules(aws: unknown): Finding[] {
  const has = (name: string) => getOwn(aws, name) !== undefined
  const needs = (name: string, other: string) =>
    has(name) && !has(other) ? [finding(`aws/${other}`, `is missing: ${name} needs it`)] : []
  return [
    ...needs('accessKeyId', 'secretAccessKey'),
    ...needs('secretAccessKey', 'accessKeyId'),
    ...needs('sessionToken', 'accessKeyId'),
  ]
}

function oneOf(path: string, [one, other]: readonly [string, string], has: (name: string) => boolean): Finding[] {
  if (has(one) !== has(other)) return []
  const message = has(one) ? `${one} and ${other} exclude each other` : `is missing: give it, or ${other}`
  return [finding(path + one, message)]
}

function finding(name: string, message: string): Finding {
  return { pointer: `/sink/sasl/${name}`, message }
}
