#include "base/json.h"

#include "../support/temporary.h"
#include "expect_error.h"

#include <gtest/gtest.h>

#include <limits>

namespace finstill::base {
namespace {

using tests::expect_error;

void expect_refused(const std::string& text, const std::string& part) {
  SCOPED_TRACE(text.substr(0, 80));
  expect_error([&] { parse_json(text, "a.json"); }, ExitCode::data, part);
}

TEST(Json, KeepsOrderAndTypes) {
  const std::string text =
      R"({"z":1,"a":[1.5,-2,true,null,"估值 😀"],"m":{"y":{},"b":18446744073709551615}})";
  EXPECT_EQ(dump_json(parse_json(text, "a.json")), text);
  EXPECT_EQ(dump_json(parse_json("\"\\u4f30\\ud83d\\ude00\"", "a")), "\"估😀\"");
}

TEST(Json, RefusesWithLineAndColumn) {
  expect_refused("{\"a\": 1,\n \"b\": 2,\n \"a\": 3}", "a.json:3:5: the key \"a\" stands twice");
  expect_refused("{\"a\": 1,}", "a.json:1:9: not valid JSON");
  expect_refused("[1] x", "a.json:1:5: not valid JSON");
  expect_refused("", "a.json:1:1: not valid JSON");
  expect_refused("[1, // no\n2]", "not valid JSON");
  expect_refused("[18446744073709551616]", "does not fit into 64 bits");
  expect_refused("[-9223372036854775809]", "does not fit into 64 bits");
  expect_refused("[1e999]", "not valid JSON");
  expect_refused("[NaN]", "not valid JSON");
  expect_refused("[01]", "not valid JSON");
  expect_refused("\"\\ud800\"", "not valid JSON");
  expect_refused("\"\xff\"", "a.json:1:2: not valid UTF-8: convert");
  expect_refused("\"\xed\xa0\x80\"", "not valid UTF-8");
  expect_refused("\"a\nb\"", "not valid JSON");
  expect_refused("{\"估值\": \"估\", x}", "a.json:1:13: ");
  expect_refused(std::string(257, '[') + std::string(257, ']'), "nested deeper than 256 levels");
  expect_refused(std::string(1000000, '['), "nested deeper");
  EXPECT_NO_THROW(parse_json(std::string(256, '[') + std::string(256, ']'), "a.json"));
  expect_error([] { parse_json("{\"a\":", "b.jsonl", 7); }, ExitCode::data, "b.jsonl:7:");
}

TEST(Json, ANulByteIsNotTheEndOfADocument) {
  for (const std::string& text : {std::string("{}\0{}", 5), std::string("1\0", 2)})
    expect_error([&] { parse_json(text, "f.json"); }, ExitCode::data, "NUL byte");
}

TEST(Json, ALargeObjectIsReadInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 150000; ++i)
    text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i);
  text += "}";
  const Json value = parse_json(text, "vocabulary");
  EXPECT_EQ(value.size(), 150000u);
  EXPECT_EQ(value.rbegin().key(), "k149999");
}

TEST(Json, DumpRepairsTextAndRefusesWhatJsonCannotHold) {
  EXPECT_EQ(dump_json("a\xff"), "\"a\uFFFD\"");
  expect_error(
      [] {
        dump_json(Json{{"a", std::numeric_limits<double>::quiet_NaN()}});
      },
      ExitCode::internal, "nan");
  expect_error([] { dump_json(Json::array({std::numeric_limits<double>::infinity()})); },
               ExitCode::internal, "inf");
}

TEST(Json, CheckedAccessConvertsNothing) {
  const Json json = parse_json(
      R"({"i": -1, "f": 1.9, "s": "x", "b": true, "n": null, "big": 18446744073709551615})", "a");
  EXPECT_EQ(json_integer(json, "i", "a"), -1);
  EXPECT_EQ(json_integer(json, "n", "a", 5), 5);
  EXPECT_EQ(json_integer(json, "absent", "a", 6), 6);
  EXPECT_EQ(json_number(json, "i", "a"), -1.0);
  EXPECT_EQ(json_string(json, "s", "a"), "x");
  EXPECT_TRUE(json_bool(json, "b", "a", false));
  expect_error([&] { json_integer(json, "f", "a.json"); }, ExitCode::data,
               "a.json: \"f\" must be an integer, not 1.9");
  expect_error([&] { json_integer(json, "big", "a"); }, ExitCode::data, "an integer below 2^63");
  expect_error([&] { json_integer(json, "f", "a", 3); }, ExitCode::data, "must be an integer");
  expect_error([&] { json_integer(json, "n", "a"); }, ExitCode::data, "\"n\" is missing");
  expect_error([&] { json_string(json, "i", "a"); }, ExitCode::data, "must be a string");
  expect_error([&] { json_number(json, "s", "a"); }, ExitCode::data, "must be a number");
  expect_error([&] { json_bool(json, "i", "a", true); }, ExitCode::data, "must be true or false");
  expect_error([&] { json_string(Json::array(), "i", "a"); }, ExitCode::data, "expected an object");
}

TEST(Json, NamesTheFirstDifference) {
  const Json a =
      parse_json(R"({"config": {"epochs": 3, "lora": {"rank": 4}}, "inputs": [1]})", "a");
  Json b = a;
  EXPECT_EQ(first_difference(a, b), "");
  b["config"]["lora"]["rank"] = 8;
  EXPECT_EQ(first_difference(a, b), "config.lora.rank");
  b = a;
  b["config"]["more"] = 1;
  EXPECT_EQ(first_difference(a, b), "config.more");
  EXPECT_EQ(first_difference(b, a), "config.more");
  EXPECT_EQ(first_difference(1, 2), ".");
  EXPECT_EQ(
      first_difference(parse_json(R"({"a":1,"b":2})", "a"), parse_json(R"({"b":2,"a":1})", "b")),
      "");
}

TEST(Json, DescribesTheFirstDifferenceWithBothValues) {
  const Json a = parse_json(R"({"config": {"steps": 4, "tags": ["x"]}, "seed": 1})", "a");
  Json b = a;
  EXPECT_EQ(describe_difference(a, b), "");
  b["seed"] = 2;
  EXPECT_EQ(describe_difference(a, b), "seed: 1 there, 2 now");
  b["config"]["steps"] = 6;
  EXPECT_EQ(describe_difference(a, b), "config.steps: 4 there, 6 now");
  b["config"].erase("steps");
  EXPECT_EQ(describe_difference(a, b), "config.steps: 4 there, null now");
  EXPECT_EQ(describe_difference(b, a), "config.steps: null there, 4 now");
  b = a;
  b["config"]["tags"] = std::string(100, 'x');
  EXPECT_EQ(describe_difference(a, b), "config.tags: [\"x\"] there, something else now");
}

TEST(Json, AFileIsNamedInItsErrors) {
  const tests::TemporaryFolder folder;
  tests::write_text(folder / "坏.json", "{\"a\":\n!}");
  expect_error([&] { read_json(folder / "坏.json"); }, ExitCode::data, "坏.json:2:1: ");
  expect_error([&] { read_json(folder / "none.json"); }, ExitCode::io, "none.json: cannot open");
}

}  // namespace
}  // namespace finstill::base
