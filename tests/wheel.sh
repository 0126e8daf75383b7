#!/bin/sh
# Builds the wheel and checks, in an environment that has never seen the sources, that it is all there and works: each
# tracked file of the packages byte for byte, every module, the command, and the tests of what reads packaged data.
# The rest of the unit tests would only run the same bytes once more.
set -eu
cd "$(dirname "$0")/.."
sources=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m build --wheel --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || {
  cat "$work/build.log" >&2
  exit 1
}
.venv/bin/python -m venv --system-site-packages --without-pip "$work/env"
# The environment's own packages come first; the dependencies are those of .venv, without its editable install.
site=$("$work/env/bin/python" -c 'import site; print(site.getsitepackages()[0])')
dependencies=$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')
.venv/bin/python -m zipfile -e "$work"/dist/snowshed-*.whl "$site"
printf '%s\n' "$dependencies" >"$site/dependencies.pth"
git ls-files streams producers consumers schemas >"$work/tracked"
cp -r tests pyproject.toml "$work/"
cd "$work"
env/bin/python - "$sources" "$site" tracked <<'PYTHON'
import importlib
import pkgutil
import sys
from pathlib import Path

sources, site, tracked = map(Path, sys.argv[1:])
wanted = {Path(*Path(line).parts[1:]): sources / line for line in tracked.read_text().splitlines()}
wanted = {name: source for name, source in wanted.items() if name.parts[0] == "snowshed"}
packed = {path.relative_to(site) for path in (site / "snowshed").rglob("*") if path.is_file()}
assert len(wanted) > 500, f"only {len(wanted)} tracked files"
assert packed == wanted.keys(), f"in one of wheel and sources only: {sorted(map(str, packed ^ wanted.keys()))}"
changed = [str(name) for name, source in wanted.items() if source.read_bytes() != (site / name).read_bytes()]
assert not changed, f"not the sources' bytes: {changed}"

import snowshed

modules = [found.name for found in pkgutil.walk_packages(snowshed.__path__, "snowshed.") if "__main__" not in found.name]
for name in modules:
    origin = importlib.import_module(name).__file__
    assert origin is not None and origin.startswith(str(site)), f"{name} comes from {origin}, not from the wheel"
print(f"{len(packed)} files as in the sources, {len(modules)} modules imported")
PYTHON
env/bin/python -m snowshed.streams.cli --help >/dev/null
env/bin/python -m pytest tests/unit/schemas tests/unit/streams/web -q -p no:cacheprovider
