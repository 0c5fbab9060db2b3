#include "base/safetensors.h"

#include "../support/shared.h"
#include "../support/temporary.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "expect_error.h"
#include "limit.h"

#include <gtest/gtest.h>

#include <cstring>

namespace finstill::base {
namespace {

using tests::expect_error;
using tests::read_text;
using tests::TemporaryFolder;
using tests::write_text;

std::string with_header(const std::string& header, std::size_t data_bytes) {
  std::uint64_t size = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

SafetensorsHeader parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), file.size(), "m.safetensors");
}

void expect_refused(const std::string& header, std::size_t data_bytes, const std::string& part) {
  SCOPED_TRACE(header);
  expect_error([&] { parse(with_header(header, data_bytes)); }, ExitCode::data, part);
}

const std::string plain =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[24,32]},)"
    R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";

TEST(Safetensors, ReadsAHeader) {
  const SafetensorsHeader header = parse(with_header(plain, 32));
  ASSERT_EQ(header.tensors.size(), 2u);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(header.find("b")->begin, 24u);
  EXPECT_EQ(header.find("c"), nullptr);
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_NO_THROW(parse(with_header("{}", 0)));
  EXPECT_NO_THROW(parse(with_header(
      R"({"s":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
      R"("e":{"dtype":"F64","shape":[0,9223372036854775807,4],"data_offsets":[1,1]}}   )",
      1)));
}

TEST(Safetensors, ManyLinesOfMetadataAreReadOnceEach) {
  // Looking for each by its name would take minutes.
  std::string header = R"({"__metadata__":{"k":"v")";
  for (int i = 0; i < 300000; ++i) header += fmt::format(R"(,"{}":"v")", i);
  EXPECT_EQ(parse(with_header(header + "}}", 0)).metadata.size(), 300001u);
  expect_refused(R"({"__metadata__":{"a":"b","c":null}})", 0,
                 "m.safetensors: __metadata__: \"c\" must be a string");
  expect_refused(R"({"__metadata__":{"a":1}})", 0, "\"a\" must be a string");
}

TEST(Safetensors, RefusesLyingHeaders) {
  const auto one = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  expect_refused(
      plain, 31,
      "the header describes 32 bytes of tensors, the file has 31; it is cut off or damaged");
  expect_refused(plain, 33, "the file has 33");
  expect_refused(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4, "need 8");
  expect_refused(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4,
                 "end before they begin");
  expect_refused(one(R"("dtype":"F32","shape":[1],"data_offsets":[1,5])"), 5,
                 "begin at 1, but those before it end at 0");
  expect_refused(one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4,
                 "at least 0, not -1");
  expect_refused(one(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])"), 4,
                 "an integer of at least 0");
  expect_refused(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0,
                 "larger than any file");
  expect_refused(one(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), 4,
                 "at most 8 sizes");
  expect_refused(one(R"("dtype":"Q4_K","shape":[1],"data_offsets":[0,4])"), 4,
                 "unknown dtype \"Q4_K\"");
  expect_refused(one(R"("dtype":"F4","shape":[3],"data_offsets":[0,2])"), 2,
                 "do not fill whole bytes");
  expect_refused(one(R"("dtype":"F32","shape":[1])"), 4, "expected {dtype, shape, data_offsets}");
  expect_refused(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1)"), 4,
                 "and nothing else");
  expect_refused(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615])"), 4,
                 "18446744073709551615 bytes");
  expect_refused(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
      6, "tensor \"b\": its bytes begin at 2, but those before it end at 4");
  expect_refused(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
      1, "twice");
  expect_refused(R"({"__metadata__":{"x":1}})", 0, "must be a string");
  expect_refused(R"({"__metadata__":[]})", 0, "must be an object of strings");
  expect_refused(R"({"a\u0000b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, "no NUL");
  expect_refused("[]", 0, "does not begin with '{'");
  expect_refused(" {}", 0, "does not begin with '{'");
  expect_refused("{", 0, "header:1:2: not valid JSON");
}

TEST(Safetensors, RefusesImpossibleHeaderLengths) {
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{100'000'000}, std::uint64_t{100'000'001},
        std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    std::string file = with_header("{}", 0);
    std::memcpy(file.data(), &length, 8);
    expect_error([&] { parse(file); }, ExitCode::data, "m.safetensors: ");
  }
  for (std::size_t size = 0; size < 10; ++size) {
    expect_error([&] { parse(with_header("{}", 0).substr(0, size)); }, ExitCode::data, "cut off");
  }
}

TEST(Safetensors, EveryTruncationIsFound) {
  const std::string whole = with_header(plain, 32);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(parse(whole.substr(0, size)), Error) << size;
  }
}

TEST(Safetensors, EveryBitFlipIsRefusedOrStaysInTheFile) {
  const std::string whole = with_header(plain, 32);
  for (std::size_t bit = 0; bit < (whole.size() - 32) * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      const SafetensorsHeader header = parse(flipped);
      for (const SafetensorsEntry& entry : header.tensors) {
        EXPECT_LE(header.data_start + entry.end, flipped.size()) << bit;
      }
    } catch (const Error&) {
    }
  }
}

