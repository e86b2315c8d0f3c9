#!/bin/sh
# Packs the checkout around this file and installs the package into the empty folder TARGET, with what it needs at run
# time and nothing else, in the versions and with the hashes of package-lock.json. The Dockerfile and .ci/image.sh both
# do it by this file. No package of ours needs a script of its own at its installation, so none is run.
set -eu
target=${1:?usage: .ci/image.install.sh TARGET}
cd "$(dirname "$0")/.."
packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT

npm ci --ignore-scripts --no-audit --no-fund
npm pack --pack-destination "$packed" # Compiles, by the script `prepack`.

mkdir -p "$target"
tar -xzf "$packed"/mongo2kafka-*.tgz -C "$target" --strip-components=1
cp package-lock.json "$target"
chmod 755 "$target/dist/main.js"
cd "$target"
npm ci --omit=dev --ignore-scripts --no-audit --no-fund
