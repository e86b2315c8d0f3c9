#!/usr/bin/env bash
# The steps of the Dockerfile on this machine, without a container engine, and what the image has to be able to do, tried
# with their result on a real MongoDB and a real Kafka: test/image/*.image.ts. The script `npm run test:image`.
set -euo pipefail
cd "$(dirname "$0")/.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
context="$work/context" installed="$work/mongo2kafka"

# The build sees what .dockerignore lets in, but for what git ignores: no node_modules and no dist of this checkout.
mkdir "$context"
sed -n 's/^!//p' .dockerignore | xargs git ls-files -z --cached --others --exclude-standard -- | xargs -0 tar -cf - | tar -xf - -C "$context"
(cd "$context" && .ci/image.install.sh "$installed")

chmod 755 "$work" # Another user is to run it.
M2K_TEST_IMAGE="$installed" node_modules/.bin/vitest run --config vitest.image.config.ts "$@"
