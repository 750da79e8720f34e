#!/bin/bash
# install_packages of scripts/lib.sh, with stand-ins for dpkg-query, apt-get, sudo and id that write down how they were
# called: nothing to do, packages missing, no rights, no network.
#   install_packages_test.sh ROOT SCRATCH
set -euo pipefail

root=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch/bin"
calls=$scratch/calls

stand_in() { # NAME BODY
  printf '#!/bin/bash\n%s\n' "$2" >"$scratch/bin/$1"
  chmod +x "$scratch/bin/$1"
}
stand_in apt-get "echo \"apt-get \$*\" >>'$calls'; [[ \$1 != \"\${APT_FAILS-}\" ]]"
stand_in sudo "echo \"sudo \$*\" >>'$calls'; \"\$@\""
# shellcheck disable=SC2016  # expanded when the stand-in runs
stand_in id 'echo "${USER_ID-0}"'
# shellcheck disable=SC2016
stand_in dpkg-query 'if [[ "${@: -1}" == "${MISSING-}" ]]; then exit 1; fi; echo -n installed'

# Runs install_packages with the given variables; leaves what it said in $said and whether it succeeded in $status.
run() {
  : >"$calls"
  status=0
  said=$(env PATH="$scratch/bin:$PATH" "$@" \
    bash -c "set -euo pipefail; source '$root/scripts/lib.sh'; install_packages apt.txt" 2>&1) || status=$?
}
expect() { # WHAT CONDITION...
  local what=$1
  shift
  "$@" || { echo "not so: $what (status $status)"; echo "$said"; cat "$calls"; exit 1; }
}

run USER_ID=0
expect "nothing missing: apt-get is not called" test "$status" = 0 -a ! -s "$calls"

run MISSING=cmake USER_ID=0
expect "root installs what is missing, and only that" grep -q '^apt-get install .* cmake$' "$calls"
expect "the lists are brought up to date first" grep -q '^apt-get update' "$calls"
expect "it says what it installs" grep -q '^Installing: cmake$' <<<"$said"
expect "and succeeds" test "$status" = 0

run MISSING=cmake USER_ID=1000
expect "others go through sudo" grep -q '^sudo .*apt-get install .* cmake$' "$calls"

run MISSING=cmake APT_FAILS=update
expect "without a network it fails and says so" grep -q 'is there a network' <<<"$said"
expect "with an error" test "$status" != 0

mv "$scratch/bin/sudo" "$scratch/bin/no-sudo"
if ! PATH="$scratch/bin:$PATH" command -v sudo >/dev/null; then
  run MISSING=cmake USER_ID=1000
  expect "without rights it says what to run" grep -q 'apt-get install -y cmake' <<<"$said"
  expect "with an error" test "$status" != 0
fi
