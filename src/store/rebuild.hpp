// Rebuilding: makes the segment table and the index anew from the segment files, without what the journal hides, and
// the journal from what is left of it.
#pragma once

#include <larder/result.hpp>

#include "store/control.hpp"
#include "store/trouble.hpp"

namespace larder::store {

// Segment files that cannot be this store's are deleted; all others become sealed segments. Until it has
// succeeded the boot_id in control is zero, so that a rebuild that was killed is begun again.
// REQUIRES: the opening lock is held and nobody else has the store open.
Result<void> rebuild(const Paths& paths, const Control& control, const Table& gen, Trouble& trouble);

}  // namespace larder::store
