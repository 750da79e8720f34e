#!/bin/sh
# include_edges.sh ROOT SEES: counts the #include edges between the rooms of the tree at ROOT, and fails on one
# that the house forbids. SEES is a file with a line `room: room…` for each room of src/, from larder_room().
set -eu

cd "$1"
find include src tools examples bench tests fuzz -name '*.[ch]pp' -exec \
  grep -HE '^[[:space:]]*#[[:space:]]*include' {} + 2>/dev/null |
  awk -v sees_file="$2" '
  BEGIN {
    while ((getline line < sees_file) > 0) {
      split(line, parts, ":")
      room[parts[1]] = 1
      count = split(parts[2], seen, " ")
      for (i = 1; i <= count; i++) may[parts[1] "," seen[i]] = 1
    }
    # Third parties, and the one place that each may enter.
    home["xxhash.h"] = "^src/base/"
    home["lz4.h"] = home["zstd.h"] = "^src/codec/"
    home["CLI/"] = home["fmt/"] = home["nlohmann/"] = "^tools/"
    home["lmdb.h"] = home["rocksdb/"] = home["sqlite3.h"] = home["tbb/"] = home["oneapi/"] = "^bench/"
    home["gtest/"] = home["gmock/"] = home["rapidcheck"] = "^tests/"  # and tests may use every other one
    # The system: src/os makes the system calls; programs may talk to it, the other rooms and the examples may not.
    system_headers = "sys/ linux/ unistd.h grp.h limits.h pthread.h sched.h poll.h pwd.h signal.h spawn.h termios.h"
    n = split(system_headers " dirent.h dlfcn.h fnmatch.h", names, " ")
    for (i = 1; i <= n; i++) home[names[i]] = "^(src/os|tools|bench)/"
    home["fcntl.h"] = "^(src|tools|bench)/"  # os.hpp takes its flags
  }
  function wrong(why) { print file ": " include ": " why; failures++ }
  {
    file = $0; sub(/:.*/, "", file)
    include = $0; sub(/^[^:]*:[ \t]*#[ \t]*include[ \t]*/, "", include); sub(/[ \t]*(\/\/.*)?$/, "", include)
    target = substr(include, 2, length(include) - 2)
    split(file, path, "/"); split(target, step, "/")
    from = path[1] == "src" ? path[2] : path[1]
    if (from == "tests" || from == "fuzz") {
      if (include ~ /^"/ && step[1] in room) edges[from " -> " step[1]]++
      next
    }
    if (include ~ /^</) {
      if (target ~ /^larder\//) { edges[from " -> include/larder"]++; next }
      if (target !~ /[.\/]/) next  # the standard library
      place = ""
      for (name in home) if (index(target, name) == 1) place = home[name]
      if (place == "") wrong("neither standard, nor larder, nor a third party that tests/house knows")
      else if (file !~ place) wrong("this library enters elsewhere (" place ")")
      else edges[from " -> " (target ~ /\// ? step[1] : target)]++
      next
    }
    to = (target ~ /\//) ? step[1] : from
    if (to in room || from == "include") edges[from " -> " to]++
    if (from == "include") wrong("public headers include the standard library and <larder/…> only")
    else if (path[1] == "src") {
      if (to != from && !((from "," to) in may)) wrong("room " from " does not see room " to)
    } else if (to in room) {
      if (from == "examples") wrong("examples see include/larder only")
      if (from == "tools" && to != "policy" && target !~ /^(codec\/trace|store\/(inspect|upkeep))\.hpp$/)
        wrong("tools see include/larder, policy, codec/trace.hpp, store/inspect.hpp and store/upkeep.hpp")
      if (from == "bench" && to != "policy" && path[2] !~ /^(memory|micro|traces)$/)
        wrong("bench sees include/larder and policy; bench/memory, bench/micro and bench/traces see all")
    }
  }
  END {
    for (edge in edges) print edges[edge], edge | "sort -k2"
    close("sort -k2")
    if (NR == 0) { print "no #include found"; exit 1 }
    exit failures > 0
  }'
