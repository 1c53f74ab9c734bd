# Inside the machine: the first reference system with the program as it ships. Arguments: the program, the project's folder.
set -eu
wharf=$1 root=$2
export WHARF_HOME=/disk/jobs/home
mkdir -p /disk/jobs/examples
cp "$root/Cargo.toml" "$root/Cargo.lock" "$root/rust-toolchain.toml" /disk/jobs/
cp -r "$root/examples/jobs" /disk/jobs/examples/
cd /disk/jobs/examples/jobs
# The services were built outside: nothing compiles in here.
printf '#!/bin/sh\n' >dist.sh
before=$(ls /sys/fs/cgroup; ip -brief link; nft list ruleset)
"$wharf" up --skip test
again=$("$wharf" up --skip test --json)
case $again in *'"unchanged":true'*) ;; *) echo "a second up changes something: $again"; exit 1 ;; esac
[ "$(curl -s -m 5 http://127.0.0.1:32000/hello)" = "Hello there" ]
"$wharf" load http://127.0.0.1:32000/jobs -m POST -H "Authorization: mytoken" -n 200 -c 4 --max-failed 0
"$wharf" down --volumes --yes
"$wharf" engine stop
"$wharf" engine reset --yes
after=$(ls /sys/fs/cgroup; ip -brief link; nft list ruleset)
[ "$before" = "$after" ] || { printf 'left behind:\n%s\nbefore:\n%s\n' "$after" "$before"; exit 1; }
echo "jobs: up, up again, load and down are well"
