#!/bin/sh
# Form one Redis Cluster of the nodes below; a formed one is left alone. For caches only: nodes that are not new and yet
# no cluster, after a forming that was interrupted or the loss of a node's volume, are emptied and begun again.
#
#   REDIS_HOST       where every node listens           127.0.0.1
#   REDIS_PORTS      the nodes' ports                   6379 6380 6381 6382 6383 6384
#   REDIS_REPLICAS   replicas of each primary           1
#   REDIS_CLI        the client to use                  redis-cli
#   PATIENCE         seconds that any one step may take 30
set -eu

host=${REDIS_HOST:-127.0.0.1}
ports=${REDIS_PORTS:-6379 6380 6381 6382 6383 6384}
replicas=${REDIS_REPLICAS:-1}
cli=${REDIS_CLI:-redis-cli}
patience=${PATIENCE:-30}

node() {
  port=$1
  shift
  timeout 3 "$cli" -h "$host" -p "$port" "$@" 2>&1 | tr -d '\r'
}

# What the node at port $1 says of $2 in CLUSTER INFO; 0 if it says nothing.
told() {
  value=$(node "$1" cluster info | sed -n "s/^$2://p")
  echo "${value:-0}"
}

every_node_answers() {
  for each in $ports; do
    silent=$each
    [ "$(node "$each" ping)" = PONG ] || return 1
  done
}

every_node_is_new() {
  for each in $ports; do
    [ "$(told "$each" cluster_known_nodes)" = 1 ] || return 1
    [ "$(told "$each" cluster_slots_assigned)" = 0 ] || return 1
  done
}

# A node that was ever met remembers it; one that was not will not come together with the others by waiting.
every_node_was_met() {
  for each in $ports; do
    [ "$(told "$each" cluster_known_nodes)" -gt 1 ] || return 1
  done
}

cluster_is_formed() {
  for each in $ports; do
    [ "$(told "$each" cluster_state)" = ok ] || return 1
    [ "$(told "$each" cluster_slots_ok)" = 16384 ] || return 1
    [ "$(told "$each" cluster_known_nodes)" -ge "$count" ] || return 1
  done
}

eventually() {
  deadline=$(($(date +%s) + patience))
  until "$1"; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.5
  done
}

fail() {
  echo "form-cluster: $*" >&2
  exit 1
}

count=0
addresses=
for each in $ports; do
  count=$((count + 1))
  addresses="$addresses $host:$each"
done

command -v "$cli" >/dev/null || fail "the command $cli is missing"
eventually every_node_answers || fail "no answer from $host:$silent within $patience s"

if ! every_node_is_new; then
  if every_node_was_met && eventually cluster_is_formed; then
    echo "form-cluster: the $count nodes are a cluster already"
    exit 0
  fi
  echo "form-cluster: the nodes are neither new nor a cluster; emptying them to begin again"
  for each in $ports; do
    # A replica refuses FLUSHALL, and needs none: the reset empties it.
    node "$each" flushall >/dev/null
    [ "$(node "$each" cluster reset hard)" = OK ] || fail "$host:$each could not be reset"
  done
fi

# shellcheck disable=SC2086 # the addresses are so many words
output=$(timeout "$patience" "$cli" --cluster create $addresses --cluster-replicas "$replicas" --cluster-yes 2>&1) ||
  fail "$cli could not form the cluster: $output"
eventually cluster_is_formed || fail "the nodes did not agree on the cluster within $patience s"
echo "form-cluster: formed a cluster of $count nodes, $replicas replica(s) for each primary"
