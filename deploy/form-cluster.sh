#!/bin/sh
# Form a Redis Cluster from the nodes below. A cluster that is formed already is not changed. For caches only: if the
# nodes are neither new nor a cluster (an interrupted run, or a node that lost its volume), the script empties and
# resets them.
#
#   REDIS_HOST       the host of every node             127.0.0.1
#   REDIS_PORTS      the ports of the nodes             6379 6380 6381 6382 6383 6384
#   REDIS_REPLICAS   replicas of each primary           1
#   REDIS_CLI        the Redis client to use            redis-cli
#   STEP_TIMEOUT     the timeout of each step, seconds  30
set -eu

host=${REDIS_HOST:-127.0.0.1}
ports=${REDIS_PORTS:-6379 6380 6381 6382 6383 6384}
replicas=${REDIS_REPLICAS:-1}
cli=${REDIS_CLI:-redis-cli}
step_timeout=${STEP_TIMEOUT:-30}

node() {
  port=$1
  shift
  timeout 3 "$cli" -h "$host" -p "$port" "$@" 2>&1 | tr -d '\r'
}

# Print the field $2 of CLUSTER INFO of the node at port $1; 0 if there is none.
cluster_info() {
  value=$(node "$1" cluster info | sed -n "s/^$2://p")
  echo "${value:-0}"
}

every_node_responds() {
  for each in $ports; do
    silent=$each
    [ "$(node "$each" ping)" = PONG ] || return 1
  done
}

every_node_is_new() {
  for each in $ports; do
    [ "$(cluster_info "$each" cluster_known_nodes)" = 1 ] || return 1
    [ "$(cluster_info "$each" cluster_slots_assigned)" = 0 ] || return 1
  done
}

# A node remembers the nodes that it has met. A node that never met another one will not join the others by itself.
every_node_has_met_others() {
  for each in $ports; do
    [ "$(cluster_info "$each" cluster_known_nodes)" -gt 1 ] || return 1
  done
}

cluster_is_formed() {
  for each in $ports; do
    [ "$(cluster_info "$each" cluster_state)" = ok ] || return 1
    [ "$(cluster_info "$each" cluster_slots_ok)" = 16384 ] || return 1
    [ "$(cluster_info "$each" cluster_known_nodes)" -ge "$count" ] || return 1
  done
}

eventually() {
  deadline=$(($(date +%s) + step_timeout))
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
eventually every_node_responds || fail "$host:$silent did not respond within $step_timeout s"

if ! every_node_is_new; then
  if every_node_has_met_others && eventually cluster_is_formed; then
    echo "form-cluster: the $count nodes are a cluster already"
    exit 0
  fi
  echo "form-cluster: the nodes are neither new nor a cluster; emptying and resetting them"
  for each in $ports; do
    # A replica refuses FLUSHALL and does not need it: the reset empties a replica.
    node "$each" flushall >/dev/null
    [ "$(node "$each" cluster reset hard)" = OK ] || fail "cannot reset $host:$each"
  done
fi

# shellcheck disable=SC2086 # each address is a word of its own
output=$(timeout "$step_timeout" "$cli" --cluster create $addresses --cluster-replicas "$replicas" --cluster-yes 2>&1) ||
  fail "$cli cannot form the cluster: $output"
eventually cluster_is_formed || fail "the nodes did not become a working cluster within $step_timeout s"
echo "form-cluster: formed a cluster of $count nodes, $replicas replica(s) for each primary"
