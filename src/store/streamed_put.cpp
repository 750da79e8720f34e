#include "store/streamed_put.hpp"

#include "store/body.hpp"
#include "store/parts.hpp"

namespace larder::store {

struct StreamedPut::State {
  State(Store::Body& of, const Key& of_key, const Meta& meta, std::uint64_t front_bytes)
      : body(of), key(of_key), value(of.files.control, *of.space, of.trouble, parts_of(of_key, meta), front_bytes) {}

  ~State() {
    if (displaced()) value.abandon();
  }
  // Whether the directory is another store's by now.
  [[nodiscard]] bool displaced() const noexcept { return body.displaced.load(std::memory_order_relaxed); }

  Store::Body& body;
  const Key key;
  LargeValue value;
  Put put = Put::stored;  // anything else: why it is refused
};

StreamedPut::StreamedPut(Store& store, const Key& key, const Meta& meta, std::uint64_t front_bytes) {
  Store::Body& body = *store.body_;
  const TellAtEnd tell(body.trouble);
  state_ = std::make_unique<State>(body, key, meta, front_bytes);
  if (state_->displaced()) {
    state_->put = Put::fault;
    return;
  }
  body.notice_retired();
  state_->put = state_->value.begin(0);
}

StreamedPut::~StreamedPut() = default;
StreamedPut::StreamedPut(StreamedPut&&) noexcept = default;
StreamedPut& StreamedPut::operator=(StreamedPut&&) noexcept = default;

bool StreamedPut::write(Bytes bytes) {
  const TellAtEnd tell(state_->body.trouble);
  if (state_->displaced()) return false;
  if (state_->put == Put::stored) state_->put = state_->value.write(bytes);
  return state_->put == Put::stored;
}

Put StreamedPut::publish(const Meta& meta, Bytes front, std::uint64_t stamp) {
  Store::Body& body = state_->body;
  const TellAtEnd tell(body.trouble);
  if (state_->displaced()) return Put::fault;
  Put put = state_->put;
  Journal::Position noted = 0;
  if (put == Put::stored) {
    put = body.appender->publish_large(state_->key, parts_of(state_->key, meta), state_->value, front, stamp, noted);
  }
  return body.end_put(state_->key, put, noted);
}

}  // namespace larder::store
