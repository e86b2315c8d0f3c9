import type { Secret } from '../secret.ts'

type TypeName = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'

/** Text with a unit, and what it is in the resolved configuration. */
export type Unit = 'duration' | 'size' | 'time'

/** The part of JSON Schema draft-07 that the schema uses, and five words of our own (`x-…`). */
export interface Schema {
  readonly type: TypeName | readonly TypeName[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  /** What is expected, to complete "must be …": the message where `pattern` does not match. */
  readonly 'x-expected'?: string
  /** A default that depends on other settings, in words; `resolve.ts` computes it. */
  readonly 'x-default'?: string
  /** Smallest and largest value of a text with a unit. */
  readonly 'x-range'?: readonly [string, string]
  /** Never printed: a Secret in the result. */
  readonly 'x-secret'?: true
  /** A duration becomes milliseconds and its name gains `Ms`, a size becomes bytes, a time milliseconds since 1970. */
  readonly 'x-unit'?: Unit
}

type Present = { readonly default: unknown } | { readonly 'x-default': string }

type Required<S> = S extends { readonly required: readonly (infer R)[] } ? R : never

type ResolvedName<K, P> = K extends string
  ? P extends { readonly 'x-unit': 'duration' | 'time' }
    ? `${K}Ms`
    : K
  : never

type ResolvedObject<S, P> = {
  readonly [K in keyof P as ResolvedName<K, P[K]>]:
    | Resolved<P[K]>
    | (P[K] extends Present ? never : K extends Required<S> ? never : undefined)
}

type ResolvedType<S, T> = T extends 'object'
  ? S extends { readonly properties: infer P }
    ? ResolvedObject<S, P>
    : Readonly<Record<string, unknown>>
  : T extends 'array'
    ? S extends { readonly items: infer I }
      ? readonly Resolved<I>[]
      : never
    : T extends 'integer' | 'number'
      ? number
      : T extends 'boolean'
        ? boolean
        : string

/** The value that a setting of schema `S` has in the resolved configuration. Absent settings are undefined. */
export type Resolved<S> = S extends { readonly 'x-secret': true }
  ? Secret
  : S extends { readonly 'x-unit': 'time' }
    ? number | 'now'
    : S extends { readonly 'x-unit': Unit }
      ? number
      : S extends { readonly enum: readonly (infer E)[] }
        ? E
        : S extends { readonly type: readonly (infer T)[] }
          ? ResolvedType<S, T>
          : S extends { readonly type: infer T }
            ? ResolvedType<S, T>
            : never
