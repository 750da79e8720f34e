// Opening: from a directory to the files of a store, made, checked or rebuilt under the opening lock.
#pragma once

#include <memory>

#include <larder/result.hpp>

#include "store/control.hpp"
#include "store/locks.hpp"
#include "store/store.hpp"
#include "store/trouble.hpp"

namespace larder::store {

// What an open store consists of before anything runs on it.
struct Opened {
  Paths paths;
  std::unique_ptr<OwnedLockFile> presence;  // holds the shared lock that says: somebody uses the store
  LeaseFiles leases;
  PinFiles pins;
  Control control;
  Table gen;
  Table stats;
  Table waits;
  os::Mapping index;
};

Result<Opened> open_files(const StoreOptions& options, Trouble& trouble);

}  // namespace larder::store
