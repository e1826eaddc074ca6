#!/usr/bin/env bash
# Compares the contract with the newest released one; before the first release there is nothing to compare with.
set -euo pipefail
tag=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if [ -z "$tag" ]; then
  echo "buf breaking: no release yet, nothing to compare with"
  exit 0
fi
buf breaking proto --against ".git#tag=${tag},subdir=proto"
