#!/bin/sh
# tree_test.sh ROOT WHAT: what holds for every file of the tree, generated directories aside.
#   links    every link in a markdown file to a file of the repository leads somewhere
#   paths    no file names a directory of somebody's machine
#   tables   every counter and every environment variable that is read stands in its reference page
#   tests    every test that a page names, as `Suite.Test`, stands in a source
set -eu

cd "$1"
files() { find . \( -name build -o -name .git -o -name .cache \) -prune -o -type f "$@" -print; }

case $2 in
  links)
    files -name '*.md' | while read -r page; do
      # Links outside of fenced blocks and `code`, without their anchors.
      awk '/^ *```/ { fenced = !fenced } !fenced { gsub(/`[^`]*`/, ""); print }' "$page" |
        grep -oE '\]\([^)#]+' | cut -c 3- | grep -vE '^(https?|mailto):' | while read -r link; do
        [ -e "$(dirname "$page")/$link" ] || echo "$page: there is no $link"
      done || true
    done
    ;;
  paths)
    files | tr "\n" "\0" | xargs -0 grep -nIE '/(wor[k]|roo[t]|hom[e]/[a-z]+)/' || true
    ;;
  tables)
    sed -n 's/^  \([a-z_]*\) = [0-9]*,.*/\1/p' include/larder/stats.hpp | while read -r counter; do
      grep -q "\`$counter\`" docs/reference/counters.md || echo "docs/reference/counters.md: there is no $counter"
    done
    page=docs/reference/environment.md
    grep -rhoE 'getenv\("[A-Z_]+"\)' src tools tests | sort -u | cut -d '"' -f 2 | while read -r variable; do
      grep -q "\`$variable\`" "$page" || echo "$page: there is no $variable"
    done
    ;;
  tests)
    # A name that is too long for the line of its suite stands below it.
    there=$(find tests -name '*_test.cpp' -exec sed -nE '/^(TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP)\(/ {
      /,$/ { N; s/\n */ /; }
      s/^[A-Z_]+\(([A-Za-z0-9]+), ([A-Za-z0-9]+).*/\1.\2/p
    }' {} +)
    files -name '*.md' | while read -r page; do
      grep -oE "\`[A-Z][A-Za-z0-9]*\.[A-Z][A-Za-z0-9]*\`" "$page" | tr -d "\`" | while read -r name; do
        echo "$there" | grep -qxF "$name" || echo "$page: there is no test $name"
      done || true
    done
    ;;
esac | sed 's|^\./||' | { if grep .; then exit 1; fi; }
