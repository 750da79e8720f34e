#include "policy/s3_fifo.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "container.hpp"

namespace larder::policy {
namespace {

using test::Container;
using Ids = std::vector<EntryId>;

TEST(S3Fifo, WhatIsNeverHitLeavesInTheOrderInWhichItCame) {
  Container container(make_s3_fifo, 100);
  for (EntryId id = 0; id < 100; ++id) EXPECT_EQ(container.insert(id), Ids{});
  for (EntryId id = 100; id < 190; ++id) EXPECT_EQ(container.insert(id), Ids{id - 100});
  container.check();
}

TEST(S3Fifo, OneHitKeepsAnEntryWhileOthersPass) {
  Container container(make_s3_fifo, 100);
  for (EntryId id = 0; id < 100; ++id) container.insert(id);
  container.hit(0);
  for (EntryId id = 100; id < 1000; ++id) container.insert(id);
  EXPECT_TRUE(container.has(0));
  EXPECT_FALSE(container.has(1));
  container.check();
}

TEST(S3Fifo, WhatComesBackSoonAfterItLeftGoesPastTheSmallQueue) {
  Container container(make_s3_fifo, 100);
  for (EntryId id = 0; id < 101; ++id) container.insert(id);
  ASSERT_FALSE(container.has(0));
  container.insert(0);
  for (EntryId id = 200; id < 1000; ++id) container.insert(id);
  EXPECT_TRUE(container.has(0));
  container.check();
}

TEST(S3Fifo, AGhostIsForgottenWhenAsMuchLeftAfterItAsTheMainQueueHolds) {
  Container container(make_s3_fifo, 100);
  for (EntryId id = 0; id < 200; ++id) container.insert(id);
  ASSERT_FALSE(container.has(0));
  container.insert(0);
  for (EntryId id = 200; id < 400; ++id) container.insert(id);
  EXPECT_FALSE(container.has(0));
  container.check();
}

}  // namespace
}  // namespace larder::policy
