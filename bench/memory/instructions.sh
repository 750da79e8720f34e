#!/bin/sh
# instructions.sh PROGRAM [N]: instructions that a hit and an insert that evicts take, as callgrind counts them.
# PROGRAM, larder_bench_memory, runs with N operations and with twice as many: the difference is the operations' own.
set -eu

program=$1
count=${2:-100000}

# instructions OPERATION COUNT: of the whole run.
instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" --count "$1" "$2" 2>&1 |
    awk '/Collected/ {print $NF}'
}

for operation in hit insert; do
  once=$(instructions "$operation" "$count")
  twice=$(instructions "$operation" $((2 * count)))
  echo "$operation: $(((twice - once) / count)) instructions"
done
