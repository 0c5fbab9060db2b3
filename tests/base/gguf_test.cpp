#include "base/gguf.h"

#include "../support/temporary.h"
#include "base/file.h"
#include "expect_error.h"

#include <gtest/gtest.h>

#include <cstring>

namespace finstill::base {
namespace {

using tests::expect_error;

/// Little-endian bytes of a GGUF file, piece by piece.
class Bytes {
 public:
  template <typename T>
  Bytes& number(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    text_.append(raw, sizeof(T));
    return *this;
  }
  Bytes& u32(std::uint32_t value) { return number(value); }
  Bytes& u64(std::uint64_t value) { return number(value); }
  Bytes& raw(const std::string& bytes) {
    text_ += bytes;
    return *this;
  }
  Bytes& string(const std::string& value) { return u64(value.size()).raw(value); }
  Bytes& pad(std::size_t multiple, std::size_t more) {
    text_.append((multiple - text_.size() % multiple) % multiple + more, '\0');
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Bytes preamble(std::uint64_t tensors, std::uint64_t metadata, std::uint32_t version = 3) {
  return Bytes().raw("GGUF").u32(version).u64(tensors).u64(metadata);
}

GgufHeader parse(const std::string& file) {
  return parse_gguf(std::as_bytes(std::span(file)), file.size(), "m.gguf");
}

void expect_refused(const Bytes& bytes, const std::string& part) {
  SCOPED_TRACE(part);
  expect_error([&] { parse(bytes.text()); }, ExitCode::data, part);
}

std::string seed_file() {
  return read_file(std::filesystem::path(FINSTILL_SOURCE_DIR) /
                   "tests/fuzz/corpus/gguf/plain.gguf");
}

TEST(Gguf, ReadsEveryTypeOfMetadata) {
  const GgufHeader header = parse(seed_file());
  EXPECT_EQ(header.version, 3u);
  EXPECT_EQ(header.text("general.architecture"), "llama");
  EXPECT_EQ(header.integer("llama.block_count"), 2);
  EXPECT_EQ(header.number("llama.rope.freq_base"), 10000);
  EXPECT_EQ(header.integer("small"), 7);
  EXPECT_EQ(header.number("small"), 7);
  EXPECT_EQ(header.integer("negative"), -5);
  EXPECT_EQ(header.number("double"), 0.5);
  EXPECT_TRUE(header.boolean("flag", false));
  EXPECT_EQ(header.texts("tokenizer.ggml.tokens"), (std::vector<std::string>{"a", "估", ""}));
  EXPECT_EQ(header.numbers("tokenizer.ggml.scores"), (std::vector<double>{0, -1, -2}));
  EXPECT_EQ(header.integers("tokenizer.ggml.token_type"), (std::vector<std::int64_t>{1, 1, 3}));
  const auto& nested = std::get<std::vector<GgufValue>>(header.find("nested")->value);
  EXPECT_EQ(std::get<std::vector<std::uint64_t>>(nested[0].value),
            (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(header.integer("absent", 9), 9);
  EXPECT_EQ(header.text("absent", "x"), "x");
  expect_error([&] { header.integer("absent"); }, ExitCode::data,
               "m.gguf: metadata \"absent\" is missing");
  expect_error([&] { header.integer("double"); }, ExitCode::data,
               "metadata \"double\" is no integer");
  expect_error([&] { header.text("small"); }, ExitCode::data, "is no string");
  expect_error([&] { header.texts("tokenizer.ggml.scores"); }, ExitCode::data,
               "is no array of strings");
  expect_error([&] { header.integers("tokenizer.ggml.scores"); }, ExitCode::data,
               "is no array of integers");
  expect_error([&] { header.boolean("small", true); }, ExitCode::data, "is no boolean");
}

TEST(Gguf, PlacesTensorsInTheFile) {
  const std::string file = seed_file();
  const GgufHeader header = parse(file);
  ASSERT_EQ(header.tensors.size(), 2u);
  const GgufTensor* quantised = header.find_tensor("blk.0.weight");
  ASSERT_NE(quantised, nullptr);
  EXPECT_EQ(quantised->dimensions, (std::vector<std::int64_t>{32, 2}));
  EXPECT_STREQ(quantised->type->name, "Q8_0");
  EXPECT_EQ(quantised->bytes, 68u);
  EXPECT_EQ(quantised->offset + 68, file.size());
  EXPECT_EQ(header.find_tensor("token_embd.weight")->offset + 64, quantised->offset);
  EXPECT_EQ(header.find_tensor("token_embd.weight")->elements(), 12);
}

TEST(Gguf, KnowsTheBlockSizesOfTheFormat) {
  struct Expected {
    const char* name;
    std::uint32_t id, block, bytes;
  };
  for (const Expected& one : {Expected{"F32", 0, 1, 4},
                              {"F16", 1, 1, 2},
                              {"Q4_0", 2, 32, 18},
                              {"Q4_1", 3, 32, 20},
                              {"Q5_0", 6, 32, 22},
                              {"Q5_1", 7, 32, 24},
                              {"Q8_0", 8, 32, 34},
                              {"Q4_K", 12, 256, 144},
                              {"Q6_K", 14, 256, 210},
                              {"BF16", 30, 1, 2}}) {
    const GgmlType* type = find_ggml_type(std::string_view(one.name));
    ASSERT_NE(type, nullptr) << one.name;
    EXPECT_EQ(type, find_ggml_type(one.id));
    EXPECT_EQ(type->block, one.block);
    EXPECT_EQ(type->bytes, one.bytes);
  }
  EXPECT_EQ(find_ggml_type(std::uint32_t{5}), nullptr);
}

TEST(Gguf, RefusesWhatIsNoGgufOfOurVersions) {
  expect_refused(Bytes().raw("GGML").pad(64, 0), "does not begin with \"GGUF\"");
  expect_refused(Bytes().raw("GGUF"), "cut off");
  expect_refused(preamble(0, 0, 1).pad(64, 0), "GGUF version 1; versions 2 and 3 can be read");
  expect_refused(preamble(0, 0, 0x03000000).pad(64, 0), "a big-endian GGUF file");
  EXPECT_NO_THROW(parse(preamble(0, 0, 2).text()));
}

TEST(Gguf, RefusesCountsAndLengthsThatTheFileHasNoRoomFor) {
  const std::uint64_t huge = ~std::uint64_t{0};
  expect_refused(preamble(huge, 0), "a count of 18446744073709551615");
  expect_refused(preamble(0, 1u << 30), "more than the file has room for");
  expect_refused(preamble(0, 1).u64(huge).pad(64, 64), "a string of 18446744073709551615 bytes");
  expect_refused(preamble(0, 1).string("k").u32(8).u64(huge - 7).pad(64, 0), "cut off or damaged");
  for (const std::uint32_t element : {0u, 4u, 7u, 8u, 9u, 12u}) {
    expect_refused(preamble(0, 1).string("k").u32(9).u32(element).u64(huge).pad(64, 0),
                   "more than the file has room for");
  }
  Bytes nested = preamble(0, 1).string("k").u32(9);
  for (int i = 0; i < 10000; ++i) nested.u32(9).u64(1);
  expect_refused(nested, "arrays nested too deep");
  expect_refused(preamble(0, 1).string("k").u32(13).pad(64, 0), "a value of the unknown type 13");
  expect_refused(preamble(0, 1).string("k").u32(9).u32(77).u64(0).pad(64, 0),
                 "an array of the unknown type 77");
  expect_refused(preamble(0, 1).string("k").u32(7).raw("\x02").pad(64, 0), "a boolean of 2");
  expect_refused(preamble(0, 2).string("k").u32(0).raw("1").string("k").u32(0).raw("1").pad(64, 0),
                 "stands here twice");
  expect_refused(preamble(0, 1).string("").u32(0).raw("1").pad(64, 0), "a name that is empty");
  expect_refused(preamble(0, 1).string("\xFF").u32(0).raw("1").pad(64, 0), "no UTF-8");
}

Bytes one_tensor(const std::vector<std::uint64_t>& dimensions, std::uint32_t type,
                 std::uint64_t offset) {
  Bytes bytes = preamble(1, 0).string("t").u32(static_cast<std::uint32_t>(dimensions.size()));
  for (const std::uint64_t size : dimensions) bytes.u64(size);
  return bytes.u32(type).u64(offset);
}

TEST(Gguf, RefusesTensorsThatDoNotLieInTheFile) {
  EXPECT_NO_THROW(parse(one_tensor({8, 4}, 0, 0).pad(32, 128).text()));
  expect_refused(one_tensor({8, 4}, 0, 0).pad(32, 127),
                 "tensor \"t\": its 128 bytes at offset 0 do not lie in the file");
  expect_refused(one_tensor({8, 4}, 0, 32).pad(32, 128), "do not lie in the file");
  expect_refused(one_tensor({8, 4}, 0, 4).pad(32, 256), "do not lie in the file");
  expect_refused(one_tensor({8, 4}, 0, ~std::uint64_t{31}).pad(32, 128), "do not lie in the file");
  expect_refused(one_tensor({}, 0, 0).pad(32, 128), "has 0 dimensions");
  expect_refused(one_tensor({1, 1, 1, 1, 1}, 0, 0).pad(32, 128), "has 5 dimensions");
  expect_refused(one_tensor({8, 0}, 0, 0).pad(32, 128), "are 0 or larger than any file");
  expect_refused(one_tensor({1ull << 32, 1ull << 32}, 0, 0).pad(32, 128),
                 "are 0 or larger than any file");
  expect_refused(one_tensor({1ull << 62}, 0, 0).pad(32, 128), "is larger than any file");
  expect_refused(one_tensor({8}, 5, 0).pad(32, 128), "has the unknown type 5");
  expect_refused(one_tensor({8}, 8, 0).pad(32, 128),
                 "rows of 8 do not divide into blocks of 32 (Q8_0)");
  const auto two = [](std::uint64_t second, const std::string& name) {
    return preamble(2, 0)
        .string("t")
        .u32(1)
        .u64(16)
        .u32(0)
        .u64(0)
        .string(name)
        .u32(1)
        .u64(16)
        .u32(0)
        .u64(second)
        .pad(32, 128);
  };
  EXPECT_NO_THROW(parse(two(64, "u").text()));
  expect_refused(two(32, "u"), "tensors \"t\" and \"u\" share bytes");
  expect_refused(two(64, "t"), "the tensor \"t\" stands here twice");
}

TEST(Gguf, TheAlignmentMustBeAPowerOfTwo) {
  const auto with = [](std::uint32_t alignment) {
    return preamble(0, 1).string("general.alignment").u32(4).u32(alignment).pad(64, 64);
  };
  EXPECT_EQ(parse(with(64).text()).alignment, 64u);
  for (const std::uint32_t bad : {0u, 24u, 1u << 30}) expect_refused(with(bad), "no power of two");
}

TEST(Gguf, EveryTruncationIsFoundAndNoBitFlipEscapes) {
  const std::string whole = seed_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(parse(whole.substr(0, size)), Error) << size;
  }
  for (std::size_t bit = 0; bit < (whole.size() - 132) * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      for (const GgufTensor& tensor : parse(flipped).tensors)
        EXPECT_LE(tensor.offset + tensor.bytes, whole.size()) << bit;
    } catch (const Error&) {
    }
  }
}

TEST(Gguf, ReadsTheDemoModel) {
  const auto file =
      std::filesystem::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "needs the demo model: " << file;
  const GgufFile model(file);
  EXPECT_EQ(model.header().tensors.size(), 272u);
  EXPECT_EQ(model.header().texts("tokenizer.ggml.tokens").size(), 49152u);
  EXPECT_EQ(model.bytes(*model.header().find_tensor("token_embd.weight")).size(),
            49152u * 576 / 32 * 34);
}

}  // namespace
}  // namespace finstill::base
