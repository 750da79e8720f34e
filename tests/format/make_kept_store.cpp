// Makes the store that a release keeps: make_kept_store DIRECTORY. See tests/format/make_store.
#include <cstdio>

#include "content.hpp"

namespace larder::test {
namespace {

void fill(Cache& cache) {
  cache.put(Key("text"), std::string("hello"), {.cost = Duration("1500ms")});
  cache.put(Key("empty"), std::string());
  cache.put(Key("integer"), std::int64_t{-7});
  cache.put(Key("real"), 0.25);
  cache.put(Key("flag"), true);
  cache.put(Key("bytes"), std::vector<std::byte>{std::byte{0}, std::byte{255}, std::byte{10}});
  cache.put(Key("floats"), std::vector<float>{1.5F, -2.0F, 0.0F});
  cache.put(Key("nothing"), std::optional<std::int64_t>());
  cache.put(Key("arguments", Version{3}, 4096, "hann", 0.5), std::string("of a call"));
  cache.put(Key("array"), kept_array());
  cache.put(Key("numbers"), kept_numbers());
  for (std::int64_t i = 0; i < k_kept_pages; ++i) cache.put(Key("page", i), kept_page(i));

  cache.put(Key("overwritten"), std::string("older"));
  cache.put(Key("overwritten"), std::string("newer"));
  cache.put(Key("removed"), std::string("gone"));
  cache.put(Key("removed"), std::string("gone, too"));
  cache.remove(Key("removed"));
  cache.put(Key("removed and put again"), std::string("older"));
  cache.remove(Key("removed and put again"));
  cache.put(Key("removed and put again"), std::string("newer"));
  cache.put(Key("expired"), std::string("gone"), {.ttl = Duration("1ms")});
  cache.put(Key("tagged"), std::string("here"), {.tags = {"kept", "kept too"}});
  cache.put(Key("invalidated"), std::string("gone"), {.tags = {"kept", "changed"}});
  cache.invalidate("changed");
  cache.put(Key("put after its tag was invalidated"), std::string("here"), {.tags = {"changed"}});
}

}  // namespace
}  // namespace larder::test

int main(int count, char** texts) {
  if (count != 2) return 2;
  larder::Options options = larder::test::kept_options(texts[1]);
  options.store = "32MiB";
  larder::Result<larder::Cache> cache = larder::Cache::open(options);
  if (!cache) {
    std::fprintf(stderr, "%s\n", cache.error().what());
    return 1;
  }
  larder::test::fill(*cache);
  return 0;
}
