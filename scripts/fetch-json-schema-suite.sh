#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes the official JSON Schema Test Suite into .cache/json-schema-suite, which is never committed. It is part of the
# source distribution of Python's jsonschema; no npm package carries it. Needs a Python with pip: OSTIARY_TEST_PYTHON,
# by default python3.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${OSTIARY_TEST_PYTHON:-python3}"
suite=.cache/json-schema-suite
release=jsonschema-4.26.0
digest=0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326

[ ! -e "$suite/$release" ] || exit 0
rm -rf "$suite"
mkdir -p "$suite"
echo "${release/-/==} --hash=sha256:$digest" >"$suite/requirements.txt"
"$python" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --no-binary jsonschema \
  --dest "$suite" --requirement "$suite/requirements.txt"
tar -xzf "$suite/$release.tar.gz" -C "$suite" "$release/json/tests/draft7" "$release/json/tests/draft2020-12"
