#!/bin/sh
# exports_test.sh NM LIBRARY: fails if LIBRARY exports a symbol that is not larder's public interface.
set -eu

symbols=$("$1" --dynamic --demangle --defined-only "$2" | cut -d ' ' -f 3-)
if ! printf '%s\n' "$symbols" | grep -q '^larder::Cache::open('; then
  echo "larder::Cache::open is not exported"
  exit 1
fi
foreign=$(printf '%s\n' "$symbols" | grep -vE '^((vtable|typeinfo|typeinfo name) for )?larder::' || true)
private=$(printf '%s\n' "$symbols" | grep -E 'larder::(base|os|observe|policy|codec|memory|store|cache)::' || true)
if [ -n "$foreign$private" ]; then
  printf 'exported, but not public:\n%s\n%s\n' "$foreign" "$private"
  exit 1
fi