class SafetensorsFiles : public ::testing::Test {
 protected:
  /// Ten tensors of 4 KiB from a seed.
  void write_model(const std::filesystem::path& folder, std::uint64_t shard_bytes) {
    std::vector<SafetensorsWriter::Spec> specs;
    for (int i = 0; i < 10; ++i) specs.push_back({fmt::format("层.{}", i), "F32", {32, 32}});
    SafetensorsWriter writer(folder, "model", specs, {{"format", "pt"}}, shard_bytes);
    for (int i = 0; i < 10; ++i)
      writer.write(specs[static_cast<std::size_t>(i)].name, std::as_bytes(values(i)));
    writer.commit();
  }

  std::span<const float> values(int i) {
    values_.resize(1024);
    fill_normal(values_, static_cast<std::uint64_t>(i), "values", 0, 1);
    return values_;
  }

  void expect_model(const std::filesystem::path& folder) {
    const SafetensorsFolder model(folder);
    ASSERT_EQ(model.tensors().size(), 10u);
    EXPECT_EQ(model.total_bytes(), 40960u);
    EXPECT_EQ(model.metadata().at("format"), "pt");
    for (int i = 0; i < 10; ++i) {
      const auto* tensor = model.find(fmt::format("层.{}", i));
      ASSERT_NE(tensor, nullptr);
      const auto expected = std::as_bytes(values(i));
      EXPECT_TRUE(std::equal(tensor->bytes().begin(), tensor->bytes().end(), expected.begin(),
                             expected.end()));
    }
  }

  TemporaryFolder folder_;
  std::vector<float> values_;
};

TEST_F(SafetensorsFiles, WriteAndReadOneFile) {
  write_model(folder_ / "模型", 1 << 20);
  EXPECT_EQ(files_in(folder_ / "模型"), std::vector<std::string>{"model.safetensors"});
  const SafetensorsFile file(folder_ / "模型/model.safetensors");
  EXPECT_EQ(file.header().data_start % 8, 0u);
  expect_model(folder_ / "模型");
}

TEST_F(SafetensorsFiles, WriteAndReadShardsAndChangeBetweenBoth) {
  const auto folder = folder_.path();
  write_model(folder, 4096 * 4);
  EXPECT_EQ(files_in(folder),
            (std::vector<std::string>{
                "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors", "model.safetensors.index.json"}));
  const Json index = read_json(folder / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 40960);
  EXPECT_EQ(index["weight_map"]["层.4"], "model-00002-of-00003.safetensors");
  expect_model(folder);
  write_model(folder, 1 << 20);
  EXPECT_EQ(files_in(folder), std::vector<std::string>{"model.safetensors"});
  expect_model(folder);
  write_model(folder, 1);  // each tensor is larger than a shard may be: one each
  EXPECT_EQ(files_in(folder).size(), 11u);
  expect_model(folder);
}

TEST_F(SafetensorsFiles, AnIndexMustStayInItsFolderAndTellTheTruth) {
  const auto folder = folder_.path();
  write_model(folder, 4096 * 4);
  const std::string good = read_text(folder / "model.safetensors.index.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
    write_text(folder / "model.safetensors.index.json", text);
    return [&] { SafetensorsFolder model(folder); };
  };
  expect_error(with("model-00001-of-00003", "../other"), ExitCode::data, "which is no file name");
  expect_error(with("model-00001-of-00003", "/etc/other"), ExitCode::data, "which is no file name");
  expect_error(with("model-00001-of-00003.safetensors", "model.bin"), ExitCode::data,
               "which is no file name");
  expect_error(with("model-00001-of-00003", "model-00009-of-00003"), ExitCode::io,
               "model-00009-of-00003.safetensors: cannot open");
  expect_error(with("层.3", "层.99"), ExitCode::data, "tensor \"层.99\" should be in model-00001");
  expect_error(with("model-00001", "model-00002"), ExitCode::data, "should be in model-00002");
  expect_error(with("weight_map", "weights"), ExitCode::data, "\"weight_map\" is missing");
}

TEST_F(SafetensorsFiles, PickledWeightsAreNamedAndNotRead) {
  const auto folder = folder_.path();
  expect_error([&] { SafetensorsFolder model(folder); }, ExitCode::io,
               "neither model.safetensors nor");
  write_text(folder / "pytorch_model.bin", "x");
  expect_error([&] { SafetensorsFolder model(folder); }, ExitCode::data,
               "only pickled weights (pytorch_model.bin)");
  expect_error([&] { SafetensorsFolder model(folder / "none"); }, ExitCode::io,
               "cannot read the folder");
}

TEST_F(SafetensorsFiles, AFullDiskLeavesTheOldModel) {
  const auto folder = folder_.path();
  write_model(folder, 1 << 20);
  const std::string before = sha256_folder(folder);
  tests::with_file_size_limit(10000, [&] {
    expect_error([&] { write_model(folder, 1 << 20); }, ExitCode::io,
                 "model.safetensors: cannot write");
  });
  EXPECT_EQ(sha256_folder(folder), before);
}

TEST(Safetensors, ReadsARealModel) {
  FINSTILL_SHARED_OR_SKIP(folder, "models/babyllama105/hf");
  const SafetensorsFolder model(folder);
  EXPECT_NE(model.find("model.embed_tokens.weight"), nullptr);
  EXPECT_GT(model.total_bytes(), 1000u);
}

}  // namespace
}  // namespace finstill::base
