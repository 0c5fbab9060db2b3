#pragma once

// JSON Lines: one JSON value a line, UTF-8. A byte order mark at the start, CRLF ends and blank
// lines are accepted on reading; what we write has LF ends, no BOM, no blank lines.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace finstill::base {

/// Reads lines of a text file with their numbers. Lines longer than 64 MiB are an Error(data).
class LineReader {
 public:
  static constexpr std::uint64_t longest_line = std::uint64_t{64} << 20;

  /// Throws Error(io) or Error(permission).
  explicit LineReader(const std::filesystem::path& file);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its end, good until the next call; std::nullopt at the end of the file.
  std::optional<std::string_view> next();
  /// Number of the line that next() returned last, from 1.
  std::int64_t line() const { return line_; }
  /// Offset of that line's first byte, and of the byte after its end.
  std::uint64_t begin_offset() const { return begin_offset_; }
  std::uint64_t end_offset() const { return end_offset_; }
  /// Whether that line had a line end; the last one of a file that was cut off has none.
  bool was_ended() const { return was_ended_; }
  const std::filesystem::path& file() const { return file_; }
  /// "file:7"
  std::string where() const;

 private:
  bool fill();
  /// Goes on behind a line that is too long; `newline`: its end, if that is in the buffer.
  void skip_line(const char* newline);

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::string buffer_;
  std::size_t start_ = 0, filled_ = 0;
  bool at_end_ = false, was_ended_ = false;
  std::int64_t line_ = 0;
  std::uint64_t begin_offset_ = 0, end_offset_ = 0;
};

/// The next line of a stream without its end; false at the end. Throws Error(io) when it cannot be
/// read: a folder or a closed descriptor as standard input is no empty input.
bool read_line(std::istream& in, std::string& line);

/// Reads the values of a JSON Lines file.
class JsonlReader {
 public:
  explicit JsonlReader(const std::filesystem::path& file) : lines_(file) {}

  /// The next value; std::nullopt at the end. Throws Error(data) "file:line:column: ..." for a line
  /// that is not strict JSON.
  std::optional<Json> next();
  std::int64_t line() const { return lines_.line(); }
  /// "file:7", for messages about the value that next() returned last.
  std::string where() const { return lines_.where(); }

 private:
  LineReader lines_;
};

/// All values of a file, in order. For files that fit into memory.
std::vector<Json> read_jsonl(const std::filesystem::path& file);

/// Appends values. A line that a crash cut off at the end of the file is removed on opening.
class JsonlWriter {
 public:
  enum class Mode { append, replace };

  /// Makes the parent folder. `replace` empties the file. Throws Error(io) or Error(permission).
  explicit JsonlWriter(const std::filesystem::path& file, Mode mode = Mode::append);
  /// Writes what is buffered, without fsync and without errors; call flush() for both.
  ~JsonlWriter();
  JsonlWriter(const JsonlWriter&) = delete;
  JsonlWriter& operator=(const JsonlWriter&) = delete;

  void write(const Json& value);
  /// Writes everything and fsyncs. Throws Error(io) when the disk is full.
  void flush();

 private:
  void drain();

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::string buffer_;
};

/// Keeps the leading lines for which `keep` says true and cuts the file before the first other
/// line, an unfinished or a broken line included. Absent file: nothing. For a resume: keep = line 1
/// and every step up to the checkpoint's.
void truncate_jsonl(const std::filesystem::path& file,
                    const std::function<bool(std::int64_t line, const Json&)>& keep);

}  // namespace finstill::base
