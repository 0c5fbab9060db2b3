#pragma once

// Registry<Interface>: name -> config struct and maker. A file registers its class itself:
//
//   static const bool registered = base::Registry<Objective>::add<SftConfig>(
//       "sft", "cross-entropy on the trained tokens",
//       [](const SftConfig& config) { return std::make_unique<SftObjective>(config); });
//
// A config names an entry as `objective: sft` or `objective: {kind: sft, ...}` through a
// Tagged<Interface> member.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fields.h"

namespace finstill::base {

struct NoConfig {  ///< for entries without settings
  static void fields(Fields<NoConfig>&) {}
};

template <typename Interface>
class Registry {
 public:
  struct Entry {
    std::string name, help;
    const Struct* config = nullptr;
    std::function<std::shared_ptr<void>()> new_config;
    std::function<std::unique_ptr<Interface>(const void* config)> make;
  };

  /// Adds an entry; called from a static initialiser of the file that owns the class. A second
  /// entry of the same name is a bug (assert).
  template <typename Config, typename Maker>
  static bool add(const std::string& name, const std::string& help, Maker maker);

  /// Throws Error(config) that lists the known names and the nearest one; `where` begins the
  /// message.
  static const Entry& find(std::string_view name, const std::string& where = "");
  static bool contains(std::string_view name);
  static std::vector<std::string> names();  ///< sorted

  /// Makes an entry with its default settings.
  static std::unique_ptr<Interface> make(std::string_view name, const std::string& where = "");

 private:
  static std::map<std::string, Entry, std::less<>>& entries();
};

/// A config member that chooses an entry of Registry<Interface> by name and holds its settings.
template <typename Interface>
struct Tagged {
  std::string kind;
  std::shared_ptr<void> config;  ///< the entry's config struct
  std::string where;

  bool empty() const { return kind.empty(); }
  /// Throws Error(config) when no entry was chosen or its name is unknown.
  std::unique_ptr<Interface> make() const {
    return Registry<Interface>::find(kind, where).make(config.get());
  }
};

/// A registry as `finstill list KIND` and `finstill help KIND` see it.
struct Listing {
  struct Entry {
    std::string name, help;
    const Struct* config = nullptr;
    std::shared_ptr<void> defaults;  ///< a fresh config struct, for config->help(defaults.get())
  };

  std::string kind, help;
  std::function<std::vector<Entry>()> entries;  ///< sorted by name
};

/// Makes Registry<Interface> known under a kind; said once, in the .cpp beside the interface:
///   static const bool listed = base::list_registry<Objective>("objective", "what a step
///   minimises");
template <typename Interface>
bool list_registry(const std::string& kind, const std::string& help);

/// All listed registries, sorted by kind.
std::vector<Listing> listings();

}  // namespace finstill::base

#include "base/registry_inl.h"
