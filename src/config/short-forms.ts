import { getOwn, isTree, type Tree } from './tree.ts'

/** `onError: fail` of a pipeline or of `defaults` is short for both of its reasons. */
export function withoutShortForms(root: Tree): Tree {
  const pipelines = Array.isArray(root.pipelines) ? root.pipelines : []
  for (const options of [root.defaults, ...pipelines]) {
    if (isTree(options) && getOwn(options, 'onError') === 'fail') options.onError = { oversize: 'fail', poison: 'fail' }
  }
  return root
}
