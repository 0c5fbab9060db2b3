#pragma once

// The records of the task `labelled`, dealt to the splits.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/fields.h"
#include "tasks/example.h"

namespace finstill::tasks {

/// The settings; fields() says what each means.
struct LabelledConfig {
  std::string name = "labelled";
  std::filesystem::path file, test_file;
  std::string text_field = "text", label_field = "label";
  std::vector<std::string> labels;
  std::string instruction, prompt = "{text}";
  std::string language = "en";
  double validation_share = 0.05, test_share = 0.1;
  std::string balance = "none";
  bool drop_links = false;
  std::int64_t maximum_characters = 1000;

  static void fields(base::Fields<LabelledConfig>& f);
};

/// A text and the label that it carries.
struct LabelledItem {
  std::string text, label;
};

struct LabelledItems {
  std::map<Split, std::vector<LabelledItem>> splits;
  std::vector<std::string> labels;
  std::map<std::string, std::int64_t> left_out;  ///< records, by reason
};

/// Throws Error(config|io) when no file is named or one is not there.
void check_labelled(const LabelledConfig& config);

/// Reads the files. Records are dealt to the splits by a hash of their words (words_key): the same
/// text never lies in two of them, whatever the seed, its case or punctuation. A text that the test
/// file holds is dropped from training. Throws Error(data) with file and line.
LabelledItems load_labelled(const LabelledConfig& config);

}  // namespace finstill::tasks
