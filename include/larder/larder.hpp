// Everything: `#include <larder/larder.hpp>`.
#pragma once

#include <larder/array.hpp>
#include <larder/cache.hpp>
#include <larder/codec.hpp>
#include <larder/codecs.hpp>
#include <larder/compression.hpp>
#include <larder/digest.hpp>
#include <larder/entry.hpp>
#include <larder/key.hpp>
#include <larder/options.hpp>
#include <larder/ref.hpp>
#include <larder/result.hpp>
#include <larder/stats.hpp>
#include <larder/stream.hpp>
#include <larder/units.hpp>
#include <larder/version.hpp>
