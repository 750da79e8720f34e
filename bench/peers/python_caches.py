"""Caches for Python, as processes that bench/store starts and talks with: see bench/store/work.hpp.

Times are taken in here with perf_counter_ns, around calls that the interpreter makes; what an empty one costs is part of
the description.
"""

import array
import os
import sys
import time

FILL, FILL_AND_WAIT, PUT, GET = range(4)
MASK = (1 << 64) - 1


def value_word(number):
    """The first bytes of record `number`: as in harness/workload.hpp."""
    x = ((number ^ 0x1A4DE4) + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return (x ^ (x >> 31)).to_bytes(8, "little")


class Diskcache:
    """diskcache.Cache, no eviction: what it would evict is not found again."""

    def __init__(self, directory):
        import diskcache

        self.cache = diskcache.Cache(directory, size_limit=1 << 45, cull_limit=0, eviction_policy="none")

    @staticmethod
    def configuration():
        import diskcache

        return f"diskcache {diskcache.__version__}, Python {sys.version.split()[0]}; no eviction, defaults otherwise"

    def put(self, number, value):
        self.cache.set(("fit", number), value)

    def get(self, number):
        return self.cache.get(("fit", number))

    def close(self):
        self.cache.close()


class Joblib:
    """joblib.Memory around a function of the key: a put is a call that computes, a get one that does not."""

    def __init__(self, directory):
        import joblib

        self.memory = joblib.Memory(directory, verbose=0)
        self.value = None

        def fit(number):
            return self.value

        self.fit = self.memory.cache(fit)

    @staticmethod
    def configuration():
        import joblib

        return f"joblib {joblib.__version__}; Memory, not compressed, the values being bytes"

    def put(self, number, value):
        self.value = value
        self.fit(number)
        self.value = None

    def get(self, number):
        return self.fit(number)

    def close(self):
        pass


SYSTEMS = {"diskcache": Diskcache, "joblib": Joblib}


def sample(operations, pause_us, prepare, operate):
    samples = array.array("q", bytes(8 * operations))
    clock = time.perf_counter_ns
    start = clock()
    for i in range(operations):
        argument = prepare(i)
        before = clock()
        operate(argument)
        samples[i] = clock() - before
        if pause_us:
            time.sleep(pause_us / 1e6)
    return start, clock(), samples


def describe(system):
    _, _, samples = sample(10_000, 0, lambda i: i, lambda i: None)
    overhead = sorted(samples)[len(samples) // 2]
    print(f"{system.configuration()}; an empty call takes {overhead} ns, included", flush=True)


def main(words):
    system = SYSTEMS[words[0]]
    if words[1] == "describe":
        return describe(system)
    operation, value_bytes, records = int(words[1]), int(words[3]), int(words[4])
    operations, first, pause_us = int(words[6]), int(words[7]), int(words[10])
    cache = system(words[2])
    if operation == FILL:
        # joblib keeps the function's code beside its first result; processes that begin at once in an empty directory
        # remove it under each other, and fail.
        cache.put(-1, b"")
        tail = os.urandom(max(value_bytes - 8, 0))
        for i in range(records):
            cache.put(i, (value_word(i) + tail)[:value_bytes])
        return cache.close()
    if operation == PUT:
        with open(words[11], "rb") as file:
            tail = file.read()[8:]
        prepare = lambda i: (first + i, (value_word(first + i) + tail)[:value_bytes])
        operate = lambda argument: cache.put(*argument)
    else:
        def operate(number):
            value = cache.get(number)
            if len(value) != value_bytes or value[:8] != words_of[number]:
                raise RuntimeError("answered with something else than was stored")

        words_of = [value_word(i) for i in range(records)]
        prepare = lambda i: (i * 7919) % records
        for i in range(records):
            operate(i)
    print("ready", flush=True)
    sys.stdin.readline()
    start, end, samples = sample(operations, pause_us, prepare, operate)
    with open(words[12], "wb") as file:
        samples.tofile(file)
    print(start, end, flush=True)
    cache.close()


if __name__ == "__main__":
    main(sys.argv[1:])
