#!/bin/sh
# The coordinator's container: at its first start it makes the authority, its own keys and files,
# and approves the parties' requests; then it waits for parley plan, run, status and verify.
#
# It approves whatever comes, for this is a demonstration by one person; see party.sh.
set -eu
shared=/exchange
parties="insurer-north insurer-south insurer-west"

await() {
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 360 ] || { echo "coordinator: $1 did not come within 3 minutes" >&2; exit 6; }
        sleep 0.5
    done
}

cd /var/lib/parley
if [ ! -e authority ]; then
    parley pki init authority --organization "$ORGANIZATION"
fi
if [ ! -e coordinator.yaml ]; then
    set --
    for party in $parties; do set -- "$@" --party "$party=$party:7100"; done
    parley coordinator new . --id study-office --organization "$ORGANIZATION" "$@"
fi
if [ ! -e "$shared/roster.json" ]; then
    parley pki approve authority identity/request.pem --again \
        --out "$shared/study-office.bundle.pem"
    parley pki install identity "$shared/study-office.bundle.pem"
    for party in $parties; do
        await "$shared/$party.request.pem"
        parley pki approve authority "$shared/$party.request.pem" --again \
            --out "$shared/$party.bundle.pem"
    done
    parley pki roster "$shared"/*.bundle.pem >roster.json
    parley pki trust identity "$shared"/*.bundle.pem --roster roster.json \
        --config coordinator.yaml
    cp roster.json "$shared/roster.part"
    mv "$shared/roster.part" "$shared/roster.json"
fi
echo "coordinator: ready"
trap 'exit 0' TERM INT
while :; do
    sleep 3600 &
    wait $!
done
