#!/usr/bin/env bash
# Builds the image and brings compose.yaml up for real, with podman, in a network of its own.
# Images that cannot be pulled are replaced by stand-ins made of Debian packages: they prove the steps of the
# Dockerfile and the wiring of compose.yaml, not the exact versions of Python, Redis and PostgreSQL.
# FROM_PACKAGES=1 does so without trying to pull. WORK names the folder to work in.
set -euo pipefail
cd "$(dirname "$0")/../.."

sorry() { echo "make containers: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || sorry "this check needs root; everything else in this project does not."
for tool in podman buildah crun netavark aardvark-dns iptables unshare curl; do
  command -v "$tool" >/dev/null || [ -x "/usr/lib/podman/$tool" ] || sorry "$tool is missing: apt-get install --no-install-recommends \
podman buildah crun netavark aardvark-dns uidmap iptables mmdebstrap curl"
done

WORK=${WORK:-$(mktemp -d /var/tmp/eldoleado-containers.XXXXXX)}
mkdir -p "$WORK"
NEEDED="python:3.12-slim redis:7.2-bookworm postgres:17-bookworm"

cat > "$WORK/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$WORK/images"
runroot = "$WORK/run"
CONF
cat > "$WORK/containers.conf" <<CONF
[containers]
cgroups = "disabled"
ipcns = "host"
utsns = "host"
log_driver = "k8s-file"
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
CONF
export CONTAINERS_STORAGE_CONF=$WORK/storage.conf CONTAINERS_CONF=$WORK/containers.conf
export BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker

# A mount namespace with cgroup v2 alone; with a network namespace nothing of ours stays on the host.
own_mounts() { unshare -m sh -c 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"' sh "$@"; }
own_network() {
  unshare -m -n sh -c 'ip link set lo up; umount -R /sys/fs/cgroup; mount -t sysfs sysfs /sys
    mount -t cgroup2 none /sys/fs/cgroup; exec "$@"' sh "$@"
}
build() { own_mounts podman build -q --network=host "$@" >/dev/null; }

stand_ins() {
  echo "==> Stand-ins from Debian packages for: $NEEDED"
  command -v mmdebstrap >/dev/null || sorry "mmdebstrap is missing: apt-get install mmdebstrap"
  [ -f "$WORK/root.tar" ] || mmdebstrap -q --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip \
    "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$WORK/root.tar" /etc/apt/sources.list.d/debian.sources
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$WORK/ca.crt"
  cat > "$WORK/python" <<'FILE'
FROM scratch
ADD root.tar /
COPY ca.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_BREAK_SYSTEM_PACKAGES=1
RUN ln -s /usr/bin/python3 /usr/local/bin/python
FILE
  cat > "$WORK/redis" <<'FILE'
FROM localhost/python:3.12-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server && install -d -o redis /data
WORKDIR /data
USER redis
FILE
  cat > "$WORK/postgres" <<'FILE'
FROM localhost/python:3.12-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql && install -d -o postgres -m 0700 /var/lib/postgresql/data
COPY start-postgres /start-postgres
USER postgres
CMD ["sh", "/start-postgres"]
FILE
  cat > "$WORK/start-postgres" <<'FILE'
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; export PGDATA=/var/lib/postgresql/data
if [ ! -s $PGDATA/PG_VERSION ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb -U "$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C.UTF-8
  echo "host all all all scram-sha-256" >> $PGDATA/pg_hba.conf
  echo "CREATE DATABASE $POSTGRES_DB;" | postgres --single -D $PGDATA postgres
fi
exec postgres -c 'listen_addresses=*' -c unix_socket_directories=/tmp,/var/run/postgresql
FILE
  for image in $NEEDED; do
    build -f "$WORK/${image%%:*}" -t "localhost/$image" "$WORK"
  done
}

pulled() { for image in $NEEDED; do own_mounts podman pull -q "$image" >/dev/null 2>&1 || return 1; done; }

if [ -n "${FROM_PACKAGES:-}" ] || ! pulled; then stand_ins; fi

echo "==> Tools"
[ -x "$WORK/tools/bin/podman-compose" ] || { python3 -m venv "$WORK/tools"; "$WORK/tools/bin/pip" install -q --disable-pip-version-check podman-compose==1.6.0; }
COMPOSE="$WORK/tools/bin/podman-compose --in-pod=false --env-file $WORK/env"

key() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
HUB=$(key); CHANNEL=$(key); OPERATOR=$(key)
cat > "$WORK/env" <<ENV
POSTGRES_PASSWORD=$(key)
REDIS_PASSWORD=$(key)
API_KEYS=operator=$OPERATOR,orchestrator=$CHANNEL,agent=$HUB
CHANNEL_API_KEY=$CHANNEL
HUB_API_KEY=$HUB
AVITO_WEBHOOK_SECRET=$(key)
AVITO_CLIENT_ID=demo
AVITO_CLIENT_SECRET=$(key)
AVITO_BASE_URL=http://sandbox:8790/avito
MCP_AVITO_PUBLIC_URL=http://mcp_avito:8765
WHATSAPP_TOKEN=$(key)
WHATSAPP_PROFILE_ID=a1b2c3d4-e5f6
WHATSAPP_WEBHOOK_SECRET=$(key)
WHATSAPP_BASE_URL=http://sandbox:8790/whatsapp
MCP_WHATSAPP_PUBLIC_URL=http://mcp_whatsapp:8766
VK_ACCESS_TOKEN=$(key)
VK_GROUP_ID=2200033
VK_WEBHOOK_SECRET=$(key | cut -c1-40)
VK_BASE_URL=http://sandbox:8790/vk
MCP_VK_PUBLIC_URL=http://mcp_vk:8767
MAX_TOKEN=$(key)
MAX_WEBHOOK_SECRET=$(key)
MAX_BASE_URL=http://sandbox:8790/max
MCP_MAX_PUBLIC_URL=http://mcp_max:8768
INSTAGRAM_ACCESS_TOKEN=$(key)
INSTAGRAM_APP_SECRET=$(key)
INSTAGRAM_VERIFY_TOKEN=$(key)
INSTAGRAM_BASE_URL=http://sandbox:8790/instagram
MCP_INSTAGRAM_PUBLIC_URL=http://mcp_instagram:8769
TELEGRAM_TOKEN=7000000001:$(key | cut -c1-35)
TELEGRAM_WEBHOOK_SECRET=$(key)
TELEGRAM_BASE_URL=http://sandbox:8790/telegram
MCP_TELEGRAM_PUBLIC_URL=http://mcp_telegram:8771
ENV

echo "==> A missing secret stops it"
grep -v '^REDIS_PASSWORD=' "$WORK/env" > "$WORK/incomplete"
if said=$("$WORK/tools/bin/podman-compose" --env-file "$WORK/incomplete" config 2>&1); then sorry "it did not"; fi
grep -q 'is missing, see .env.example' <<< "$said" || sorry "it stopped without saying why: $said"

echo "==> Image"
build -t eldoleado-channels:local .

# podman 4 cannot start a container whose dependency has a dependency: here we keep the order ourselves.
"$WORK/tools/bin/python" - "$WORK/compose.yaml" <<'PY'
import sys, yaml
with open("compose.yaml") as file:
    compose = yaml.safe_load(file)
for service in compose["services"].values():
    service.pop("depends_on", None)
with open(sys.argv[1], "w") as file:
    yaml.safe_dump(compose, file, allow_unicode=True)
PY
COMPOSE="$COMPOSE -f $WORK/compose.yaml"

echo "==> Up, with the demo"
# shellcheck disable=SC2016
MESSENGERS="avito whatsapp vk max instagram telegram" COMPOSE=$COMPOSE own_network bash -euo pipefail -c '
  trap "$COMPOSE --profile demo down -v >/dev/null 2>&1 || true" EXIT
  up() { timeout 180 $COMPOSE --profile demo up -d --no-build "$@" >/dev/null 2>&1; }
  healthy() { for _ in $(seq 60); do podman healthcheck run "eldoleado_$1_1" >/dev/null 2>&1 && return 0; sleep 0.5; done; return 1; }
  up redis postgres
  healthy redis && healthy postgres && echo "    redis and postgres are healthy"
  up migrate
  [ "$(podman wait eldoleado_migrate_1)" = 0 ] && echo "    the database is migrated"
  up sandbox $(printf "mcp_%s " $MESSENGERS) form_api orchestrator agent
  answers() { for _ in $(seq 120); do curl -sf -o /dev/null "$1" && return 0; sleep 0.5; done; return 1; }
  for port in $(seq 8765 8771) 8780 8790; do
    answers "http://127.0.0.1:$port/health" && echo "    port $port is healthy" || { $COMPOSE logs --tail 20; exit 1; }
  done
  for service in $(printf "mcp_%s " $MESSENGERS) form_api orchestrator sandbox; do
    podman healthcheck run "eldoleado_${service}_1" >/dev/null && echo "    the health check of $service passes"
  done
  for channel in $MESSENGERS; do
    there=http://127.0.0.1:8790/control/$channel/customers/anna/messages
    written="{\"text\": \"Сколько стоит замена экрана?\"}"
    answered=
    for _ in $(seq 60); do  # until the channel has subscribed, nobody hears
      curl -sf http://127.0.0.1:$(podman port eldoleado_mcp_${channel}_1 | sed -n "s/.*://p;q")/health | grep -q "\"healthy\": *true" && break
      sleep 0.5
    done
    curl -sf -X POST -H "content-type: application/json" -d "$written" $there >/dev/null
    for _ in $(seq 120); do
      curl -sf $there | grep -Eq "\"direction\": *\"out\"" && { answered=yes; break; }
      sleep 0.5
    done
    [ "$answered" ] && echo "    the agent has answered on $channel" || { curl -s $there; $COMPOSE logs --tail 15; exit 1; }
  done
'
echo "==> All well; images and layers are in $WORK"
