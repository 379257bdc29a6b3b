#!/bin/sh
# Compiles the lock: all extras in one resolution, so that every service has the same versions.
# Usage: compile.sh UV
set -eu
cd "$(dirname "$0")/.."
compile() {
    "$1" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --custom-compile-command "make lock" "$2" "$3" \
        --output-file "$4" $5 --upgrade
}
compile "$1" --extra dev requirements/dev.txt ""
sed -i '/^bulkhead/d' requirements/dev.txt
for extra in gateway exporter notifier janitor cli; do
    compile "$1" --extra "$extra" "requirements/$extra.txt" "--constraints requirements/dev.txt"
    sed -i '/^bulkhead/d' "requirements/$extra.txt"
done
# What builds the project itself, which the others' dependencies do not need.
echo "setuptools>=80" | "$1" pip compile - --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
    --output-file requirements/build.txt --upgrade
