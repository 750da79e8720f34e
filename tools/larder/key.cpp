// `larder key`: how a key is written, for those who look for one or compare two.
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <larder/codecs.hpp>

#include "arguments.hpp"
#include "more_words.hpp"
#include "verbs.hpp"

namespace larder::tool {
namespace {

struct KeyOptions {
  std::uint32_t version = 0;
  std::string name;
  std::vector<std::string> arguments;
};

// A word of the command line as an argument of a key: a JSON value where it is one, else a text.
struct Argument {
  nlohmann::json value;
};

void encode(KeyEncoder& encoder, const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      return encoder.none();
    case nlohmann::json::value_t::boolean:
      return encoder.boolean(value.get<bool>());
    case nlohmann::json::value_t::number_integer:
      return encoder.integer(value.get<std::int64_t>());
    case nlohmann::json::value_t::number_unsigned:
      return encoder.natural(value.get<std::uint64_t>());
    case nlohmann::json::value_t::number_float:
      return encoder.real(value.get<double>());
    case nlohmann::json::value_t::string:
      return encoder.text(value.get_ref<const std::string&>());
    case nlohmann::json::value_t::array:
      encoder.list(value.size());
      for (const nlohmann::json& member : value) encode(encoder, member);
      return;
    default:
      throw Failure{Exit::usage, "a JSON object is no argument of a key", "larder help key"};
  }
}

}  // namespace
}  // namespace larder::tool

template <>
struct larder::KeyCodec<larder::tool::Argument> {
  static void encode(KeyEncoder& encoder, const tool::Argument& argument) { tool::encode(encoder, argument.value); }
};

namespace larder::tool {
namespace {

constexpr std::size_t k_arguments_max = 16;

template <std::size_t... I>
Key build(const KeyOptions& options, const std::vector<Argument>& arguments, std::index_sequence<I...>) {
  return Key(std::string_view(options.name), Version{options.version}, arguments[I]...);
}

// Key takes its arguments one by one, so there is one builder for each number of them.
template <std::size_t... N>
Key build_any(const KeyOptions& options, const std::vector<Argument>& arguments, std::index_sequence<N...>) {
  using Builder = Key (*)(const KeyOptions&, const std::vector<Argument>&);
  static constexpr std::array<Builder, sizeof...(N)> builders = {
      [](const KeyOptions& o, const std::vector<Argument>& a) {
        return build(o, a, std::make_index_sequence<N>());
      }...};
  return builders[arguments.size()](options, arguments);
}

int run(const Globals& globals, const KeyOptions& options) {
  if (options.arguments.size() > k_arguments_max) {
    throw Failure{Exit::usage, fmt::format("more than {} arguments", k_arguments_max), "larder help key"};
  }
  std::vector<Argument> arguments;
  for (const std::string& word : options.arguments) {
    nlohmann::json value = nlohmann::json::parse(word, nullptr, false);
    arguments.push_back({value.is_discarded() ? nlohmann::json(word) : std::move(value)});
  }
  const Key key = build_any(options, arguments, std::make_index_sequence<k_arguments_max + 1>());
  const std::string canonical = hex(key.canonical());
  const std::string fingerprint = key.fingerprint().hex();
  if (globals.json) {
    print_json(
        {{"key", key.short_text()}, {"text", key.text()}, {"fingerprint", fingerprint}, {"canonical", canonical}});
  } else {
    print(fmt::format("key          {}\ntext         {}\nfingerprint  {}\ncanonical    {}\n", short_name(key),
                      printable(key.text()), fingerprint, canonical));
  }
  return 0;
}

}  // namespace

const Verb k_key = {
    "key", "[OPTION]... NAME [ARG]...", "Show how a key is written",
    "An ARG that is a JSON number, string, list, true, false or null is that; any other is a text.\n"
    "So 4096 is a number and '\"4096\"' is a text.\n\n"
    "Example:\n  larder key --version 3 spectrum 4096 hann",
    [](CLI::App& verb) -> Action {
      auto options = std::make_shared<KeyOptions>();
      verb.add_option("--version", options->version, "the version of the function that computes")
          ->check(whole_number(0, UINT32_MAX));
      verb.add_option("NAME", options->name, "the name of the computation; up to 16 arguments follow")->required();
      verb.allow_extras();
      return [options, &verb](const Globals& globals) {
        options->arguments = more_words(verb);
        return run(globals, *options);
      };
    }};

}  // namespace larder::tool
