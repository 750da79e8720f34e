# What the scripts of this directory share. Sourced by bash, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this file
jobs=$(nproc)

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# A heading, in bold on a terminal.
heading() {
  if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$1"; else printf '\n%s\n' "$1"; fi
}

# The comment at the top of the script that was called is its help text.
print_help() {
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
}

# Runs a command quietly; on failure shows what it said.
quietly() {
  local log
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    rm -f "$log"
  else
    tail -n 40 "$log" >&2
    rm -f "$log"
    return 1
  fi
}

# install_packages LIST...: installs the Debian packages named in the files packaging/LIST that are missing.
install_packages() {
  local list package missing=() as_root=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system: please install by hand what ${*/#/packaging/} name, if it is missing."
    return
  fi
  for list in "$@"; do
    while read -r package; do
      if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing+=("$package")
      fi
    done <"$root/packaging/$list"
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi

  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "packages are missing, and there is neither root nor sudo. Run as root:
  apt-get install -y ${missing[*]}"
    as_root=(sudo)
  fi
  echo "Installing: ${missing[*]}"
  quietly "${as_root[@]}" apt-get update -q ||
    die "apt-get update failed (above): is there a network, and may you install packages?"
  quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    "${missing[@]}" || die "apt-get install failed (above)"
}
