#include "model/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/gguf.h"
#include "base/json.h"
#include "tests/support/temporary.h"

namespace finstill::model {
namespace {

const std::filesystem::path golden =
    std::filesystem::path(FINSTILL_SOURCE_DIR) / "tests/golden/gguf";

class Dequantize : public testing::TestWithParam<const char*> {};

// The same values bit for bit; where the random scale is a NaN, a NaN (its payload depends on the
// processor).
TEST_P(Dequantize, equals_gguf_python_on_random_blocks) {
  const base::Json entry = base::read_json(golden / "types.json").at("types").at(GetParam());
  const base::GgmlType* type = base::find_ggml_type(GetParam());
  ASSERT_NE(type, nullptr);
  ASSERT_TRUE(can_dequantize(*type));
  ASSERT_EQ(type->id, entry.at("number").get<std::uint32_t>());
  ASSERT_EQ(type->block, entry.at("values").get<std::uint32_t>());
  ASSERT_EQ(type->bytes, entry.at("bytes").get<std::uint32_t>());

  const std::string bytes = tests::read_text(golden / (std::string(GetParam()) + ".bytes.bin"));
  const std::string expected =
      tests::read_text(golden / (std::string(GetParam()) + ".float32.bin"));
  ASSERT_EQ(bytes.size(), 64 * type->bytes);
  std::vector<float> values(std::size_t{64} * type->block);
  ASSERT_EQ(expected.size(), values.size() * sizeof(float));
  dequantize(*type, std::as_bytes(std::span(bytes)), values);

  for (std::size_t i = 0; i < values.size(); ++i) {
    float want = 0;
    std::memcpy(&want, expected.data() + i * sizeof(float), sizeof(float));
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(values[i])) << "value " << i;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(want))
          << "value " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Dequantize,
                         testing::Values("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0",
                                         "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
                         [](const auto& info) { return std::string(info.param); });

TEST(DequantizeLayout, other_types_are_not_read) {
  for (const char* name : {"Q8_K", "IQ4_NL", "IQ2_XXS"}) {
    const base::GgmlType* type = base::find_ggml_type(name);
    ASSERT_NE(type, nullptr) << name;
    EXPECT_FALSE(can_dequantize(*type)) << name;
  }
}

}  // namespace
}  // namespace finstill::model
