#pragma once

// A recipe of three small stages, and the binary that runs it.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temporary.h"

namespace finstill::tests {

class RunVerbs : public testing::Test {
 protected:
  RunVerbs() {
    write_text(
        folder_ / "r.yaml",
        "name: r\nstages:\n"
        "  base: {kind: init, tokenizer: configs/tiny, hidden_size: 16, intermediate_size: 32, "
        "num_hidden_layers: 4, num_attention_heads: 2, num_key_value_heads: 1}\n"
        "  small: {kind: prune, model: \"${base}\", layers: 3}\n"
        "  smaller: {kind: prune, model: \"${small}\", layers: 2}\n");
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  ProcessResult run(std::vector<std::string> options) const {
    options.insert(options.begin(), {"run", path("r.yaml"), "--runs", path("runs")});
    return run_finstill(options);
  }

  bool is_made(const std::string& stage) const {
    return std::filesystem::exists(folder_ / "runs" / "r" / stage / "manifest.json");
  }

  TemporaryFolder folder_;
};

}  // namespace finstill::tests
