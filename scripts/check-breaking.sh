#!/usr/bin/env bash
# Compares the contract with the newest release and, before the first one, with the main branch. Another commit to
# compare with may be given as an argument.
set -euo pipefail
cd "$(dirname "$0")/.."

base="${1:-$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)}"
for branch in origin/main main; do
  if [ -z "$base" ] && git rev-parse --quiet --verify "$branch^{commit}" >/dev/null; then base=$branch; fi
done
if [ -z "$base" ]; then
  echo "buf breaking: neither a release nor a main branch, nothing to compare with"
  exit 0
fi

# Unpacked rather than named as a git input: the foreign protos of the services that we serve are never committed, so buf
# could not compile a bare commit, and a worktree has no .git folder for it to read.
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$base" buf.yaml proto $(git ls-tree --name-only "$base" proto-config) | tar -x -C "$before"
# A commit from before they were checked in lacks what its protos import.
for imported in buf google; do [ -d "$before/proto/$imported" ] || cp -R "proto/$imported" "$before/proto/"; done
mkdir "$before/.cache"
cp -R .cache/proto "$before/.cache/proto"
echo "buf breaking: compared with $base"
# The contract alone: the schema of the configuration file is nothing that a client was built with.
buf breaking proto --against "$before/proto"
