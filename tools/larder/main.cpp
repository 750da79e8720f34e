// The command line: global options, the choice of a verb, and what an error looks like.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <larder/version.hpp>

#include "arguments.hpp"
#include "more_words.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

// In the order of the help. `help` itself is answered here.
constexpr const Verb* k_verbs[] = {&k_exec,   &k_get,     &k_put,    &k_has,        &k_rm,
                                   &k_info,   &k_ls,      &k_stats,  &k_invalidate, &k_clear,
                                   &k_verify, &k_compact, &k_doctor, &k_simulate,   &k_key};

constexpr const char* k_footer = R"(
Start here:
  larder exec -- sleep 3        runs it and keeps the result
  larder exec -- sleep 3        answers at once
  larder stats                  what that saved

Environment: LARDER_DIR (the store's directory), XDG_CACHE_HOME (without it, the directory of caches),
LARDER_SHARED (group:NAME, whose that store is), LARDER_DISABLE=1 (exec runs uncached), NO_COLOR.

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 finished with warnings (damage), 5 no store, 6 busy,
7 permission, 8 no space, 130 interrupted. `exec` ends as the command did; 125: --require-cache and no cache,
126: not executable, 127: command not found.)";

// The number of letters to change, add or drop to get from `a` to `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// The verb of that name. Throws Failure(usage) with the nearest one if there is none.
const Verb& find_verb(const std::string& name) {
  const char* nearest = "--help";
  std::size_t nearest_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const Verb* verb : k_verbs) {
    if (name == verb->name) return *verb;
    if (const std::size_t candidate = distance(name, verb->name); candidate < nearest_distance) {
      nearest_distance = candidate;
      nearest = verb->name;
    }
  }
  const bool guess = *nearest != '-';
  throw Failure{Exit::usage, fmt::format("`{}` is not a verb of larder", printable(name)),
                guess ? fmt::format("did you mean `larder {}`?", nearest) : "larder --help"};
}

// The parser's help, with a first line that says what it cannot know.
class Help : public CLI::Formatter {
 public:
  explicit Help(std::string words) : words_(std::move(words)) {}
  std::string make_usage(const CLI::App*, std::string name) const override {
    return fmt::format("Usage: {} {}\n", name, words_);
  }

 private:
  std::string words_;
};

void add_globals(CLI::App& app, Globals& globals) {
  app.set_help_flag("-h,--help", "explain, and exit");
  app.add_option("--dir", globals.directory,
                 "the store's directory [LARDER_DIR, else $XDG_CACHE_HOME/larder/default, else "
                 "~/.cache/larder/default]");
  app.add_option("--shared", globals.shared,
                 "group:NAME: the store is the group's, and whoever makes it makes it so [without --dir LARDER_SHARED, "
                 "else the store is private]")
      ->check(not_empty());
  app.add_flag("--json", globals.json, "print JSON instead of text");
  app.add_flag("-q,--quiet", globals.quiet, "say only what went wrong");
}

// What `parse` makes of the words: an exit status if it answered them itself (--help).
std::optional<int> parse(CLI::App& app, std::vector<std::string> words, const std::string& help) {
  std::reverse(words.begin(), words.end());  // the order that the parser wants
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return 0;
  } catch (const CLI::CallForVersion& version) {
    print(std::string(version.what()) + "\n");
    return 0;
  } catch (const CLI::ParseError& error) {
    throw Failure{Exit::usage, error.what(), help};
  }
  return std::nullopt;
}

int run_verb(const Verb& verb, std::vector<std::string> words, Globals& globals) {
  CLI::App app(verb.what, fmt::format("larder {}", verb.name));
  app.formatter(std::make_shared<Help>(verb.words));
  app.footer(verb.example);
  const Action action = verb.describe(app);
  add_globals(app, globals);
  // Only `exec` takes a command. For the others what follows `--` are words that may start with a dash: the parser sees
  // to those that are positionals, more_words() to the rest.
  if (&verb == &k_exec) {
    const auto dashes = std::find(words.begin(), words.end(), "--");
    if (dashes != words.end()) globals.command.assign(std::next(dashes), words.end());
    words.erase(dashes, words.end());
  }
  if (const auto status = parse(app, std::move(words), fmt::format("larder help {}", verb.name))) return *status;
  return action(globals);
}

int run(const std::vector<std::string>& words, Globals& globals) {
  CLI::App app("Keeps the results of expensive computations close at hand.", "larder");
  app.formatter(std::make_shared<Help>("[OPTION]... VERB [WORD]..."));
  app.prefix_command();  // stops at the verb
  app.set_version_flag("--version", fmt::format("larder {}", k_version_text));
  add_globals(app, globals);
  std::string verbs = "Verbs (larder help VERB explains one):\n";
  for (const Verb* verb : k_verbs) verbs += fmt::format("  {:<8} {}\n", verb->name, verb->what);
  app.footer(verbs + k_footer);
  if (const auto status = parse(app, words, "larder --help")) return *status;
  std::vector<std::string> rest = app.remaining();
  if (rest.empty()) throw Failure{Exit::usage, "nothing to do: no verb was given", "larder --help"};
  const std::string name = rest[0];
  if (name.starts_with('-')) {
    throw Failure{Exit::usage, fmt::format("`{}` was not expected", printable(name)), "larder --help"};
  }
  rest.erase(rest.begin());
  if (name != "help") return run_verb(find_verb(name), std::move(rest), globals);
  if (!rest.empty()) return run_verb(find_verb(rest[0]), {"--help"}, globals);
  print(app.help());
  return 0;
}

}  // namespace

std::vector<std::string> more_words(const CLI::App& verb) {
  std::vector<std::string> words = verb.remaining();
  const auto dashes = std::find(words.begin(), words.end(), "--");
  for (auto word = words.begin(); word != dashes; ++word) {
    const bool number = word->size() > 1 && word->front() == '-' && (*word)[1] >= '0' && (*word)[1] <= '9';
    if (!word->starts_with('-') || number) continue;
    throw Failure{Exit::usage, fmt::format("The following argument was not expected: {}", printable(*word)),
                  verb.get_name().substr(0, 7) + "help " + verb.get_name().substr(7)};
  }
  if (dashes != words.end()) words.erase(dashes);
  return words;
}

}  // namespace larder::tool

namespace {

// A standard descriptor that is closed would become one of our files or pipes, and be written to: it is taken by one
// that refuses reading and writing as a closed one does.
void hold_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int main(int count, char** texts) {
  using larder::tool::Exit;
  using larder::tool::Failure;
  hold_standard_descriptors();
  larder::tool::Globals globals;
  const auto fail = [&](const Failure& failure) {
    larder::tool::print_failure(failure, globals.json);
    return static_cast<int>(failure.exit);
  };
  try {
    return larder::tool::run({texts + 1, texts + count}, globals);
  } catch (const Failure& failure) {
    return fail(failure);
  } catch (const larder::Error& error) {
    return fail(larder::tool::failure_of(error));
  } catch (const std::exception& error) {
    return fail({Exit::failed, error.what(), ""});
  }
}
