#!/bin/sh
# A test of the test: each wrong edge, planted in a copy of the tree, makes include_edges.sh fail and name the file.
#   include_edges_test.sh ROOT SEES SCRATCH
set -eu

check=$(dirname "$0")/include_edges.sh
root=$1 sees=$2 copy=$3

rm -rf "$copy"
mkdir -p "$copy"
cp -R "$root/include" "$root/src" "$root/tools" "$root/examples" "$copy"

planted() { # FILE INCLUDE: the check must fail with this line in it
  echo "#include $2" >>"$copy/$1"
  if report=$("$check" "$copy" "$sees"); then
    echo "not noticed: $2 in $1"
    exit 1
  fi
  case $report in
    *"$1: $2:"*) ;;
    *) echo "noticed, but not named: $2 in $1"; echo "$report"; exit 1 ;;
  esac
  rm "$copy/$1"
  if [ -e "$root/$1" ]; then cp "$root/$1" "$copy/$1"; fi
}

planted src/base/hash.cpp '"os/os.hpp"'               # upward
planted src/os/file.cpp '"policy/policy.hpp"'         # a neighbor
planted src/memory/planted.cpp '"store/store.hpp"'    # a neighbor, in a new file
planted include/larder/key.hpp '"base/hash.hpp"'      # the vocabulary knows no room
planted include/larder/key.hpp '<xxhash.h>'           # no third party in public headers
planted src/os/file.cpp '<xxhash.h>'                  # a third party in a second room
planted src/base/hash.cpp '<unistd.h>'                # a system call outside os
planted examples/planted.cpp '"store/store.hpp"'      # examples are strangers
planted tools/larder/planted.cpp '"cache/engine.hpp"' # tools see two doors only
planted src/base/hash.cpp '<boost/any.hpp>'           # a library nobody has let in
rm -rf "$copy"
