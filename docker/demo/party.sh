#!/bin/sh
# A party's container: at its first start it makes its keys and files, then it serves.
#
# Private keys stay on this party's own volume; only requests, bundles and the roster of
# fingerprints cross the shared one. One person runs all of this demonstration. Between
# organizations fingerprints are compared by another way before anything is trusted (README.md):
# a shared volume is no such way.
set -eu
demo=/src/docker/demo
shared=/exchange

await() {
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 360 ] || { echo "$PARTY: $1 did not come within 3 minutes" >&2; exit 6; }
        sleep 0.5
    done
}

cd /var/lib/parley
if [ ! -e node.yaml ]; then
    # The public data of all three insurers; this one keeps its own.
    python /src/scenarios/visits/recipe.py --out /tmp/data
    mkdir -p data
    cp "/tmp/data/$PARTY.csv" data/visits.csv
    rm -r /tmp/data
    parley node new . --id "$PARTY" --organization "$ORGANIZATION" \
        --coordinator study-office --table visits --data data/visits.csv \
        --host "$PARTY" --port 7100 --rows-max 20000
    cp "$demo/visits.schema.yaml" "$demo/policy.yaml" .
fi
if [ ! -e joined ]; then
    cp identity/request.pem "$shared/$PARTY.request.part"
    mv "$shared/$PARTY.request.part" "$shared/$PARTY.request.pem"
    await "$shared/roster.json"
    parley pki install identity "$shared/$PARTY.bundle.pem"
    parley pki trust identity "$shared"/*.bundle.pem --roster "$shared/roster.json" \
        --config node.yaml
    touch joined
fi
parley data register visits --config node.yaml
exec parley node start --config node.yaml
