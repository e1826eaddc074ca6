#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts the JSON schemas of Kubernetes into .cache/kubernetes-schemas, for kubeconform: of the oldest version that the chart
# takes and of a late one. They come in a package of PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
package=kubernetes-validate==1.37.0
versions=(v1.30.0 v1.37.0)
target=.cache/kubernetes-schemas
python="${OSTIARY_TEST_PYTHON:-python3}"
[ "$(cat "$target/.package" 2>/dev/null)" = "$package" ] && exit 0

download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$download" "$package"
rm -rf "$target"
mkdir -p "$target"
"$python" - "$download" "$target" "${versions[@]}" <<'PYTHON'
import json, pathlib, sys, zipfile
download, target, *versions = sys.argv[1:]
[wheel] = pathlib.Path(download).glob("*.whl")
with zipfile.ZipFile(wheel) as package:
    for name in package.namelist():
        path = pathlib.PurePosixPath(name)
        if not any(path.parent.name == f"{version}-local-strict" for version in versions):
            continue
        folder = pathlib.Path(target, path.parent.name.removesuffix("-local-strict"))
        folder.mkdir(exist_ok=True)
        # They refer to each other as files of one folder, and not as what is on a server.
        schema = json.loads(package.read(name).decode().replace('"/api/_definitions.json', '"_definitions.json'))
        schema.pop("$id", None)
        folder.joinpath(path.name).write_text(json.dumps(schema))
PYTHON
echo "$package" >"$target/.package"
