#include "store/pins.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <larder/units.hpp>

namespace larder::store {

namespace {

// So many processes are named; a line is to stay readable.
constexpr std::size_t k_named_max = 5;

// What a mapped segment takes of the limit: what it is charged with, as long as it is.
struct Charge {
  std::uint64_t bytes;
  bool gone;
};
Charge charge_of(const Control& control, const os::MappedFile& file) {
  const std::optional<std::uint64_t> id = segment_id_of(std::filesystem::path(file.path).filename().string());
  for (const SegmentEntry& entry : control.segments()) {
    if (!id || *id == 0 || entry.id.load() != *id) continue;
    return {entry.reserved.load(), file.deleted || !alive(entry.state.load())};
  }
  return {file.bytes, true};  // only a forked child maps it
}

}  // namespace

Holders find_holders(const Paths& paths, const Control& control) {
  const os::Mappers mappers = os::mappers(paths.segments());
  Holders holders;
  holders.unreadable = mappers.unreadable;
  std::map<std::string, Charge> charged;
  for (const os::Mapper& mapper : mappers.processes) {
    Holder holder{mapper.pid, mapper.command};
    for (const os::MappedFile& file : mapper.files) {
      const auto [place, added] = charged.try_emplace(file.path, Charge{});
      if (added) {
        place->second = charge_of(control, file);
        holders.bytes += place->second.bytes;
        if (place->second.gone) holders.gone += place->second.bytes;
      }
      holder.bytes += place->second.bytes;
      if (place->second.gone) holder.gone += place->second.bytes;
    }
    holders.list.push_back(std::move(holder));
  }
  std::ranges::sort(holders.list, [](const Holder& a, const Holder& b) {
    return std::tie(b.gone, b.bytes, a.pid) < std::tie(a.gone, a.bytes, b.pid);
  });
  return holders;
}

std::string describe(const Holders& holders) {
  const std::size_t count = holders.list.size();
  std::string text = count == 0   ? "no process that may be looked into holds values"
                     : count == 1 ? "1 process holds "
                                  : std::to_string(count) + " processes hold ";
  if (count != 0) text += format_size(holders.bytes) + " of values";
  if (holders.gone != 0) text += ", " + format_size(holders.gone) + " of them replaced or evicted";
  for (std::size_t i = 0; i < std::min(count, k_named_max); ++i) {
    const Holder& holder = holders.list[i];
    text += (i == 0 ? ": " : ", ") + std::to_string(holder.pid) + " " + holder.command + " (" +
            format_size(holder.bytes) + ")";
  }
  if (count > k_named_max) text += ", and " + std::to_string(count - k_named_max) + " more";
  if (count == 0 && holders.unreadable != 0) {
    text += "; " + std::to_string(holders.unreadable) + " belong to other users";
  }
  return text;
}

}  // namespace larder::store
