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
# What all services need: a layer of its own when images are built.
"$1" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --custom-compile-command "make lock" --upgrade \
    --constraints requirements/dev.txt --output-file requirements/shared.txt
for extra in gateway exporter notifier janitor admin cli; do
    compile "$1" --extra "$extra" "requirements/$extra.txt" "--constraints requirements/dev.txt"
    sed -i '/^bulkhead/d' "requirements/$extra.txt"
done
# Images that hold no code of ours but a script.
image() {
    printf '%s\n' "$3" | "$1" pip compile - --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
        --constraints requirements/dev.txt --output-file "requirements/$2.txt" --upgrade
}
image "$1" flower "flower
celery[redis]"
image "$1" mail aiosmtpd
# What builds the project itself, which the others' dependencies do not need.
echo "setuptools>=80" | "$1" pip compile - --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
    --output-file requirements/build.txt --upgrade
