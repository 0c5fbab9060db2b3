#pragma once

// Template source -> tokens, with the whitespace rules that transformers sets: trim_blocks,
// lstrip_blocks, one newline at the end of the source dropped, line ends read as \n.

#include <string>
#include <string_view>
#include <vector>

namespace finstill::text::jinja {

struct Token {
  enum class Kind {
    data,
    output_begin,
    output_end,
    block_begin,
    block_end,
    name,
    integer,
    real,
    string,
    symbol,
    end
  };
  Kind kind = Kind::end;
  std::string text;  ///< of a string: its value; of data: the text to write
  int line = 0;
};

/// Throws Error(data) with name:line.
std::vector<Token> tokenize_template(std::string_view source, const std::string& name);

}  // namespace finstill::text::jinja
