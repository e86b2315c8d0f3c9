import { expect, test } from 'vitest'
import { loginRules } from '../../src/config/rules-sasl.ts'

const places = (sasl: object) =>
  loginRules({ sink: { sasl } }).map(({ pointer }) => pointer.slice('/sink/sasl/'.length))
const oci = { tenancy: 't', user: 'u', streamPoolId: 'ocid1.streampool.oc1..a' }
const grant = { tokenEndpoint: 'https://h/', clientId: 'c', clientSecret: 's' }

test.each([
  { mechanism: 'plain', username: 'u', password: 'p' },
  { mechanism: 'plain', ...oci, domain: 'd', passwordFile: '/f' },
  { mechanism: 'scram-sha-512', username: 'u', passwordFile: '/f' },
  { mechanism: 'oauthbearer', oauth: { tokenFile: '/f', extensions: { a: 'b' } } },
  { mechanism: 'oauthbearer', oauth: { ...grant, scope: 's' } },
  { mechanism: 'aws-msk-iam', aws: { region: 'r' } },
  { mechanism: 'aws-msk-iam', aws: { region: 'r', accessKeyId: 'k', secretAccessKey: 's', sessionToken: 't' } },
  { mechanism: 'oci-rsa-sha256', principal: 'instance-principal', streamPoolId: oci.streamPoolId },
])('is complete: %o', sasl => {
  expect(places(sasl)).toEqual([])
})

test.each([
  [{ mechanism: 'plain' }, ['username', 'password']],
  [{ mechanism: 'plain', username: 'u', password: 'p', passwordFile: '/f' }, ['password']],
  [{ mechanism: 'plain', username: 'u', ...oci, password: 'p' }, ['username']],
  [{ mechanism: 'plain', tenancy: 't', password: 'p' }, ['user', 'streamPoolId']],
  [{ mechanism: 'scram-sha-256', username: 'u', password: 'p', ...oci }, ['tenancy', 'user', 'streamPoolId']],
  [{ mechanism: 'oauthbearer' }, ['oauth']],
  [{ mechanism: 'oauthbearer', oauth: {} }, ['oauth/tokenFile']],
  [{ mechanism: 'oauthbearer', oauth: { ...grant, tokenFile: '/f' } }, ['oauth/tokenFile']],
  [{ mechanism: 'oauthbearer', oauth: { tokenFile: '/f', scope: 's' } }, ['oauth/scope']],
  [{ mechanism: 'oauthbearer', oauth: { tokenEndpoint: 'https://h/' } }, ['oauth/clientId', 'oauth/clientSecret']],
  [{ mechanism: 'aws-msk-iam' }, ['aws']],
  [{ mechanism: 'aws-msk-iam', aws: { region: 'r', accessKeyId: 'k' } }, ['aws/secretAccessKey']],
  [{ mechanism: 'oci-rsa-sha256' }, ['streamPoolId', 'principal']],
])('%o lacks or has too much at %o', (sasl, expected) => {
  expect(places(sasl)).toEqual(expected)
})
