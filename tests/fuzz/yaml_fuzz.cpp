// fuzz: links base
// YAML text, the config struct it fills, and writing it again.

#include "base/error.h"
#include "base/fields.h"

#include <cstdlib>

namespace {

using namespace std::string_literals;
namespace base = finstill::base;

struct Inner {
  double rate = 1;
  static void fields(base::Fields<Inner>& f) {
    f.add("rate", &Inner::rate, "of learning").range(0, 10);
  }
};

struct Config {
  std::int64_t epochs = 3;
  std::vector<std::string> tasks;
  base::Named<base::ArtifactRef> models;
  std::optional<Inner> lora;

  static void fields(base::Fields<Config>& f) {
    f.add("epochs", &Config::epochs, "passes").range(1, 100);
    f.add("tasks", &Config::tasks, "by name");
    f.add("models", &Config::models, "by name");
    f.add("lora", &Config::lora, "update");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const base::ConfigNode tree = base::parse_yaml(text, "fuzz.yaml");
    const base::Json values = base::config_to_json(tree);
    const std::string written = base::write_yaml(tree);
    if (base::config_to_json(base::parse_yaml(written, "written")) != values) std::abort();
    const Config config = base::read_config<Config>(tree);
    const base::Json resolved = base::write_config(config);
    const std::string resolved_text = base::write_yaml(base::config_from_json(resolved));
    if (base::write_config(
            base::read_config<Config>(base::parse_yaml(resolved_text, "resolved"))) != resolved) {
      std::abort();
    }
  } catch (const base::Error& error) {
    // An input that was accepted once must be accepted again in the form in which we write it.
    if (error.what() == ""s || std::string_view(error.what()).starts_with("written") ||
        std::string_view(error.what()).starts_with("resolved")) {
      std::abort();
    }
  }
  return 0;
}
