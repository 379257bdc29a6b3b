#!/usr/bin/env bash
# Finds a container engine for the end-to-end tests, or makes one where that is allowed.
#
#   eval "$(bash tests/e2e/engine.sh)"
#
# An engine that answers is taken as it is. Only where none answers, or the base images can neither be
# found nor pulled, and only for root on Debian, `ensure-docker.sh` installs what is missing.
set -euo pipefail
cd "$(dirname "$0")"

IMAGES="${PYTHON_IMAGE:-python:3.13-slim-trixie} ${REDIS_IMAGE:-redis:8-trixie} ${POSTGRES_IMAGE:-postgres:17-trixie}"

has_engine() { timeout 20 docker version && timeout 20 docker compose version; } >/dev/null 2>&1

has_images() {
    local image
    for image in $IMAGES; do
        docker image inspect "$image" >/dev/null 2>&1 ||
            timeout 300 docker pull -q "$image" >/dev/null 2>&1 || return 1
    done
}

if has_engine && has_images; then
    # Compose asks for a plugin to build with, which not every engine brings.
    docker buildx version >/dev/null 2>&1 || echo "export COMPOSE_BAKE=false"
elif [ "$(id -u)" = 0 ] && grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
    ENSURE_DOCKER_IMAGES="$IMAGES" exec bash ensure-docker.sh
else
    cat >&2 <<EOF
The end-to-end tests need a container engine. Install Docker Engine 25 or newer with the compose plugin
2.24 or newer (https://docs.docker.com/engine/install/), let this user reach it, and see to it that these
images are there or can be pulled: $IMAGES
As root on Debian, \`make e2e\` does all of that by itself.
EOF
    exit 1
fi
