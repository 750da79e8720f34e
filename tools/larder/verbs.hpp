// The verbs, one file each. A verb describes its options to the parser and returns what is to be done once the
// command line is understood.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "output.hpp"

namespace larder::tool {

// A verb in progress: throws Failure or Error, else returns the exit status.
using Action = std::function<int(const Globals&)>;

struct Verb {
  const char* name;
  const char* words;    // that follow the name
  const char* what;     // one line
  const char* example;  // what else there is to know, and `Example:`
  Action (*describe)(CLI::App&);
};

extern const Verb k_exec;
extern const Verb k_get;
extern const Verb k_put;
extern const Verb k_has;
extern const Verb k_rm;
extern const Verb k_info;
extern const Verb k_ls;
extern const Verb k_stats;
extern const Verb k_invalidate;
extern const Verb k_clear;
extern const Verb k_verify;
extern const Verb k_compact;
extern const Verb k_doctor;
extern const Verb k_simulate;
extern const Verb k_key;

}  // namespace larder::tool
