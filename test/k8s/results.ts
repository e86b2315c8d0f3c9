/** One values file and what the API server accepted of it. */
export interface Accepted {
  readonly values: string
  readonly objects: number
  readonly kinds: readonly string[]
}

/** The page with the last results, without a date: git has that. `lives`: rows of the second table. */
export function resultsText(
  versions: Readonly<Record<string, string>>,
  accepted: readonly Accepted[],
  lives: readonly string[],
): string {
  const rows = accepted.map(({ values, objects, kinds }) => `| ${values} | ${objects} | ${kinds.join(', ')} |`)
  return `# The last \`npm run test:k8s\`
Written by the run itself, at its end; it stops at the first failure and then writes nothing.

${Object.entries(versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(', ')}. A kube-apiserver and an etcd, no kubelet and no controllers: no pod was started.

Accepted by \`helm template | kubectl apply --server-side --dry-run=server --validate=strict\` with both versions of Helm,
without a warning, and the pods by a namespace that enforces the Pod Security Standard \`restricted\`:

| values of helm/mongo2kafka/ci | objects | kinds |
|---|---:|---|
${rows.join('\n')}

Installed with the first values, upgraded to the second, rolled back, uninstalled; what is left is only the claim that is to
be kept:

| by | first | second |
|---|---|---|
${lives.join('\n')}
`
}
