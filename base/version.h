#pragma once

#include <map>
#include <string>

namespace finstill::base {

/// "0.1.0"
std::string version();

/// The commit this binary was built from, "" outside a checkout; with "-changed" for a tree with
/// uncommitted changes.
std::string source_revision();

/// Makes a library's version part of the identity of every stage that computes. Called from a
/// static initialiser of the module that wraps the library: add_library("libtorch", TORCH_VERSION).
bool add_library(const std::string& name, const std::string& version);

/// The libraries added so far, by name.
const std::map<std::string, std::string>& libraries();

}  // namespace finstill::base
