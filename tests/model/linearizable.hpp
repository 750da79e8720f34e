// Whether what was seen of a key can be explained: whether its operations can be put in one order, each at a moment
// between its invocation and its return, in which every lookup that found something found the value last put.
//
// A cache may forget at any time, so a lookup that found nothing is explained by any order. For the same reason a put
// is a put whatever PutOutcome says of it: a value that a tier refused, or that another put superseded, is one that was
// forgotten at once, and what the key had before is gone all the same.
//
// To invalidate the tag of a key is to remove it. Of a put and an invalidation that overlap, the one that took its
// number first comes first, and that cannot be seen from outside: a value that lands after the invalidation and is out
// of date from the start was put before it, as far as anybody can tell.
//
// The search is that of Wing and Gong with the memory of Lowe: a set of operations that are placed already and the
// state after them are visited once.
#pragma once

#include <span>

#include "model/history.hpp"

namespace larder::test {

// Operations of the history, all of one key, that contradict each other: no order explains them, and none of them can
// be left out. None if the history is linearizable. REQUIRES: the key was absent before.
[[nodiscard]] History contradiction(std::span<const Operation> of_one_key);

}  // namespace larder::test
