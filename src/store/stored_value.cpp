#include "store/stored_value.hpp"

#include <algorithm>

#include "store/body.hpp"
#include "store/parts.hpp"

namespace larder::store {

struct StoredValue::State {
  Store::Body& body;
  const Key key;
  const Index::Hit hit;  // its slot is that of the moment of the lookup
  const Meta meta;

  [[nodiscard]] const RecordView& record() const noexcept { return hit.record; }
  [[nodiscard]] std::uint64_t chunks() const noexcept { return chunk_count(record().value.size()); }
  // Where the chunk begins in its segment.
  [[nodiscard]] std::uint64_t offset_of(Bytes chunk) const noexcept {
    return static_cast<std::uint64_t>(chunk.data() - hit.pin.bytes().data());
  }
  // Whether the chunk counts as whole without being looked at.
  [[nodiscard]] bool trusted(std::uint64_t number) const noexcept {
    const bool by_slot = (hit.word & k_slot_verified) != 0;
    switch (body.verification) {
      case Verification::always:
        return false;
      case Verification::process:
        return marked(number);
      case Verification::boot:
        break;
    }
    return by_slot || marked(number);
  }
  [[nodiscard]] bool marked(std::uint64_t number) const noexcept {
    const Bytes chunk = chunk_of(record().value, number);
    return Segments::may_mark(chunk.size()) && hit.pin.has(Segments::Mark::chunk_verified, offset_of(chunk));
  }
  // A child that was forked while another thread held the store's locks may wait for them for ever: it tells nobody.
  [[nodiscard]] bool in_child() const noexcept { return body.fork_generation != os::fork_generation(); }
  // An I/O error is an error here, and no signal when the bytes are touched.
  Result<void> populate(Bytes part) const {
    Result<void> ready = hit.pin.populate(part);
    if (!ready && !in_child()) body.trouble.note(ready.error(), hit.pin.path());
    return ready;
  }
  Result<void> verify(std::uint64_t number) const;
  // Calls act(slot, word) if the key's slot still leads to this record.
  template <class Act>
  void with_slot(const Act& act) const {
    Index::Hit now;
    Miss miss = Miss::absent;
    if (!body.index->find(key, now, miss)) return;
    if (now.pin.id() == hit.pin.id() && now.record.offset == record().offset) act(*now.slot, now.word);
  }
};

Result<void> StoredValue::State::verify(std::uint64_t number) const {
  const Bytes chunk = chunk_of(record().value, number);
  if (Result<void> ready = populate(chunk); !ready) return ready;
  if (!valid_chunk(record(), number, chunk)) {
    const std::string text = hit.pin.path() + ": MiB " + std::to_string(number) + " of the value at offset " +
                             std::to_string(record().offset) + " is damaged";
    if (!in_child()) {
      body.trouble.note(Counter::fault_damaged_record, hit.pin.path(), text);
      with_slot([&](Slot& slot, std::uint64_t word) {
        body.index->forget(slot, word, record().header.fingerprint, record().header.sequence);
      });
    }
    return Error(Errc::damaged, text, "the value is forgotten: compute or put it anew");
  }
  if (Segments::may_mark(chunk.size())) hit.pin.set(Segments::Mark::chunk_verified, offset_of(chunk));
  // The whole value counts as verified for every process when this one has seen all of it.
  if (number + 1 == chunks() && !in_child()) {
    std::uint64_t seen = 0;
    while (seen < number && marked(seen)) ++seen;
    if (seen == number) {
      with_slot([](Slot& slot, std::uint64_t word) { Slots::set_verified(slot, word); });
    }
  }
  return {};
}

StoredValue::StoredValue(std::unique_ptr<State> state) : state_(std::move(state)) {}
StoredValue::~StoredValue() = default;
StoredValue::StoredValue(StoredValue&&) noexcept = default;
StoredValue& StoredValue::operator=(StoredValue&&) noexcept = default;

StoredValue::Lookup StoredValue::find(Store& store, const Key& key) {
  Store::Body& body = *store.body_;
  const TellAtEnd tell(body.trouble);
  Index::Hit hit;
  if (const std::optional<Miss> miss = body.look(key, hit)) return {std::nullopt, *miss};
  Slots::count_hit(*hit.slot, hit.word);
  Meta meta = meta_of(hit.record);
  return {StoredValue(std::unique_ptr<State>(new State{body, key, std::move(hit), std::move(meta)})), Miss::absent};
}

const Meta& StoredValue::meta() const noexcept {
  return state_->meta;
}

std::uint64_t StoredValue::size() const noexcept {
  return state_->record().value.size();
}

Result<Bytes> StoredValue::range(std::uint64_t offset, std::uint64_t bytes) const {
  const TellAtEnd tell(state_->body.trouble);
  const Bytes value = state_->record().value;
  offset = std::min<std::uint64_t>(offset, value.size());
  const Bytes wanted = value.subspan(offset, std::min<std::uint64_t>(bytes, value.size() - offset));
  if (wanted.empty()) return wanted;
  if (const Result<void> ready = state_->populate(wanted); !ready) return ready.error();
  for (std::uint64_t i = offset / k_chunk_bytes; i <= (offset + wanted.size() - 1) / k_chunk_bytes; ++i) {
    if (state_->trusted(i)) continue;
    if (const Result<void> whole = state_->verify(i); !whole) return whole.error();
  }
  return wanted;
}

}  // namespace larder::store
