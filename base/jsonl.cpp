#include "base/jsonl.h"

#include "base/error.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace finstill::base {
namespace {

constexpr std::size_t block_size = 1 << 18;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// The value of a line, or nothing when it is broken.
std::optional<Json> value_of(std::string_view line) {
  try {
    return parse_json(line, "");
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Offset after the last line end of an open file, so that a line cut off by a crash can be
/// removed.
std::uint64_t end_of_last_line(int descriptor, std::uint64_t size) {
  std::string block(block_size, '\0');
  while (size > 0) {
    const std::uint64_t begin = size > block_size ? size - block_size : 0;
    const ssize_t got = ::pread(descriptor, block.data(), size - begin, static_cast<off_t>(begin));
    if (got <= 0) return size;
    const void* newline = ::memrchr(block.data(), '\n', static_cast<std::size_t>(got));
    if (newline != nullptr) {
      return begin + static_cast<std::uint64_t>(static_cast<const char*>(newline) - block.data()) +
             1;
    }
    size = begin;
  }
  return 0;
}

}  // namespace

LineReader::LineReader(const std::filesystem::path& file) : file_(file) {
  descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail_errno(errno, "cannot open", file);
  struct stat status = {};
  if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(descriptor_);
    fail(ExitCode::io, "{}: a folder; give the path of a file", file.string());
  }
}

LineReader::~LineReader() {
  ::close(descriptor_);
}

bool LineReader::fill() {
  if (start_ > 0) {
    buffer_.erase(0, start_);
    filled_ -= start_;
    start_ = 0;
  }
  if (buffer_.size() < filled_ + block_size)
    buffer_.resize(std::max(filled_ + block_size, filled_ * 2));
  while (true) {
    const ssize_t got = ::read(descriptor_, buffer_.data() + filled_, buffer_.size() - filled_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(errno, "cannot read", file_);
    filled_ += static_cast<std::size_t>(got);
    return got > 0;
  }
}

void LineReader::skip_line(const char* newline) {
  while (newline == nullptr && !at_end_) {
    end_offset_ += filled_ - start_;
    start_ = filled_;
    at_end_ = !fill();
    newline = static_cast<const char*>(std::memchr(buffer_.data(), '\n', filled_));
  }
  const std::size_t end =
      newline != nullptr ? static_cast<std::size_t>(newline - buffer_.data()) + 1 : filled_;
  end_offset_ += end - start_;
  start_ = end;
}

std::optional<std::string_view> LineReader::next() {
  std::size_t scanned = start_;
  const char* newline = nullptr;
  while (true) {
    newline =
        static_cast<const char*>(std::memchr(buffer_.data() + scanned, '\n', filled_ - scanned));
    if (newline != nullptr || at_end_) break;
    const std::size_t unread = filled_ - start_;
    if (unread > longest_line) break;
    at_end_ = !fill();
    scanned = start_ + unread;
  }
  const std::size_t end =
      newline != nullptr ? static_cast<std::size_t>(newline - buffer_.data()) : filled_;
  if (newline == nullptr && end == start_) return std::nullopt;
  std::string_view line(buffer_.data() + start_, end - start_);
  was_ended_ = newline != nullptr;
  ++line_;
  if (line.size() > longest_line) {
    skip_line(newline);
    fail(ExitCode::data, "{}: a line of more than 64 MiB; split it, or is this no JSON Lines file?",
         where());
  }
  begin_offset_ = end_offset_;
  end_offset_ += line.size() + (was_ended_ ? 1 : 0);
  start_ = end + (was_ended_ ? 1 : 0);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  return line;
}

std::string LineReader::where() const {
  return fmt::format("{}:{}", file_.string(), line_);
}

bool read_line(std::istream& in, std::string& line) {
  if (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return true;
  }
  if (in.bad() || (&in == &std::cin && std::ferror(stdin) != 0))
    fail(ExitCode::io, "stdin: cannot be read: is it closed, or a folder?");
  return false;
}

std::optional<Json> JsonlReader::next() {
  while (const auto line = lines_.next()) {
    if (!is_blank(*line)) return parse_json(*line, lines_.file().string(), lines_.line());
  }
  return std::nullopt;
}

std::vector<Json> read_jsonl(const std::filesystem::path& file) {
  JsonlReader reader(file);
  std::vector<Json> values;
  while (auto value = reader.next()) values.push_back(std::move(*value));
  return values;
}

JsonlWriter::JsonlWriter(const std::filesystem::path& file, Mode mode) : file_(file) {
  if (file.has_parent_path()) make_folder(file.parent_path());
  const int truncate = mode == Mode::replace ? O_TRUNC : 0;
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | truncate, 0666);
  if (descriptor_ < 0) fail_errno(errno, "cannot write", file);
  struct stat status = {};
  int error = ::fstat(descriptor_, &status) == 0 ? 0 : errno;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t whole = end_of_last_line(descriptor_, size);
  if (error == 0 && whole != size && ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0)
    error = errno;
  if (error == 0) return;
  ::close(descriptor_);
  fail_errno(error, "cannot write", file);
}

JsonlWriter::~JsonlWriter() {
  try {
    drain();
  } catch (const Error&) {
    // flush() reports; a destructor cannot.
  }
  ::close(descriptor_);
}

void JsonlWriter::write(const Json& value) {
  buffer_ += dump_json(value);
  buffer_ += '\n';
  if (buffer_.size() >= block_size) drain();
}

void JsonlWriter::drain() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      buffer_.erase(0, buffer_.size() - rest.size());
      fail_errno(error, "cannot write", file_);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

void JsonlWriter::flush() {
  drain();
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS)
    fail_errno(errno, "cannot write", file_);
}

void truncate_jsonl(const std::filesystem::path& file,
                    const std::function<bool(std::int64_t line, const Json&)>& keep) {
  std::error_code missing;
  if (!std::filesystem::exists(file, missing)) return;
  LineReader lines(file);
  std::uint64_t kept = 0;
  while (const auto line = lines.next()) {
    if (!lines.was_ended()) break;
    if (!is_blank(*line)) {
      const std::optional<Json> value = value_of(*line);
      if (!value || !keep(lines.line(), *value)) break;
    }
    kept = lines.end_offset();
  }
  if (::truncate(file.c_str(), static_cast<off_t>(kept)) != 0)
    fail_errno(errno, "cannot write", file);
}

}  // namespace finstill::base
