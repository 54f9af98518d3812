#!/usr/bin/env bash
# Runs the visits study among four containers, checks everything about it, and takes all down.
#
#   docker/smoke.sh                 (make docker-demo)
#   BUILD_OPTIONS="--network host"  more options for docker build
#   PIP_EXTRA_INDEX_URL=…           PyTorch's index of CPU wheels, for a smaller image
#   KEEP=1                          leaves the containers up
set -euo pipefail
cd "$(dirname "$0")/.."

export PARLEY_IMAGE=${PARLEY_IMAGE:-parley}
project=parley-smoke-$$
parties=(insurer-north insurer-south insurer-west)
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(--project-name "$project" --file docker/compose.yaml)

say() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }
inside() { "${compose[@]}" exec -T "$@"; }

down() {
    local code=$?
    if [[ $code -ne 0 ]]; then "${compose[@]}" logs --tail 40 || true; fi
    if [[ -z ${KEEP:-} ]]; then "${compose[@]}" down --volumes --remove-orphans >/dev/null 2>&1 || true; fi
    exit "$code"
}

healthy() { # SERVICE…: wait until each is
    local end=$((SECONDS + 300)) service state
    for service in "$@"; do
        until state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' \
            "$("${compose[@]}" ps -q "$service")") && [[ $state == "running healthy" ]]; do
            [[ $state == running* ]] || fail "$service: $state"
            ((SECONDS < end)) || fail "$service is not healthy after 5 minutes: $state"
            sleep 1
        done
    done
}

say "build"
# shellcheck disable=SC2086 # options are words
docker build ${BUILD_OPTIONS:-} --build-arg PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-}" \
    --tag "$PARLEY_IMAGE" --file docker/Dockerfile .
keys=$(docker run --rm --network none --entrypoint sh "$PARLEY_IMAGE" -c \
    'find /src /var/lib/parley /exchange /home -name "*.key" -o -name "*.pem" -o -name "*.db"')
[[ -z $keys ]] || fail "the image holds keys or state: $keys"

trap down EXIT
say "start: keys are made, requests approved, tables registered"
"${compose[@]}" up --no-build --detach
healthy "${parties[@]}" coordinator
inside coordinator parley coordinator health --config coordinator.yaml

say "what containers may and may not"
for service in "${parties[@]}" coordinator; do
    inside "$service" sh -c '
        [ "$(id -u)" = 10001 ] || { echo "runs as $(id -u)"; exit 1; }
        grep -qE "^[^ ]+ / [^ ]+ ro[, ]" /proc/mounts || { echo "its root can be written"; exit 1; }
        if grep -rlE "PRIVATE KEY" /exchange; then echo "a private key is shared"; exit 1; fi
        grep -q "^CapEff:[[:space:]]*0*$" /proc/1/status || { echo "has capabilities"; exit 1; }
        grep -q "^NoNewPrivs:[[:space:]]*1$" /proc/1/status || { echo "may gain privileges"; exit 1; }
    ' || fail "$service"
done
echo "uid 10001, read-only root, no capabilities, no shared private key"

say "plan"
scenario=/src/scenarios/visits/scenario.yaml
inside coordinator parley plan "$scenario" --config coordinator.yaml --out plan.json
say "run"
inside coordinator parley run plan.json --config coordinator.yaml --out results
say "check the results, and the receipt against what each party says of itself"
inside coordinator python - results/results.json /src/scenarios/visits/expected.json <docker/demo/check.py
{
    for party in "${parties[@]}"; do
        inside "$party" parley pki show identity | tail -1 | sed "s/^/$party: /"
    done
    inside coordinator parley pki show identity | tail -1 | sed "s/^/study-office: /"
} | inside coordinator sh -c 'cat >told.yaml && parley verify results/receipt.json --roster told.yaml'

say "again: answered from the receipt, also after a party was restarted"
"${compose[@]}" restart insurer-west
healthy insurer-west
again=$(inside coordinator parley run plan.json --config coordinator.yaml --out again)
[[ $again == *"released before"* ]] || fail "the study was computed again"
inside coordinator cmp results/receipt.json again/receipt.json
inside coordinator parley status --config coordinator.yaml
say "all is well"
