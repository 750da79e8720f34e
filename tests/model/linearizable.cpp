#include "model/linearizable.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_set>
#include <vector>

namespace larder::test {

namespace {

using Kind = Operation::Kind;
using Value = std::uint64_t;  // 0: absent

class Search {
 public:
  explicit Search(History history) : operations_(std::move(history)), placed_(operations_.size()) {
    std::ranges::sort(operations_, {}, &Operation::invoked);
    for (const Operation& operation : operations_) {
      if (operation.kind == Kind::get) ++to_be_read_[operation.result];
    }
  }

  // Places what is left, `state` being what the key has.
  bool finish(Value state) {
    const std::vector<std::size_t> next = candidates();
    if (next.empty()) return true;
    if (!visited_[state].insert(placed_).second) return false;
    // Who finds what the key has may do it now: that takes nothing from the others.
    for (const std::size_t i : next) {
      if (operations_[i].kind == Kind::get && operations_[i].result == state) return place(i, state);
    }
    // Values are put once: one that will be read yet must stay.
    if (to_be_read_[state] != 0) return false;
    // What nobody reads may be put, and replaced, now.
    for (const std::size_t i : next) {
      if (operations_[i].kind != Kind::get && to_be_read_[after(i)] == 0) return place(i, after(i));
    }
    return std::ranges::any_of(next,
                               [&](std::size_t i) { return operations_[i].kind != Kind::get && place(i, after(i)); });
  }

 private:
  // What can be next: operations that began before any that is left returned.
  [[nodiscard]] std::vector<std::size_t> candidates() const {
    std::vector<std::size_t> found;
    std::int64_t first_return = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < operations_.size() && operations_[i].invoked <= first_return; ++i) {
      if (placed_[i]) continue;
      first_return = std::min(first_return, operations_[i].returned);
      found.push_back(i);
    }
    return found;
  }
  // What the key has after a change.
  [[nodiscard]] Value after(std::size_t i) const {
    return operations_[i].kind == Kind::put ? operations_[i].argument : Value{0};
  }
  // Places one operation and what is left after it.
  bool place(std::size_t i, Value state) {
    const bool reads = operations_[i].kind == Kind::get;
    placed_[i] = true;
    if (reads) --to_be_read_[state];
    if (finish(state)) return true;
    if (reads) ++to_be_read_[state];
    placed_[i] = false;
    return false;
  }

  History operations_;
  std::vector<bool> placed_;
  std::map<Value, std::size_t> to_be_read_;  // how many gets of a value are not placed yet
  std::map<Value, std::unordered_set<std::vector<bool>>> visited_;
};

bool is_linearizable(const History& history) {
  return Search(history).finish(0);
}

// A history that is linearizable stays so without this operation.
bool is_dispensable(const History& history, const Operation& operation) {
  return operation.kind != Kind::put || std::ranges::none_of(history, [&](const Operation& other) {
           return other.kind == Kind::get && other.result == operation.argument;
         });
}

}  // namespace

History contradiction(std::span<const Operation> of_one_key) {
  History left;
  std::ranges::copy_if(of_one_key, std::back_inserter(left),
                       [](const Operation& operation) { return operation.kind != Kind::get || operation.result != 0; });
  if (is_linearizable(left)) return {};
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t i = 0; i < left.size();) {
      History without = left;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      if (is_dispensable(left, left[i]) && !is_linearizable(without)) {
        left = std::move(without);
        smaller = true;
      } else {
        ++i;
      }
    }
  }
  return left;
}

}  // namespace larder::test
