#!/bin/sh
# Builds one service as a static binary and puts it at dist/NAME, where its Dockerfile copies it from.
set -eu
cd "$(dirname "$0")"
name=${1:?usage: dist.sh NAME}
target=${CARGO_TARGET_DIR:-../../target}
RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static" \
    cargo build --locked --quiet --release --target x86_64-unknown-linux-gnu --package "$name"
mkdir -p dist
cp "$target/x86_64-unknown-linux-gnu/release/$name" "dist/$name.new"
mv "dist/$name.new" "dist/$name"
